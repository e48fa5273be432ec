"""An archive with deliveries, and a destination that answers what a test wants: everything by hand, in one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from isocenter.archive.archive import Archive
from isocenter.domain.delivery import Delivery, DeliveryPlan, Priority
from isocenter.ports.ledger import Ledger, LedgerRow, Selection
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.destination import Destination, FolderTarget
from isocenter.routing.deliveries.report import InstanceStored, Report
from isocenter.routing.deliveries.sender import OnReport, Outgoing
from isocenter.routing.sending.desk import Batch, Desk, Probe
from isocenter.routing.sending.supply import Supply
from isocenter.routing.sending.worker import Means, Worker
from tests.support.instances import identify
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

NAME = "there"
THERE = Destination(NAME, FolderTarget("/unused"))
Answer = Callable[[Outgoing], Report | None]
"""What a sender reports of an instance; None says nothing, and ends the batch."""


@dataclass
class ScriptedSender:
    """A sender as a test writes it."""

    answer: Answer = lambda outgoing: InstanceStored()
    probe_answer: Report | None = None
    sent: list[Outgoing] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    probes: int = 0
    closed: int = 0

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        self.batches.append(len(batch))
        for outgoing in batch:
            report = self.answer(outgoing)
            if report is None:
                return
            self.sent.append(outgoing)
            on_report(outgoing, report, "as the test says")

    def probe(self) -> Report | None:
        self.probes += 1
        return self.probe_answer

    def close(self) -> None:
        self.closed += 1


@dataclass
class Deliverer:
    """One destination with one worker, which works when it is told to."""

    archive: Archive
    clock: FakeClock
    desk: Desk
    worker: Worker
    sender: ScriptedSender

    @property
    def ledger(self) -> Ledger:
        return self.archive.index.ledger

    def queue(self, count: int = 1, *, priority: Priority = Priority.ROUTINE, **plan: object) -> list[int]:
        """Store instances with a delivery each and return their keys."""
        first = self.archive.index.totals().instances + 1
        keys = [self._store(number) for number in range(first, first + count)]
        made = replace(DeliveryPlan(self.desk.destination.name, priority=priority), **plan)  # type: ignore[arg-type]
        assert self.ledger.add(keys, made, now=self.clock.now().timestamp()) == count
        return keys

    def _store(self, number: int) -> int:
        return store(self.archive, make_instance(identify(instance=number), seed=number).content).instance_key

    def work(self, *, times: int = 1000) -> int:
        """Carry out what there is to do now; return how often there was something."""
        for done in range(times):
            taken = self.desk.try_take()
            if taken is None:
                return done
            self.worker.carry_out(taken)
        return times

    def take(self) -> Batch | Probe | None:
        return self.desk.try_take()

    def rows(self) -> list[LedgerRow]:
        """Return all deliveries in the order in which they began."""
        return self.ledger.page(Selection(destination=self.desk.destination.name), limit=1000)[::-1]

    def deliveries(self) -> list[Delivery]:
        return [row.delivery for row in self.rows()]

    def states(self) -> list[str]:
        return [delivery.state.value for delivery in self.deliveries()]


@contextmanager
def deliverer(
    destination: Destination = THERE,
    sender: ScriptedSender | None = None,
    *,
    configuration: Configuration | None = None,
    draw: Callable[[], float] = lambda: 0.5,
) -> Iterator[Deliverer]:
    """Return a destination over the memory adapters for the length of a block."""
    sender = sender or ScriptedSender()
    with memory_archive() as archive:
        clock = cast(FakeClock, archive.clock)
        means = means_of(archive, sender, configuration=configuration, draw=draw)
        desk = Desk(destination, archive.index.ledger, clock, draw=draw, gather_s=0.0)
        yield Deliverer(archive, clock, desk, Worker(desk, means), sender)


def means_of(
    archive: Archive,
    *senders: ScriptedSender,
    configuration: Configuration | None = None,
    draw: Callable[[], float] = lambda: 0.5,
) -> Means:
    """Return what workers work with; every destination has the first sender, or the one of its place."""
    supply = Supply(
        archive.index, archive.blobs, archive.clock, configuration_of=lambda version: configuration, system="test"
    )
    return Means(archive.index.ledger, supply, archive.clock, lambda destination: senders[0], draw, 0.0)
