"""Operations: long work that callers started, with its progress."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.dicomweb.codec.operation_json import parse_operation_id
from isocenter.domain.audit import AuditRecord
from isocenter.domain.principal import DataAction
from isocenter.web.console.audited import audited
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.pages.service import OPERATIONS, service_page
from isocenter.web.pages.service_desk import ServiceDesk

_MANAGE = DataAction.MANAGE_EXTENDED_QUERY_TAGS
"""As the desk of operations asks for."""
OPERATIONS_SHOWN_MAX = 200
"""The latest; older ones are asked for by their identifier."""


def operation_routes(
    console: Console, desk: ServiceDesk, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of the list, of one operation, and of its pause."""

    def listed(visit: Visit) -> Response:
        values = {
            "rows": desk.operations(visit.principal, limit=OPERATIONS_SHOWN_MAX),
            "shown_max": OPERATIONS_SHOWN_MAX,
        }
        return service_page(console, visit, "service_operations.html", values, tab="operations")

    def one(visit: Visit) -> Response:
        found = desk.operation(visit.principal, parse_operation_id(visit.part("operation")))
        results = orjson.loads(found.results)
        values = {
            "operation": found,
            "results": "" if results is None else orjson.dumps(results, option=orjson.OPT_INDENT_2).decode(),
        }
        return service_page(console, visit, "service_operation.html", values, tab="operations")

    def pause(visit: Visit, form: Form) -> Done:
        operation_id = parse_operation_id(visit.part("operation"))
        is_paused = form.one("paused") == "yes"
        desk.pause_operation(visit.principal, operation_id, is_paused=is_paused)
        told = "It pauses after the step that is under way." if is_paused else "It goes on."
        return Done(f"{OPERATIONS}/{operation_id}", told)

    traced = audited(pause, audit=audit, operation="pause-operation", fields=("paused",))
    return [
        console.get(OPERATIONS, listed, name="service-operations"),
        console.get(OPERATIONS + "/{operation}", one, name="service-operation"),
        console.post(OPERATIONS + "/{operation}/pause", traced, name="service-operation-pause", action=_MANAGE),
    ]
