from __future__ import annotations

import pytest

from isocenter.modality.faults.record import Sample
from isocenter.modality.faults.scenario import (
    AfterAcknowledged,
    AfterCounter,
    AfterPause,
    AtTime,
    ClearFaults,
    Comparison,
    Step,
    Trigger,
)
from isocenter.modality.faults.schedule import Schedule, holds


def _sample(at_s: float, acknowledged: int = 0, **counters: float) -> Sample:
    return Sample(at_s=at_s, sent=acknowledged, acknowledged=acknowledged, counters=counters)


def _schedule(*triggers: Trigger) -> Schedule:
    return Schedule([Step(trigger, ClearFaults("line")) for trigger in triggers], instances=10)


def test_a_step_is_due_at_its_time_and_the_next_after_its_pause() -> None:
    schedule = _schedule(AtTime(2.0), AfterPause(1.0))
    assert schedule.take_due(_sample(1.9)) is None
    assert schedule.take_due(_sample(2.5)) is not None
    assert schedule.take_due(_sample(3.4)) is None
    assert schedule.take_due(_sample(3.5)) is not None
    assert (schedule.left, schedule.take_due(_sample(99))) == (0, None)


def test_a_step_waits_for_those_before_it() -> None:
    schedule = _schedule(AfterAcknowledged(5), AtTime(1.0))
    assert schedule.take_due(_sample(2.0, 4)) is None
    assert schedule.take_due(_sample(3.0, 5)) is not None
    assert schedule.take_due(_sample(3.0, 5)) is not None


def test_all_instances_are_those_of_the_load() -> None:
    schedule = _schedule(AfterAcknowledged(None))
    assert schedule.take_due(_sample(0.0, 9)) is None
    assert schedule.take_due(_sample(0.0, 10)) is not None


def test_a_counter_that_cannot_be_read_is_waited_for() -> None:
    schedule = _schedule(AfterCounter("waiting", Comparison.EQUAL, 0.0))
    assert schedule.take_due(_sample(1.0)) is None
    assert schedule.take_due(_sample(1.0, waiting=1)) is None
    assert schedule.take_due(_sample(1.0, waiting=0)) is not None


@pytest.mark.parametrize(
    ("comparison", "wanted"),
    [
        (Comparison.AT_LEAST, [False, True, True]),
        (Comparison.AT_MOST, [True, True, False]),
        (Comparison.EQUAL, [False, True, False]),
    ],
)
def test_comparisons(comparison: Comparison, wanted: list[bool]) -> None:
    assert [holds(number, comparison, 2) for number in (1, 2, 3)] == wanted
