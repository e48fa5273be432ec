"""How long a migration takes: a band by what was measured so far, never faster than its limits, only in open hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from statistics import fmean, stdev

from isocenter.routing.calendar import Calendar, is_open, next_opening

ASSUMED_S_PER_INSTANCE = (0.01, 0.05, 0.3)
"""A fast archive on a local line, a usual one, a slow one over a long line; all that can be said at first."""
MEASURED_MIN = 3
"""Series; fewer say nothing about how much they vary."""
BAND_DEVIATIONS = 2.0
"""Of the mean: about 95 of 100 times the truth lies within."""
MINUTES_OF_WEEK = 7 * 24 * 60
YEARS_MAX = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """One series that moved."""

    instances: int
    size_bytes: int
    seconds: float
    """Of the line: of one that shared it with others, its share."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast it may go; 0 sets no limit."""

    bytes_per_s: float = 0.0
    instances_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of work that are left, and on what that is founded."""

    low_s: float
    likely_s: float
    high_s: float
    measured_series: int
    """0 where it is assumed."""


def estimate(instances_left: int, measured: Sequence[Measured], limits: Limits) -> Estimate:
    """Return how much work so many instances are."""
    useful = [one for one in measured if one.instances]
    if len(useful) < MEASURED_MIN:
        low, likely, high = ASSUMED_S_PER_INSTANCE
        count = 0
    else:
        per_instance = [one.seconds / one.instances for one in useful]
        likely = sum(one.seconds for one in useful) / sum(one.instances for one in useful)
        spread = BAND_DEVIATIONS * stdev(per_instance) / sqrt(len(useful))
        low, high, count = max(0.0, likely - spread), likely + spread, len(useful)
    floor = _floor_s_per_instance(useful, limits)
    low_s, likely_s, high_s = (instances_left * max(one, floor) for one in (low, likely, high))
    return Estimate(low_s, likely_s, high_s, count)


def _floor_s_per_instance(measured: Sequence[Measured], limits: Limits) -> float:
    floor = 1 / limits.instances_per_s if limits.instances_per_s else 0.0
    if limits.bytes_per_s and measured:
        size = fmean(one.size_bytes / one.instances for one in measured)
        floor = max(floor, size / limits.bytes_per_s)
    return floor


def ends_at(begins_at: datetime, work_s: float, calendar: Calendar) -> datetime | None:
    """Return when so much work is done if it rests outside the open hours; None where that is beyond a lifetime."""
    if work_s > YEARS_MAX * 366 * 86_400:
        return None
    if not calendar:
        return begins_at + timedelta(seconds=work_s)
    minute = timedelta(minutes=1)
    open_minutes = sum(is_open(calendar, begins_at + minute * each) for each in range(MINUTES_OF_WEEK))
    if not open_minutes:
        return None
    weeks, left_s = divmod(work_s, open_minutes * 60)
    if weeks > YEARS_MAX * 53:
        return None
    moment = begins_at + timedelta(weeks=int(weeks))
    while left_s > 0:  # less than a week of work: at most two weeks of minutes
        moment = next_opening(calendar, moment)
        step = min(left_s, 60.0)
        moment += timedelta(seconds=step)
        left_s -= step
    return moment
