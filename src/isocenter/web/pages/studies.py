"""The study list, front door of the node, and the series of a study that is opened in it.

Every state of the list is an address: it works without script, can be bookmarked, and goes back and forth. Endpoints
are plain functions: Starlette runs them, and with them the blocking search, in its thread pool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import wraps
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.domain.errors import IsocenterError, Unauthenticated
from isocenter.domain.identifiers import Level, parse_uid
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query, SearchRow
from isocenter.domain.statuses import statuses_of
from isocenter.web.console_page import Templates
from isocenter.web.pages.study_filter import PAGE_SIZES, StudyFilter, parse_study_filter, periods
from isocenter.web.pages.study_row import SeriesRow, series_rows, study_row
from isocenter.web.to_sign_in import to_sign_in
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


def console_routes(
    directory: StudyDirectory,
    *,
    authenticate: Callable[[Mapping[str, str]], Principal],
    dicomweb_path: str = "/dicom-web",
    login_path: str | None = None,
    today: Callable[[], date] = date.today,
) -> list[BaseRoute]:
    """Return the routes of the console, to be mounted at the root of the node.

    `authenticate` learns from request headers (names in lower case) who calls, and raises Unauthenticated: then
    `login_path` is where the person can sign in.
    """
    templates = Templates()

    def answering_errors(endpoint: Callable[[Request], Response]) -> Callable[[Request], Response]:
        @wraps(endpoint)
        def answer(request: Request) -> Response:
            try:
                return endpoint(request)
            except Unauthenticated as error:
                if login_path is None:
                    return refused(request, error)
                return to_sign_in(request, login_path)
            except IsocenterError as error:
                return refused(request, error)

        return answer

    def refused(request: Request, error: IsocenterError) -> Response:
        status = statuses_of(error).http_status
        values = {"prefix": public_prefix(request), "status": status, "message": error.message}
        return templates.page("error.html", values, status_code=status)

    def series_of(principal: Principal, study_instance_uid: str) -> list[SeriesRow]:
        query = Query(Level.SERIES, study_instance_uid=study_instance_uid, limit=SERIES_SHOWN_MAX)
        return series_rows(directory.search(principal, query))

    @answering_errors
    def studies(request: Request) -> Response:
        principal = authenticate(request.headers)
        state = parse_study_filter(request.query_params)
        rows, count = ([], 0) if state.problem else _search(directory, principal, state)
        opened = request.query_params.get("opened", "")
        series = series_of(principal, parse_uid(opened)) if opened else []
        prefix = public_prefix(request)
        values = {
            "prefix": prefix,
            "user": principal.name if login_path is not None else "",
            "dicomweb": prefix + dicomweb_path,
            "viewer": prefix + VIEWER_PATH,
            "origin": f"{request.url.scheme}://{request.url.netloc}",
            "state": state,
            "rows": [study_row(row) for row in rows[: state.size]],
            "count": count,
            "has_next": len(rows) > state.size,
            "opened": opened,
            "series": series,
            "series_shown_max": SERIES_SHOWN_MAX,
            "modalities": _offered_modalities(state),
            "periods": periods(today()),
            "page_sizes": PAGE_SIZES,
        }
        return templates.page("studies.html", values, status_code=400 if state.problem else 200)

    @answering_errors
    def study_series(request: Request) -> Response:
        principal = authenticate(request.headers)
        prefix = public_prefix(request)
        values = {
            "dicomweb": prefix + dicomweb_path,
            "viewer": prefix + VIEWER_PATH,
            "series": series_of(principal, parse_uid(str(request.path_params["study_instance_uid"]))),
            "series_shown_max": SERIES_SHOWN_MAX,
        }
        return templates.page("_series.html", values)

    return [
        Route("/", studies, name="studies"),
        Route("/studies/{study_instance_uid}/series", study_series, name="study-series"),
        *templates.static_routes(),
    ]


def _search(directory: StudyDirectory, principal: Principal, state: StudyFilter) -> tuple[list[SearchRow], int]:
    query = state.query()
    return directory.search(principal, query), directory.count(principal, query)


def _offered_modalities(state: StudyFilter) -> tuple[str, ...]:
    chosen = state.modality.upper()
    return MODALITIES if not chosen or chosen in MODALITIES else (chosen, *MODALITIES)
