"""Studies on their way: by study and destination, then by series, from where one comes to deliveries and attempts."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.delivery import NOWHERE
from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import Level, parse_uid
from isocenter.domain.query import Query
from isocenter.ports.ledger import StudyTally
from isocenter.web.api.router_json import parse_study_cursor
from isocenter.web.console.console import Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.pages.router_delivery_filter import parse_delivery_filter
from isocenter.web.pages.router_delivery_row import find_studies
from isocenter.web.pages.router_frame import STUDIES, RouterFrame
from isocenter.web.pages.study_row import series_rows

TAB = "studies"
PAGE_SIZE = 50
SERIES_NAMED_MAX = 1000
"""Series of one study whose description is looked up; studies have up to some hundreds."""


def study_pages(frame: RouterFrame) -> list[BaseRoute]:
    """Return the routes of studies."""
    console, needs = frame.console, frame.needs
    desk = needs.desk

    def studies(visit: Visit) -> Response:
        state = parse_delivery_filter(visit.request.query_params)
        after = visit.parameter("after")
        found = desk.ledger.ledger.studies(
            state.selection(), after=parse_study_cursor(after) if after else None, limit=PAGE_SIZE + 1
        )
        shown = found[:PAGE_SIZE]
        known = find_studies(needs.studies, visit.principal, [one.study_instance_uid for one in shown])
        values = {
            "state": state,
            "rows": [
                (one, known.get(one.study_instance_uid), format_moment(one.last_received_at))
                for one in shown
                if one.destination != NOWHERE or one.counters.received
            ],
            "is_first": not after,
            "after": _after(shown[-1]) if len(found) > PAGE_SIZE else "",
            "destinations": [one.name for one in desk.destinations()],
        }
        return frame.page(visit, "router_studies.html", values, tab=TAB)

    def study(visit: Visit) -> Response:
        uid = parse_uid(visit.part("study"))
        known = find_studies(needs.studies, visit.principal, [uid]).get(uid)
        try:
            counted = desk.ledger.series(uid)
        except NotFound:
            if known is None:
                raise
            counted = []
        query = Query(Level.SERIES, study_instance_uid=uid, limit=SERIES_NAMED_MAX)
        series = {one.series_instance_uid: one for one in series_rows(needs.studies.search(visit.principal, query))}
        values = {
            "uid": uid,
            "study": known,
            "rows": [
                (one, series.get(one.series_instance_uid))
                for one in counted
                if one.destination != NOWHERE or len(counted) == 1
            ],
        }
        return frame.page(visit, "router_study.html", values, tab=TAB)

    return [
        console.get(STUDIES, studies, name="router-studies"),
        console.get(f"{STUDIES}/{{study}}", study, name="router-study"),
    ]


def _after(tally: StudyTally) -> str:
    return f"{tally.last_received_at!r},{tally.tally_key}"
