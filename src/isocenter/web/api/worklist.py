"""How it stands with the system that keeps the work list, as JSON: reached or away, how old what stands in for it is.

GET /api/worklist   the RIS, the cache, and performed procedure steps on their way to it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isocenter.domain.errors import IsocenterError
from isocenter.domain.principal import Principal
from isocenter.web.api.associations import HEADERS, error_response

WORKLIST_PATH = "/api/worklist"


def worklist_routes(
    overview: Callable[[], dict[str, Any]], *, authenticate: Callable[[Mapping[str, str]], Principal]
) -> list[BaseRoute]:
    """Return the routes; `authenticate` learns from request headers who calls, and raises Unauthenticated."""

    async def show(request: Request) -> Response:
        try:
            authenticate(request.headers)
            content = orjson.dumps(await run_in_threadpool(overview))
        except IsocenterError as error:
            return error_response(error)
        return Response(content, media_type="application/json", headers=HEADERS)

    return [Route(WORKLIST_PATH, show, methods=["GET"], name="worklist-status")]
