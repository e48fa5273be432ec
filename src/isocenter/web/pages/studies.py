"""The study list, front door of the node, the patients, and the series of a study that is opened in the list.

Every state of the list is an address: it works without script, can be bookmarked, and goes back and forth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from isocenter.web.pages.study_row import SeriesRow, patient_row, series_rows, study_row
from isocenter.web.viewer import VIEWER_PATH

COUNTED_MAX = 1000
"""Studies that a search is counted up to: nobody looks at more of them, and names them better instead."""
SERIES_SHOWN_MAX = 200
"""Each shown series asks for a thumbnail; the viewer shows the rest."""
PATIENTS_PATH = "/patients"
TABS = (("studies", "Studies", "/"), ("patients", "Patients", PATIENTS_PATH))
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


@dataclass(frozen=True, slots=True)
class StudyOffers:
    """What the list leads to on this node, besides what every node has."""

    can_send: bool = False
    """Whether there is somewhere to send to."""


def study_routes(
    console: Console,
    directory: StudyDirectory,
    *,
    dicomweb_path: str = "/dicom-web",
    offers: StudyOffers | None = None,
) -> list[BaseRoute]:
    """Return the routes of the lists, to be mounted at the root of the node."""

    def addresses(visit: Visit) -> dict[str, object]:
        return {"dicomweb": visit.prefix + dicomweb_path, "viewer": visit.prefix + VIEWER_PATH, "tabs": TABS}

    def series_of(principal: Principal, study_instance_uid: str) -> list[SeriesRow]:
        query = Query(Level.SERIES, study_instance_uid=study_instance_uid, limit=SERIES_SHOWN_MAX)
        return series_rows(directory.search(principal, query))

    def form_values(visit: Visit, state: StudyFilter) -> dict[str, object]:
        return {
            **addresses(visit),
            "state": state,
            "modalities": _offered_modalities(state),
            "periods": periods(date.today()),
            "page_sizes": PAGE_SIZES,
        }

    def studies(visit: Visit) -> Response:
        request = visit.request
        state = parse_study_filter(request.query_params)
        rows, count = ([], 0) if state.problem else _search(directory, visit.principal, state)
        opened = visit.parameter("opened")
        values = {
            **form_values(visit, state),
            "path": "/",
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "rows": [study_row(row) for row in rows[: state.size]],
            "count": count,
            "counted_max": COUNTED_MAX,
            "is_more": count > COUNTED_MAX and not state.is_empty,
            "has_next": len(rows) > state.size,
            "opened": opened,
            "series": series_of(visit.principal, parse_uid(opened)) if opened else [],
            "series_shown_max": SERIES_SHOWN_MAX,
            "offers": offers or StudyOffers(),
        }
        status_code = 400 if state.problem else 200
        return console.page(visit, "studies.html", values, section=STUDIES.key, status_code=status_code)

    def patients(visit: Visit) -> Response:
        state = parse_study_filter(visit.request.query_params)
        rows = [] if state.problem else directory.search(visit.principal, state.query(Level.PATIENT))
        values = {
            **form_values(visit, state),
            "path": PATIENTS_PATH,
            "rows": [patient_row(row) for row in rows[: state.size]],
            "has_next": len(rows) > state.size,
        }
        status_code = 400 if state.problem else 200
        return console.page(visit, "patients.html", values, section=STUDIES.key, status_code=status_code)

    def study_series(visit: Visit) -> Response:
        values = {
            **addresses(visit),
            "series": series_of(visit.principal, parse_uid(visit.part("study_instance_uid"))),
            "series_shown_max": SERIES_SHOWN_MAX,
        }
        return console.page(visit, "_series.html", values, section=STUDIES.key)

    return [
        console.get("/", studies, name="studies"),
        console.get(PATIENTS_PATH, patients, name="patients"),
        console.get("/studies/{study_instance_uid}/series", study_series, name="study-series"),
    ]


def _search(directory: StudyDirectory, principal: Principal, state: StudyFilter) -> tuple[list[SearchRow], int]:
    """Return the rows from a page on, and the count of all; beyond `COUNTED_MAX` that is only known to be more.

    To count all that fit a broad search takes seconds in a large archive; all that there is, is counted already.
    """
    query = state.query()
    if state.is_empty:
        return directory.search(principal, query), directory.count(principal, query)
    rows = directory.search(principal, replace(query, limit=max(query.limit, COUNTED_MAX + 1 - query.offset)))
    if rows or not query.offset:
        return rows, query.offset + len(rows)
    return [], len(directory.search(principal, replace(query, offset=0, limit=COUNTED_MAX + 1)))


def _offered_modalities(state: StudyFilter) -> tuple[str, ...]:
    chosen = state.modality.upper()
    return MODALITIES if not chosen or chosen in MODALITIES else (chosen, *MODALITIES)
