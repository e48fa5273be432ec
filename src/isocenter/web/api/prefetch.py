"""Prefetching as JSON: the last runs with a reason for each candidate, and requests for more.

GET  /api/prefetch?limit=N   runs, how many wait, how many fetched studies somebody opened
POST /api/prefetch           {"patient_id": …, "modality": …, "description": …, "rule": …}: runs that were kept
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isocenter.domain.errors import InvalidRequest, IsocenterError, TooLarge
from isocenter.domain.principal import DataAction, Principal
from isocenter.routing.prefetch.rule import TriggerKind
from isocenter.routing.prefetch.trigger import Trigger
from isocenter.web.api.associations import HEADERS, error_response

PREFETCH_PATH = "/api/prefetch"
LIMIT_DEFAULT, LIMIT_MAX = 50, 1000
BODY_SIZE_MAX_BYTES = 16 * 1024
TEXT_LENGTH_MAX = 1024
_TEXTS = ("patient_id", "issuer", "birth_date", "modality", "description", "study_instance_uid", "accession_number")


class PrefetchTable(Protocol):
    """What the routes ask of prefetching."""

    def overview(self, *, limit: int) -> dict[str, Any]:
        """Return runs, the last one first, and counts."""
        ...

    def request(self, trigger: Trigger, *, rule: str) -> Sequence[dict[str, Any]]:
        """Keep a run for each rule that heeds a trigger, and return them; raises NotFound for a rule."""
        ...


def prefetch_routes(table: PrefetchTable, *, authenticate: Callable[[Mapping[str, str]], Principal]) -> list[BaseRoute]:
    """Return the routes; `authenticate` learns from request headers who calls, and raises Unauthenticated."""

    async def show(request: Request) -> Response:
        try:
            authenticate(request.headers).require(DataAction.READ)
            limit = _limit(request.query_params.get("limit"))
            return _json(await run_in_threadpool(table.overview, limit=limit))
        except IsocenterError as error:
            return error_response(error)

    async def ask(request: Request) -> Response:
        try:
            authenticate(request.headers).require(DataAction.WRITE)
            document = await _read(request)
            rule = _text(document, "rule")
            runs = await run_in_threadpool(table.request, _trigger(document), rule=rule)
            return _json(runs, status_code=202)
        except IsocenterError as error:
            return error_response(error)

    return [
        Route(PREFETCH_PATH, show, methods=["GET"], name="prefetch"),
        Route(PREFETCH_PATH, ask, methods=["POST"], name="request-prefetch"),
    ]


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= LIMIT_MAX:
        raise InvalidRequest(f"limit is a whole number from 1 to {LIMIT_MAX}.")
    return int(text)


async def _read(request: Request) -> Mapping[str, object]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_SIZE_MAX_BYTES:
            raise TooLarge(f"A request for prefetching has at most {BODY_SIZE_MAX_BYTES // 1024} KB.")
    try:
        document = orjson.loads(bytes(body))
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("The body is not JSON.") from error
    if not isinstance(document, dict):
        raise InvalidRequest("The body is an object with patient_id.")
    unknown = [name for name in document if name not in (*_TEXTS, "rule", "appointment")]
    if unknown:
        raise InvalidRequest(f"There is no key {unknown[0]!r}; there are {', '.join(_TEXTS)}, appointment and rule.")
    return document


def _trigger(document: Mapping[str, object]) -> Trigger:
    texts = {name: _text(document, name) for name in _TEXTS}
    if not texts["patient_id"]:
        raise InvalidRequest("patient_id is missing.")
    appointment = document.get("appointment")
    if appointment is not None and (isinstance(appointment, bool) or not isinstance(appointment, int | float)):
        raise InvalidRequest("appointment is a number: seconds since 1970, UTC.")
    moment = None if appointment is None else float(appointment)
    return Trigger(TriggerKind.REQUEST, **texts, appointment=moment)


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX:
        raise InvalidRequest(f"{name} is a text of at most {TEXT_LENGTH_MAX} characters.")
    return value.strip()


def _json(value: object, *, status_code: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code, media_type="application/json", headers=HEADERS)
