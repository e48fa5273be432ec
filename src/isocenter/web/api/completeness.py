"""Completeness of studies as JSON: which are whole, by which evidence, what the others wait for.

GET  /api/completeness?limit=N        studies, the one that came last first
GET  /api/completeness/STUDY          one of them, with what is expected of it
POST /api/completeness/STUDY          treat it as complete
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isocenter.domain.errors import InvalidRequest, IsocenterError
from isocenter.domain.principal import DataAction, Principal
from isocenter.web.api.associations import HEADERS, error_response

COMPLETENESS_PATH = "/api/completeness"
LIMIT_DEFAULT, LIMIT_MAX = 100, 1000


class CompletenessTable(Protocol):
    """What the routes ask of completeness."""

    def overview(self, *, limit: int) -> list[dict[str, Any]]:
        """Return studies, the one that came last first."""
        ...

    def find(self, study_instance_uid: str) -> dict[str, Any]:
        """Return a study with what is expected of it; raises NotFound."""
        ...

    def treat_as_complete(self, study_instance_uid: str, *, origin: str) -> dict[str, Any]:
        """Have a study treated as complete; raises NotFound."""
        ...


def completeness_routes(
    table: CompletenessTable, *, authenticate: Callable[[Mapping[str, str]], Principal]
) -> list[BaseRoute]:
    """Return the routes; `authenticate` learns from request headers who calls, and raises Unauthenticated."""

    async def answer(request: Request, action: DataAction, call: Callable[[Principal], Any], status: int) -> Response:
        try:
            principal = authenticate(request.headers)
            principal.require(action)
            content = orjson.dumps(await run_in_threadpool(call, principal))
        except IsocenterError as error:
            return error_response(error)
        return Response(content, status, media_type="application/json", headers=HEADERS)

    async def every(request: Request) -> Response:
        text = request.query_params.get("limit")
        return await answer(request, DataAction.READ, lambda _: table.overview(limit=_limit(text)), 200)

    async def one(request: Request) -> Response:
        study = request.path_params["study"]
        return await answer(request, DataAction.READ, lambda _: table.find(study), 200)

    async def complete(request: Request) -> Response:
        study = request.path_params["study"]

        def treat(principal: Principal) -> dict[str, Any]:
            return table.treat_as_complete(study, origin=principal.name)

        return await answer(request, DataAction.WRITE, treat, 202)

    return [
        Route(COMPLETENESS_PATH, every, methods=["GET"], name="completeness"),
        Route(COMPLETENESS_PATH + "/{study}", one, methods=["GET"], name="completeness-of-study"),
        Route(COMPLETENESS_PATH + "/{study}", complete, methods=["POST"], name="treat-as-complete"),
    ]


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= LIMIT_MAX:
        raise InvalidRequest(f"limit is a whole number from 1 to {LIMIT_MAX}.")
    return int(text)
