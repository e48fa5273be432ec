"""Hours of the week: when a destination takes work, and when it takes less.

A window is written `mon-fri 18:00-07:00`, `sat,sun` or `22:00-06:00`. One that ends before it begins goes on into the
next day. Hours are those of the place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from isocenter.domain.errors import InvalidRequest

DAY_S = 86_400
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))

_CLOCK = r"(\d{1,2}):(\d{2})"
_WINDOW = re.compile(rf"(?:([a-z,-]+))?\s*(?:{_CLOCK}\s*-\s*{_CLOCK})?", re.ASCII)
_DAYS_LOOKED_AHEAD = 8
"""Within a week and a day every window has begun once."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hours on some days of the week."""

    days: frozenset[int] = EVERY_DAY
    """On which it begins; Monday is 0."""
    begins_s: int = 0
    """Seconds of the day."""
    ends_s: int = DAY_S
    """Seconds of the day, at most a whole one; not after `begins_s` where it ends on the next day."""

    def holds_at(self, moment: datetime) -> bool:
        """Tell whether a moment lies within it; its end does not."""
        second = moment.hour * 3600 + moment.minute * 60 + moment.second
        if self.begins_s < self.ends_s:
            return moment.weekday() in self.days and self.begins_s <= second < self.ends_s
        if second >= self.begins_s:
            return moment.weekday() in self.days
        return second < self.ends_s and (moment.weekday() - 1) % 7 in self.days


Calendar = tuple[Window, ...]
"""Open in any of its windows; without any, always."""


def is_open(calendar: Calendar, moment: datetime) -> bool:
    """Tell whether a calendar is open at a moment of the place."""
    return not calendar or any(window.holds_at(moment) for window in calendar)


def next_opening(calendar: Calendar, moment: datetime) -> datetime:
    """Return the first moment from this one on at which a calendar is open."""
    if is_open(calendar, moment):
        return moment
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = (
        midnight + timedelta(days=ahead, seconds=window.begins_s)
        for ahead in range(_DAYS_LOOKED_AHEAD)
        for window in calendar
        if (moment.weekday() + ahead) % 7 in window.days
    )
    return min(one for one in begins if one >= moment)


def parse_window(text: str) -> Window:
    """Return the window that a text says. Raises InvalidRequest."""
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None or not text.strip():
        raise InvalidRequest("Hours are written as mon-fri 18:00-07:00, sat,sun or 22:00-06:00.")
    days = EVERY_DAY if found[1] is None else _parse_days(found[1])
    if found[2] is None:
        return Window(days)
    begins_s, ends_s = _seconds(found[2], found[3]), _seconds(found[4], found[5])
    if begins_s in (DAY_S, ends_s):
        raise InvalidRequest("Hours begin before 24:00 and end at another time than they begin.")
    return Window(days, begins_s, ends_s)


def format_window(window: Window) -> str:
    """Return the text that `parse_window` reads."""
    parts = [] if window.days == EVERY_DAY else [_format_days(window.days)]
    if (window.begins_s, window.ends_s) != (0, DAY_S) or not parts:
        parts.append(f"{_clock(window.begins_s)}-{_clock(window.ends_s)}")
    return " ".join(parts)


def _parse_days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAY_NAMES or (dash and last not in DAY_NAMES):
            raise InvalidRequest(
                "Days are mon, tue, wed, thu, fri, sat, sun, ranges of them with - and lists with a comma."
            )
        begin = DAY_NAMES.index(first)
        length = (DAY_NAMES.index(last) - begin) % 7 if dash else 0
        days |= {(begin + offset) % 7 for offset in range(length + 1)}
    return frozenset(days)


def _format_days(days: frozenset[int]) -> str:
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    named = ([DAY_NAMES[run[0]], DAY_NAMES[run[-1]]] for run in runs)
    return ",".join(first if first == last else f"{first}-{last}" for first, last in named)


def _seconds(hour: str, minute: str) -> int:
    seconds = int(hour) * 3600 + int(minute) * 60
    if seconds > DAY_S or int(minute) > 59:
        raise InvalidRequest("A day has the hours 00:00 to 24:00.")
    return seconds


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"
