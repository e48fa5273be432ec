"""C-STORE answered when the service has the instance: collected, batched, sent by STOW-RS (6.3, 6.4).

    data set ─▶ spool ─▶ scanned: is it what was announced? ─▶ queue ─▶ threads, a batch at a time ─▶ status of each

Senders that wait for one answer before they send the next make batches of one; those that do not, or many of them
together, share requests.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import structlog

from isocenter.app.translating.spool import Spool, iter_pieces
from isocenter.archive.identify import SOP_CLASS_UID, identify
from isocenter.dicom.file_meta import write_file_head
from isocenter.dicom.scan import scan_instance
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.dimse.scp.store import Announced, Reception
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.attributes import BY_TAG
from isocenter.domain.errors import Overloaded, TooLarge, UnexpectedInstance
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.principal import DataAction, Principal
from isocenter.routing.configuration.destination import OnConflict
from isocenter.routing.deliveries.report import InstanceDiffers, InstanceUnmentioned, Report
from isocenter.routing.deliveries.sender import Outgoing, Sender
from isocenter.routing.deliveries.verdict import Verdict, judge
from isocenter.routing.translation.status import COERCED, answer_to_store

_log = structlog.get_logger()

WAITING_MAX = 10_000
"""Instances that are in and not sent: a sender waits for each answer, and there are some hundred senders."""
BATCH_INSTANCES_MAX = 500
"""Of one request; a service answers when all of them are stored, and senders wait for that."""
TRIES_MAX = 3
FIRST_WAIT_S = 0.2
WAIT_MAX_S = 5.0
"""Between attempts; a sender of DIMSE gives up after half a minute or more."""
_WANTED = frozenset(BY_TAG)


@dataclass(slots=True)
class _Waiting:
    """An instance that is in, and who waits for what becomes of it."""

    outgoing: Outgoing
    future: Future[None]


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How instances are stored upstream."""

    folder: Path
    """Where large ones lie meanwhile."""
    instance_size_max_bytes: int
    batch_size_bytes: int
    on_conflict: OnConflict
    answers_duplicates: bool


