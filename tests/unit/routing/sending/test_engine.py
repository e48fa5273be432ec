from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from isocenter.archive.archive import Archive
from isocenter.domain.delivery import DeliveryPlan, DeliveryState, Priority
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.ports.ledger import LedgerRow, Selection
from isocenter.routing.configuration.destination import Destination, FolderTarget
from isocenter.routing.deliveries.report import InstanceStored
from isocenter.routing.deliveries.sender import OnReport, Outgoing, Sender
from isocenter.routing.sending.condition import DestinationState, Hold
from isocenter.routing.sending.desk import LEASE_S
from isocenter.routing.sending.engine import Deliveries
from tests.support.deliveries import ScriptedSender, means_of
from tests.support.instances import identify
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

FAST = Destination("fast", FolderTarget("/fast"), workers=2)
SLOW = Destination("slow", FolderTarget("/slow"), workers=2)
WAIT_S = 60.0
"""Something that never happens is a fault; the test is to fail, not to hang."""


class Hanging(ScriptedSender):
    """Takes instances and says nothing, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.began = threading.Event()

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        self.began.set()
        assert self.let_go.wait(WAIT_S)
        super().send(batch, on_report)


class Counting(ScriptedSender):
    """Tells when it has sent so many."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count
        self.done = threading.Event()

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        super().send(batch, on_report)
        if len(self.sent) >= self._count:
            self.done.set()


@dataclass
class Engine:
    """An engine over memory adapters, whose destinations have a sender each."""

    archive: Archive
    deliveries: Deliveries
    senders: dict[str, Sender]
    kept_holds: list[Mapping[str, Hold]] = field(default_factory=list)

    @property
    def clock(self) -> FakeClock:
        return cast(FakeClock, self.archive.clock)

    def queue(self, destination: str, count: int = 1) -> None:
        first = self.archive.index.totals().instances + 1
        numbers = range(first, first + count)
        keys = [store(self.archive, make_instance(identify(instance=one)).content).instance_key for one in numbers]
        self.archive.index.ledger.add(keys, DeliveryPlan(destination), now=self.clock.now().timestamp())
        self.deliveries.notify([destination])

    def rows(self, destination: str) -> list[LedgerRow]:
        return self.archive.index.ledger.page(Selection(destination=destination), limit=1000)

    def states(self, destination: str) -> set[str]:
        return {row.delivery.state.value for row in self.rows(destination)}


@contextmanager
def engine(senders: dict[str, Sender], **options: object) -> Iterator[Engine]:
    with memory_archive() as archive:
        means = means_of(archive, ScriptedSender())
        means = replace(means, open_sender=lambda destination: senders[destination.name])
        kept: list[Mapping[str, Hold]] = []
        deliveries = Deliveries(means, keep_holds=kept.append, **options)  # type: ignore[arg-type]
        try:
            yield Engine(archive, deliveries, senders, kept)
        finally:
            for sender in senders.values():
                if isinstance(sender, Hanging):
                    sender.let_go.set()
            deliveries.close()


def test_what_is_told_of_is_delivered() -> None:
    sender = Counting(5)
    with engine({"fast": sender}) as at:
        at.deliveries.start([FAST])
        at.queue("fast", 5)
        assert sender.done.wait(WAIT_S)


def test_a_destination_that_hangs_delays_no_other() -> None:
    slow, fast = Hanging(), Counting(20)
    with engine({"fast": fast, "slow": slow}) as at:
        at.deliveries.start([SLOW, FAST])
        at.queue("slow", 20)
        assert slow.began.wait(WAIT_S)
        at.queue("fast", 20)
        assert fast.done.wait(WAIT_S)
        assert "delivered" not in at.states("slow")


def test_what_was_under_way_when_a_process_died_is_due_again() -> None:
    sender = Counting(3)
    with engine({"fast": sender}) as at:
        at.queue("fast", 3)
        now = at.clock.now().timestamp()
        ledger = at.archive.index.ledger
        assert (
            len(ledger.lease("fast", Priority.ROUTINE, now=now, until=now + 999, count_max=10, size_max_bytes=10**9))
            == 3
        )
        at.deliveries.start([FAST])
        assert sender.done.wait(WAIT_S)
        at.deliveries.close()
        assert {row.delivery.failures for row in at.rows("fast")} == {0}


def test_stopping_settles_what_was_sent_and_gives_back_the_rest() -> None:
    sender = ScriptedSender()
    with engine({"fast": sender}) as at:
        stopping = threading.Event()

        def answer(outgoing: Outgoing) -> InstanceStored:
            if len(sender.sent) == 2:
                stopping.set()
                closer.join(WAIT_S)
            return InstanceStored()

        def close() -> None:
            stopping.wait(WAIT_S)
            for run in at.deliveries._runs.values():
                run.desk.stop()

        sender.answer = answer
        closer = threading.Thread(target=close)
        closer.start()
        at.deliveries.start([replace(FAST, workers=1)])
        at.queue("fast", 6)
        closer.join(WAIT_S)
        at.deliveries.close()
        states = [row.delivery.state.value for row in at.rows("fast")]
        assert states.count("delivered") == len(sender.sent)
        assert set(states) == {"delivered", "queued"}


