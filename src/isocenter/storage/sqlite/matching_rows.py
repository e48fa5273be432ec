"""Which rows fit a query: their keys as a part of a statement, found from indexes where it can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY, REQUEST_BY_TAG, SOP_CLASSES_IN_STUDY
from isocenter.domain.forms import Form, to_form
from isocenter.domain.identifiers import Level
from isocenter.domain.indexed import matched_attribute, matched_level, require_searchable
from isocenter.domain.query import (
    ByExternalMetadata,
    ByQueryTag,
    Comparison,
    Cursor,
    Empty,
    InItem,
    Match,
    OneOf,
    Query,
)
from isocenter.storage.sqlite.columns import TABLES
from isocenter.storage.sqlite.conditions import PARTITION, BoundValues, Conditions, condition
from isocenter.storage.sqlite.external_conditions import external_condition
from isocenter.storage.sqlite.newest import is_pinned, newest_condition, newest_source
from isocenter.storage.sqlite.patients import IS_LATEST, LATEST_OF, SAME_PATIENT, newest_bound
from isocenter.storage.sqlite.query_tag_conditions import query_tag_condition

ALIASES = {Level.STUDY: "s", Level.SERIES: "e", Level.INSTANCE: "i"}
_BELOW = {Level.STUDY: "bs", Level.SERIES: "be", Level.INSTANCE: "bi"}
"""What the tables are called in a condition on what is below a row."""
_MODALITY, _SOP_CLASS = BY_KEYWORD["Modality"], BY_KEYWORD["SOPClassUID"]
_UIDS = frozenset(BY_KEYWORD[keyword].tag for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))


@dataclass(frozen=True, slots=True)
class KeySelect:
    """A SELECT and its bindings."""

    text: str
    bindings: BoundValues


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


def keys_of(query: Query, cursor: Cursor | None) -> KeySelect:
    """Return how the keys of the rows of a query are found, or of those of a listing from a cursor on."""
    search = _collect(query, cursor)
    if cursor is None and _has_holders(search):
        return KeySelect(_key_select_of_holders(search), search.conditions.bound)
    return KeySelect(_key_select(search), search.conditions.bound)


def newest_keys_of(query: Query, cursor: Cursor | None) -> KeySelect:
    """Return how keys are found among the newest rows only, in their order."""
    search = _collect(query, cursor, is_walk=True)
    conditions, table = search.conditions, search.table_level
    tables = _chain({*conditions.levels, table})
    newest = newest_condition(query, cursor, alias=ALIASES[table])
    where = [*_own_conditions(search, [table]), newest]
    text = (
        f"SELECT {ALIASES[table]}.{TABLES[table]}_key FROM {newest_source(tables, ALIASES)} WHERE {' AND '.join(where)}"
    )
    return KeySelect(text, conditions.bound)


def count_of(query: Query) -> KeySelect:
    """Return how the rows of a query are counted; instances by their series where all of those fit."""
    search = _collect(query, None)
    if _has_holders(search):
        text = f"SELECT coalesce(sum(e.number_of_instances), 0) FROM {_holders(search)}"
    else:
        text = f"SELECT count(*) FROM ({_key_select(search)})"
    return KeySelect(text, search.conditions.bound)


def _collect(query: Query, cursor: Cursor | None, *, is_walk: bool = False) -> _Search:
    """Return the conditions of a query."""
    require_searchable(query)
    bound: BoundValues = {"partition_name": query.partition_name}
    search = _Search(query.level, Conditions(bound, ALIASES, is_walk=is_walk))
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
    conditions.texts.append(f"{ALIASES[search.table_level]}.{TABLES[search.table_level]}_key < :below")
    if search.level is Level.PATIENT:
        conditions.bound["newest"] = cursor.newest
        search.newest_bound = newest_bound("n", is_bound=True)
        conditions.texts.append("s.study_key <= :newest")


def _key_select(search: _Search) -> str:
    table = search.table_level
    source, tables = _joined(search, {*search.conditions.levels, table})
    alias = "m" if search.driver and table is Level.STUDY else ALIASES[table]
    where = _own_conditions(search, tables)
    return f"SELECT {alias}.{TABLES[table]}_key FROM {source} WHERE {' AND '.join(where)}"


def _joined(search: _Search, levels: set[Level]) -> tuple[str, list[Level]]:
    """Return the tables of some levels joined, and those whose partition is to be asked for."""
    if not search.driver:
        return _source(_chain(levels), ALIASES), sorted(levels)
    levels = {*levels, Level.STUDY}
    # The planner would rather look at every instance, newest first, than at all of some studies.
    join = " CROSS JOIN " if Level.INSTANCE in search.conditions.levels else " JOIN "
    return f"{search.driver} m{join}{_source(_chain(levels), ALIASES, join)}", sorted(levels)


def _own_conditions(search: _Search, tables: Sequence[Level]) -> list[str]:
    """Return the conditions of a search, with those that belong to its tables."""
    where = [*(f"{ALIASES[one]}.partition_key = {PARTITION}" for one in tables), *search.conditions.texts]
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
    if isinstance(match, ByExternalMetadata):
        return external_condition(conditions, match)
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
    own = f"{ALIASES[search.table_level]}.{TABLES[search.table_level]}_key"
    is_patient = search.level is Level.PATIENT
    if is_selective:
        found = LATEST_OF.format(bound=search.newest_bound) if is_patient else f"{_BELOW[first]}.{own[2:]}"
        return f"{own} IN (SELECT {found} FROM {source} WHERE {' AND '.join(where)})"
    link = SAME_PATIENT.format(other="bs") if is_patient else f"{_BELOW[first]}.{own[2:]} = {own}"
    return f"EXISTS (SELECT 1 FROM {source} WHERE {' AND '.join([link, *where])})"
