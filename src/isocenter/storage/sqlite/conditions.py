"""Matches as conditions of SQL: each condition on a kept form can use an index, every value is bound.

Comparison by every character is the condition on the kept form, which it implies, and the comparison itself. What SQL
cannot say is said by the functions of `domain.fitting`, behind a condition that an index narrows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import assert_never

from isocenter.domain.attributes import BY_TAG, IndexedAttribute
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.fitting import TIMEZONE_OFFSET_FROM_UTC, date_and_time_key, folded_words, name_key
from isocenter.domain.forms import (
    Any,
    Form,
    Pattern,
    form_of,
    is_universal,
    parse_pattern,
    to_form,
    wildcard_form_of,
)
from isocenter.domain.identifiers import Level
from isocenter.domain.query import (
    Between,
    ByExternalMetadata,
    ByQueryTag,
    Comparison,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Wildcard,
    WordPrefixes,
)
from isocenter.storage.sqlite.columns import WORDS_SUFFIX, kept_form
from isocenter.storage.sqlite.patterns import behind, glob_of

VALUES_MAX = 10_000
"""A list of UIDs in one match; SQLite takes 32,766 bindings in a statement."""
PARTITION = "(SELECT partition_key FROM partition WHERE partition_name = :partition_name)"
_NOTHING = "0"
_WORD_ENDS = frozenset("^= ")

BoundValues = dict[str, str | int | float]


@dataclass(slots=True)
class Conditions:
    """The conditions on some tables while they are collected."""

    bound: BoundValues
    aliases: Mapping[Level, str]
    """What the tables of studies, series and instances are called here."""
    texts: list[str] = field(default_factory=list)
    levels: set[Level] = field(default_factory=set)
    """The tables that they need."""
    is_walk: bool = False
    """Rows are looked at one by one."""

    def bind(self, value: str | int | float) -> str:
        """Bind a value and return what stands for it."""
        name = f"v{len(self.bound)}"
        self.bound[name] = value
        return f":{name}"

    def bind_all(self, values: list[str]) -> str:
        """Bind values and return what stands for them in a list."""
        return ", ".join([self.bind(value) for value in values])

    def alias_of(self, attribute: IndexedAttribute) -> str:
        """Return what the table of an attribute is called, and note that it is needed."""
        self.levels.add(attribute.level)
        return self.aliases[attribute.level]


def condition(conditions: Conditions, match: Match, attribute: IndexedAttribute, alias: str) -> str:
    """Return the condition that a match on an attribute of a table means, empty where it means none."""
    match match:
        case OneOf(_, values, comparison):
            return _one_of(conditions, attribute, alias, values, form_of(attribute.vr, comparison))
        case Wildcard(_, pattern, comparison):
            form = wildcard_form_of(attribute.vr, comparison)
            return _wildcard(conditions, attribute, alias, parse_pattern(pattern, form), form)
        case Between(_, lowest, highest):
            return _between(conditions, attribute, alias, lowest, highest)
        case WordPrefixes():
            return _word_prefixes(conditions, attribute, alias, folded_words(match))
        case PersonName():
            return _person_name(conditions, attribute, alias, match)
        case DateAndTime():
            return _date_and_time(conditions, attribute, alias, match)
        case Empty():
            return f"{alias}.{attribute.column} IS NULL"
        case InItem() | ByQueryTag() | ByExternalMetadata():
            raise InvalidRequest("A sequence within an item cannot be searched.")
        case _:
            assert_never(match)


def _column(attribute: IndexedAttribute, alias: str, form: Form) -> str:
    """Return where a form of an attribute is found: in a column, or computed from one where none is kept."""
    raw = f"{alias}.{attribute.column}"
    if form is Form.RAW or (form is Form.INTEGER and attribute.vr == "US"):
        return raw
    if form is kept_form(attribute):
        return f"{raw}_{form.value}"
    return f"to_form('{form.value}', {raw})"


def _indexed_form(attribute: IndexedAttribute, form: Form) -> Form:
    """Return the kept form that equality in another form implies; the form itself where there is none."""
    kept = kept_form(attribute)
    return kept if form is Form.RAW and kept in (Form.CASELESS, Form.FOLDED) else form


def _one_of(
    conditions: Conditions, attribute: IndexedAttribute, alias: str, values: tuple[str, ...], form: Form
) -> str:
    if len(values) > VALUES_MAX:
        raise InvalidRequest("The list of values is too long.")
    if not values:
        return _NOTHING
    indexed = _indexed_form(attribute, form)
    exact = _equals(conditions, _column(attribute, alias, form), values, form)
    if indexed is form:
        return exact
    return f"{_equals(conditions, _column(attribute, alias, indexed), values, indexed)} AND {exact}"


def _equals(conditions: Conditions, column: str, values: tuple[str, ...], form: Form) -> str:
    if len(values) == 1:
        return f"{column} = {conditions.bind(to_form(form, values[0]))}"
    return f"{column} IN ({conditions.bind_all(list(dict.fromkeys(to_form(form, value) for value in values)))})"


def _wildcard(conditions: Conditions, attribute: IndexedAttribute, alias: str, pattern: Pattern, form: Form) -> str:
    if is_universal(pattern):
        return ""
    if not pattern:
        return _NOTHING
    column = _column(attribute, alias, form)
    texts: list[str] = []
    if isinstance(pattern[0], str):
        indexed = _indexed_form(attribute, form)
        prefix = to_form(indexed, pattern[0]) if indexed is not form else pattern[0]
        texts.append(prefix_range(conditions, _column(attribute, alias, indexed), prefix))
    texts.append(f"{column} GLOB {conditions.bind(glob_of(pattern))}")
    return " AND ".join(text for text in texts if text)


def prefix_range(conditions: Conditions, column: str, prefix: str) -> str:
    """Return the condition that a column begins with a prefix, which an index answers; empty for an empty one."""
    if not prefix:
        return ""
    lowest = f"{column} >= {conditions.bind(prefix)}"
    highest = behind(prefix)
    return f"{lowest} AND {column} < {conditions.bind(highest)}" if highest else lowest


def _between(
    conditions: Conditions, attribute: IndexedAttribute, alias: str, lowest: str | None, highest: str | None
) -> str:
    form = form_of(attribute.vr, Comparison.EXACT)
    column = _column(attribute, alias, form)
    ends = [
        f"{column} {sign} {conditions.bind(to_form(form, end))}"
        for sign, end in ((">=", lowest), ("<=", highest))
        if end is not None
    ]
    return " AND ".join(ends) or f"{column} IS NOT NULL"


def _word_prefixes(conditions: Conditions, attribute: IndexedAttribute, alias: str, words: tuple[str, ...]) -> str:
    if not words:
        return _NOTHING
    found = _has_word(conditions, attribute, alias, prefix_range(conditions, "w.word", words[0]))
    if len(words) == 1:
        return found
    have = f"{alias}.{attribute.column}_{WORDS_SUFFIX}"
    pattern = (Any.RUN, *(token for word in words for token in (f" {word}", Any.RUN)))
    in_order = f"' ' || {have} GLOB {conditions.bind(glob_of(pattern))}"  # spares most calls of the function
    return f"{found} AND {in_order} AND fits_words({have}, {conditions.bind(' '.join(words))})"


def _has_word(conditions: Conditions, attribute: IndexedAttribute, alias: str, word_condition: str) -> str:
    source = f"FROM study_name_word w WHERE w.attribute = '{attribute.column}' AND {word_condition}"
    if conditions.is_walk:
        return f"EXISTS (SELECT 1 {source} AND w.study_key = {alias}.study_key)"
    return f"{alias}.study_key IN (SELECT w.study_key {source} AND w.partition_key = {PARTITION})"


def _person_name(conditions: Conditions, attribute: IndexedAttribute, alias: str, match: PersonName) -> str:
    """Narrow by the beginning of the alphabetic group, by a word of any group, or by what must occur somewhere.

    `fits_name` decides.
    """
    column = _column(attribute, alias, Form.FOLDED)
    exact = f"fits_name({column}, {conditions.bind(name_key(match))})"
    beginning = _beginning(match.groups[0])
    if not beginning:
        return f"{_occurs(conditions, column, match)} AND {exact}"
    if not match.in_any_group:
        return f"{prefix_range(conditions, column, beginning)} AND {exact}"
    word = beginning.lstrip(" ")
    end = next((place for place, letter in enumerate(word) if letter in _WORD_ENDS), len(word))
    if not word[:end]:
        return f"{_occurs(conditions, column, match)} AND {exact}"
    return f"{_has_word(conditions, attribute, alias, prefix_range(conditions, 'w.word', word[:end]))} AND {exact}"


def _occurs(conditions: Conditions, column: str, match: PersonName) -> str:
    """Ask for the texts of a name that are no wild cards, in their order: a look at a name costs little that way."""
    texts = [token for group in match.groups for token in _group_pattern(group) if isinstance(token, str)]
    if not texts:
        return f"{column} IS NOT NULL"
    pattern = (Any.RUN, *(token for text in texts for token in (text, Any.RUN)))
    return f"{column} GLOB {conditions.bind(glob_of(pattern))}"


def _group_pattern(group: str) -> Pattern:
    return parse_pattern(group.strip(" ").rstrip("^ "), Form.FOLDED)


def _beginning(group: str) -> str:
    """Return what a name must begin with to fit a group, as it is folded."""
    pattern = _group_pattern(group)
    return pattern[0] if pattern and isinstance(pattern[0], str) else ""


def _date_and_time(conditions: Conditions, attribute: IndexedAttribute, alias: str, match: DateAndTime) -> str:
    """Narrow by the date, which another time zone moves by two days at most, and let `fits_date_and_time` decide."""
    slack = 0 if match.timezone_minutes is None else 2
    lowest, highest = match.dates
    column = f"{alias}.{attribute.column}"
    dates = _between(conditions, attribute, alias, _moved(lowest, -slack), _moved(highest, slack))
    time = _column(BY_TAG[match.time_tag], alias, Form.TIME)
    study = conditions.aliases[Level.STUDY]
    timezone = f"{study}.{BY_TAG[TIMEZONE_OFFSET_FROM_UTC].column}" if slack else "NULL"
    if slack:
        conditions.levels.add(Level.STUDY)
    key = conditions.bind(date_and_time_key(match))
    return f"{dates} AND fits_date_and_time({column}, {time}, {timezone}, {key})"


def _moved(day: str | None, days: int) -> str | None:
    if day is None or not days:
        return day
    try:
        moved = date(int(day[:4]), int(day[4:6]), int(day[6:])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return day
    return f"{moved:%Y%m%d}".rjust(8, "0")
