"""Associations as JSON: those that live and the last that ended, with what was agreed on each and what went over it.

The list leaves the contexts of each out but for their number; `/api/associations/ID` has them. Endpoints run on the
event loop, where the register changes, so that what they show is of one moment.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isocenter.dicom.dictionary import uid_name
from isocenter.dimse.shell.record import AssociationRecord, AssociationRegister, ContextRecord
from isocenter.domain.errors import IsocenterError, NotFound
from isocenter.domain.principal import Principal
from isocenter.domain.statuses import statuses_of
from isocenter.web.number_in_path import number_part

ASSOCIATIONS_PATH = "/api/associations"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Authenticate = Callable[[Mapping[str, str]], Principal]
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def association_routes(register: AssociationRegister, *, authenticate: Authenticate) -> list[BaseRoute]:
    """Return the routes of the associations of a node.

    `authenticate` learns from request headers (names in lower case) who calls, and raises Unauthenticated.
    """

    async def every(request: Request) -> Response:
        try:
            authenticate(request.headers)
        except IsocenterError as error:
            return error_response(error)
        return _json(
            {
                "live": [render_summary(record) for record in register.live],
                "recent": [render_summary(record) for record in register.recent],
            }
        )

    async def one(request: Request) -> Response:
        try:
            authenticate(request.headers)
            record = register.find(int(request.path_params["association_id"]))
            if record is None:
                raise NotFound("No association of that number lives or ended lately.")
        except IsocenterError as error:
            return error_response(error)
        return _json(render_association(record))

    return [
        Route(ASSOCIATIONS_PATH, every, name="associations"),
        Route(f"{ASSOCIATIONS_PATH}/{number_part('association_id')}", one, name="association"),
    ]


def error_response(error: IsocenterError) -> Response:
    """Return an error of the tree as JSON."""
    return _json({"error": error.message}, status_code=statuses_of(error).http_status)


def render_summary(record: AssociationRecord) -> dict[str, object]:
    """Return an association without its contexts."""
    results = record.context_results
    return {
        "id": record.association_id,
        "side": record.side,
        "calling_ae_title": record.calling_ae_title,
        "called_ae_title": record.called_ae_title,
        "peer_address": record.peer_address,
        "implementation_version_name": record.implementation_version_name,
        "tls": record.uses_tls,
        "user": record.user_name or None,
        "started_at": _time(record.started_at),
        "ended_at": _time(record.ended_at),
        "end": record.end,
        "cause": record.cause,
        "bytes_received": record.bytes_received,
        "bytes_sent": record.bytes_sent,
        "contexts_accepted": results["accepted"],
        "contexts_refused": results.total() - results["accepted"],
    }


def render_association(record: AssociationRecord) -> dict[str, object]:
    """Return everything that is known of an association."""
    return {
        **render_summary(record),
        "contexts": [_context(context) for context in record.contexts],
        "messages_received": _by_name(record.messages_received),
        "messages_sent": _by_name(record.messages_sent),
        "statuses_received": _statuses(record.statuses_received),
        "statuses_sent": _statuses(record.statuses_sent),
    }


def message_name(class_name: str) -> str:
    """Return the standard's name of a message: `C-STORE-RSP` for `CStoreRsp`."""
    return _WORD.sub("-", class_name).upper()


def _context(context: ContextRecord) -> dict[str, object]:
    return {
        "id": context.context_id,
        "abstract_syntax": _named(context.abstract_syntax_uid),
        "transfer_syntaxes": [_named(uid) for uid in context.transfer_syntax_uids],
        "accepted_transfer_syntax": (
            None if context.accepted_transfer_syntax_uid is None else _named(context.accepted_transfer_syntax_uid)
        ),
        "refusal": context.refusal,
    }


def _named(uid: str) -> dict[str, str | None]:
    return {"uid": uid, "name": uid_name(uid)}


def _by_name(counts: Counter[str]) -> dict[str, int]:
    return {message_name(name): count for name, count in sorted(counts.items())}


def _statuses(counts: Counter[tuple[str, int]]) -> list[dict[str, object]]:
    return [
        {"message": message_name(name), "status": f"{status:04X}", "count": count}
        for (name, status), count in sorted(counts.items())
    ]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _json(value: object, *, status_code: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code, media_type="application/json", headers=HEADERS)
