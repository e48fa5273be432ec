"""A worker of one destination: a thread with a sender of its own, from the desk to the ledger and back to the desk.

desk ──▶ batch ──▶ bytes, transforms ──▶ sender ──▶ reports ──▶ ledger
     └─▶ probe ──▶ sender
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import structlog

from isocenter.domain.errors import InvalidSetting, IsocenterError, Refused
from isocenter.ports.clock import Clock
from isocenter.ports.ledger import Ledger
from isocenter.routing.configuration.destination import Destination
from isocenter.routing.deliveries.report import LocalFailed, LocalFault, Report
from isocenter.routing.deliveries.sender import Outgoing, Sender
from isocenter.routing.sending.batch import BatchUnderWay, GivenUp
from isocenter.routing.sending.desk import GATHER_S, Batch, Desk, Idle, Probe
from isocenter.routing.sending.outcome import outcome_of
from isocenter.routing.sending.supply import Supply, Unsendable

_log = structlog.get_logger()

OpenSender = Callable[[Destination], Sender]
"""Gives a sender to a destination; raises InvalidSetting where what the configuration names is not there."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all workers work with."""

    ledger: Ledger
    supply: Supply
    clock: Clock
    open_sender: OpenSender
    draw: Callable[[], float]
    """Gives numbers from 0 up to 1."""
    gather_s: float = GATHER_S
    """How long instances gather for a batch, under traffic."""


class Worker:
    """Sends what a desk gives out."""

    def __init__(self, desk: Desk, means: Means, *, number: int = 1) -> None:
        self._desk = desk
        self._means = means
        self._sender: Sender | None = None
        self._is_given_up = threading.Event()
        """Set when even the instance under way is not to be sent to its end."""
        self._ended = threading.Event()
        self._log = _log.bind(destination=desk.destination.name)
        self._thread = threading.Thread(target=self._run, name=f"deliver-{desk.destination.name}-{number}", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for its end after the desk has closed; tell whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def give_up(self) -> None:
        """Break off what is under way."""
        self._is_given_up.set()

    def _run(self) -> None:
        try:
            while True:
                work = self._desk.take()
                if work is None:
                    return
                if isinstance(work, Idle):
                    self._let_go()
                else:
                    self.carry_out(work)
        except Exception:  # the outermost loop of the thread: the ledger is gone, or the desk is
            self._log.exception("delivery.worker_ended")
        finally:
            self._let_go()

    def carry_out(self, work: Batch | Probe) -> None:
        """Do what the desk gave out."""
        try:
            self._carry_out(work)
        finally:
            self._tell_of_turns()

    def _tell_of_turns(self) -> None:
        """Log that the destination became sick, or is well again."""
        turned = self._desk.turned()
        if turned is None:
            return
        if turned.note:
            self._log.warning("delivery.destination_sick", note=turned.note, detail=turned.detail)
        else:
            self._log.info("delivery.destination_well")

    def _carry_out(self, work: Batch | Probe) -> None:
        if isinstance(work, Probe):
            self._probe()
            return
        try:
            self._send(work)
        except IsocenterError as error:
            self._log.error("delivery.not_settled", reason=error.message)
            self._desk.rest()
        except Exception:  # a fault of ours must not end the worker; the leases of the batch run out
            self._log.exception("delivery.broken")
            self._desk.rest()
        finally:
            self._desk.done(work)

    # ---- a batch

    def _send(self, batch: Batch) -> None:
        under_way = BatchUnderWay(self._desk, batch, self._means.ledger, self._means.clock, draw=self._means.draw)
        try:
            self._send_all(batch, under_way)
        except GivenUp:
            pass
        except IsocenterError as error:
            self._log.error("delivery.failed", reason=error.message)
        except Exception:  # the sender's; what it did not report is given back
            self._log.exception("delivery.sender_broken")
        if not under_way.reported:
            self._desk.rest()
        under_way.end()

    def _send_all(self, batch: Batch, under_way: BatchUnderWay) -> None:
        ready: list[Outgoing] = []
        for one in self._means.supply.prepare(batch.rows):
            if isinstance(one, Unsendable):
                under_way.report(one.delivery_key, one.report, one.detail)
            else:
                ready.append(replace(one, read=self._watched(one.read)))
        if not ready:
            return
        under_way.check()
        try:
            sender = self._opened()
        except Refused as error:
            under_way.report(ready[0].delivery_key, _unopened(error), error.message)
            return
        sender.send(ready, under_way.on_report)

    def _watched(self, read: Callable[[], Iterator[bytes | memoryview]]) -> Callable[[], Iterator[bytes | memoryview]]:
        """Return what reads an instance, and breaks off where the worker is given up."""

        def watched() -> Iterator[bytes | memoryview]:
            for piece in read():
                if self._is_given_up.is_set():
                    raise GivenUp
                yield piece

        return watched

    def _opened(self) -> Sender:
        if self._sender is None:
            self._sender = self._means.open_sender(self._desk.destination)
        return self._sender

    def _let_go(self) -> None:
        """Let go of the connection, and of the secrets that it was opened with."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    # ---- a probe

    def _probe(self) -> None:
        outcome = outcome_of(LocalFailed(LocalFault.SECRET_MISSING), "", self._desk.destination)
        try:
            report, detail = self._ask()
            outcome_or_none = None if report is None else outcome_of(report, detail, self._desk.destination)
        except Exception:  # a fault of ours counts as a failed probe, so that another one follows
            self._log.exception("delivery.probe_broken")
            outcome_or_none = outcome
        self._desk.probed(outcome_or_none)
        self._log.info("delivery.probed", note="well" if outcome_or_none is None else outcome_or_none.note)

    def _ask(self) -> tuple[Report | None, str]:
        self._let_go()  # what is asked is what a new connection meets, with secrets as they are now
        try:
            return self._opened().probe(), ""
        except Refused as error:
            return _unopened(error), error.message


def _unopened(error: Refused) -> LocalFailed:
    """Return why there is no sender: a secret or a key is missing, or the configuration says what cannot be."""
    is_missing = isinstance(error, InvalidSetting)
    return LocalFailed(LocalFault.SECRET_MISSING if is_missing else LocalFault.CONFIGURATION_UNUSABLE)
