"""Associations that live and the last that ended, and one of them with everything that is known of it.

Shown on the event loop, where the register changes, so that what a page shows is of one moment.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.dimse.shell.record import AssociationRecord, AssociationRegister, End
from isocenter.domain.errors import NotFound
from isocenter.web.api.associations import render_association
from isocenter.web.console.console import Console, Visit
from isocenter.web.number_in_path import number_part
from isocenter.web.pages.system_frame import ASSOCIATIONS, system_page

ROWS = 50
"""Of those that ended, on one page."""
FILTERS = (("", "All"), ("failed", "Rejected, aborted or lost"))


def association_page_routes(console: Console, register: AssociationRegister) -> list[BaseRoute]:
    """Return the routes of the list and of one association."""

    async def every(visit: Visit) -> Response:
        only_failed = visit.parameter("show") == "failed"
        title = visit.parameter("title").strip()[:16]
        ended = [one for one in register.recent if _fits(one, only_failed=only_failed, title=title)]
        page = _page(visit.parameter("page"))
        first = (page - 1) * ROWS
        values = {
            "live": [] if only_failed else [one for one in register.live if _fits(one, only_failed=False, title=title)],
            "ended": ended[first : first + ROWS],
            "count": len(ended),
            "first": first,
            "page": page,
            "has_next": len(ended) > first + ROWS,
            "show": "failed" if only_failed else "",
            "title": title,
            "filters": FILTERS,
            "path": visit.prefix + ASSOCIATIONS,
        }
        return system_page(console, visit, "system_associations.html", values, tab="associations")

    async def one(visit: Visit) -> Response:
        record = register.find(int(visit.part("association_id")))
        if record is None:
            raise NotFound("No association of that number lives or ended lately.")
        values = {"one": record, "known": render_association(record), "path": visit.prefix + ASSOCIATIONS}
        return system_page(console, visit, "system_association.html", values, tab="associations")

    return [
        console.get(ASSOCIATIONS, every, name="system-associations"),
        console.get(f"{ASSOCIATIONS}/{number_part('association_id')}", one, name="system-association"),
    ]


def _fits(record: AssociationRecord, *, only_failed: bool, title: str) -> bool:
    if only_failed and record.end in (None, End.RELEASED):
        return False
    titles = (record.calling_ae_title.casefold(), record.called_ae_title.casefold())
    return not title or any(title.casefold() in one for one in titles)


def _page(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 4 else 1
