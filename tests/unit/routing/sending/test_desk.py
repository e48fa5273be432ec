from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from isocenter.domain.delivery import Priority
from isocenter.routing.calendar import Window
from isocenter.routing.configuration.destination import RateLimit
from isocenter.routing.deliveries.report import HttpAnswered, InstanceStored, TransportFailed, TransportFault
from isocenter.routing.sending.condition import DestinationState, Hold
from isocenter.routing.sending.desk import BATCH_COUNT_MAX, MIGRATION_COUNT_MAX, Batch, Probe
from tests.support.deliveries import THERE, Deliverer, ScriptedSender, deliverer

LOST = TransportFailed(TransportFault.CONNECTION_REFUSED)
ALWAYS_CLOSED = tuple(Window(days=frozenset({day}), begins_s=2, ends_s=3) for day in range(7))


def _batch(at: Deliverer) -> Batch:
    taken = at.take()
    assert isinstance(taken, Batch)
    return taken


def test_a_batch_holds_what_is_due_oldest_first() -> None:
    with deliverer() as at:
        at.queue(3)
        assert [row.delivery_key for row in _batch(at).rows] == [1, 2, 3]
        assert at.states() == ["sending"] * 3


def test_a_batch_has_a_length() -> None:
    with deliverer() as at:
        at.queue(BATCH_COUNT_MAX + 1)
        assert len(_batch(at).rows) == BATCH_COUNT_MAX


def test_a_batch_of_a_migration_is_short() -> None:
    with deliverer() as at:
        at.queue(MIGRATION_COUNT_MAX + 1, priority=Priority.MIGRATION)
        assert len(_batch(at).rows) == MIGRATION_COUNT_MAX


def test_no_more_workers_are_busy_than_are_allowed() -> None:
    with deliverer(replace(THERE, workers=2)) as at:
        at.queue(BATCH_COUNT_MAX * 3)
        assert isinstance(at.take(), Batch)
        assert isinstance(at.take(), Batch)
        assert at.take() is None


def test_every_class_gets_its_share_and_none_starves() -> None:
    with deliverer(replace(THERE, limits=(RateLimit(instances_per_s=1.0),))) as at:
        for priority in Priority:
            at.queue(30, priority=priority)
        chosen: Counter[Priority] = Counter()
        for _ in range(40):
            batch = _batch(at)
            chosen[batch.priority] += 1
            at.worker.carry_out(batch)
            at.clock.advance(1.0)
        assert chosen[Priority.STAT] > 25
        assert chosen[Priority.ROUTINE] > chosen[Priority.PRIOR] > 0
        assert chosen[Priority.MIGRATION] > 0


def test_a_migration_leaves_one_worker_for_what_is_urgent() -> None:
    with deliverer(replace(THERE, workers=2)) as at:
        at.queue(MIGRATION_COUNT_MAX * 3, priority=Priority.MIGRATION)
        assert _batch(at).priority is Priority.MIGRATION
        assert at.take() is None
        at.queue(1, priority=Priority.STAT)
        assert _batch(at).priority is Priority.STAT


def test_rates_are_kept() -> None:
    with deliverer(replace(THERE, limits=(RateLimit(instances_per_s=10.0),))) as at:
        at.queue(25)
        for expected in (10, 20, 25):
            at.work()
            assert len(at.sender.sent) == expected
            at.clock.advance(1.0)


def test_outside_its_hours_nothing_is_sent() -> None:
    with deliverer(replace(THERE, open=ALWAYS_CLOSED)) as at:
        at.queue()
        assert at.take() is None
        assert _state(at) is DestinationState.CLOSED


def _state(at: Deliverer) -> DestinationState:
    tally = at.ledger.tallies()[0]
    return at.desk.status(tally.counters, waiting_bytes=tally.waiting_bytes).state


def test_what_is_put_aside_waits_until_it_is_taken_up_again() -> None:
    with deliverer() as at:
        at.queue()
        at.desk.put_aside(Hold("ada", 0.0, "new firewall"))
        assert at.work() == 0
        at.desk.put_aside(None)
        at.work()
        assert at.states() == ["delivered"]


def test_an_open_breaker_sends_nothing_but_probes() -> None:
    with deliverer(sender=ScriptedSender(lambda one: LOST, probe_answer=LOST)) as at:
        at.queue(20)
        for _ in range(THERE.breaker.failures_in_a_row):
            at.work()
            at.clock.advance(2.0)
        assert _state(at) is DestinationState.WAITING
        tried = len(at.sender.sent)
        at.clock.advance(THERE.breaker.first_probe_s)
        assert isinstance(at.take(), Probe)
        assert at.take() is None, "one probe at a time"
        assert len(at.sender.sent) == tried


