"""Figures of a node over time: an hour in small steps and a day in larger ones, a bounded number of each."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

STEP_S = 5.0
HOUR_SAMPLES = 720
"""An hour of steps."""
DAY_STEP_S = 60.0
DAY_SAMPLES = 1440
"""A day of minutes."""


class Unit(StrEnum):
    """What a figure counts."""

    BYTES = "bytes"
    COUNT = "count"
    PER_S = "per second"
    BYTES_PER_S = "bytes per second"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is measured."""

    key: str
    label: str
    unit: Unit
    is_counter: bool = False
    """It only grows; what is shown is by how much in a second."""
    starts_at_zero: bool = True
    """Whether a drawing of it shows how far from nothing it is; else what changes of it."""


FIGURES = (
    Figure("free_bytes", "Free disk space", Unit.BYTES, starts_at_zero=False),
    Figure("stored_bytes", "Stored", Unit.BYTES, starts_at_zero=False),
    Figure("instances", "Instances", Unit.COUNT, starts_at_zero=False),
    Figure("waiting", "Deliveries waiting", Unit.COUNT),
    Figure("needs_human", "Deliveries that need a person", Unit.COUNT),
    Figure("associations", "Open associations", Unit.COUNT),
    Figure("requests", "DICOMweb requests", Unit.PER_S, is_counter=True),
    Figure("dimse_bytes", "Bytes over associations", Unit.BYTES_PER_S, is_counter=True),
)
BY_KEY = {figure.key: figure for figure in FIGURES}


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured at one moment."""

    at: float
    """Seconds since the epoch."""
    values: Mapping[str, float]
    """By key of the figure; what a node does not have is left out."""


class Samples:
    """The last hour and the last day. One thread adds, any may read."""

    def __init__(self) -> None:
        self._hour: deque[Sample] = deque(maxlen=HOUR_SAMPLES)
        self._day: deque[Sample] = deque(maxlen=DAY_SAMPLES)

    def add(self, sample: Sample) -> None:
        """Keep a sample; one a minute is kept for the day."""
        self._hour.append(sample)
        if not self._day or sample.at - self._day[-1].at >= DAY_STEP_S:
            self._day.append(sample)

    def hour(self) -> Sequence[Sample]:
        """Return the last hour, the oldest first."""
        return tuple(self._hour)

    def day(self) -> Sequence[Sample]:
        """Return the last day, the oldest first, up to the latest sample."""
        day, hour = tuple(self._day), tuple(self._hour)
        return (*day, hour[-1]) if hour and day and hour[-1].at > day[-1].at else day


def course_of(figure: Figure, samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Return a figure over time, as moments and values; of a counter by how much it grew in each second."""
    known = [(one.at, one.values[figure.key]) for one in samples if figure.key in one.values]
    if not figure.is_counter:
        return known
    pairs = itertools.pairwise(known)
    return [(end, max(0.0, (after - before) / (end - start))) for (start, before), (end, after) in pairs if end > start]
