from __future__ import annotations

import pytest

from isocenter.app.story.books import Place
from isocenter.app.story.outage import PARTS, WHOLE, OutagePlan, judge_outage, lost_of, waiting_counter
from isocenter.app.story.step import Findings
from isocenter.modality.faults.record import Found, Happening, Record, Sample

PLAN = OutagePlan("The PACS dies", "PACS", Place.PACS, backlog_min=3)
SENT = frozenset({"1", "2", "3", "4"})


def _record(*waiting: int) -> Record:
    """Return a record with a sample each second: the PACS is gone from the first one to the third."""
    record = Record(acknowledged=SENT, instances=len(SENT), ended_at_s=float(len(waiting)))
    for at_s, number in enumerate(waiting):
        whole = {WHOLE: 8.0, **dict.fromkeys(PARTS, 0.0), "waiting": float(number), "delivered": 8.0 - number}
        backlog = {waiting_counter(Place.PACS): float(number), waiting_counter(Place.CLOUD): 0.0}
        record.add(Sample(float(at_s), sent=4, acknowledged=4, counters={**whole, **backlog}))
    record.happenings = [Happening(1.0, "PACS", "killed"), Happening(3.0, "PACS", "started", is_trouble=False)]
    record.found = {place: Found(SENT) for place in Place}
    return record


def _judged(record: Record) -> tuple[bool, str, list[str]]:
    findings = Findings()
    outage = judge_outage(PLAN, record, findings)
    return outage.is_met, outage.verdict, [one.text for one in findings.expectations if not one.is_met]


def test_an_outage_that_nobody_lost_anything_by_is_as_expected() -> None:
    assert _judged(_record(0, 2, 4, 4, 1, 0)) == (True, "Nothing lost, 0 duplicates, recovered in 2.0 s.", [])


def test_an_instance_that_is_missing_somewhere_is_lost() -> None:
    record = _record(0, 2, 4, 4, 1, 0)
    record.found[Place.CLOUD] = Found(SENT - {"2"})
    is_met, verdict, failed = _judged(record)
    assert not is_met
    assert verdict == "1 lost, 0 duplicates, recovered in 2.0 s; not as expected."
    assert failed == ["Nothing acknowledged is lost"]


def test_an_archive_that_cannot_be_asked_proves_nothing() -> None:
    record = _record(0, 2, 4, 4, 1, 0)
    record.found[Place.PACS] = Found(problem="it is gone")
    assert lost_of(record) is None
    assert _judged(record)[1].startswith("What is lost is not known")


def test_a_few_duplicates_are_told_and_more_are_too_many() -> None:
    record = _record(0, 2, 4, 4, 1, 0)
    record.found[Place.PACS] = Found(SENT, stored_again=1)
    assert _judged(record)[:2] == (True, "Nothing lost, 1 duplicate, recovered in 2.0 s.")
    record.found[Place.PACS] = Found(SENT, stored_again=3)
    assert _judged(record)[2] == ["At most 2 came twice"]


def test_a_backlog_that_stays_is_no_recovery() -> None:
    is_met, verdict, failed = _judged(_record(0, 2, 4, 4, 4, 4))
    assert (is_met, failed) == (False, ["Waiting for the PACS back at 0 within 60 s"])
    assert "not recovered" in verdict


def test_an_outage_without_a_backlog_was_none() -> None:
    assert _judged(_record(0, 0, 0, 0, 0, 0))[2] == ["Waiting for the PACS reaches 3"]


@pytest.mark.parametrize("lost", [{"1"}, {"1", "2", "3", "4"}])
def test_what_was_not_acknowledged_is_told(lost: set[str]) -> None:
    record = _record(0, 2, 4, 4, 1, 0)
    record.acknowledged = SENT - lost
    assert "Every instance is acknowledged within 10 s" in _judged(record)[2]


def test_counters_that_do_not_add_up_are_told() -> None:
    record = _record(0, 2, 4, 4, 1, 0)
    wrong = {**record.samples[2].counters, WHOLE: 9.0}
    record.samples[2] = Sample(2.0, sent=4, acknowledged=4, counters=wrong)
    assert _judged(record)[2] == ["Received = delivered + waiting + needs-human + cancelled"]


def test_trouble_that_was_not_made_spoils_the_verdict() -> None:
    record = _record(0, 2, 4, 4, 1, 0)
    record.problems.append("The association ended.")
    assert _judged(record)[2] == ["Everything went as planned"]
