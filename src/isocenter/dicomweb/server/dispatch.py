"""The ASGI application of the edge: match a route, learn who calls, run the handler, answer errors from one table."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.server.public_path import public_origin, public_prefix
from isocenter.dicomweb.server.routes import ROUTES, Route
from isocenter.dicomweb.server.service import Call, Service
from isocenter.domain.errors import Broken, IsocenterError, NotFound
from isocenter.domain.statuses import statuses_of

_log = structlog.get_logger()

ROOTS: Mapping[str, Dialect] = {"/dicom-web": Dialect.STANDARD, "/v2": Dialect.AZURE_V2}
"""Under which paths the service is offered, and by whose rules."""
RETRY_AFTER_S = "5"
"""A group commit takes well under a second; a full disk takes a person."""

REQUEST_TIMEOUT = 408

_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class DicomwebApplication:
    """Serve DICOMweb below one root."""

    def __init__(self, service: Service, *, root_path: str) -> None:
        self._service = service
        self._root_path = root_path
        self._dialect = ROOTS[root_path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        request = Request(scope, receive)
        response = await self._answer(request)
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        if request.method == "HEAD":  # its headers are those of a GET; what a body would say is not read at all
            await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            await response(scope, receive, send)
        except IsocenterError as error:  # bytes are on the way: closing the connection is all that is left to say
            _log.error("dicomweb.response_broken", reason=error.message)
            raise

    async def _answer(self, request: Request) -> Response:
        try:
            route, parameters = self._match(request)
            principal = self._service.authenticate(request.headers)
            principal.require(route.action)
            call = Call(
                service=self._service,
                request=request,
                parameters=parameters,
                principal=principal,
                dialect=self._dialect,
                root=public_origin(request) + public_prefix(request) + self._root_path,
            )
            return await route.handler(call)
        except IsocenterError as error:
            return _error_response(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # the outermost loop of the edge: the next request is served
            _log.exception("dicomweb.broken", method=request.method)
            return _error_response(Broken())

    def _match(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        path: str = request.scope["path"]
        segments = path[len(self._root_path) :].strip("/").split("/")
        other_methods: list[str] = []
        method = "GET" if request.method == "HEAD" else request.method
        for route in ROUTES.get(len(segments), ()):
            parameters = route.match(segments)
            if parameters is not None:
                if route.method == method:
                    return route, parameters
                other_methods.append(route.method)
        if other_methods:
            raise _MethodNotAllowed(sorted(set(other_methods)))
        raise NotFound()


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