class UpstreamIntake:
    """Where C-STORE puts instances (`Intake`), and the threads that send them on."""

    def __init__(
        self, open_sender: Callable[[], Sender], settings: StoreSettings, *, workers: int, stopping: threading.Event
    ) -> None:
        self.settings = settings
        self._stopping = stopping
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, args=(open_sender,), name=f"translator-store-{number}")
            for number in range(workers)
        ]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; whoever still waits is told so. `stopping` was set before."""
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        while self._waiting:
            self._waiting.popleft().future.set_exception(Overloaded())

    def begin(self, principal: Principal, announced: Announced) -> Reception:
        """Begin to take one in; raises Forbidden where the principal may not store."""
        principal.require(DataAction.WRITE)
        return _Reception(self, announced)

    def submit(self, outgoing: Outgoing) -> Future[None]:
        """Queue an instance; raises Overloaded where too many wait."""
        waiting = _Waiting(outgoing, Future())
        with self._changed:
            if len(self._waiting) >= WAITING_MAX or self._stopping.is_set():
                raise Overloaded()
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.future

    # ---- threads

    def _run(self, open_sender: Callable[[], Sender]) -> None:
        sender = open_sender()
        while batch := self._next_batch():
            try:
                self._send(sender, batch)
            except Exception as error:  # outermost loop of the thread: the senders are told, and the next batch goes on
                if not self._stopping.is_set():
                    _log.exception("translator.store_broken")
                for waiting in batch:
                    if not waiting.future.done():
                        waiting.future.set_exception(FinalStatus(0x0110, f"Not stored: {type(error).__name__}"))

    def _next_batch(self) -> list[_Waiting]:
        """Wait for instances and return what fits into a request; none when all is to end."""
        batch: list[_Waiting] = []
        size_bytes = 0
        with self._changed:
            while not self._waiting and not self._stopping.is_set():
                self._changed.wait()
            while self._waiting and not self._stopping.is_set() and len(batch) < BATCH_INSTANCES_MAX:
                size_bytes += self._waiting[0].outgoing.size_bytes
                if batch and size_bytes > self.settings.batch_size_bytes:
                    break
                batch.append(self._waiting.popleft())
        return batch

    def _send(self, sender: Sender, batch: Sequence[_Waiting]) -> None:
        """Send a batch, what failed for the moment again, and tell everybody."""
        left = {id(waiting.outgoing): waiting for waiting in batch}
        for attempt in range(1, TRIES_MAX + 1):
            reports = _reports(sender, [waiting.outgoing for waiting in left.values()])
            met = _met_by_all(reports)
            again: dict[int, _Waiting] = {}
            wait_s = 0.0
            for key, waiting in left.items():
                report = reports.get(key, met)
                needed_s = None if attempt == TRIES_MAX else _wait_s(report, attempt)
                if needed_s is None:
                    self._tell(waiting, report)
                else:
                    again[key] = waiting
                    wait_s = max(wait_s, needed_s)
            if not again:
                return
            left = again
            self._stopping.wait(wait_s)

    def _tell(self, waiting: _Waiting, report: Report) -> None:
        settings = self.settings
        answer = answer_to_store(report, answers_duplicates=settings.answers_duplicates)
        status = answer.status
        if isinstance(report, InstanceDiffers) and settings.on_conflict is OnConflict.KEEP:
            status = COERCED  # what is there stays, and the sender is told so without being made to try again
        if not status:
            waiting.future.set_result(None)
            return
        _log.warning(
            "translator.not_stored",
            sop_instance_uid=waiting.outgoing.identifier.sop_instance_uid,
            status=f"{status:04X}",
            reason=answer.comment,
        )
        waiting.future.set_exception(FinalStatus(status, answer.comment))


def _reports(sender: Sender, outgoing: Sequence[Outgoing]) -> dict[int, Report]:
    """Send instances and return what is reported of each."""
    reports: dict[int, Report] = {}

    def note(one: Outgoing, report: Report, _detail: str) -> None:
        reports[id(one)] = report

    sender.send(outgoing, note)
    return reports


def _met_by_all(reports: dict[int, Report]) -> Report:
    """Return what those met that were not tried in vain: the failure of the destination that was reported of one."""
    return next((report for report in reports.values() if judge(report).is_of_destination), InstanceUnmentioned())


def _wait_s(report: Report, attempt: int) -> float | None:
    """Return how long to wait before an instance is sent again, None where its sender is told now."""
    judgement = judge(report)
    if judgement.verdict is not Verdict.TRANSIENT:
        return None
    asked_s = judgement.retry_after_s
    wait_s = FIRST_WAIT_S * (1 << (attempt - 1)) if asked_s is None else asked_s
    return wait_s if wait_s <= WAIT_MAX_S else None


class _Reception:
    """One instance while its data set comes in (`Reception`)."""

    def __init__(self, intake: UpstreamIntake, announced: Announced) -> None:
        self._intake = intake
        self._announced = announced
        self._spool = Spool(intake.settings.folder)
        # The least that a file must have: some services refuse more, and who sent it is no part of the instance.
        head = write_file_head(
            sop_class_uid=announced.sop_class_uid,
            sop_instance_uid=announced.sop_instance_uid,
            transfer_syntax_uid=announced.transfer_syntax_uid,
        )
        self._spool.write(head)

    @property
    def size_bytes(self) -> int:
        """Return how much has come."""
        return self._spool.size_bytes

    def is_for_disk(self, length: int) -> bool:
        """Tell whether writing so many more bytes goes to disk."""
        return self._spool.would_go_to_disk(length)

    def write(self, chunk: Buffer) -> None:
        """Take the next bytes; raises TooLarge, StorageFull or StorageFailed."""
        limit = self._intake.settings.instance_size_max_bytes
        if self._spool.size_bytes + len(chunk) > limit:
            raise TooLarge(f"The request exceeded the allowed limit of {limit} bytes.")
        self._spool.write(chunk)

    def go_to_disk(self) -> None:
        """Free the memory."""
        self._spool.go_to_disk()

    def finish_known(self) -> Future[None] | None:
        """Leave it to a thread: whatever is large has to be scanned."""
        return None

    def finish(self) -> Future[None]:
        """Look whether it is what was announced, and queue it; raises InvalidDataset, Overloaded."""
        announced, spool = self._announced, self._spool
        scanned = scan_instance(spool.content(), wanted=_WANTED)
        identifier: InstanceIdentifier = identify(scanned)
        if scanned.attributes[SOP_CLASS_UID] != announced.sop_class_uid:
            raise UnexpectedInstance("The SOP class of the data set is not the one announced.")
        if identifier.sop_instance_uid != announced.sop_instance_uid:
            raise UnexpectedInstance("The SOP instance of the data set is not the one announced.")

        def read() -> Iterator[bytes]:
            return iter_pieces(spool.content())

        return self._intake.submit(
            Outgoing(
                delivery_key=0,
                identifier=identifier,
                sop_class_uid=announced.sop_class_uid,
                transfer_syntax_uid=announced.transfer_syntax_uid,
                size_bytes=spool.size_bytes,
                calling_ae_title="",
                read=read,
            )
        )

    def abort(self) -> None:
        """Drop what came in: the spool goes with this."""
