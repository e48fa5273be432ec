"""The audit trail for whoever administers: who did what with which resource, the latest first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.web.console.console import Console, Visit
from isocenter.web.pages.system_frame import AUDIT, system_page

ROWS = 50
"""Of one page."""
TEXT_LENGTH_MAX = 120
_POSITION = re.compile(r"[0-9]{8}-[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What of the trail is wanted; the names of the fields are those in its address."""

    operation: str = ""
    """A part of its name."""
    person: str = ""
    """A part of the caller's name, object or application identifier."""
    about: str = ""
    """A part of what the record says of the resource: a UID, a name."""
    since: str = ""
    until: str = ""
    """Days in UTC, both included."""
    result: str = ""
    """`failed`, or `begun` for the records of requests that begin too; empty for all that ended."""
    before: str = ""
    """Where the page begins, as the page before it told; empty at the latest record."""

    @property
    def problem(self) -> str:
        """Return why it cannot be looked for, in a sentence for the reader; empty if it can."""
        if any(text and _day(text) is None for text in (self.since, self.until)):
            return "A date is written as year-month-day, for example 2026-03-31."
        since, until = _day(self.since), _day(self.until)
        if since and until and since > until:
            return "The first date is later than the last one."
        return ""

    def address(self, **changes: object) -> str:
        """Return the query string of this state with some of it changed, without what is empty."""
        state = replace(self, **changes)  # type: ignore[arg-type]  # names of fields, checked by replace
        return urlencode({name: value for name in self.__dataclass_fields__ if (value := getattr(state, name))})


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One record."""

    time: str
    operation: str
    has_ended: bool
    person: str
    address: str
    method: str
    uri: str
    status: str
    resource: tuple[tuple[str, str], ...]
    correlation_id: str

    @property
    def is_failed(self) -> bool:
        """Tell whether the request was refused or failed."""
        return self.status[:1] in ("4", "5")


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some records, the latest first."""

    rows: Sequence[AuditRow]
    before: str
    """Where the next page begins; empty at the end of the trail."""
    is_cut: bool
    """So much was looked through in vain that the rest is left to the next page."""


class AuditTrail(Protocol):
    """Who reads the trail."""

    def page(self, wanted: AuditFilter, *, rows: int) -> AuditPage:
        """Return records that fit, at most `rows`; waits for the disk, within a bound."""
        ...


def parse_audit_filter(parameters: Mapping[str, str]) -> AuditFilter:
    """Return the state that an address holds; what is none is left out."""
    texts = {name: _clean(parameters.get(name, "")) for name in ("operation", "person", "about")}
    days = {name: _normalized(_clean(parameters.get(name, ""))) for name in ("since", "until")}
    result, before = parameters.get("result", ""), parameters.get("before", "")
    return AuditFilter(
        **texts,
        **days,
        result=result if result in ("failed", "begun") else "",
        before=before if _POSITION.fullmatch(before) else "",
    )


def audit_routes(console: Console, trail: AuditTrail | None) -> list[BaseRoute]:
    """Return the route of the trail; without one the page says how to keep it."""

    def show(visit: Visit) -> Response:
        visit.principal.require_owner()
        state = parse_audit_filter(visit.request.query_params)
        page = AuditPage((), "", is_cut=False)
        if trail is not None and not state.problem:
            page = trail.page(state, rows=ROWS)
        values = {"is_kept": trail is not None, "state": state, "page": page, "path": visit.prefix + AUDIT}
        status = 400 if state.problem else 200
        return system_page(console, visit, "system_audit.html", values, tab="audit", status_code=status)

    return [console.get(AUDIT, show, name="system-audit")]


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:TEXT_LENGTH_MAX]


def _normalized(text: str) -> str:
    """Return a day as the files are named, whichever form of ISO 8601 it has (a week's day); else the text itself."""
    day = _day(text)
    return text if day is None else day.isoformat()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
