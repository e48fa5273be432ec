from __future__ import annotations

import pytest

from isocenter.modality.faults.record import Found, Happening, Record, Sample
from isocenter.modality.faults.scenario import (
    AddsUp,
    AllAcknowledged,
    DuplicatesAtMost,
    Expectation,
    NothingLost,
    Reached,
    RecoveredWithin,
    Scenario,
    StaysAtMost,
)
from isocenter.modality.faults.verdict import Finding, judge

CLOUD = "http://cloud/v2"


def _judged(expectation: Expectation, record: Record) -> Finding:
    scenario = Scenario("x", "", 10.0, (), (), (), (), None, (), (expectation,))
    return judge(scenario, record)[1]


def _waiting(*numbers: float | None) -> list[Sample]:
    return [
        Sample(at_s=float(at_s), sent=0, acknowledged=0, counters={} if number is None else {"waiting": number})
        for at_s, number in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    ("found", "is_met", "told"),
    [
        (Found(frozenset({"1", "2", "3"})), True, "2 of 2"),
        (Found(frozenset({"1"})), False, "1 of 2, not 2"),
        (Found(problem="it is gone"), False, "cannot be asked: it is gone"),
        (None, False, "cannot be asked"),
    ],
)
def test_nothing_is_lost_where_an_archive_has_all_that_was_acknowledged(
    found: Found | None, is_met: bool, told: str
) -> None:
    record = Record(acknowledged=frozenset({"1", "2"}), found={} if found is None else {CLOUD: found})
    finding = _judged(NothingLost(archives=(CLOUD,)), record)
    assert finding.is_met == is_met
    assert told in finding.evidence


def test_where_nothing_was_acknowledged_nothing_is_proved() -> None:
    assert not _judged(NothingLost(archives=(CLOUD,)), Record(found={CLOUD: Found()})).is_met


def test_duplicates_are_counted_on_a_link_or_in_an_archive() -> None:
    record = Record(sent_again={"line": 3}, found={CLOUD: Found(stored_again=1)})
    assert _judged(DuplicatesAtMost(count=3, link="line"), record).is_met
    assert not _judged(DuplicatesAtMost(count=2, link="line"), record).is_met
    assert _judged(DuplicatesAtMost(count=1, archive=CLOUD), record).is_met
    assert not _judged(DuplicatesAtMost(archive=CLOUD), record).is_met
    assert not _judged(DuplicatesAtMost(archive="http://other"), record).is_met


@pytest.mark.parametrize(
    ("numbers", "is_met", "told"),
    [
        ((0, 5, 5, 2, 0, 0), True, "2.0 s after"),
        ((0, 5, 5, 5, 5, 0), False, "3.0 s after"),
        ((0, 5, 0, 5, 0, 0), True, "2.0 s after"),
        ((0, 5, 0, 0, 0, 7), False, "still 7"),
        ((None, None), False, "never read"),
        ((0, 5, None, None, 0, 0), True, "2.0 s after"),
    ],
)
def test_recovery_is_for_good_and_counted_from_the_end_of_trouble(
    numbers: tuple[float | None, ...], is_met: bool, told: str
) -> None:
    record = Record(samples=_waiting(*numbers), happenings=[Happening(1.0, "line", "refuse", ends_s=2.0)])
    finding = _judged(RecoveredWithin(counter="waiting", time_s=2.0), record)
    assert finding.is_met == is_met
    assert told in finding.evidence


def test_counters_add_up_in_every_sample() -> None:
    def sample(**counters: float) -> Sample:
        return Sample(at_s=0.0, sent=0, acknowledged=0, counters=counters)

    expectation = AddsUp(whole="received", parts=("delivered", "waiting"))
    sound = [sample(received=3, delivered=1, waiting=2), sample(received=3)]
    assert _judged(expectation, Record(samples=sound)).is_met
    wrong = _judged(expectation, Record(samples=[*sound, sample(received=3, delivered=1, waiting=1)]))
    assert not wrong.is_met
    assert "received 3, delivered 1, waiting 1" in wrong.evidence
    assert not _judged(expectation, Record(samples=[sample(received=3)])).is_met


def test_an_outage_that_was_none_is_told() -> None:
    assert _judged(Reached(counter="waiting", value=5), Record(samples=_waiting(0, 5, 0))).is_met
    assert not _judged(Reached(counter="waiting", value=6), Record(samples=_waiting(0, 5, 0))).is_met


def test_what_the_outage_is_no_business_of_stays_small() -> None:
    assert _judged(StaysAtMost(counter="waiting", value=5), Record(samples=_waiting(0, 5, 0))).is_met
    assert not _judged(StaysAtMost(counter="waiting", value=4), Record(samples=_waiting(0, 5, 0))).is_met
    assert not _judged(StaysAtMost(counter="waiting", value=4), Record()).is_met


def test_the_modality_gets_rid_of_every_instance_in_time() -> None:
    record = Record(acknowledged=frozenset({"1", "2"}), instances=2, longest_wait_s=3.0)
    assert _judged(AllAcknowledged(), record).is_met
    assert _judged(AllAcknowledged(within_s=3.0), record).is_met
    assert not _judged(AllAcknowledged(within_s=2.0), record).is_met
    record.instances = 3
    assert not _judged(AllAcknowledged(), record).is_met


def test_steps_that_were_never_due_and_what_went_wrong_spoil_the_play() -> None:
    scenario = Scenario("x", "", 10.0, (), (), (), (), None, (), (AllAcknowledged(),))
    assert judge(scenario, Record())[0].is_met
    assert not judge(scenario, Record(steps_left=1))[0].is_met
    assert not judge(scenario, Record(problems=["pacs does not run"]))[0].is_met