def test_probes_come_less_and_less_often() -> None:
    with deliverer(sender=ScriptedSender(lambda one: LOST, probe_answer=LOST)) as at:
        at.queue(20)
        waits = []
        for _ in range(20_000):
            probes = at.sender.probes
            at.work()
            if at.sender.probes > probes:
                waits.append(at.clock.monotonic_s())
            at.clock.advance(1.0)
            if len(waits) == 5:
                break
        assert [round(b - a) for a, b in pairwise(waits)] == [60, 120, 240, 480]


def test_a_probe_that_succeeds_lets_a_single_instance_through_first() -> None:
    sender = ScriptedSender(lambda one: LOST)
    with deliverer(replace(THERE, workers=4), sender) as at:
        at.queue(30)
        for _ in range(THERE.breaker.failures_in_a_row):
            at.work(times=1)
            at.clock.advance(2.0)
        sender.answer = lambda one: InstanceStored()
        at.clock.advance(THERE.breaker.first_probe_s)
        sender.batches.clear()
        at.work(times=4)
        assert sender.probes == 1
        assert sender.batches == [1, 1, 28]
        assert _state(at) is DestinationState.RUNNING


def test_a_person_may_have_it_probed_at_once() -> None:
    sender = ScriptedSender(lambda one: HttpAnswered(401))
    with deliverer(sender=sender) as at:
        at.queue()
        at.work()
        assert _state(at) is DestinationState.SUSPENDED
        sender.answer = lambda one: InstanceStored()
        at.desk.probe_now()
        at.work()
        assert at.states() == ["delivered"]


def test_a_destination_that_asks_for_time_gets_it_for_everything() -> None:
    sender = ScriptedSender(lambda one: HttpAnswered(429, retry_after_s=120.0))
    with deliverer(sender=sender) as at:
        at.queue(5)
        at.work()
        assert len(sender.sent) == 1
        at.clock.advance(119.0)
        assert at.work() == 0
        sender.answer = lambda one: InstanceStored()
        at.clock.advance(1.0)
        at.work()
        assert at.states() == ["delivered"] * 5


def test_a_status_says_what_is_going_on() -> None:
    with deliverer() as at:
        at.queue(4)
        at.work()
        at.queue(2)
        at.clock.advance(10.0)
        assert isinstance(at.take(), Batch)
        tally = at.ledger.tallies()[0]
        status = at.desk.status(tally.counters, waiting_bytes=tally.waiting_bytes)
        assert (status.state, status.sending, status.workers) == (DestinationState.RUNNING, 2, 1)
        assert (status.counters.delivered, status.counters.waiting) == (4, 2)
        assert status.oldest_age_s == 10.0
        assert status.rate.instances == pytest.approx(0.4)
        assert status.clears_in_s == pytest.approx(5.0)
        assert status.failure is None


def test_a_status_tells_the_last_failure_and_when_it_goes_on() -> None:
    with deliverer(sender=ScriptedSender(lambda one: HttpAnswered(404))) as at:
        at.queue()
        at.work()
        tally = at.ledger.tallies()[0]
        status = at.desk.status(tally.counters, waiting_bytes=tally.waiting_bytes)
        assert status.failure is not None
        assert (status.failure.note, status.failure.detail) == ("http:404", "as the test says")
        assert status.next_at == status.observed_at + THERE.breaker.first_probe_s


def test_a_desk_that_is_closed_gives_nothing_out() -> None:
    with deliverer() as at:
        at.queue()
        at.desk.stop()
        assert at.desk.take() is None
        assert at.states() == ["queued"]


def test_that_it_became_sick_and_is_well_again_is_logged_once_each() -> None:
    sender = ScriptedSender(lambda one: HttpAnswered(401))
    with deliverer(sender=sender) as at, capture_logs() as logs:
        at.queue(3)
        at.work()
        at.work()
        sender.answer = lambda one: InstanceStored()
        at.desk.probe_now()
        at.work(times=8)
        turns = [log for log in logs if log["event"] in ("delivery.destination_sick", "delivery.destination_well")]
    assert [log["event"].rpartition("_")[2] for log in turns] == ["sick", "well"]
    assert turns[0]["note"] == "http:401"
