"""Search an archive behind the gateway, level by level, and give its answers page by page.

An archive gives all rows of a C-FIND or none of those behind a cancel: there are no pages. The first page is searched
for as far as it reaches; what was found is kept for a moment, so that the pages that follow are of the same listing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from isocenter.app.gateway.upstream import Row, Searching, Upstream
from isocenter.domain.errors import TooLarge
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Query
from isocenter.domain.values import first_text
from isocenter.routing.translation.identifier import UNIQUE_KEYS, find_document, fits_row, matches_of, steps_down

ROWS_MAX = 10_000
"""Of one C-FIND and of one search, as many as the standard's root gives in one answer (about 10 MB)."""
FINDS_MAX = 1000
"""C-FINDs of one search that goes down through levels: some seconds of an archive's time."""
KEPT_S = 60.0
"""How long a listing is kept for its further pages: a person who pages on takes less."""
KEPT_ROWS_MAX = 50_000
"""Rows of all listings that are kept: some 50 MB."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a search from the first on."""

    rows: Sequence[Row]
    is_complete: bool
    """There are no more."""
    found_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Question:
    """A search without its page."""

    query: Query
    returned: tuple[int, ...]


class GatewaySearch:
    """Search one archive."""

    def __init__(self, upstream: Upstream, *, monotonic_s: Callable[[], float]) -> None:
        self._upstream = upstream
        self._monotonic_s = monotonic_s
        self._kept: OrderedDict[_Question, Listing] = OrderedDict()

    async def search(self, query: Query, returned: tuple[int, ...], *, is_whole: bool = False) -> Listing:
        """Return the rows up to the end of the page that a query asks for and one more, all of them with `is_whole`.

        Raises TooLarge where the search is too broad, InvalidRequest for what cannot be asked, Unavailable.
        """
        question = _Question(replace(query, limit=0, offset=0), returned)
        wanted = ROWS_MAX + 1 if is_whole else query.offset + query.limit + 1
        kept = self._kept.get(question) if query.offset else None
        now = self._monotonic_s()
        if kept is not None and now - kept.found_at < KEPT_S and (kept.is_complete or len(kept.rows) >= wanted):
            return kept
        async with self._upstream.searching() as searching:
            listing = await _Descent(searching, query, returned, wanted=min(wanted, ROWS_MAX + 1)).run()
        if len(listing.rows) > ROWS_MAX:
            raise TooLarge("The search is too broad; add a key that narrows it.")
        self._keep(question, replace(listing, found_at=now))
        return listing

    def _keep(self, question: _Question, listing: Listing) -> None:
        self._kept.pop(question, None)
        self._kept[question] = listing
        while sum(len(each.rows) for each in self._kept.values()) > KEPT_ROWS_MAX:
            self._kept.popitem(last=False)


class _Descent:
    """One search, down through the levels of the model."""

    def __init__(self, searching: Searching, query: Query, returned: tuple[int, ...], *, wanted: int) -> None:
        self._searching = searching
        self._query = query
        self._returned = returned
        self._wanted = wanted
        self._finds = 0
        self._found: list[Row] = []

    async def run(self) -> Listing:
        query = self._query
        above = {}
        if query.study_instance_uid is not None:
            above[Level.STUDY] = query.study_instance_uid
        if query.series_instance_uid is not None:
            above[Level.SERIES] = query.series_instance_uid
        await self._go_down(steps_down(query), above, Row({}, {}))
        return Listing(self._found, is_complete=len(self._found) < self._wanted)

    async def _go_down(self, levels: Sequence[Level], above: Mapping[Level, str], parent: Row) -> None:
        level, *below = levels
        rows = await self._ask(level, above, is_last=not below)
        for row in rows:
            whole = Row({**parent.attributes, **row.attributes}, {**parent.values, **row.values})
            unique = first_text(row.values, UNIQUE_KEYS[level])
            if not below:
                self._found.append(whole)
            elif unique:
                await self._go_down(below, {**above, level: unique}, whole)
            if len(self._found) >= self._wanted:
                return

    async def _ask(self, level: Level, above: Mapping[Level, str], *, is_last: bool) -> list[Row]:
        self._finds += 1
        if self._finds > FINDS_MAX:
            raise TooLarge("The search goes through too many studies and series; add a key that narrows it.")
        matches = matches_of(self._query, level)
        limit = self._wanted - len(self._found) if is_last and not matches else ROWS_MAX + 1
        document = find_document(self._query, level, above=above, returned=self._returned)
        rows = await self._searching.find(document, limit=limit)
        if len(rows) > ROWS_MAX:
            raise TooLarge("The search is too broad; add a key that narrows it.")
        return [row for row in rows if fits_row(matches, row.values)]
