"""The API of the supervisor: JSON on loopback, for whoever has its token.

GET    /control/status
POST   /control/parts/{part}/{start|stop|kill}
POST   /control/lines/{line}/cut                  {"how": "refuse"}
POST   /control/lines/{line}/heal
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from isocenter.app.faults.api import TokenGuard, read_table
from isocenter.app.hospital.control import Cut, Line, Part
from isocenter.domain.errors import InvalidRequest, IsocenterError, NotFound
from isocenter.domain.nearest import did_you_mean
from isocenter.domain.statuses import statuses_of

if TYPE_CHECKING:
    from isocenter.app.hospital.supervisor import Hospital


def control_route(hospital: Hospital) -> BaseRoute:
    """Return the API of a hospital."""

    async def show(_request: Request) -> Response:
        return JSONResponse(json.loads(json.dumps(asdict(hospital.status()))))

    async def act(request: Request) -> Response:
        part = parse_part(request.path_params["part"])
        match request.path_params["order"]:
            case "start":
                await hospital.start(part)
            case "stop":
                await hospital.stop(part)
            case "kill":
                await hospital.kill(part)
            case order:
                raise NotFound(f"A part has no order {order}; there are start, stop and kill.")
        return JSONResponse({})

    async def cut(request: Request) -> Response:
        table = await read_table(request)
        hospital.cut(parse_line(request.path_params["line"]), parse_cut(str(table.get("how", Cut.REFUSE))))
        return JSONResponse({})

    async def heal(request: Request) -> Response:
        hospital.heal(parse_line(request.path_params["line"]))
        return JSONResponse({})

    def guarded(_request: Request, error: Exception) -> Response:
        assert isinstance(error, IsocenterError)
        return JSONResponse({"error": error.message}, statuses_of(error).http_status)

    routes = [
        Route("/status", show),
        Route("/parts/{part}/{order}", act, methods=["POST"]),
        Route("/lines/{line}/cut", cut, methods=["POST"]),
        Route("/lines/{line}/heal", heal, methods=["POST"]),
    ]
    api = Starlette(routes=routes, exception_handlers={IsocenterError: guarded})
    return Mount("/control", TokenGuard(api, token=hospital.reach.supervisor.token))


def parse_part(text: str) -> Part:
    """Return a part by its name; raises NotFound with the nearest one."""
    try:
        return Part(text)
    except ValueError:
        hint = did_you_mean(text, list(Part), f"there are {', '.join(Part)}.")
        raise NotFound(f"There is no part {text}; {hint}") from None


def parse_line(text: str) -> Line:
    """Return a line by its name; raises NotFound with the nearest one."""
    try:
        return Line(text)
    except ValueError:
        known = f"there are {' and '.join(Line)}, each from the router."
        raise NotFound(f"There is no line {text}; {did_you_mean(text, list(Line), known)}") from None


def parse_cut(text: str) -> Cut:
    """Return a way to cut a line; raises InvalidRequest with the nearest one."""
    try:
        return Cut(text)
    except ValueError:
        hint = did_you_mean(text, list(Cut), f"there are {', '.join(Cut)}.")
        raise InvalidRequest(f"A line is not cut by {text!r}; {hint}") from None
