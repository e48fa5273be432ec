"""The study list, front door of the node, and the series of a study that is opened in it.

Every state of the list is an address: it works without script, can be bookmarked, and goes back and forth.
"""

from __future__ import annotations

from datetime import date
from typing import Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.identifiers import Level, parse_uid
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.web.console.console import Console, Visit
from isocenter.web.console.section import STUDIES
from isocenter.web.pages.study_filter import PAGE_SIZES, StudyFilter, parse_study_filter, periods
from isocenter.web.pages.study_row import SeriesRow, series_rows, study_row
from isocenter.web.viewer import VIEWER_PATH

SERIES_SHOWN_MAX = 200
"""Each shown series asks for a thumbnail; the viewer shows the rest."""
MODALITIES = ("CR", "CT", "DX", "ES", "IO", "MG", "MR", "NM", "OT", "PT", "PX", "RF", "SC", "SM", "US", "XA", "XC")
"""What the list offers; any other code can be written into the address."""


class StudyDirectory(Protocol):
    """The searches of the archive, as the list needs them."""

    def search(self, principal: Principal, query: Query) -> list[SearchRow]:
        """Return the rows that match, newest first."""
        ...

    def count(self, principal: Principal, query: Query) -> int:
        """Return how many rows match, whatever the page."""
        ...


def study_routes(console: Console, directory: StudyDirectory, *, dicomweb_path: str = "/dicom-web") -> list[BaseRoute]:
    """Return the routes of the study list, to be mounted at the root of the node."""

    def series_of(principal: Principal, study_instance_uid: str) -> list[SeriesRow]:
        query = Query(Level.SERIES, study_instance_uid=study_instance_uid, limit=SERIES_SHOWN_MAX)
        return series_rows(directory.search(principal, query))

    def studies(visit: Visit) -> Response:
        request = visit.request
        state = parse_study_filter(request.query_params)
        rows, count = ([], 0) if state.problem else _search(directory, visit.principal, state)
        opened = visit.parameter("opened")
        values = {
            "dicomweb": visit.prefix + dicomweb_path,
            "viewer": visit.prefix + VIEWER_PATH,
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "state": state,
            "rows": [study_row(row) for row in rows[: state.size]],
            "count": count,
            "has_next": len(rows) > state.size,
            "opened": opened,
            "series": series_of(visit.principal, parse_uid(opened)) if opened else [],
            "series_shown_max": SERIES_SHOWN_MAX,
            "modalities": _offered_modalities(state),
            "periods": periods(date.today()),
            "page_sizes": PAGE_SIZES,
        }
        status_code = 400 if state.problem else 200
        return console.page(visit, "studies.html", values, section=STUDIES.key, status_code=status_code)

    def study_series(visit: Visit) -> Response:
        values = {
            "dicomweb": visit.prefix + dicomweb_path,
            "viewer": visit.prefix + VIEWER_PATH,
            "series": series_of(visit.principal, parse_uid(visit.part("study_instance_uid"))),
            "series_shown_max": SERIES_SHOWN_MAX,
        }
        return console.page(visit, "_series.html", values, section=STUDIES.key)

    return [
        console.get("/", studies, name="studies"),
        console.get("/studies/{study_instance_uid}/series", study_series, name="study-series"),
    ]


def _search(directory: StudyDirectory, principal: Principal, state: StudyFilter) -> tuple[list[SearchRow], int]:
    query = state.query()
    return directory.search(principal, query), directory.count(principal, query)


def _offered_modalities(state: StudyFilter) -> tuple[str, ...]:
    chosen = state.modality.upper()
    return MODALITIES if not chosen or chosen in MODALITIES else (chosen, *MODALITIES)
