"""Workitems and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.dicom.dictionary import keyword_of
from isocenter.domain.audit import AuditRecord
from isocenter.domain.principal import DataAction
from isocenter.domain.query import OneOf
from isocenter.domain.workitem import Workitem, WorkitemState
from isocenter.domain.workitem_search import SEARCHABLE, SearchableAttribute, WorkitemMatch, WorkitemQuery
from isocenter.web.console.audited import audited
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.pages.service import ROWS, WORKITEMS, number_of, service_page
from isocenter.web.pages.service_desk import ServiceDesk

VALUE_LENGTH_MAX = 400
"""Of a value on the page; the whole of it is there over the API."""
ATTRIBUTES_MAX = 2000
"""Lines of one page; a workitem with more is read over the API."""
REASON_LENGTH_MAX = 400
_BY_KEYWORD = {attribute.keyword: attribute for attribute in SEARCHABLE}


@dataclass(frozen=True, slots=True)
class AttributeLine:
    """One attribute of a data set as a line."""

    depth: int
    tag: str
    keyword: str
    vr: str
    text: str


def workitem_routes(
    console: Console, desk: ServiceDesk, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of the list, of one workitem, and of asking for its end."""

    def listed(visit: Visit) -> Response:
        state, patient_id, offset = visit.parameter("state"), visit.parameter("patient"), number_of(visit, "offset", 0)
        found = desk.workitems(visit.principal, _query(state, patient_id, offset))
        kept = {name: value for name, value in (("state", state), ("patient", patient_id)) if value}
        values = {
            "rows": [(one, *_shown(one)) for one in found[:ROWS]],
            "states": [one.value for one in WorkitemState],
            "state": state,
            "patient": patient_id,
            "offset": offset,
            "previous": urlencode({**kept, "offset": max(0, offset - ROWS)}) if offset else None,
            "next": urlencode({**kept, "offset": offset + ROWS}) if len(found) > ROWS else None,
        }
        return service_page(console, visit, "service_workitems.html", values, tab="workitems")

    def one(visit: Visit) -> Response:
        found = desk.workitem(visit.principal, visit.part("partition"), visit.part("sop_instance_uid"))
        lines = list(_iter_lines(orjson.loads(found.content), 0))
        values = {
            "workitem": found,
            "lines": lines[:ATTRIBUTES_MAX],
            "has_more": len(lines) > ATTRIBUTES_MAX,
            "can_end": found.state in (WorkitemState.SCHEDULED, WorkitemState.IN_PROGRESS),
        }
        return service_page(console, visit, "service_workitem.html", values, tab="workitems")

    def cancel(visit: Visit, form: Form) -> Done:
        partition_name, uid = visit.part("partition"), visit.part("sop_instance_uid")
        reason = form.one("reason")[:REASON_LENGTH_MAX]
        desk.request_cancellation(visit.principal, partition_name, uid, reason=reason)
        return Done(f"{WORKITEMS}/{partition_name}/{uid}", "The cancellation is asked for.")

    path = WORKITEMS + "/{partition}/{sop_instance_uid}"
    traced = audited(cancel, audit=audit, operation="cancel-workitem")
    return [
        console.get(WORKITEMS, listed, name="service-workitems"),
        console.get(path, one, name="service-workitem"),
        console.post(path + "/cancel", traced, name="service-workitem-cancel", action=DataAction.WRITE),
    ]


def _query(state: str, patient_id: str, offset: int) -> WorkitemQuery:
    wanted: list[tuple[SearchableAttribute, str]] = []
    if state:
        wanted.append((_BY_KEYWORD["ProcedureStepState"], state))
    if patient_id:
        wanted.append((_BY_KEYWORD["PatientID"], patient_id))
    matches = tuple(WorkitemMatch(attribute, OneOf(attribute.tag, (text,))) for attribute, text in wanted)
    return WorkitemQuery(matches, limit=ROWS + 1, offset=offset)


def _shown(workitem: Workitem) -> tuple[str, str, str, str]:
    """Return label, priority, start and patient of a line."""
    document = orjson.loads(workitem.content)
    return (
        _text(document.get("00741204")) or _text(document.get("00741202")),
        _text(document.get("00741200")),
        _text(document.get("00404005")),
        _text(document.get("00100010")) or _text(document.get("00100020")),
    )


def _iter_lines(document: Mapping[str, Any], depth: int) -> Iterator[AttributeLine]:
    for tag, element in sorted(document.items()):
        vr = element.get("vr", "")
        name = keyword_of(int(tag, 16)) or ""
        if vr != "SQ":
            yield AttributeLine(depth, tag, name, vr, _text(element))
            continue
        items = element.get("Value") or []
        yield AttributeLine(depth, tag, name, vr, f"{len(items)} items" if len(items) != 1 else "1 item")
        for item in items:
            yield from _iter_lines(item or {}, depth + 1)


def _text(element: Mapping[str, Any] | None) -> str:
    if element is None:
        return ""
    values = [_value(one) for one in element.get("Value") or []]
    text = " \\ ".join(values) or ("(bulk data)" if "BulkDataURI" in element else "")
    return text if len(text) <= VALUE_LENGTH_MAX else text[:VALUE_LENGTH_MAX] + "…"


def _value(one: object) -> str:
    if isinstance(one, Mapping):
        return "=".join(str(one.get(part, "")) for part in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    return "" if one is None else str(one)
