"""Matches on extended query tags as conditions of SQL, each answered from an index of the tag's table.

Where rows are looked at one by one, a condition asks for the value of the row; else it finds the rows by their values.
"""

from __future__ import annotations

from typing import assert_never

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.fitting import folded_words, name_key
from isocenter.domain.forms import Form, is_universal, parse_pattern
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    ByQueryTag,
    Comparison,
    OneOf,
    PersonName,
    ValueMatch,
    Wildcard,
    WordPrefixes,
)
from isocenter.domain.query_tag import KINDS_BY_VR, ValueKind
from isocenter.domain.query_tag_value import comparable_of
from isocenter.storage.sqlite.columns import TABLES as RESOURCES
from isocenter.storage.sqlite.conditions import PARTITION, VALUES_MAX, Conditions, prefix_range
from isocenter.storage.sqlite.patterns import glob_of
from isocenter.storage.sqlite.query_tag_rows import TABLES, WORD_TABLE

_NOTHING = "0"
_LEVELS = (Level.STUDY, Level.SERIES, Level.INSTANCE)


def query_tag_condition(conditions: Conditions, match: ByQueryTag) -> str:
    """Return the condition that a match on an extended query tag means."""
    if match.level not in _LEVELS:
        raise InvalidRequest("An extended query tag is one of a study, a series or an instance.")
    conditions.levels.add(match.level)
    own = f"{conditions.aliases[match.level]}.{RESOURCES[match.level]}_key"
    where = value_condition(conditions, match.vr, match.match, query_tag_key=match.query_tag_key)
    if where == _NOTHING:
        return _NOTHING
    source = f"FROM {TABLES[KINDS_BY_VR[match.vr]]} q WHERE q.query_tag_key = {match.query_tag_key}"
    if conditions.is_walk:
        return f"EXISTS (SELECT 1 {source} AND q.resource_key = {own} AND {where})"
    return f"{own} IN (SELECT q.resource_key {source} AND q.partition_key = {PARTITION} AND {where})"


def value_condition(
    conditions: Conditions, vr: str, match: ValueMatch | PersonName, *, query_tag_key: int | None
) -> str:
    """Return the condition on a row `q` with a value, how it compares and its words; a tag's words can be looked up."""
    # Where rows are looked at one by one the sign keeps the planner from the index by value.
    column = "+q.comparable" if conditions.is_walk else "q.comparable"
    kind = KINDS_BY_VR[vr]
    match match:
        case OneOf(_, values, comparison):
            return _one_of(conditions, column, vr, values, comparison)
        case Between(_, lowest, highest):
            return _between(conditions, column, vr, lowest, highest)
        case Wildcard(_, pattern, comparison):
            if kind is not ValueKind.STRING and kind is not ValueKind.PERSON_NAME:
                raise InvalidRequest("Wildcards match text only.")
            return _wildcard(conditions, column, pattern, comparison, is_name=kind is ValueKind.PERSON_NAME)
        case WordPrefixes() as words:
            return _word_prefixes(conditions, query_tag_key, folded_words(words))
        case PersonName() as name:
            return f"fits_name(q.comparable, {conditions.bind(name_key(name))})"
        case _:
            assert_never(match)


def _one_of(conditions: Conditions, column: str, vr: str, values: tuple[str, ...], comparison: Comparison) -> str:
    if len(values) > VALUES_MAX:
        raise InvalidRequest("The list of values is too long.")
    wanted = {one for value in values if (one := comparable_of(vr, value)) is not None}
    if not wanted:
        return _NOTHING
    bound = ", ".join(conditions.bind(one) for one in sorted(wanted, key=str))
    found = f"{column} = {bound}" if len(wanted) == 1 else f"{column} IN ({bound})"
    if KINDS_BY_VR[vr] is not ValueKind.STRING or comparison is not Comparison.EXACT:
        return found
    exact = ", ".join(conditions.bind(value) for value in dict.fromkeys(values))
    return f"{found} AND q.value IN ({exact})"


def _between(conditions: Conditions, column: str, vr: str, lowest: str | None, highest: str | None) -> str:
    ends: list[str] = []
    for sign, end in ((">=", lowest), ("<=", highest)):
        if end is not None:
            comparable = comparable_of(vr, end)
            if comparable is None:
                return _NOTHING
            ends.append(f"{column} {sign} {conditions.bind(comparable)}")
    return " AND ".join(ends) or "1"


def _wildcard(conditions: Conditions, column: str, pattern: str, comparison: Comparison, *, is_name: bool) -> str:
    folded = parse_pattern(pattern, Form.FOLDED if is_name else Form.CASELESS)
    if is_universal(folded):
        return "1"
    if not folded:
        return _NOTHING
    texts = [prefix_range(conditions, column, folded[0])] if isinstance(folded[0], str) else []
    texts.append(f"q.comparable GLOB {conditions.bind(glob_of(folded))}")
    if not is_name and comparison is Comparison.EXACT:
        texts.append(f"q.value GLOB {conditions.bind(glob_of(parse_pattern(pattern, Form.RAW)))}")
    return " AND ".join(text for text in texts if text)


def _word_prefixes(conditions: Conditions, query_tag_key: int | None, words: tuple[str, ...]) -> str:
    if not words:
        return _NOTHING
    phrase = f"fits_words(q.words, {conditions.bind(' '.join(words))})"
    if conditions.is_walk or query_tag_key is None:
        return phrase
    found = (
        f"q.resource_key IN (SELECT w.resource_key FROM {WORD_TABLE} w WHERE w.query_tag_key = {query_tag_key} "
        f"AND w.partition_key = {PARTITION} AND {prefix_range(conditions, 'w.word', words[0])})"
    )
    return f"{found} AND {phrase}"
