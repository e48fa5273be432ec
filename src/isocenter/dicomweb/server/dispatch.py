"""The ASGI application of the edge: match a route, learn who calls, run the handler, answer errors from one table."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from isocenter.dicomweb.server.partitions import PartitionGate
from isocenter.dicomweb.server.public_path import public_origin, public_prefix
from isocenter.dicomweb.server.routes import Offer, Route, offer_under
from isocenter.dicomweb.server.service import Call, Service
from isocenter.dicomweb.server.trail import CORRELATION_HEADER, Trail, custom_properties, open_trail
from isocenter.domain.errors import Broken, InvalidRequest, IsocenterError, NotFound, Unauthenticated
from isocenter.domain.principal import ANYBODY, Principal
from isocenter.domain.statuses import statuses_of

_log = structlog.get_logger()

RETRY_AFTER_S = "5"
"""A group commit takes well under a second; a full disk takes a person."""

REQUEST_TIMEOUT = 408
OPERATION = "operation"
"""Under which name the state of a request has that of its route."""
SHARED_OPERATIONS = frozenset({"query", "retrieve", "retrieve-metadata", "retrieve-rendered"})
"""What callers with a link to one study may ask for; the use cases behind see to it that it is of that study."""
PARTITION_DEPTH = 2
"""`partitions/{name}` stands before the path of a resource."""

_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_VERSIONS = {"api-supported-versions": "1.0-prerelease, 1, 2"}
"""dicom-service 0.1: with every answer of a route that has versions, whatever its status."""


class DicomwebApplication:
    """Serve DICOMweb below one root."""

    def __init__(self, service: Service, *, root_path: str, offer: Offer | None = None) -> None:
        """Prepare to serve what is offered under a root of the archive, or something else under a path of its own."""
        offer = offer or offer_under(root_path)
        self._service = service
        self._root_path = root_path
        self._dialect = offer.dialect
        self._routes = offer.routes
        self._offered = offer.described
        self._shared = frozenset() if offer.is_in_front else SHARED_OPERATIONS
        self._gate = PartitionGate()
        self._headers = {**_ALWAYS, **_VERSIONS} if self._dialect.is_azure else _ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        traffic = _Traffic(receive, send)
        request = Request(scope, traffic.receive)
        try:
            await self._serve(request, traffic.send)
        finally:
            operation = getattr(request.state, OPERATION, "")
            if operation:
                self._service.counts.note_request(
                    operation,
                    traffic.status,
                    received_bytes=traffic.received_bytes,
                    sent_bytes=traffic.sent_bytes,
                )

    async def _serve(self, request: Request, send: Send) -> None:
        response, trail = await self._answer(request)
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        if trail is None:
            return await self._send(response, request, send)
        response.headers[CORRELATION_HEADER] = trail.correlation_id
        try:
            await self._send(response, request, send)
        finally:
            trail.end(response.status_code)

    async def _send(self, response: Response, request: Request, send: Send) -> None:
        if request.method == "HEAD":  # its headers are those of a GET; what a body would say is not read at all
            await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            await response(request.scope, request.receive, send)
        except IsocenterError as error:  # bytes are on the way: closing the connection is all that is left to say
            _log.error("dicomweb.response_broken", reason=error.message)
            raise

    async def _answer(self, request: Request) -> tuple[Response, Trail | None]:
        trail: Trail | None = None
        try:
            route, parameters = self._match(request)
            setattr(request.state, OPERATION, route.operation)
            if self._dialect.is_azure:
                _refuse_markup(request.scope["query_string"])
            trail = self._open_trail(request, route, parameters)
            call = Call(
                service=self._service,
                request=request,
                parameters=parameters,
                principal=self._admit(request, route, parameters, trail),
                dialect=self._dialect,
                root=public_origin(request) + public_prefix(request) + self._root_path,
                offered=self._offered,
            )
            if route.is_in_partition:
                await self._gate.enter(call, route.operation)
            return await route.handler(call), trail
        except IsocenterError as error:
            return self._error_response(error, request), trail
        except ClientDisconnect:
            return Response(status_code=400), trail
        except Exception:  # the outermost loop of the edge: the next request is served
            _log.exception("dicomweb.broken", method=request.method)
            return self._error_response(Broken(), request), trail

    def _open_trail(self, request: Request, route: Route, parameters: Mapping[str, str]) -> Trail | None:
        properties = custom_properties(request)
        if self._service.audit is None:
            return None
        return open_trail(
            self._service.audit, request, operation=route.operation, resource=parameters, properties=properties
        )

    def _admit(self, request: Request, route: Route, parameters: Mapping[str, str], trail: Trail | None) -> Principal:
        """Return who calls, with what it may do where the route leads; raises Unauthenticated, Forbidden."""
        caller: Principal | None = None
        try:
            caller = ANYBODY if route.action is None else self._service.authenticate(request.headers)
        finally:
            if trail is not None:
                trail.begin(caller)
        principal = caller.within(route.partition_name(parameters)) if route.is_in_partition else caller
        if route.action is not None and (principal.shared_study is None or route.operation not in self._shared):
            principal.require(route.action)
        return principal

    def _error_response(self, error: IsocenterError, request: Request) -> Response:
        if isinstance(error, _MethodNotAllowed) and request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join([*error.methods, "OPTIONS"])})
        response = _error_response(error)
        if isinstance(error, Unauthenticated) and self._service.challenge is not None:
            response.headers["WWW-Authenticate"] = self._service.challenge(
                public_origin(request) + public_prefix(request)
            )
        return response

    def _match(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        path: str = request.scope["path"]
        segments = path[len(self._root_path) :].strip("/").split("/")
        partition: dict[str, str] = {}
        if len(segments) > PARTITION_DEPTH and segments[0].lower() == "partitions":
            partition = {"partition": segments[1]}
            segments = segments[PARTITION_DEPTH:]
        other_methods: list[str] = []
        method = "GET" if request.method == "HEAD" else request.method
        for route in self._routes.get(len(segments), ()):
            parameters = route.match(segments) if route.is_in_partition or not partition else None
            if parameters is not None:
                if route.method == method:
                    return route, {**partition, **parameters}
                other_methods.append(route.method)
        if other_methods:
            raise _MethodNotAllowed(sorted(set(other_methods)))
        raise NotFound()


class _Traffic:
    """Tells what was received and sent of one request."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.received_bytes = self.sent_bytes = self.status = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.received_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent_bytes += len(message.get("body", b""))
        await self._send(message)


def _refuse_markup(query_string: bytes) -> None:
    """Refuse what could be the beginning of markup, whatever is asked for (dicom-service 1.2)."""
    if b"<" in query_string or b"%3c" in query_string.lower():
        raise InvalidRequest("The query string included invalid characters.")


class _MethodNotAllowed(NotFound):
    """The resource does not offer this method."""

    def __init__(self, methods: list[str]) -> None:
        super().__init__()
        self.methods = methods


def _error_response(error: IsocenterError) -> Response:
    if isinstance(error, _MethodNotAllowed):
        return PlainTextResponse(error.message, status_code=405, headers={"Allow": ", ".join(error.methods)})
    status = statuses_of(error).http_status
    headers = {"Retry-After": RETRY_AFTER_S} if status in (503, 507) else {}
    if status == REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # the rest of the body would be taken for the next request
    if status >= 500:
        _log.error("dicomweb.error", status=status, reason=error.message)
    return PlainTextResponse(error.message, status_code=status, headers=headers)
