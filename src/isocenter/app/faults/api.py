"""The API of a running fault plane: JSON on loopback, for whoever has its token.

GET    /links                         what there is, what is set, how often it struck
GET    /links/{name}
POST   /links/{name}/faults           {"kind": "reset", "after_bytes": 100000, "for": "20s"}
DELETE /links/{name}/faults           all
DELETE /links/{name}/faults/{id}      one
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from isocenter.app.faults.plane import FaultPlane, link_json
from isocenter.app.loop_server import serving
from isocenter.domain.errors import InvalidRequest, IsocenterError
from isocenter.domain.measures import parse_duration
from isocenter.domain.statuses import statuses_of
from isocenter.modality.faults.sections import described, parse_fault

HOST = "127.0.0.1"
BODY_LENGTH_MAX = 64 * 1024
"""A fault has a dozen keys."""
_TOKEN_BYTES = 24
_BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where the API is, and what it wants to be shown."""

    url: str
    token: str


@asynccontextmanager
async def serving_api(plane: FaultPlane) -> AsyncIterator[ApiAddress]:
    """Serve the API of a plane for the length of a block."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    listener = socket.create_server((HOST, 0))
    async with serving(api(plane, token), listener):
        yield ApiAddress(f"http://{HOST}:{listener.getsockname()[1]}", token)


def api(plane: FaultPlane, token: str) -> Starlette:
    """Return the API of a plane as an application."""

    async def list_links(_request: Request) -> Response:
        return JSONResponse([link_json(link) for link in plane.links.values()])

    async def show_link(request: Request) -> Response:
        return JSONResponse(link_json(plane.link(request.path_params["name"])))

    async def set_fault(request: Request) -> Response:
        link = plane.link(request.path_params["name"])
        table = await read_table(request)
        for_s = _duration(table.pop("for", None))
        active = link.set(parse_fault(table), for_s=for_s)
        return JSONResponse({"id": active.fault_id, "text": described(active.fault)}, 201)

    async def clear_faults(request: Request) -> Response:
        link = plane.link(request.path_params["name"])
        return JSONResponse({"cleared": link.clear(request.path_params.get("fault_id"))})

    def guarded(request: Request, error: Exception) -> Response:
        assert isinstance(error, IsocenterError)
        return JSONResponse({"error": error.message}, statuses_of(error).http_status)

    routes = [
        Route("/links", list_links),
        Route("/links/{name}", show_link),
        Route("/links/{name}/faults", set_fault, methods=["POST"]),
        Route("/links/{name}/faults", clear_faults, methods=["DELETE"]),
        Route("/links/{name}/faults/{fault_id:int}", clear_faults, methods=["DELETE"]),
    ]
    application = Starlette(routes=routes, exception_handlers={IsocenterError: guarded})
    application.add_middleware(TokenGuard, token=token)
    return application


class TokenGuard:
    """Lets through what shows the token: any program on this machine reaches loopback."""

    def __init__(self, app: Any, *, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "http":
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if not secrets.compare_digest(shown, _BEARER.encode() + self._token):
                refusal = JSONResponse({"error": "The token of this process is needed."}, 401)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def read_table(request: Request) -> dict[str, Any]:
    """Return the table that a body holds as JSON; raises InvalidRequest."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LENGTH_MAX:
            raise InvalidRequest("A body is not so long.")
    try:
        table = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest("The body is not JSON.") from error
    if not isinstance(table, dict):
        raise InvalidRequest('The body is a table such as {"kind": "refuse"}.')
    return table


def _duration(raw: object) -> float | None:
    if raw is None:
        return None
    found = parse_duration(raw) if isinstance(raw, str) else None
    if found is None:
        raise InvalidRequest('`for` is a duration such as "20s".')
    return found
