"""Times of the week, as a schedule names them: which was the last, which is the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from isocenter.routing.calendar import Window, parse_window

_DAYS = 8
"""Within a week and a day every time of the week has been once."""


def parse_moments(texts: Sequence[str]) -> tuple[Window, ...]:
    """Return times such as `mon-fri 19:00`, each as the window that begins then."""
    return tuple(parse_window(f"{text}-24:00") for text in texts)


def last_moment(moments: Sequence[Window], now: datetime) -> datetime:
    """Return the last of the times up to now; both are those of the place, without a zone."""
    return max(moment for moment in _around(moments, now, range(-_DAYS, 1)) if moment <= now)


def next_moment(moments: Sequence[Window], now: datetime) -> datetime:
    """Return the first of the times after now."""
    return min(moment for moment in _around(moments, now, range(_DAYS + 1)) if moment > now)


def _around(moments: Sequence[Window], now: datetime, days: range) -> list[datetime]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        day + timedelta(seconds=one.begins_s)
        for day in (midnight + timedelta(days=number) for number in days)
        for one in moments
        if day.weekday() in one.days
    ]
