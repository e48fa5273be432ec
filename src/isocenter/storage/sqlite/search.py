"""Search statements: a query becomes the statements that are to be tried for its page, with their bindings.

A statement finds the keys of one page first (`matching_rows`), and reads the columns of that page only.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.domain.attributes import (
    AVAILABLE_TRANSFER_SYNTAX_UID,
    INDEXED_ATTRIBUTES,
    MODALITIES_IN_STUDY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
    PATIENT_TAGS,
    SOP_CLASSES_IN_STUDY,
)
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Between, ByExternalMetadata, ByQueryTag, Cursor, DateAndTime, Match, Query
from isocenter.storage.sqlite.columns import TABLES
from isocenter.storage.sqlite.conditions import BoundValues
from isocenter.storage.sqlite.matching_rows import ALIASES, KeySelect, count_of, keys_of, newest_keys_of
from isocenter.storage.sqlite.newest import may_fill_page
from isocenter.storage.sqlite.patients import newest_bound, patient_counts

_COMPUTED = {
    Level.STUDY: (
        (MODALITIES_IN_STUDY, "s.modalities_in_study"),
        (SOP_CLASSES_IN_STUDY, "s.sop_classes_in_study"),
        (NUMBER_OF_STUDY_RELATED_SERIES, "CAST(s.number_of_series AS TEXT)"),
        (NUMBER_OF_STUDY_RELATED_INSTANCES, "CAST(s.number_of_instances AS TEXT)"),
    ),
    Level.SERIES: ((NUMBER_OF_SERIES_RELATED_INSTANCES, "CAST(e.number_of_instances AS TEXT)"),),
    Level.INSTANCE: ((AVAILABLE_TRANSFER_SYNTAX_UID, "i.transfer_syntax_uid"),),
}
_NEWEST = {
    Level.PATIENT: "s.newest_instance_key",
    Level.STUDY: "s.newest_instance_key",
    Level.SERIES: "e.newest_instance_key",
    Level.INSTANCE: "i.instance_key",
}
_JOINED = {
    Level.PATIENT: "CROSS JOIN study s ON s.study_key = page.key",
    Level.STUDY: "CROSS JOIN study s ON s.study_key = page.key",
    Level.SERIES: "CROSS JOIN series e ON e.series_key = page.key CROSS JOIN study s ON s.study_key = e.study_key",
    Level.INSTANCE: (
        "CROSS JOIN instance i ON i.instance_key = page.key "
        "CROSS JOIN series e ON e.series_key = i.series_key CROSS JOIN study s ON s.study_key = i.study_key"
    ),
}
_TOTALS = {
    Level.STUDY: "SELECT coalesce(sum(studies), 0) FROM partition WHERE partition_name = :partition_name",
    Level.SERIES: "SELECT coalesce(sum(series), 0) FROM partition WHERE partition_name = :partition_name",
    Level.INSTANCE: "SELECT coalesce(sum(instances), 0) FROM partition WHERE partition_name = :partition_name",
}
"""What a partition counts anyway."""


def _answer_columns(level: Level) -> tuple[tuple[int, str], ...]:
    if level is Level.PATIENT:
        return tuple((one.tag, f"s.{one.column}") for one in INDEXED_ATTRIBUTES if one.tag in PATIENT_TAGS)
    kept = [(one.tag, f"{ALIASES[one.level]}.{one.column}") for one in INDEXED_ATTRIBUTES if one.level <= level]
    computed = [pair for table, pairs in _COMPUTED.items() if table <= level for pair in pairs]
    return tuple(kept + computed)


_ANSWERS = {level: _answer_columns(level) for level in Level}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its bindings; its rows are key, newest instance key, then the values of `tags`."""

    text: str
    bindings: BoundValues
    tags: tuple[int, ...] = ()


def page_statements(query: Query, cursor: Cursor | None = None) -> tuple[Statement, ...]:
    """Return the statements to try for the rows of a query, or for those of a listing from a cursor on.

    One that does not return as many rows as the query's limit is to be followed by the next.
    """
    if not may_fill_page(query):
        return (page_statement(query, cursor),)
    newest, whole = newest_keys_of(query, cursor), keys_of(query, cursor)
    # The planner takes a range with an open end for wide, and would go on looking at rows in the order of the answer.
    return (_page(query, cursor, newest), _page(query, cursor, whole, order=_order_of_whole(query)))


def page_statement(query: Query, cursor: Cursor | None = None) -> Statement:
    """Return the statement for the rows of a query wherever they are."""
    return _page(query, cursor, keys_of(query, cursor))


def _order_of_whole(query: Query) -> str:
    """Return the order of keys; for a range one that the planner takes for none that a table has."""
    table = max(query.level, Level.STUDY)
    return f"+{ALIASES[table]}.{TABLES[table]}_key" if any(map(_is_range, query.matches)) else "1"


def _is_range(match: Match) -> bool:
    return isinstance(
        match.match if isinstance(match, ByQueryTag | ByExternalMetadata) else match, Between | DateAndTime
    )


def _page(query: Query, cursor: Cursor | None, keys: KeySelect, *, order: str = "1") -> Statement:
    answers = list(_ANSWERS[query.level])
    if query.level is Level.PATIENT or query.with_patient_counts:
        is_bound = query.level is Level.PATIENT and cursor is not None
        answers += patient_counts(newest_bound("c", is_bound=is_bound))
    tags, columns = zip(*answers, strict=True)
    text = (
        f"WITH page (key) AS ({keys.text} ORDER BY {order} DESC LIMIT :limit OFFSET :offset) "
        f"SELECT page.key, {_NEWEST[query.level]}, {', '.join(columns)} FROM page {_JOINED[query.level]}"
    )
    offset = 0 if cursor is not None else max(0, query.offset)
    return Statement(text, keys.bindings | {"limit": max(0, query.limit), "offset": offset}, tags)


def count_statement(query: Query) -> Statement:
    """Return the statement that counts the rows of a query."""
    if query.level in _TOTALS and not query.matches and query.study_instance_uid is None:
        return Statement(_TOTALS[query.level], {"partition_name": query.partition_name})
    counted = count_of(query)
    return Statement(counted.text, counted.bindings)