def test_a_sender_that_does_not_end_keeps_nothing_back() -> None:
    slow = Hanging()
    with engine({"slow": slow}) as at:
        at.deliveries.start([SLOW])
        at.queue("slow", 3)
        assert slow.began.wait(WAIT_S)
        at.deliveries.close(grace_s=0.0, timeout_s=0.0)
        assert at.states("slow") == {"queued"}
        assert {row.delivery.failures for row in at.rows("slow")} == {0}


def test_a_destination_that_is_new_gets_what_waits_for_it() -> None:
    sender = Counting(2)
    with engine({"fast": sender}) as at:
        at.deliveries.start([])
        at.queue("fast", 2)
        at.deliveries.reconfigure([FAST])
        assert sender.done.wait(WAIT_S)


def test_deliveries_to_a_destination_that_is_gone_wait() -> None:
    with engine({"fast": ScriptedSender()}) as at:
        at.deliveries.start([FAST])
        at.deliveries.reconfigure([])
        at.queue("fast", 2)
        assert at.states("fast") == {"queued"}
        with pytest.raises(NotFound):
            at.deliveries.status("fast")


def test_a_destination_that_changed_begins_anew_and_one_that_did_not_goes_on() -> None:
    with engine({"fast": ScriptedSender(), "slow": ScriptedSender()}) as at:
        at.deliveries.start([FAST, SLOW])
        before = dict(at.deliveries._runs)
        at.deliveries.reconfigure([SLOW, replace(FAST, workers=1)])
        after = dict(at.deliveries._runs)
        assert after["slow"] is before["slow"]
        assert after["fast"] is not before["fast"]
        assert [status.name for status in at.deliveries.statuses()] == ["slow", "fast"]


def test_a_hold_outlasts_a_restart_and_a_change_of_configuration() -> None:
    with engine({"fast": ScriptedSender()}, holds={"fast": Hold("ada", 1.0, "new firewall")}) as at:
        at.deliveries.start([FAST])
        at.deliveries.reconfigure([replace(FAST, workers=1)])
        status = at.deliveries.status("fast")
        assert (status.state, status.hold) == (DestinationState.HELD, Hold("ada", 1.0, "new firewall"))


def test_who_holds_and_releases_is_kept() -> None:
    sender = Counting(1)
    with engine({"fast": sender}) as at:
        at.deliveries.start([FAST])
        at.deliveries.hold("fast", by="ada", why="maintenance")
        assert at.kept_holds[-1] == {"fast": Hold("ada", at.clock.now().timestamp(), "maintenance")}
        at.queue("fast")
        assert at.states("fast") == {"queued"}
        at.deliveries.release("fast", by="ada")
        assert at.kept_holds[-1] == {}
        assert sender.done.wait(WAIT_S)


def test_nobody_holds_without_a_name() -> None:
    with engine({"fast": ScriptedSender()}) as at:
        at.deliveries.start([FAST])
        with pytest.raises(InvalidRequest):
            at.deliveries.hold("fast", by="")


def test_leases_of_what_is_under_way_are_renewed_and_those_of_nobody_run_out() -> None:
    slow = Hanging()
    with engine({"slow": slow}) as at:
        at.deliveries.start([replace(SLOW, workers=1)])
        at.queue("slow")
        assert slow.began.wait(WAIT_S)
        at.queue("lost")
        now = at.clock.now().timestamp()
        at.archive.index.ledger.lease(
            "lost", Priority.ROUTINE, now=now, until=now + LEASE_S, count_max=1, size_max_bytes=10**9
        )
        at.clock.advance(LEASE_S - 1)
        at.deliveries.keep()
        at.clock.advance(2)
        at.deliveries.keep()
        assert at.states("slow") == {"sending"}
        (lost,) = at.rows("lost")
        assert (lost.delivery.state, lost.delivery.note) == (DeliveryState.QUEUED, "delivery:lease-over")


def test_the_counters_of_a_destination_are_those_of_all_its_channels() -> None:
    with engine({"fast": ScriptedSender()}) as at:
        at.deliveries.start([replace(FAST, is_enabled=False)])
        now = at.clock.now().timestamp()
        for number, channel in enumerate(("a", "b"), start=1):
            key = store(at.archive, make_instance(identify(instance=number)).content).instance_key
            at.archive.index.ledger.add([key], DeliveryPlan("fast", channel=channel), now=now)
        status = at.deliveries.status("fast")
        assert (status.counters.received, status.counters.waiting) == (2, 2)
        assert status.waiting_bytes > 8000
        assert status.state is DestinationState.DISABLED
