"""Dates and times as keys and data sets write them (PS3.5 table 6.2-1): what is valid, which instants they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from isocenter.domain.date_time import first_instant, has_offset, last_instant

DAY_BEGINS, DAY_ENDS = "000000.000000", "235959.999999"
OFFSET_MINUTES_MAX = 14 * 60
"""PS3.5 table 6.2-1, DT: offsets lie between -1200 and +1400."""

_TIME = re.compile(r"(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DATE = re.compile(r"\d{8}", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a DT value says: the instants from its earliest to its latest, as YYYYMMDDHHMMSS.FFFFFF of its zone."""

    earliest: str
    latest: str
    offset_minutes: int | None
    """None where the value does not name its zone."""


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


def parse_offset(text: str | None) -> int | None:
    """Return the minutes that an offset from UTC (`+0100`) says, None where text is none."""
    found = _OFFSET.fullmatch(text) if text else None
    if found is None:
        return None
    hours, minutes = int(found[2]), int(found[3])
    total = hours * 60 + minutes
    if minutes >= 60 or total > OFFSET_MINUTES_MAX:
        return None
    return -total if found[1] == "-" else total


def parse_moment(text: str) -> Moment | None:
    """Return what a DT value says, None where text is none."""
    bare = text.strip()
    earliest, latest = first_instant(bare), last_instant(bare)
    if earliest is None or latest is None:
        return None
    offset_minutes = parse_offset(bare[-5:]) if has_offset(bare) else None
    return None if offset_minutes is None and has_offset(bare) else Moment(earliest, latest, offset_minutes)


def in_zone(instant: str, *, of_minutes: int | None, to_minutes: int | None) -> str:
    """Return an instant (YYYYMMDDHHMMSS.FFFFFF) as another zone tells it; as it is where one of them is not known."""
    if of_minutes is None or to_minutes is None or of_minutes == to_minutes:
        return instant
    seconds = min(int(instant[12:14]), 59)  # a leap second counts as the last of its minute
    try:
        told = datetime(
            int(instant[:4]), int(instant[4:6]), int(instant[6:8]), int(instant[8:10]), int(instant[10:12]), seconds
        ) + timedelta(minutes=to_minutes - of_minutes)
    except (ValueError, OverflowError):
        return instant
    return f"{told:%Y%m%d%H%M%S}".rjust(14, "0") + instant[14:]
