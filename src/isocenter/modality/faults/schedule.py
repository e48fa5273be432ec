"""Which step is due: one after the other in the order of the file, each by its own trigger. No clock."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.modality.faults.record import Sample
from isocenter.modality.faults.scenario import (
    AfterAcknowledged,
    AfterCounter,
    AfterPause,
    AtTime,
    Comparison,
    Step,
    Trigger,
)


class Schedule:
    """The steps that are still to come."""

    def __init__(self, steps: Sequence[Step], *, instances: int) -> None:
        self._waiting = list(steps)
        self._instances = instances
        self._last_s = 0.0

    @property
    def left(self) -> int:
        """Return how many steps are still to come."""
        return len(self._waiting)

    def take_due(self, now: Sample) -> Step | None:
        """Return the next step where it is due, and count it as made."""
        if not self._waiting or not self._is_due(self._waiting[0].trigger, now):
            return None
        self._last_s = now.at_s
        return self._waiting.pop(0)

    def _is_due(self, trigger: Trigger, now: Sample) -> bool:
        match trigger:
            case AtTime(at_s=at_s):
                return now.at_s >= at_s
            case AfterPause(pause_s=pause_s):
                return now.at_s >= self._last_s + pause_s
            case AfterAcknowledged(instances=instances):
                return now.acknowledged >= (self._instances if instances is None else instances)
            case AfterCounter(counter=counter, comparison=comparison, value=value):
                return counter in now.counters and holds(now.counters[counter], comparison, value)


def holds(number: float, comparison: Comparison, value: float) -> bool:
    """Tell whether a comparison holds."""
    match comparison:
        case Comparison.AT_LEAST:
            return number >= value
        case Comparison.AT_MOST:
            return number <= value
        case Comparison.EQUAL:
            return number == value
