"""What a key of a search means by the standard, for QIDO-RS and C-FIND alike (PS3.4 C.2.2.2).

A key's text becomes a match by the VR of its attribute. An empty key, or one of `*` alone, matches everything and
becomes none. Names compare without case and accents; identifiers letter by letter; descriptions and codes without case.
"""

from __future__ import annotations

import re
from datetime import date

from isocenter.domain.attributes import IndexedAttribute
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import parse_uid
from isocenter.domain.query import Between, Comparison, Match, OneOf, Wildcard, WordPrefixes, person_name_words

LIST_VALUES_MAX = 1024
"""Values in one list; a viewer asks for the studies on its screen."""

_LIST_VRS = frozenset({"UI", "CS", "IS", "US"})
_TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_CASELESS = frozenset({"StudyDescription", "SeriesDescription", "ManufacturerModelName"})
_TIME = re.compile(r"(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DATE = re.compile(r"\d{8}", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,12}", re.ASCII)


def parse_match(
    attribute: IndexedAttribute, text: str, *, list_separators: str = "\\", is_fuzzy: bool = False
) -> Match | None:
    """Return what a key asks for, or None where it matches everything.

    Raises InvalidRequest where the text cannot be a value of the attribute's VR.
    """
    bare = text.strip(" \0")
    if not bare.strip("*"):
        return None
    if attribute.vr == "DA":
        return _parse_dates(attribute, bare)
    if attribute.vr == "TM":
        return _parse_times(attribute, bare)
    values = _split(attribute, bare, list_separators)
    if attribute.vr in _TEXT_VRS and any(letter in bare for letter in "*?"):
        return _parse_wildcard(attribute, values)
    if attribute.vr == "PN" and is_fuzzy:
        words = tuple(person_name_words(bare).split())
        return WordPrefixes(attribute.tag, words) if words else None
    return OneOf(attribute.tag, values, comparison_of(attribute)) if values else None


def comparison_of(attribute: IndexedAttribute) -> Comparison:
    """Return how the values of an attribute compare."""
    if attribute.vr == "PN":
        return Comparison.FOLDED
    if attribute.vr == "CS" or attribute.keyword in _CASELESS:
        return Comparison.CASELESS
    return Comparison.EXACT


def is_date(text: str) -> bool:
    """Tell whether text is a day of the calendar in the form YYYYMMDD."""
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def earliest_time(text: str) -> str | None:
    """Return the first instant of a TM value in its shortest form, or None where text is no time.

    The shortest form sorts before every other way to write the same instant.
    """
    if not _is_time(text):
        return None
    bare = text.rstrip("0").rstrip(".") if "." in text else text
    while "." not in bare and len(bare) > 2 and bare.endswith("00"):
        bare = bare[:-2]
    return bare


def latest_time(text: str) -> str | None:
    """Return the last instant of a TM value to the microsecond, or None where text is no time."""
    if not _is_time(text):
        return None
    whole, _, fraction = text.partition(".")
    return f"{whole}{'5959'[len(whole) - 2 :]}.{fraction.ljust(6, '9' if not fraction else '0')}"


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    hour, minute, second = (int(group or 0) for group in found.groups()[:3])
    return hour < 24 and minute < 60 and second <= 60


def _invalid(attribute: IndexedAttribute) -> InvalidRequest:
    return InvalidRequest(f"Invalid query: the value for {attribute.keyword} is not valid for VR {attribute.vr}.")


def _split(attribute: IndexedAttribute, text: str, separators: str) -> tuple[str, ...]:
    if attribute.vr not in _LIST_VRS:
        return (text,)
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    values = [value.strip(" \0") for value in text.split(separators[0])]
    values = list(dict.fromkeys(value for value in values if value))
    if len(values) > LIST_VALUES_MAX:
        raise _invalid(attribute)
    return tuple(_canonical(attribute, value) for value in values)


def _canonical(attribute: IndexedAttribute, value: str) -> str:
    if attribute.vr == "UI":
        return parse_uid(value)
    if attribute.vr in {"IS", "US"}:
        if _INTEGER.fullmatch(value) is None:
            raise _invalid(attribute)
        return str(int(value))
    return value


def _parse_wildcard(attribute: IndexedAttribute, values: tuple[str, ...]) -> Match:
    if len(values) != 1:
        raise InvalidRequest(f"Invalid query: a list for {attribute.keyword} cannot hold wildcards.")
    return Wildcard(attribute.tag, values[0], comparison_of(attribute))


def _range(attribute: IndexedAttribute, text: str) -> tuple[str, str]:
    lowest, *others = (part.strip() for part in text.split("-"))
    if len(others) != 1 or not (lowest or others[0]):
        raise _invalid(attribute)
    return lowest, others[0]


def _parse_dates(attribute: IndexedAttribute, text: str) -> Match:
    if "-" not in text:
        if not is_date(text):
            raise _invalid(attribute)
        return OneOf(attribute.tag, (text,))
    lowest, highest = _range(attribute, text)
    if not all(is_date(day) for day in (lowest, highest) if day) or (highest and lowest > highest):
        raise _invalid(attribute)
    return Between(attribute.tag, lowest or None, highest or None)


def _parse_times(attribute: IndexedAttribute, text: str) -> Match:
    first, last = _range(attribute, text) if "-" in text else (text, text)
    lowest = earliest_time(first) if first else None
    highest = latest_time(last) if last else None
    if (first and lowest is None) or (last and highest is None):
        raise _invalid(attribute)
    if lowest is not None and highest is not None and lowest > highest:
        raise _invalid(attribute)
    return Between(attribute.tag, lowest, highest)
