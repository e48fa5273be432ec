from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from isocenter.domain.delivery import DeliveryState, cancel
from isocenter.domain.errors import InvalidRequest, InvalidSetting, StorageFull
from isocenter.ports.ledger import Selection
from isocenter.routing.configuration.destination import OnConflict
from isocenter.routing.deliveries.report import (
    DimseAnswered,
    HttpAnswered,
    InstanceDiffers,
    InstanceStored,
    Report,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.sender import OnReport, Outgoing
from isocenter.routing.sending.batch import SETTLED_TOGETHER_MAX
from isocenter.routing.sending.condition import Hold
from isocenter.routing.sending.desk import Batch, Desk, Probe
from isocenter.routing.sending.worker import Worker
from tests.support.deliveries import NAME, THERE, Deliverer, ScriptedSender, deliverer, means_of

LOST = TransportFailed(TransportFault.CONNECTION_LOST)


def test_what_is_stored_there_is_delivered() -> None:
    with deliverer() as at:
        at.queue(3)
        at.work()
        assert at.states() == ["delivered"] * 3
        assert at.sender.batches == [3]


def test_the_attempt_is_kept_with_what_was_said() -> None:
    with deliverer(sender=ScriptedSender(lambda one: DimseAnswered(0xB000))) as at:
        at.queue()
        at.work()
        attempt = at.ledger.attempts(1)[0]
        assert (attempt.note, attempt.detail) == ("store:B000", "as the test says")
        assert at.states() == ["delivered-with-note"]


def test_what_fails_for_now_is_tried_again_later_and_later() -> None:
    sender = ScriptedSender(lambda one: DimseAnswered(0x0110))
    with deliverer(sender=sender) as at:
        at.queue()
        waits = []
        for _ in range(5):
            at.work()
            delivery = at.deliveries()[0]
            waits.append(delivery.due_at - at.clock.now().timestamp())
            at.clock.advance(waits[-1])
        assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_what_is_too_old_goes_to_the_shelf_and_not_before() -> None:
    with deliverer(sender=ScriptedSender(lambda one: DimseAnswered(0x0110))) as at:
        at.queue()
        while at.states() == ["queued"]:
            at.work()
            at.clock.advance(at.deliveries()[0].due_at - at.clock.now().timestamp())
        assert at.states() == ["needs-human"]
        assert at.clock.monotonic_s() == THERE.retry.age_max_s


def test_one_poisoned_instance_holds_no_other_up() -> None:
    def answer(outgoing: Outgoing) -> Report:
        return DimseAnswered(0xC000) if outgoing.delivery_key == 2 else InstanceStored()

    with deliverer(sender=ScriptedSender(answer)) as at:
        at.queue(3)
        at.work()
        assert at.states() == ["delivered", "needs-human", "delivered"]


def test_a_failure_of_the_destination_costs_the_others_nothing() -> None:
    sender = ScriptedSender(lambda one: LOST)
    with deliverer(sender=sender) as at:
        at.queue(10)
        at.work()
        assert len(sender.sent) == 1
        assert [delivery.failures for delivery in at.deliveries()] == [1] + [0] * 9
        assert at.states() == ["queued"] * 10


def test_what_was_not_reported_is_sent_again() -> None:
    sender = ScriptedSender(lambda one: InstanceStored() if one.delivery_key == 1 else None)
    with deliverer(sender=sender) as at:
        at.queue(3)
        at.work(times=1)
        assert at.states() == ["delivered", "queued", "queued"]
        sender.answer = lambda one: InstanceStored()
        at.work()
        assert at.states() == ["delivered"] * 3


class _Broken(ScriptedSender):
    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        raise RuntimeError("a fault of ours")


def test_a_sender_with_a_fault_loses_nothing_and_is_not_asked_without_end() -> None:
    with deliverer(sender=_Broken()) as at:
        at.queue(2)
        assert at.work() == 1
        assert at.states() == ["queued", "queued"]


def test_reports_of_one_instance_count_once() -> None:
    class Twice(ScriptedSender):
        def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
            on_report(batch[0], InstanceStored(), "")
            on_report(batch[0], DimseAnswered(0xC000), "")

    with deliverer(sender=Twice()) as at:
        at.queue()
        at.work()
        assert at.states() == ["delivered"]


def test_a_batch_ends_where_its_destination_is_put_aside() -> None:
    sender = ScriptedSender()
    with deliverer(sender=sender) as at:

        def answer(outgoing: Outgoing) -> Report:
            at.desk.put_aside(Hold("ada", 0.0))
            return InstanceStored()

        sender.answer = answer
        at.queue(5)
        at.work()
        assert at.states() == ["delivered"] + ["queued"] * 4


def test_a_batch_ends_where_the_node_stops_and_what_was_sent_is_settled() -> None:
    sender = ScriptedSender()
    with deliverer(sender=sender) as at:

        def answer(outgoing: Outgoing) -> Report:
            if outgoing.delivery_key == 3:
                at.desk.stop()
            return InstanceStored()

        sender.answer = answer
        at.queue(5)
        at.work()
        assert at.states() == ["delivered"] * 3 + ["queued"] * 2
        assert [delivery.failures for delivery in at.deliveries()] == [0] * 5


def test_who_is_given_up_reads_no_further() -> None:
    read: list[int] = []

    class Reading(ScriptedSender):
        def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
            for outgoing in batch:
                at.worker.give_up()
                read.extend(len(piece) for piece in outgoing.read())
                on_report(outgoing, InstanceStored(), "")

    with deliverer(sender=Reading()) as at:
        at.queue(2)
        at.work()
        assert read == []
        assert at.states() == ["queued", "queued"]


def test_a_long_batch_is_settled_while_it_goes_on() -> None:
    seen: list[int] = []
    sender = ScriptedSender()
    with deliverer(sender=sender) as at:

        def answer(outgoing: Outgoing) -> Report:
            at.clock.advance(1.5)
            seen.append(at.states().count("delivered"))
            return InstanceStored()

        sender.answer = answer
        at.queue(4)
        at.work()
        assert seen == [0, 1, 2, 3]
        assert SETTLED_TOGETHER_MAX > 1


def test_a_destination_whose_secret_is_missing_is_suspended_until_it_is_there() -> None:
    with deliverer() as at:
        is_there = False
        means = means_of(at.archive, at.sender)

        def open_sender(destination: object) -> ScriptedSender:
            if not is_there:
                raise InvalidSetting("There is no secret cloud.")
            return at.sender

        worker = Worker(at.desk, replace(means, open_sender=open_sender))
        at = replace(at, worker=worker)
        at.queue(2)
        at.work()
        assert at.ledger.attempts(1)[0].note == "local:secret-missing"
        assert "cloud" in at.ledger.attempts(1)[0].detail
        at.clock.advance(THERE.breaker.first_probe_s)
        assert isinstance(_carry_out(at), Probe)
        is_there = True
        at.clock.advance(THERE.breaker.first_probe_s * 2)
        at.work()
        assert at.states() == ["delivered", "delivered"]


def test_a_destination_that_cannot_be_used_as_it_is_configured_is_suspended_with_the_reason() -> None:
    with deliverer() as at:

        def open_sender(destination: object) -> ScriptedSender:
            raise InvalidRequest("The authority must be an https address.")

        worker = Worker(at.desk, replace(means_of(at.archive, at.sender), open_sender=open_sender))
        at = replace(at, worker=worker)
        at.queue(2)
        assert at.work() == 1
        attempt = at.ledger.attempts(1)[0]
        assert attempt.note == "local:configuration-unusable"
        assert "https" in attempt.detail


def _carry_out(at: Deliverer) -> Batch | Probe:
    taken = at.take()
    assert taken is not None
    at.worker.carry_out(taken)
    return taken


def test_secrets_are_read_anew_before_a_probe() -> None:
    with deliverer(sender=ScriptedSender(lambda one: HttpAnswered(401))) as at:
        at.queue()
        at.work()
        at.clock.advance(THERE.breaker.first_probe_s)
        at.work(times=1)
        assert (at.sender.closed, at.sender.probes) == (1, 1)


def test_where_the_ledger_cannot_be_written_everything_waits() -> None:
    class Full:
        def __init__(self, ledger: object) -> None:
            self._ledger = ledger

        def settle(self, settled: object) -> None:
            raise StorageFull

        def __getattr__(self, name: str) -> object:
            return getattr(self._ledger, name)

    with deliverer() as at:
        means = means_of(at.archive, at.sender)
        worker = Worker(at.desk, replace(means, ledger=Full(means.ledger)))  # type: ignore[arg-type]
        at = replace(at, worker=worker)
        at.queue(2)
        assert at.work() == 1
        assert at.states() == ["sending", "sending"], "their leases run out"


def test_a_conflict_is_settled_as_the_destination_says() -> None:
    sender = ScriptedSender(lambda one: InstanceDiffers())
    with deliverer(replace(THERE, on_conflict=OnConflict.KEEP), sender) as at:
        at.queue()
        at.work()
        assert at.states() == ["delivered-with-note"]


def test_what_a_person_cancelled_meanwhile_is_not_tried_again() -> None:
    sender = ScriptedSender()
    with deliverer(sender=sender) as at:

        def answer(outgoing: Outgoing) -> Report:
            at.ledger.change(Selection(destination=NAME), cancel)
            return DimseAnswered(0xA700)

        sender.answer = answer
        at.queue()
        at.work()
        assert at.states() == ["cancelled"]


@pytest.mark.parametrize("count", [1, 7])
def test_received_is_always_the_sum(count: int) -> None:
    reports: list[Report] = [InstanceStored(), DimseAnswered(0xC000), DimseAnswered(0x0110), LOST]
    with deliverer(sender=ScriptedSender(lambda one: reports[one.delivery_key % 4])) as at:
        at.queue(count)
        at.work()
        counters = at.ledger.tallies()[0].counters
        assert counters.adds_up
        assert counters.received == count
        assert DeliveryState.SENDING not in {delivery.state for delivery in at.deliveries()}


def test_a_worker_lets_go_when_there_is_nothing_to_do() -> None:
    with deliverer() as at:
        at.queue()
        desk = Desk(THERE, at.ledger, at.clock, draw=lambda: 0.5, hold=None)
        worker = Worker(desk, means_of(at.archive, at.sender))
        desk.stop()
        worker.start()
        assert worker.join(30.0)
