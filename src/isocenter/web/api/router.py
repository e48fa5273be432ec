"""The router as JSON: channels, destinations, deliveries and the configuration, for programs, the console, commands.

Whoever may read sees everything; whoever changes what goes where needs the right to export, for that is what it does.
A request that changes anything has a body of a type that no form of another site can send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import (
    Broken,
    InvalidRequest,
    IsocenterError,
    TooLarge,
    UnsupportedMediaType,
)
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.statuses import statuses_of
from isocenter.routing.configuration.problem import InvalidConfiguration
from isocenter.routing.configuration.read import TEXT_LENGTH_MAX
from isocenter.web.api import router_channels as channels
from isocenter.web.api import router_configuration as configuration
from isocenter.web.api import router_deliveries as deliveries
from isocenter.web.api.associations import HEADERS
from isocenter.web.api.router_asked import Asked, Text
from isocenter.web.api.router_desk import RouterDesk
from isocenter.web.api.router_json import render_problem
from isocenter.web.number_in_path import number_part

_log = structlog.get_logger()

ROUTER_PATH = "/api/router"
BODY_SIZE_MAX_BYTES = 2 * TEXT_LENGTH_MAX
"""A configuration within JSON, whose line ends take two characters."""
JSON, TOML = "application/json", "application/toml"

Authenticate = Callable[[Mapping[str, str]], Principal]
Handle = Callable[[RouterDesk, Asked], object]
HandleAsync = Callable[[RouterDesk, Asked], Awaitable[object]]
Audit = Callable[[AuditRecord], None]


@dataclass(frozen=True, slots=True)
class RouterRoute:
    """One method on one path, what the caller needs to be granted, and what it does."""

    method: str
    path: str
    """Below `/api/router`."""
    action: DataAction
    handle: Handle | None
    summary: str
    handle_async: HandleAsync | None = None
    """For what runs on the event loop."""


_READ, _CHANGE = DataAction.READ, DataAction.EXPORT
ROUTER_ROUTES: tuple[RouterRoute, ...] = (
    RouterRoute("GET", "", _READ, channels.read_overview, "Counters of the node, and of each channel and destination."),
    RouterRoute("GET", "/channels", _READ, channels.list_channels, "Channels with their state and counters."),
    RouterRoute("GET", "/channels/{channel}", _READ, channels.read_channel, "One channel, by destination."),
    RouterRoute(
        "GET", "/channels/{channel}/refusals", _READ, channels.list_refusals, "What a channel refused lately, and why."
    ),
    RouterRoute(
        "POST",
        "/channels/{channel}/{order:order}",
        _CHANGE,
        None,
        "Start, pause, stop or restart a channel; the body may give a `reason`.",
        channels.order_channel,
    ),
    RouterRoute("GET", "/destinations", _READ, channels.list_destinations, "How destinations are doing, in words too."),
    RouterRoute("GET", "/destinations/{destination}", _READ, channels.read_destination, "One destination, by channel."),
    RouterRoute(
        "POST",
        "/destinations/{destination}/{wish:wish}",
        _CHANGE,
        channels.change_destination,
        "Put a destination aside (`hold`), take it up again (`release`), have a sick one probed at once (`probe`).",
    ),
    RouterRoute(
        "GET",
        "/deliveries",
        _READ,
        deliveries.list_deliveries,
        "Deliveries, the newest first: `destination`, `channel`, `state`, `note`, `study`, `series` and `instance` "
        "select, `limit` and `after` page.",
    ),
    RouterRoute(
        "GET",
        f"/deliveries/{number_part('delivery')}",
        _READ,
        deliveries.read_delivery,
        "One delivery with its attempts.",
    ),
    RouterRoute(
        "GET",
        f"/deliveries/{number_part('delivery')}/explanation",
        _READ,
        deliveries.explain_delivery,
        "What each rule compared when it was planned; `values=true` shows the compared values too.",
    ),
    RouterRoute(
        "POST",
        "/deliveries/{step:step}",
        _CHANGE,
        deliveries.step_deliveries,
        "Hold, release, cancel or send again the deliveries that the `selection` in the body names; `rules` may be "
        "`current` for what is sent again by its numbers.",
    ),
    RouterRoute("GET", "/studies", _READ, deliveries.list_studies, "Deliveries by study and destination."),
    RouterRoute("GET", "/studies/{study}", _READ, deliveries.read_study, "The deliveries of a study by series."),
    RouterRoute(
        "GET",
        "/configuration",
        _READ,
        configuration.read_configuration,
        "The configuration, always written the same; `version` names another one, `form=written` gives it with "
        "comments.",
    ),
    RouterRoute(
        "PUT",
        "/configuration",
        _CHANGE,
        None,
        "Have another configuration hold: TOML, or JSON with `text`, `reason` and `version`, the one that it replaces.",
        configuration.replace_configuration,
    ),
    RouterRoute(
        "POST",
        "/configuration/diff",
        _READ,
        configuration.preview_configuration,
        "What another configuration would change.",
    ),
    RouterRoute(
        "GET", "/configuration/versions", _READ, configuration.list_versions, "Versions with author and reason."
    ),
    RouterRoute(
        "POST",
        f"/configuration/versions/{number_part('version')}/rollback",
        _CHANGE,
        None,
        "Have an earlier version hold again, as a new one.",
        configuration.roll_back,
    ),
    RouterRoute(
        "POST",
        "/replay",
        _READ,
        configuration.replay,
        "Where what came in the last `days` would go by the configuration in `text`, or by the one that holds.",
    ),
)
"""Every route; the reference and the test of permissions are made from here."""
WORDS = {"order": channels.ORDERS, "wish": channels.WISHES, "step": deliveries.STEPS}
"""What stands for a word in a path: `{order:order}` is one of `start`, `pause`, `stop`, `restart`."""


def concrete_paths(route: RouterRoute) -> list[str]:
    """Return the paths of a route, one for each word that may stand in it."""
    for name, words in WORDS.items():
        marker = f"{{{name}:{name}}}"
        if marker in route.path:
            return [route.path.replace(marker, word) for word in words]
    return [route.path]


def router_routes(
    desk: RouterDesk, *, authenticate: Authenticate, executor: Executor, audit: Audit | None = None
) -> list[BaseRoute]:
    """Return the routes of the router of a node.

    `authenticate` learns from request headers (names in lower case) who calls, and raises Unauthenticated.
    """
    table: dict[str, dict[str, tuple[RouterRoute, str]]] = {}
    for route in ROUTER_ROUTES:
        for path in concrete_paths(route):
            table.setdefault(path, {})[route.method] = (route, path.rpartition("/")[2])

    async def answer(request: Request, by_method: Mapping[str, tuple[RouterRoute, str]]) -> Response:
        route, word = by_method["GET" if request.method == "HEAD" else request.method]
        trail = _Trail(audit, request, route)
        try:
            principal = authenticate(request.headers)
            trail.begin(principal)
            principal.require(route.action)
            asked = await _read(request, principal, word)
            content = await _handle(route, desk, asked, executor)
            response = _json(content)
        except InvalidConfiguration as error:
            problems = [render_problem(one) for one in error.problems]
            response = _json({"error": error.message, "problems": problems}, status_code=400)
        except IsocenterError as error:
            response = _json({"error": error.message}, status_code=statuses_of(error).http_status)
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception:  # the outermost loop of the edge: the next request is served
            _log.exception("router.api_broken", method=request.method)
            response = _json({"error": Broken().message}, status_code=500)
        trail.end(response.status_code)
        return response

    return [
        Route(ROUTER_PATH + path, partial(_endpoint, answer=answer, by_method=by_method), methods=list(by_method))
        for path, by_method in sorted(table.items(), key=lambda one: "{" in one[0].rpartition("/")[2])
    ]


async def _endpoint(
    request: Request,
    *,
    answer: Callable[[Request, Mapping[str, tuple[RouterRoute, str]]], Awaitable[Response]],
    by_method: Mapping[str, tuple[RouterRoute, str]],
) -> Response:
    return await answer(request, by_method)


async def _handle(route: RouterRoute, desk: RouterDesk, asked: Asked, executor: Executor) -> object:
    if route.handle_async is not None:
        return await route.handle_async(desk, asked)
    assert route.handle is not None, "each route has one of both"
    return await asyncio.get_running_loop().run_in_executor(executor, route.handle, desk, asked)


async def _read(request: Request, principal: Principal, word: str) -> Asked:
    """Return what a request asks; raises UnsupportedMediaType, TooLarge, InvalidRequest."""
    body: object = {}
    if request.method not in ("GET", "HEAD"):
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in (JSON, TOML):
            raise UnsupportedMediaType(f"The body must be of the type {JSON}, or {TOML} for a configuration.")
        content = await _read_body(request)
        body = _text_of(content) if media_type == TOML else _parse(content)
    return Asked(
        principal=principal,
        path={name: str(value) for name, value in request.path_params.items()},
        query=_single(request.query_params.multi_items()),
        word=word,
        body=body,
        accepts_toml=TOML in request.headers.get("accept", ""),
    )


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_SIZE_MAX_BYTES:
            raise TooLarge(f"The request exceeded the allowed limit of {BODY_SIZE_MAX_BYTES} bytes.")
    return bytes(body)


def _text_of(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("The body is not text in UTF-8.") from error


def _parse(content: bytes) -> object:
    if not content:
        return {}
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("The body is not JSON.") from error


def _single(pairs: Sequence[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


class _Trail:
    """The records in the audit log of a request that changes something, or shows values of attributes."""

    def __init__(self, audit: Audit | None, request: Request, route: RouterRoute) -> None:
        self._audit = audit if route.action is not _READ or "values" in request.query_params else None
        self._request = request
        self._operation = "router " + route.path.replace("{", "").replace("}", "").strip("/")
        self._correlation_id = str(uuid4())
        self._caller: Principal | None = None

    def begin(self, caller: Principal) -> None:
        self._caller = caller
        self._write(AuditAction.EXECUTING, None)

    def end(self, status: int) -> None:
        self._write(AuditAction.EXECUTED, status)

    def _write(self, action: AuditAction, status: int | None) -> None:
        if self._audit is None:
            return
        request = self._request
        self._audit(
            AuditRecord(
                action,
                operation=self._operation,
                correlation_id=self._correlation_id,
                caller=self._caller,
                address="" if request.client is None else request.client.host,
                method=request.method,
                uri=str(request.url),
                status=status,
                resource={name: str(value) for name, value in request.path_params.items()},
            )
        )


def _json(value: object, *, status_code: int = 200) -> Response:
    if isinstance(value, Text):
        return Response(value.text, status_code, media_type=TOML, headers={**HEADERS, **value.headers})
    return Response(orjson.dumps(value), status_code, media_type=JSON, headers=HEADERS)
