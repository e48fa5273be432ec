"""The shelf: what needs a person, grouped by why, with what to do about it in words and the buttons that do it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.delivery import DeliveryState
from isocenter.ports.ledger import PAGE_MAX, LedgerRow, Selection
from isocenter.routing.catalogue.entry import Entry
from isocenter.routing.catalogue.lookup import entry_of_note
from isocenter.web.api.router_desk import RouterDesk
from isocenter.web.console.console import Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.pages.router_frame import SHELF, RouterFrame

TAB = "shelf"
LOOKED_AT_MAX = 5_000
"""Deliveries that are grouped: half a second's work; a shelf with more has one reason in nearly all of them."""


@dataclass(frozen=True, slots=True)
class Group:
    """What needs a person for one reason at one destination."""

    note: str
    destination: str
    entry: Entry | None
    count: int
    oldest_at: str
    detail: str
    """What the destination said of one of them."""

    @property
    def query(self) -> str:
        """Return the query string of the deliveries in it."""
        fields = {"destination": self.destination, "state": DeliveryState.NEEDS_HUMAN.value, "note": self.note}
        return urlencode({name: value for name, value in fields.items() if value})


def shelf_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the route of the shelf."""
    desk = frame.needs.desk

    def shelf(visit: Visit) -> Response:
        rows, has_more = _needing(desk)
        values = {"groups": _groups(desk, rows), "has_more": has_more, "looked_at_max": LOOKED_AT_MAX}
        return frame.page(visit, "router_shelf.html", values, tab=TAB)

    return [frame.console.get(SHELF, shelf, name="router-shelf")]


def _needing(desk: RouterDesk) -> tuple[list[LedgerRow], bool]:
    """Return what needs a person, the newest first, and whether there is more than is looked at."""
    if not any(one.counters.needs_human for one in desk.ledger.tallies()):
        return [], False
    selection, rows = Selection(states=frozenset({DeliveryState.NEEDS_HUMAN})), list[LedgerRow]()
    while len(rows) < LOOKED_AT_MAX:
        after = rows[-1].delivery_key if rows else None
        page = desk.ledger.ledger.page(selection, after=after, limit=PAGE_MAX)
        rows += page
        if len(page) < PAGE_MAX:
            return rows, False
    return rows, True


def _groups(desk: RouterDesk, rows: list[LedgerRow]) -> list[Group]:
    """Return groups, the largest first."""
    counts = Counter((row.delivery.note, row.plan.destination) for row in rows)
    oldest = {(row.delivery.note, row.plan.destination): row for row in rows}  # the newest come first
    return [
        Group(
            note,
            destination,
            entry_of_note(note) if note else None,
            count,
            format_moment(oldest[note, destination].delivery.received_at),
            _detail(desk, oldest[note, destination].delivery_key),
        )
        for (note, destination), count in counts.most_common()
    ]


def _detail(desk: RouterDesk, key: int) -> str:
    attempts = desk.ledger.ledger.attempts(key)
    return attempts[0].detail if attempts else ""
