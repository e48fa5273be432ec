"""Query/Retrieve: search other archives, see what of them is here, and have the rest brought here.

A search is a plain GET, and its answer is kept for a while: opening a study, turning a page, or what arrives meanwhile
does not ask the archive again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import InvalidRequest, IsocenterError
from isocenter.domain.identifiers import Scope, parse_uid
from isocenter.domain.principal import DataAction
from isocenter.domain.statuses import statuses_of
from isocenter.web.console.audited import audited
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.moment import format_duration, format_moment
from isocenter.web.console.section import QUERY
from isocenter.web.number_in_path import number_part
from isocenter.web.pages.query_exchange import Exchange, Found, Order, PeerFailed, PeerRow
from isocenter.web.pages.query_filter import PAGE_COUNT, QueryFilter, parse_query_filter
from isocenter.web.pages.query_rows import (
    NUMBER_MAX,
    SHOWN_LENGTH_MAX,
    FoundSeries,
    FoundStudy,
    found_series,
    found_study,
)
from isocenter.web.pages.studies import MODALITIES
from isocenter.web.viewer import VIEWER_PATH

RETRIEVALS_SHOWN_MAX = 10
"""On the page of searches; all that are kept stand on a page of their own."""


def query_routes(
    console: Console, exchange: Exchange, *, audit: Callable[[AuditRecord], None] | None = None
) -> list[BaseRoute]:
    """Return the routes of Query/Retrieve, to be mounted at the root of the node."""
    pages = _Pages(console, exchange)
    fields = ("peer", "study", "series")
    retrieve = audited(pages.retrieve, audit=audit, operation="retrieve-from-archive", fields=fields)
    return [
        console.get("/query", pages.show, name="query"),
        console.get("/query/retrievals", pages.show_all, name="retrievals"),
        console.get(f"/query/retrievals/{number_part('number')}", pages.show_one, name="retrieval"),
        console.post("/query/echo", pages.echo, name="query-echo", action=DataAction.READ),
        console.post("/query/retrieve", retrieve, name="retrieve", action=DataAction.WRITE),
        console.post("/query/cancel", pages.cancel, name="retrieve-cancel", action=DataAction.WRITE),
    ]


class _Pages:
    """The pages over one node's exchange with other archives."""

    def __init__(self, console: Console, exchange: Exchange) -> None:
        self._console = console
        self._exchange = exchange

    # ---- what is shown

    async def show(self, visit: Visit) -> Response:
        """Return the page of a search, and search."""
        state = parse_query_filter(visit.request.query_params)
        found = self._exchange.kept(visit.principal, state) if visit.parameter("kept") else None
        if found is None and visit.parameter("kept") and visit.is_fragment_wanted:
            return Response(status_code=204)  # the page stays as it is; a person asks anew
        failure: IsocenterError | None = None
        if found is None and state.peer and not state.problem:
            try:
                found = await self._exchange.search(visit.principal, state)
            except IsocenterError as error:
                failure = error
        opened = parse_uid(visit.parameter("opened")) if visit.parameter("opened") else ""
        series: list[FoundSeries] = []
        if found is not None and opened:
            try:
                series = await self._series(visit, state.peer, opened)
            except IsocenterError as error:
                failure = error
        values = {
            **self._frame(visit, state),
            **await run_in_threadpool(self._rows, visit, state, found),
            "found": found,
            "failure": failure,
            "words": failure if isinstance(failure, PeerFailed) else None,
            "opened": opened,
            "series": series,
            "retrievals": list(await self._exchange.retrievals())[:RETRIEVALS_SHOWN_MAX],
        }
        status = 400 if state.problem else 200
        if failure is not None and not isinstance(failure, PeerFailed):
            status = statuses_of(failure).http_status
        return self._page(visit, "query.html", values, status_code=status)

    async def show_all(self, visit: Visit) -> Response:
        """Return the page of all retrievals that are known."""
        retrievals = await self._exchange.retrievals()
        return self._page(visit, "query_retrievals.html", {"retrievals": retrievals, "one": None})

    async def show_one(self, visit: Visit) -> Response:
        """Return the page of one retrieval."""
        one = await self._exchange.retrieval(int(visit.part("number")))
        return self._page(visit, "query_retrieval.html", {"one": one})

    def _page(self, visit: Visit, template: str, values: dict[str, object], *, status_code: int = 200) -> Response:
        shown = {
            "show_moment": format_moment,
            "show_duration": format_duration,
            "viewer": visit.prefix + VIEWER_PATH,
            **values,
        }
        return self._console.page(visit, template, shown, section=QUERY.key, status_code=status_code)

    def _frame(self, visit: Visit, state: QueryFilter) -> dict[str, object]:
        peers = self._exchange.peers()
        return {
            "peers": peers,
            "peer": _chosen(peers, state.peer),
            "state": state,
            "modalities": MODALITIES if state.modality in ("", *MODALITIES) else (state.modality, *MODALITIES),
        }

    def _rows(self, visit: Visit, state: QueryFilter, found: Found | None) -> dict[str, object]:
        """Return the studies of the page with what of them is here; waits for the disk."""
        if found is None:
            return {"rows": [], "has_next": False}
        first = (state.page - 1) * PAGE_COUNT
        page = found.rows[first : first + PAGE_COUNT]
        bare = [found_study(row, {}) for row in page]
        here = self._exchange.studies_here(visit.principal, [one.study_instance_uid for one in bare])
        rows: list[FoundStudy] = [found_study(row, here) for row in page]
        return {"rows": rows, "has_next": len(found.rows) > first + PAGE_COUNT, "first": first}

    async def _series(self, visit: Visit, peer: str, study_instance_uid: str) -> list[FoundSeries]:
        rows = await self._exchange.series(visit.principal, peer, study_instance_uid)
        here = await run_in_threadpool(self._exchange.series_here, visit.principal, study_instance_uid)
        return found_series(rows, here)

    # ---- what is done

    async def echo(self, visit: Visit, form: Form) -> Done:
        """Ask an archive whether it answers."""
        back = _back(form, kept=True)
        try:
            return Done(back, await self._exchange.echo(form.one("peer")))
        except PeerFailed as failure:
            return Done(back, " ".join(filter(None, (failure.message, failure.meaning, failure.remedy))), True)

    async def retrieve(self, visit: Visit, form: Form) -> Done:
        """Begin to retrieve a study or a series of it."""
        series = form.one("series")
        scope = Scope(parse_uid(form.one("study")), parse_uid(series) if series else None)
        order = Order(form.one("peer"), scope, form.one("label")[:SHOWN_LENGTH_MAX], _number(form.one("expected")))
        try:
            one = await self._exchange.retrieve(visit.principal, order)
        except IsocenterError as error:
            return Done(_back(form, kept=True), error.message, True)
        what = "series" if series else "study"
        return Done(_back(form, kept=True), f"The {what} is being retrieved from {one.peer}, as number {one.number}.")

    async def cancel(self, visit: Visit, form: Form) -> Done:
        """Have a retrieval end."""
        number = _number(form.one("number"))
        back = f"/query/retrievals/{number}"
        try:
            one = await self._exchange.cancel(number)
        except IsocenterError as error:
            return Done(back, error.message, True)
        return Done(back, f"{one.peer} is being asked to end it; what has come stays.")


def _chosen(peers: Sequence[PeerRow], key: str) -> PeerRow | None:
    return next((one for one in peers if one.key == key), None)


def _back(form: Form, *, kept: bool) -> str:
    """Return the address of the search that a form was on, made anew from what it says."""
    try:
        pairs = dict(parse_qsl(form.one("back"), max_num_fields=20))
    except ValueError as error:
        raise InvalidRequest("This form is not one of ours.") from error
    address = parse_query_filter(pairs).address()
    opened = pairs.get("opened", "")
    if opened and opened.replace(".", "").isdigit():
        address += f"&opened={opened}"
    return f"/query?{address}&kept=1" if address and kept else "/query"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(NUMBER_MAX)) else 0
