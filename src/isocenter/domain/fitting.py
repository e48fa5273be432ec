"""What it means that stored values fit a match: one set of rules for every index, and for headers (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from isocenter.domain.external_metadata import comparing_vr
from isocenter.domain.forms import (
    Form,
    Pattern,
    fits_pattern,
    form_of,
    is_universal,
    padded_time,
    parse_pattern,
    to_form,
    wildcard_form_of,
)
from isocenter.domain.moments import DAY_BEGINS, DAY_ENDS, in_zone, is_date, parse_moment, parse_offset
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
    ValueMatch,
    Wildcard,
    WordPrefixes,
    fold,
    person_name_words,
)
from isocenter.domain.query_tag import KINDS_BY_VR, ValueKind
from isocenter.domain.query_tag_value import Comparable, comparable_of

TIMEZONE_OFFSET_FROM_UTC = 0x00080201
KEYS_REMEMBERED = 64
"""A search has few keys, and holds each against many values."""

_EXTERNAL = -(2**48)
"""Far below what stands for extended query tags."""
_ANY_GROUP = "\x01"
"""Marks a name key that any component group may fit; no text has this character."""


class Attributes(Protocol):
    """The attributes of a row, a data set or an item."""

    def vr_of(self, tag: int) -> str:
        """Return the VR of an attribute."""
        ...

    def values_of(self, tag: int) -> Sequence[str]:
        """Return the values of an attribute as text, unpadded; none where it is absent or empty."""
        ...

    def items_of(self, tag: int) -> Sequence[Attributes]:
        """Return the items of a sequence."""
        ...


def fits(match: Match, attributes: Attributes) -> bool:
    """Tell whether attributes fit a match; of several values of an attribute one is enough (PS3.4 C.2.2.3)."""
    match match:
        case InItem(tag, matches):
            return any(all(fits(one, item) for one in matches) for item in attributes.items_of(tag))
        case Empty(tag):
            return not any(attributes.values_of(tag)) and not attributes.items_of(tag)
        case DateAndTime(date_tag, time_tag):
            return fits_date_and_time(
                match,
                date=_first(attributes, date_tag),
                time=_first(attributes, time_tag),
                timezone=_first(attributes, TIMEZONE_OFFSET_FROM_UTC),
            )
        case ByQueryTag(key, vr, _, one):
            return any(_kept_value_fits(one, vr, value) for value in attributes.values_of(query_tag_stand_in(key)))
        case ByExternalMetadata(vr, one):
            values = attributes.values_of(external_stand_in(match.tag))
            return any(_kept_value_fits(one, comparing_vr(vr), value) for value in values)
        case Between(tag, lowest, highest) if attributes.vr_of(tag) == "DT":
            return any(_overlaps(value, lowest, highest) for value in attributes.values_of(tag))
        case _:
            vr = attributes.vr_of(match.tag)
            return any(value_fits(match, vr, value) for value in attributes.values_of(match.tag) or ("",))


def query_tag_stand_in(query_tag_key: int) -> int:
    """Return what stands for an extended query tag where attributes are named by their tags: no tag is negative."""
    return -query_tag_key


def external_stand_in(tag: int) -> int:
    """Return the same for a tag of external metadata, which a file may have too."""
    return _EXTERNAL - tag


def _kept_value_fits(match: ValueMatch | PersonName, vr: str, value: str) -> bool:
    """Tell whether the value that is kept for an extended query tag fits a match."""
    if isinstance(match, OneOf):
        is_exact = KINDS_BY_VR[vr] is ValueKind.STRING and match.comparison is Comparison.EXACT
        comparable = comparable_of(vr, value)
        is_equal = comparable is not None and comparable in [comparable_of(vr, wanted) for wanted in match.values]
        return is_equal and (not is_exact or value in match.values)
    if isinstance(match, Between):
        ends = [end if end is None else comparable_of(vr, end) for end in (match.lowest, match.highest)]
        return _is_among(comparable_of(vr, value), *ends)
    return value_fits(match, vr, value)


def _is_among(value: Comparable | None, lowest: Comparable | None, highest: Comparable | None) -> bool:
    if isinstance(value, str):
        above = not isinstance(lowest, str) or lowest <= value
        return above and (not isinstance(highest, str) or value <= highest)
    above = not isinstance(lowest, int | float) or (value is not None and lowest <= value)
    return above and (not isinstance(highest, int | float) or (value is not None and value <= highest))


def _first(attributes: Attributes, tag: int) -> str:
    return next(iter(attributes.values_of(tag)), "")


def value_fits(match: ValueMatch | PersonName, vr: str, value: str) -> bool:
    """Tell whether one value, empty where the attribute has none, fits a match: the meaning of it, spelled out."""
    match match:
        case Wildcard(_, text, comparison):
            return _fits_wildcard(vr, text, comparison, value)
        case _ if not value:
            return False
        case OneOf(_, values, comparison):
            form = form_of(vr, comparison)
            return to_form(form, value) in [to_form(form, wanted) for wanted in values]
        case Between(_, lowest, highest):
            return _is_between(vr, value, lowest, highest)
        case WordPrefixes():
            words = folded_words(match)
            return bool(words) and fits_words(person_name_words(value), words)
        case PersonName():
            return fits_name(fold(value), name_key(match))


def _fits_wildcard(vr: str, text: str, comparison: Comparison, value: str) -> bool:
    form = wildcard_form_of(vr, comparison)
    pattern = parse_pattern(text, form)
    return is_universal(pattern) or (bool(value) and fits_pattern(pattern, to_form(form, value)))


def _is_between(vr: str, value: str, lowest: str | None, highest: str | None) -> bool:
    form = form_of(vr, Comparison.EXACT)
    text = to_form(form, value)
    above = lowest is None or to_form(form, lowest) <= text
    return above and (highest is None or text <= to_form(form, highest))


def _overlaps(value: str, lowest: str | None, highest: str | None) -> bool:
    """Tell whether a DT value lies in a range; ends are in the zone that they name, else in that of the value."""
    moment = parse_moment(value)
    if moment is None:
        return False
    first = parse_moment(lowest) if lowest else None
    last = parse_moment(highest) if highest else None
    if first is not None:
        begins = in_zone(first.earliest, of_minutes=first.offset_minutes, to_minutes=moment.offset_minutes)
        if moment.latest < begins:
            return False
    if last is not None:
        ends = in_zone(last.latest, of_minutes=last.offset_minutes, to_minutes=moment.offset_minutes)
        return moment.earliest <= ends
    return True


def fits_date_and_time(match: DateAndTime, *, date: str, time: str, timezone: str) -> bool:
    """Tell whether a date and the time beside it, in the zone that their data set names, fit a match."""
    if not is_date(date):
        return False
    padded = padded_time(time) if time else None
    if padded is not None:
        told = in_zone(date + padded, of_minutes=parse_offset(timezone), to_minutes=match.timezone_minutes)
        date, padded = told[:8], told[8:]
    if match.is_combined:
        return _is_within(match, date + (padded or DAY_BEGINS), date + (padded or DAY_ENDS))
    return _lies_in(date, match.dates) and (match.times == (None, None) or _lies_in(padded, match.times))


def _is_within(match: DateAndTime, earliest: str, latest: str) -> bool:
    (first_date, last_date), (first_time, last_time) = match.dates, match.times
    begins = first_date is None or first_date + _padded(first_time, DAY_BEGINS) <= latest
    return begins and (last_date is None or earliest <= last_date + _padded(last_time, DAY_ENDS))


def _lies_in(value: str | None, ends: tuple[str | None, str | None]) -> bool:
    if value is None:
        return False
    lowest, highest = (end and (padded_time(end) or end) for end in ends)
    return (lowest is None or lowest <= value) and (highest is None or value <= highest)


def _padded(time: str | None, otherwise: str) -> str:
    return (padded_time(time) if time else None) or otherwise


def date_and_time_key(match: DateAndTime) -> str:
    """Return a match of date and time as one text, which `parse_date_and_time_key` reads."""
    zone = "" if match.timezone_minutes is None else str(match.timezone_minutes)
    ends = (end or "" for end in (*match.dates, *match.times))
    return "|".join((f"{match.date_tag:x}", f"{match.time_tag:x}", *ends, "c" if match.is_combined else "", zone))


@lru_cache(maxsize=KEYS_REMEMBERED)
def parse_date_and_time_key(key: str) -> DateAndTime:
    """Return the match that a text stands for."""
    date_tag, time_tag, first_date, last_date, first_time, last_time, combined, zone = key.split("|")
    return DateAndTime(
        int(date_tag, 16),
        int(time_tag, 16),
        (first_date or None, last_date or None),
        (first_time or None, last_time or None),
        is_combined=bool(combined),
        timezone_minutes=int(zone) if zone else None,
    )


def name_key(match: PersonName) -> str:
    """Return a name match as one text, for `fits_name`."""
    return (_ANY_GROUP if match.in_any_group else "") + "=".join(match.groups)


def fits_name(folded: str, key: str) -> bool:
    """Tell whether a folded person name fits a key; trailing delimiters and blanks say nothing (PS3.5 6.2.1.1)."""
    in_any_group, patterns = _name_patterns(key)
    groups = [group.rstrip("^ ") for group in folded.split("=")]
    if in_any_group:
        return any(fits_pattern(patterns[0], group) for group in groups)
    groups += [""] * (len(patterns) - len(groups))
    return all(fits_pattern(pattern, group) for pattern, group in zip(patterns, groups, strict=False) if pattern)


@lru_cache(maxsize=KEYS_REMEMBERED)
def _name_patterns(key: str) -> tuple[bool, tuple[Pattern, ...]]:
    bare = key.removeprefix(_ANY_GROUP)
    patterns = tuple(parse_pattern(group.strip(" ").rstrip("^ "), Form.FOLDED) for group in bare.split("="))
    return bare != key, patterns


def fits_words(words: str, wanted: tuple[str, ...]) -> bool:
    """Tell whether the wanted words, in order and adjacent, each begin a word."""
    have = words.split(" ")
    last = len(have) - len(wanted)
    return any(
        all(word.startswith(prefix) for word, prefix in zip(have[at:], wanted, strict=False)) for at in range(last + 1)
    )


def folded_words(match: WordPrefixes) -> tuple[str, ...]:
    """Return the words of a fuzzy match as they are compared; words that are empty say nothing."""
    return tuple(person_name_words(" ".join(match.words)).split())
