"""The first attempt of a search: to fill its page from the newest rows alone.

An index finds few rows fast, but what many rows fit (a modality, a year) it would collect and sort before the first of
them is answered. Such a page is nearly always full of rows that came lately: they are looked at newest first, a bounded
number of them, and only where they do not fill the page the whole archive is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Cursor, InItem, Match, OneOf, Query
from isocenter.storage.sqlite.columns import TABLES

EXAMINED = {Level.STUDY: 1000, Level.SERIES: 2000, Level.INSTANCE: 4000}
"""Rows that are looked at in vain where what is asked for is rare or old: a millisecond, two to four of instances."""
EXAMINED_FOR_EACH = 4
"""The same for each row that the page asks for or passes over: deep pages of what many rows fit need more."""
EXAMINED_MAX = {Level.STUDY: 1000, Level.SERIES: 4000, Level.INSTANCE: 100_000}
"""For pages that would need more, collecting all rows costs no more; of studies and series there are not so many."""

_NEWEST_KEY = {
    Level.STUDY: "(SELECT study_key FROM counter)",
    Level.SERIES: "(SELECT series_key FROM counter)",
    Level.INSTANCE: "(SELECT instance_key FROM counter)",
}
_INDEXED_BY = {
    Level.STUDY: " INDEXED BY study_by_key",
    Level.SERIES: " INDEXED BY series_by_key",
    Level.INSTANCE: "",  # has no index of an attribute that it could take instead
}
_PINNING_TAGS = frozenset(
    BY_KEYWORD[keyword].tag
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "AccessionNumber")
)


def may_fill_page(query: Query) -> bool:
    """Tell whether the newest rows are worth a look: not where a key leads to a few rows, nor where there is none."""
    return bool(query.matches) and not is_pinned(query) and _wanted(query) <= EXAMINED_MAX[_table(query)]


def is_pinned(query: Query) -> bool:
    """Tell whether a key leads to a few rows."""
    return query.study_instance_uid is not None or any(map(_is_pinning, query.matches))


def _is_pinning(match: Match) -> bool:
    return isinstance(match, InItem) or (isinstance(match, OneOf) and match.tag in _PINNING_TAGS)


def _wanted(query: Query) -> int:
    return EXAMINED_FOR_EACH * (max(0, query.offset) + max(0, query.limit))


def _table(query: Query) -> Level:
    return max(query.level, Level.STUDY)  # patients are found by studies


def newest_condition(query: Query, cursor: Cursor | None, *, alias: str) -> str:
    """Return the condition that leaves the newest rows of the query's table, or those that come next in a listing."""
    table = _table(query)
    examined = max(EXAMINED[table], _wanted(query))
    newest = _NEWEST_KEY[table] if cursor is None else f"min({_NEWEST_KEY[table]}, :below)"
    # Unless it believes that these are few, the planner reads a whole table above them to be fast at looking into it.
    return f"likelihood({alias}.{TABLES[table]}_key > {newest} - {examined}, 0.000001)"


def newest_source(tables: Sequence[Level], aliases: dict[Level, str]) -> str:
    """Return tables joined from the lowest up, whose rows come by key, whatever the planner believes."""
    below_first = sorted(tables, reverse=True)
    joined = [f"{TABLES[below_first[0]]} {aliases[below_first[0]]}{_INDEXED_BY[below_first[0]]}"]
    for below, table in pairwise(below_first):
        key = f"{TABLES[table]}_key"
        joined.append(f"{TABLES[table]} {aliases[table]} ON {aliases[table]}.{key} = {aliases[below]}.{key}")
    return " CROSS JOIN ".join(joined)
