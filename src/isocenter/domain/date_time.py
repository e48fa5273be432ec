"""Dates with times (VR DT) as texts that compare in the order of time (PS3.5 table 6.2-1).

A value may stop after the year, the month and so on; it then stands for its first instant or its last one. An offset
from UTC is left out: what a hospital schedules it writes in its own time, with the offset or without.
"""

from __future__ import annotations

import re
from calendar import monthrange

_DATE_TIME = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?)?)?)?)?(?P<offset>[+-](?:0\d|1[0-4])[0-5]\d)?",
    re.ASCII,
)


def first_instant(text: str) -> str | None:
    """Return the first instant of a DT value as `YYYYMMDDHHMMSS.FFFFFF`, or None where text is none."""
    found = _read(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = found
    return f"{year}{month or '01'}{day or '01'}{hour or '00'}{minute or '00'}{second or '00'}.{fraction.ljust(6, '0')}"


def last_instant(text: str) -> str | None:
    """Return the last instant of a DT value to the microsecond in the same form, or None where text is none."""
    found = _read(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = found
    month = month or "12"
    day = day or str(_days(year, month))
    fraction = fraction.ljust(6, "0") if fraction else "999999"
    return f"{year}{month}{day}{hour or '23'}{minute or '59'}{second or '59'}.{fraction}"


def has_offset(text: str) -> bool:
    """Tell whether a DT value says how far its time is from UTC."""
    found = _DATE_TIME.fullmatch(text)
    return found is not None and found["offset"] is not None


def _read(text: str) -> tuple[str, str, str, str, str, str, str] | None:
    """Return the parts of a DT value that names an instant of the calendar, those that it leaves out empty."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, _ = (part or "" for part in found.groups())
    is_day = int(year) >= 1 and 1 <= int(month or 1) <= 12 and 1 <= int(day or 1) <= _days(year, month or "01")
    is_time = int(hour or 0) < 24 and int(minute or 0) < 60 and int(second or 0) <= 60
    return (year, month, day, hour, minute, second, fraction) if is_day and is_time else None


def _days(year: str, month: str) -> int:
    return monthrange(int(year), int(month))[1]
