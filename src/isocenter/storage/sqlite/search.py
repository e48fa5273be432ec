"""The one builder of search statements: a query becomes one statement and its bindings.

A statement finds the keys of one page first, from indexes where it can, and reads the columns of that page only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from isocenter.domain.attributes import (
    AVAILABLE_TRANSFER_SYNTAX_UID,
    BY_KEYWORD,
    INDEXED_ATTRIBUTES,
    MODALITIES_IN_STUDY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
    PATIENT_TAGS,
    REQUEST_BY_TAG,
    SOP_CLASSES_IN_STUDY,
)
from isocenter.domain.forms import Form, to_form
from isocenter.domain.identifiers import Level
from isocenter.domain.indexed import matched_attribute, matched_level, require_searchable
from isocenter.domain.query import (
    Between,
    ByQueryTag,
    Comparison,
    Cursor,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    Query,
)
from isocenter.storage.sqlite.columns import TABLES
from isocenter.storage.sqlite.conditions import PARTITION, BoundValues, Conditions, condition
from isocenter.storage.sqlite.newest import is_pinned, may_fill_page, newest_condition, newest_source
from isocenter.storage.sqlite.patients import IS_LATEST, LATEST_OF, SAME_PATIENT, newest_bound, patient_counts
from isocenter.storage.sqlite.query_tag_conditions import query_tag_condition

_ALIASES = {Level.STUDY: "s", Level.SERIES: "e", Level.INSTANCE: "i"}
_BELOW = {Level.STUDY: "bs", Level.SERIES: "be", Level.INSTANCE: "bi"}
"""What the tables are called in a condition on what is below a row."""
_MODALITY, _SOP_CLASS = BY_KEYWORD["Modality"], BY_KEYWORD["SOPClassUID"]
_UIDS = frozenset(BY_KEYWORD[keyword].tag for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))

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
    kept = [(one.tag, f"{_ALIASES[one.level]}.{one.column}") for one in INDEXED_ATTRIBUTES if one.level <= level]
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
    newest, whole = _newest_keys(query, cursor), _keys(query, cursor)
    # The planner takes a range with an open end for wide, and would go on looking at rows in the order of the answer.
    return (_page(query, cursor, newest), _page(query, cursor, whole, order=_order_of_whole(query)))


def page_statement(query: Query, cursor: Cursor | None = None) -> Statement:
    """Return the statement for the rows of a query wherever they are."""
    return _page(query, cursor, _keys(query, cursor))


def _order_of_whole(query: Query) -> str:
    """Return the order of keys; for a range one that the planner takes for none that a table has."""
    table = max(query.level, Level.STUDY)
    return f"+{_ALIASES[table]}.{TABLES[table]}_key" if any(map(_is_range, query.matches)) else "1"


def _is_range(match: Match) -> bool:
    return isinstance(match.match if isinstance(match, ByQueryTag) else match, Between | DateAndTime)


def _page(query: Query, cursor: Cursor | None, keys: Statement, *, order: str = "1") -> Statement:
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
    search = _collect(query, None)
    if _has_holders(search):
        total = f"SELECT coalesce(sum(e.number_of_instances), 0) FROM {_holders(search)}"
        return Statement(total, search.conditions.bound)
    return Statement(f"SELECT count(*) FROM ({_key_select(search)})", search.conditions.bound)


@dataclass(slots=True)
class _Search:
    """The conditions of one query while they are collected."""

    level: Level
    conditions: Conditions
    newest_bound: str = ""
    driver: str = ""
    """The table `m` that lists studies by a value, in the order of studies."""

    @property
    def table_level(self) -> Level:
        """Return the level whose table has the rows; patients are found by studies."""
        return max(self.level, Level.STUDY)


def _keys(query: Query, cursor: Cursor | None) -> Statement:
    search = _collect(query, cursor)
    if cursor is None and _has_holders(search):
        return Statement(_key_select_of_holders(search), search.conditions.bound)
    return Statement(_key_select(search), search.conditions.bound)


def _newest_keys(query: Query, cursor: Cursor | None) -> Statement:
    """Find keys among the newest rows only, in their order."""
    search = _collect(query, cursor, is_walk=True)
    conditions, table = search.conditions, search.table_level
    tables = _chain({*conditions.levels, table})
    newest = newest_condition(query, cursor, alias=_ALIASES[table])
    where = [*_own_conditions(search, [table]), newest]
    text = (
        f"SELECT {_ALIASES[table]}.{TABLES[table]}_key FROM {newest_source(tables, _ALIASES)} "
        f"WHERE {' AND '.join(where)}"
    )
    return Statement(text, conditions.bound)


def _collect(query: Query, cursor: Cursor | None, *, is_walk: bool = False) -> _Search:
    """Return the conditions of a query."""
    require_searchable(query)
    bound: BoundValues = {"partition_name": query.partition_name}
    search = _Search(query.level, Conditions(bound, _ALIASES, is_walk=is_walk))
    _scope(search, query)
    if cursor is not None:
        _after(search, cursor)
    for match in query.matches:
        if matched_level(match) <= query.level:
            _add(search, match)
    lower = [match for match in query.matches if matched_level(match) > query.level]
    if lower:
        _add_below(search, lower)
    if query.level is Level.INSTANCE and not is_walk and not is_pinned(query):
        _narrow_by_class(search, query)
    return search


def _scope(search: _Search, query: Query) -> None:
    conditions = search.conditions
    if query.study_instance_uid is not None:
        conditions.levels.add(Level.STUDY)
        conditions.texts.append(f"s.study_instance_uid = {conditions.bind(query.study_instance_uid)}")
    if query.series_instance_uid is not None and query.level > Level.STUDY:
        conditions.levels.add(Level.SERIES)
        conditions.texts.append(f"e.series_instance_uid = {conditions.bind(query.series_instance_uid)}")


def _after(search: _Search, cursor: Cursor) -> None:
    conditions = search.conditions
    conditions.bound["below"] = cursor.below
    conditions.texts.append(f"{_ALIASES[search.table_level]}.{TABLES[search.table_level]}_key < :below")
    if search.level is Level.PATIENT:
        conditions.bound["newest"] = cursor.newest
        search.newest_bound = newest_bound("n", is_bound=True)
        conditions.texts.append("s.study_key <= :newest")


def _key_select(search: _Search) -> str:
    table = search.table_level
    source, tables = _joined(search, {*search.conditions.levels, table})
    alias = "m" if search.driver and table is Level.STUDY else _ALIASES[table]
    where = _own_conditions(search, tables)
    return f"SELECT {alias}.{TABLES[table]}_key FROM {source} WHERE {' AND '.join(where)}"


def _joined(search: _Search, levels: set[Level]) -> tuple[str, list[Level]]:
    """Return the tables of some levels joined, and those whose partition is to be asked for."""
    if not search.driver:
        return _source(_chain(levels), _ALIASES), sorted(levels)
    levels = {*levels, Level.STUDY}
    # The planner would rather look at every instance, newest first, than at all of some studies.
    join = " CROSS JOIN " if Level.INSTANCE in search.conditions.levels else " JOIN "
    return f"{search.driver} m{join}{_source(_chain(levels), _ALIASES, join)}", sorted(levels)


def _own_conditions(search: _Search, tables: Sequence[Level]) -> list[str]:
    """Return the conditions of a search, with those that belong to its tables."""
    where = [*(f"{_ALIASES[one]}.partition_key = {PARTITION}" for one in tables), *search.conditions.texts]
    if search.table_level is Level.INSTANCE and Level.INSTANCE in tables:
        where.append("i.is_original = 0")
    if search.level is Level.PATIENT:
        where.append(IS_LATEST.format(bound=search.newest_bound))
    return where


def _has_holders(search: _Search) -> bool:
    """Tell whether instances are asked for by what holds for their whole series."""
    levels = search.conditions.levels
    return search.table_level is Level.INSTANCE and bool(levels or search.driver) and Level.INSTANCE not in levels


def _holders(search: _Search) -> str:
    """Return the series all of whose instances are asked for."""
    source, tables = _joined(search, {*search.conditions.levels, Level.SERIES})
    return f"{source} WHERE {' AND '.join(_own_conditions(search, tables))}"


def _key_select_of_holders(search: _Search) -> str:
    """Find instances by the series that hold them: where so many rows are asked for, no more series can have them.

    Each of the series has its newest instance to offer, so that a row of the page comes from one of as many series as
    the page is deep, those with the newest ones.
    """
    holders = f"SELECT e.series_key FROM {_holders(search)}"
    return (
        f"SELECT i.instance_key FROM ({holders} ORDER BY e.newest_instance_key DESC LIMIT :limit + :offset) h "
        "CROSS JOIN instance i ON i.series_key = h.series_key WHERE i.is_original = 0"
    )


def _chain(tables: set[Level]) -> list[Level]:
    """Return tables from the highest to the lowest; instances are found by their series."""
    return [level for level in TABLES if min(tables) <= level <= max(tables)]


def _source(tables: Sequence[Level], aliases: dict[Level, str], join: str = " JOIN ") -> str:
    joined = [f"{TABLES[tables[0]]} {aliases[tables[0]]}"]
    for above, table in pairwise(tables):
        key = f"{TABLES[above]}_key"
        joined.append(f"{TABLES[table]} {aliases[table]} ON {aliases[table]}.{key} = {aliases[above]}.{key}")
    return join.join(joined)


def _add(search: _Search, match: Match) -> None:
    if not search.conditions.is_walk and not search.driver and _can_drive(match):
        _add_driver(search, match)
        return
    text = _text_of(search.conditions, match)
    if text:
        search.conditions.texts.append(text)


def _can_drive(match: Match) -> bool:
    is_listed = match.tag in (MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY)
    return is_listed and isinstance(match, OneOf) and len(match.values) == 1


def _add_driver(search: _Search, match: Match) -> None:
    """Walk the studies that have a modality or an SOP class in the order in which they are answered."""
    assert isinstance(match, OneOf)
    conditions = search.conditions
    is_modality = match.tag == MODALITIES_IN_STUDY
    search.driver = "study_modality" if is_modality else "study_sop_class"
    column, form = ("modality_caseless", Form.CASELESS) if is_modality else ("sop_class_uid", Form.RAW)
    value = conditions.bind(to_form(form, match.values[0]))
    conditions.texts.append(f"m.partition_key = {PARTITION} AND m.{column} = {value} AND m.study_key = s.study_key")
    if is_modality and match.comparison is not Comparison.CASELESS:
        conditions.texts.append(_text_of(conditions, match))


def _narrow_by_class(search: _Search, query: Query) -> None:
    """Look for instances of an SOP class in the studies that have any."""
    of_class = (match for match in query.matches if isinstance(match, OneOf) and match.tag == _SOP_CLASS.tag)
    match = next(of_class, None)
    if match is not None and len(match.values) == 1 and not search.driver:
        _add_driver(search, OneOf(SOP_CLASSES_IN_STUDY, match.values))


def _text_of(conditions: Conditions, match: Match) -> str:
    """Return the condition that a match means among the tables of some conditions."""
    if isinstance(match, ByQueryTag):
        return query_tag_condition(conditions, match)
    if isinstance(match, InItem):
        return _in_request(conditions, match)
    if match.tag in (MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY):
        return _in_study(conditions, match)
    attribute = matched_attribute(match.tag)
    return condition(conditions, match, attribute, conditions.alias_of(attribute))


def _in_study(conditions: Conditions, match: Match) -> str:
    """Ask for a series of that modality, or an instance of that class."""
    study = conditions.aliases[Level.STUDY]
    is_modality = match.tag == MODALITIES_IN_STUDY
    if isinstance(match, Empty):
        text = f"{study}.{'modalities_in_study' if is_modality else 'sop_classes_in_study'} IS NULL"
    else:
        table, attribute = ("series", _MODALITY) if is_modality else ("study_sop_class", _SOP_CLASS)
        text = condition(conditions, match, attribute, "x")
        if text and conditions.is_walk:
            text = f"EXISTS (SELECT 1 FROM {table} x WHERE x.study_key = {study}.study_key AND {text})"
        elif text:
            found = f"SELECT x.study_key FROM {table} x WHERE x.partition_key = {PARTITION} AND {text}"
            text = f"{study}.study_key IN ({found})"
    if text:
        conditions.levels.add(Level.STUDY)
    return text


def _in_request(conditions: Conditions, match: InItem) -> str:
    texts = [condition(conditions, one, REQUEST_BY_TAG[one.tag], "r") for one in match.matches]
    conditions.levels.add(Level.SERIES)
    where = " AND ".join([f"r.partition_key = {PARTITION}", *(text for text in texts if text)])
    series = conditions.aliases[Level.SERIES]
    return f"{series}.series_key IN (SELECT r.series_key FROM series_request r WHERE {where})"


def _add_below(search: _Search, matches: list[Match]) -> None:
    """Ask for something below a row that fits all matches."""
    upper = search.conditions
    nested = Conditions(upper.bound, _BELOW, is_walk=upper.is_walk)
    nested.texts += [text for match in matches if (text := _text_of(nested, match))]
    if not nested.levels:
        return
    level = search.table_level
    first = Level.STUDY if search.level is Level.PATIENT else Level(level + 1)
    tables = _chain({first, *nested.levels})
    where = [f"{_BELOW[one]}.partition_key = {PARTITION}" for one in sorted(nested.levels)] + nested.texts
    if Level.INSTANCE in tables:
        where.append("bi.is_original = 0")
    source = _source(tables, _BELOW)
    upper.levels.add(level)
    is_of_studies = search.level is Level.PATIENT and nested.levels == {Level.STUDY} and not upper.is_walk
    is_selective = is_of_studies or any(map(_is_selective, matches))
    upper.texts.append(_below_text(search, first, source, where, is_selective=is_selective))


def _is_selective(match: Match) -> bool:
    return isinstance(match, InItem) or (isinstance(match, OneOf) and match.tag in _UIDS)


def _below_text(search: _Search, first: Level, source: str, where: list[str], *, is_selective: bool) -> str:
    """Begin with what is below where that names a few, else with the rows."""
    own = f"{_ALIASES[search.table_level]}.{TABLES[search.table_level]}_key"
    is_patient = search.level is Level.PATIENT
    if is_selective:
        found = LATEST_OF.format(bound=search.newest_bound) if is_patient else f"{_BELOW[first]}.{own[2:]}"
        return f"{own} IN (SELECT {found} FROM {source} WHERE {' AND '.join(where)})"
    link = SAME_PATIENT.format(other="bs") if is_patient else f"{_BELOW[first]}.{own[2:]} = {own}"
    return f"EXISTS (SELECT 1 FROM {source} WHERE {' AND '.join([link, *where])})"
