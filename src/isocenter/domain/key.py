"""One key of a search: an attribute and what stands there, and what that asks for by its VR (PS3.4 C.2.2.2).

An empty key, or one of `*` alone, matches everything and asks for nothing. Names compare without case and accents;
identifiers letter by letter; descriptions and codes without case.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from isocenter.domain.errors import InvalidKey, InvalidRequest
from isocenter.domain.forms import is_universal, parse_pattern, wildcard_form_of
from isocenter.domain.identifiers import parse_uid
from isocenter.domain.moments import earliest_time, is_date, latest_time, parse_moment
from isocenter.domain.query import (
    Between,
    Comparison,
    Empty,
    Match,
    OneOf,
    PersonName,
    ValueMatch,
    Wildcard,
    WordPrefixes,
    fold,
    person_name_words,
)

LIST_VALUES_MAX = 1024
"""Values in one list; a viewer asks for the studies on its screen."""
EMPTY_VALUE = '""'
"""PS3.4 C.2.2.2.7."""

_LIST_VRS = frozenset({"UI", "CS", "IS", "US"})
_TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_NUMBER_VRS = frozenset({"DS", "FL", "FD", "SL", "SS", "UL", "SV", "UV"})
_EMPTY_VALUE_VRS = _TEXT_VRS | {"DA", "DT", "TM"}
_MULTIPLE_VALUE_VRS = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})
"""PS3.4 C.2.2.2.8."""
MATCHABLE_VRS = _LIST_VRS | _EMPTY_VALUE_VRS | _NUMBER_VRS | {"AS", "AT"}
"""VRs whose values can be matched; the others are bulk, or sequences."""

_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_WILD_CARDS = frozenset("*?")


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute that a search names, and what stands there."""

    tag: int
    vr: str
    text: str
    keyword: str = ""
    is_multi_valued: bool = False
    """The standard allows for several values."""

    @property
    def name(self) -> str:
        """Return what it is called in a message."""
        return self.keyword or f"({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})"


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What was agreed on with the caller about the reading of keys."""

    list_separators: str = "\\"
    is_fuzzy: bool = False
    has_empty_values: bool = False
    has_multiple_values: bool = False
    combines_dates_and_times: bool = False
    timezone_minutes: int | None = None
    """The zone in which keys are meant (TimezoneOffsetFromUTC), where its use was agreed on."""


PLAIN_RULES = KeyRules()


def parse_key(key: Key, rules: KeyRules = PLAIN_RULES) -> tuple[Match, ...]:
    """Return what one key asks for, nothing where it matches everything.

    Raises InvalidKey where its text cannot be a value of its VR.
    """
    bare = key.text.strip(" \0")
    if not bare.strip("*"):
        return ()
    if bare == EMPTY_VALUE and rules.has_empty_values and key.vr in _EMPTY_VALUE_VRS:
        return (Empty(key.tag),)
    if rules.has_multiple_values and key.is_multi_valued and key.vr in _MULTIPLE_VALUE_VRS:
        values = _values(key, bare, rules.list_separators if key.vr in _LIST_VRS else "\\")
        if len(values) > 1:
            matches = [_one_value(key, value, rules) for value in values]
            return tuple(match for match in matches if match is not None)
    match = _parsers(key.vr)(key, bare, rules)
    return () if match is None else (match,)


def parse_value_match(key: Key, rules: KeyRules = PLAIN_RULES) -> ValueMatch | None:
    """Return what one key asks for of single texts, None where it matches everything; a name is compared as a whole.

    Raises InvalidKey where its text cannot be a value of its VR.
    """
    bare = key.text.strip(" \0")
    if not bare.strip("*"):
        return None
    is_whole_name = key.vr == "PN" and not (rules.is_fuzzy and _WILD_CARDS.isdisjoint(bare))
    match = (_parse_text if is_whole_name else _parsers(key.vr))(key, bare, rules)
    assert match is None or isinstance(match, ValueMatch)
    return match


def _parsers(vr: str) -> Callable[[Key, str, KeyRules], Match | None]:
    return _PARSERS.get(vr, _parse_text)


def comparison_of(key: Key) -> Comparison:
    """Return how the values of an attribute compare."""
    if key.vr == "PN":
        return Comparison.FOLDED
    is_caseless = key.vr == "CS" or key.keyword.endswith("Description") or key.keyword == "ManufacturerModelName"
    return Comparison.CASELESS if is_caseless else Comparison.EXACT


def invalid_key(key: Key) -> InvalidKey:
    """Return the error for a value that is none of its VR."""
    return InvalidKey(f"Invalid query: the value for {key.name} is not valid for VR {key.vr}.", tags=(key.tag,))


def _values(key: Key, text: str, separators: str) -> tuple[str, ...]:
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    values = (value.strip(" \0") for value in text.split(separators[0]))
    found = tuple(dict.fromkeys(value for value in values if value))
    if len(found) > LIST_VALUES_MAX:
        raise invalid_key(key)
    return found


def _one_value(key: Key, value: str, rules: KeyRules) -> Match | None:
    if _WILD_CARDS.intersection(value):
        raise InvalidKey(f"Invalid query: a list for {key.name} cannot hold wildcards.", tags=(key.tag,))
    return _parsers(key.vr)(key, value, rules)


def _parse_list(key: Key, text: str, rules: KeyRules) -> Match | None:
    values = _values(key, text, rules.list_separators)
    if key.vr == "CS" and _WILD_CARDS.intersection(text):
        if len(values) != 1:
            raise InvalidKey(f"Invalid query: a list for {key.name} cannot hold wildcards.", tags=(key.tag,))
        return Wildcard(key.tag, values[0], comparison_of(key))
    canonical = tuple(_canonical(key, value) for value in values)
    return OneOf(key.tag, canonical, comparison_of(key)) if canonical else None


def _canonical(key: Key, value: str) -> str:
    if key.vr == "UI":
        try:
            return parse_uid(value)
        except InvalidRequest as error:
            raise InvalidKey(error.message, tags=(key.tag,)) from error
    if key.vr in {"IS", "US"}:
        if _INTEGER.fullmatch(value) is None:
            raise invalid_key(key)
        return str(int(value))
    return value


def _parse_text(key: Key, text: str, rules: KeyRules) -> Match | None:
    if key.vr in _TEXT_VRS and _WILD_CARDS.intersection(text):
        return Wildcard(key.tag, text, comparison_of(key))
    values = _values(key, text, "\\") if key.is_multi_valued else (text,)
    return OneOf(key.tag, values, comparison_of(key)) if values else None


def _parse_number(key: Key, text: str, rules: KeyRules) -> Match | None:
    if _NUMBER.fullmatch(text) is None:
        raise invalid_key(key)
    return OneOf(key.tag, (text,))


def _parse_name(key: Key, text: str, rules: KeyRules) -> Match | None:
    if rules.is_fuzzy and not _WILD_CARDS.intersection(text):
        words = tuple(person_name_words(text).split())
        return WordPrefixes(key.tag, words) if words else None
    groups = tuple(_bare_group(group) for group in text.split("="))
    if not any(groups):
        return None
    if len(groups) > 3:
        raise invalid_key(key)
    return PersonName(key.tag, groups, in_any_group=len(groups) == 1 and not fold(text).isascii())


def _bare_group(group: str) -> str:
    bare = group.strip(" ").rstrip("^ ")
    form = wildcard_form_of("PN", Comparison.FOLDED)
    return "" if is_universal(parse_pattern(bare, form)) else bare


def _ends(key: Key, text: str) -> tuple[str, str]:
    lowest, *others = (part.strip() for part in text.split("-"))
    if len(others) != 1 or not (lowest or others[0]):
        raise invalid_key(key)
    return lowest, others[0]


def _parse_dates(key: Key, text: str, rules: KeyRules) -> Match | None:
    lowest, highest = date_ends(key, text)
    if "-" not in text:
        return OneOf(key.tag, (text,))
    return Between(key.tag, lowest, highest)


def date_ends(key: Key, text: str) -> tuple[str | None, str | None]:
    """Return the ends of a range of dates, or a single one as both; None leaves an end open."""
    lowest, highest = _ends(key, text) if "-" in text else (text, text)
    if not all(is_date(day) for day in (lowest, highest) if day) or (highest and lowest > highest):
        raise invalid_key(key)
    return lowest or None, highest or None


def _parse_times(key: Key, text: str, rules: KeyRules) -> Match | None:
    lowest, highest = time_ends(key, text)
    if lowest is not None and highest is not None and lowest > highest:
        raise invalid_key(key)
    return Between(key.tag, lowest, highest)


def time_ends(key: Key, text: str) -> tuple[str | None, str | None]:
    """Return the first and the last instant of a range of times, or of a single one; None leaves an end open."""
    first, last = _ends(key, text) if "-" in text else (text, text)
    lowest = earliest_time(first) if first else None
    highest = latest_time(last) if last else None
    if (first and lowest is None) or (last and highest is None):
        raise invalid_key(key)
    return lowest, highest


def _parse_date_times(key: Key, text: str, rules: KeyRules) -> Match | None:
    """Return a match by instants; a dash may belong to an offset, so each is tried as the one between the ends."""
    for at in [place for place, letter in enumerate(text) if letter == "-"]:
        ends = [text[:at].strip() or None, text[at + 1 :].strip() or None]
        if any(ends) and all(end is None or parse_moment(end) is not None for end in ends):
            lowest, highest = (end and _in_agreed_zone(end, rules) for end in ends)
            if lowest is None or highest is None or lowest <= highest:
                return Between(key.tag, lowest, highest)
    if parse_moment(text) is None:
        raise invalid_key(key)
    agreed = _in_agreed_zone(text, rules)
    return Between(key.tag, agreed, agreed)


def _in_agreed_zone(text: str, rules: KeyRules) -> str:
    moment = parse_moment(text)
    if moment is None or moment.offset_minutes is not None or rules.timezone_minutes is None:
        return text
    minutes = abs(rules.timezone_minutes)
    return f"{text}{'-' if rules.timezone_minutes < 0 else '+'}{minutes // 60:02}{minutes % 60:02}"


_PARSERS: dict[str, Callable[[Key, str, KeyRules], Match | None]] = {
    **dict.fromkeys(_LIST_VRS, _parse_list),
    **dict.fromkeys(_NUMBER_VRS, _parse_number),
    "DA": _parse_dates,
    "TM": _parse_times,
    "DT": _parse_date_times,
    "PN": _parse_name,
}
