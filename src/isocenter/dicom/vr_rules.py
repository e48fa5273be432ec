"""What a value may be by its VR (PS3.5 table 6.2-1), value by value, with the reason where it may not.

Padding is cut off before a value comes here: blanks behind it and, where they are tolerated, NULs. An empty value is
always valid: whether an attribute may be empty is no matter of its VR.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

ISOLATED_CONTROL = re.compile("[\x00-\x1a\x1c-\x1f\x7f]")
"""Control characters that no one-line text has; ESC begins an escape sequence (PS3.5 6.1.2.5)."""
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
"""The same for text of several lines, which has TAB, LF, FF and CR (PS3.5 6.1.3)."""
_NOT_ASCII_PRINTABLE = re.compile(r"[^\x20-\x7e]")

_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_CODE = re.compile(r"[A-Z0-9 _]*", re.ASCII)
_DATE = re.compile(r"\d{8}", re.ASCII)
_DECIMAL = re.compile(r" *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *", re.ASCII)
_INTEGER = re.compile(r" *([+-]?\d+) *", re.ASCII)
_TIME = re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
    r")?)?)?(?:[+-](?:0\d|1[0-4])[0-5]\d)?",
    re.ASCII,
)
_UID = re.compile(r"[0-9.]*", re.ASCII)
_LEADING_ZERO = re.compile(r"(?:^|\.)0\d", re.ASCII)

LENGTHS_MAX = {"AE": 16, "CS": 16, "DS": 16, "IS": 12, "LO": 64, "SH": 16, "UI": 64, "ST": 1024, "LT": 10240}
"""Characters of one value."""
NAME_GROUP_LENGTH_MAX, NAME_GROUPS_MAX, NAME_COMPONENTS_MAX = 64, 3, 5
INTEGER_MIN, INTEGER_MAX = -(2**31), 2**31 - 1

_INVALID_CHARACTER = "value contains invalid character"
_INVALID_CONTROL = "value contains invalid control character"


def objection_to(vr: str, text: str) -> str | None:
    """Return why text cannot be one value of a VR, or None where it can; VRs that are no text take anything."""
    rule = _RULES.get(vr)
    if rule is None or not text:
        return None
    longest = LENGTHS_MAX.get(vr)
    if longest is not None and len(text) > longest:
        return f"value exceeds maximum length of {longest} characters"
    return rule(text)


def is_calendar_date(text: str) -> bool:
    """Tell whether text is a day of the calendar in the form YYYYMMDD."""
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def is_time(text: str) -> bool:
    """Tell whether text is a time of day."""
    return _TIME.fullmatch(text) is not None


def is_date_time(text: str) -> bool:
    """Tell whether text is a date with or without a time of day and an offset from UTC."""
    return _DATE_TIME.fullmatch(text) is not None


def integer_of(text: str) -> int | None:
    """Return the number that an integer string says, None where it says none."""
    found = _INTEGER.fullmatch(text)
    number = int(found[1]) if found is not None and len(text) <= LENGTHS_MAX["IS"] else None
    return number if number is not None and INTEGER_MIN <= number <= INTEGER_MAX else None


def _application_entity(text: str) -> str | None:
    return _INVALID_CHARACTER if _NOT_ASCII_PRINTABLE.search(text) else None


def _age(text: str) -> str | None:
    return None if _AGE.fullmatch(text) else "value does not have pattern 000[DWMY]"


def _code(text: str) -> str | None:
    return None if _CODE.fullmatch(text) else _INVALID_CHARACTER


def _date(text: str) -> str | None:
    return None if is_calendar_date(text) else "one of the date values does not match the pattern YYYYMMDD"


def _decimal(text: str) -> str | None:
    return None if _DECIMAL.fullmatch(text) else "value is not a decimal string"


def _date_time(text: str) -> str | None:
    return None if is_date_time(text) else "value does not match the pattern YYYYMMDDHHMMSS.FFFFFF&ZZXX"


def _integer(text: str) -> str | None:
    if _INTEGER.fullmatch(text) is None:
        return "value is not an integer string"
    return None if integer_of(text) is not None else "value is out of the range of an integer string"


def _time(text: str) -> str | None:
    return None if is_time(text) else "value does not match the pattern HHMMSS.FFFFFF"


def _uid(text: str) -> str | None:
    if _UID.fullmatch(text) is None:
        return _INVALID_CHARACTER
    return "a component of the value begins with zero" if _LEADING_ZERO.search(text) else None


def _line(text: str) -> str | None:
    return _INVALID_CONTROL if ISOLATED_CONTROL.search(text) else None


def _lines(text: str) -> str | None:
    return _INVALID_CONTROL if _CONTROL_IN_TEXT.search(text) else None


def _uri(text: str) -> str | None:
    return _INVALID_CHARACTER if _NOT_ASCII_PRINTABLE.search(text) or text[0] == " " else None


def _name(text: str) -> str | None:
    groups = text.split("=")
    if len(groups) > NAME_GROUPS_MAX:
        return f"value contains more than {NAME_GROUPS_MAX} component groups"
    for group in groups:
        if len(group) > NAME_GROUP_LENGTH_MAX:
            return f"value exceeds maximum length of {NAME_GROUP_LENGTH_MAX} characters"
        if group.count("^") >= NAME_COMPONENTS_MAX:
            return f"value contains more than {NAME_COMPONENTS_MAX} components"
    return _line(text)


_RULES: dict[str, Callable[[str], str | None]] = {
    "AE": _application_entity,
    "AS": _age,
    "CS": _code,
    "DA": _date,
    "DS": _decimal,
    "DT": _date_time,
    "IS": _integer,
    "LO": _line,
    "LT": _lines,
    "PN": _name,
    "SH": _line,
    "ST": _lines,
    "TM": _time,
    "UC": _line,
    "UI": _uid,
    "UR": _uri,
    "UT": _lines,
}
