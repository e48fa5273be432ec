"""Send DICOM files to an archive, in parallel batches, with a journal of what it acknowledged.

    files ──▶ not in the journal, DICOM ──▶ batches ──▶ requests in flight ──▶ per instance: acknowledged or failed
                                                                              └─▶ journal

A batch that the archive refuses as a whole is sent again one by one, so that one bad file does not
hold back its neighbours. Where the archive is busy a batch waits and is tried again; this is the one
retry layer of the journey.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.app.journal import Journal
from isocenter.app.part10_files import FoundFile, is_instance_file
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.upload import InstanceSource, StoreResult, file_source
from isocenter.domain.errors import (
    Forbidden,
    IsocenterError,
    PeerUnreachable,
    Refused,
    StorageFull,
    Unauthenticated,
    Unavailable,
)
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.statuses import (
    CANNOT_UNDERSTAND,
    INSTANCE_EXISTS,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    VALIDATION_FAILED,
)

BATCH_SIZE_BYTES = 32 * 1024**2
"""What a stopped run may have to send again, for each request in flight; longer ones are no faster."""
BATCH_COUNT_MAX = 200
ATTEMPTS_MAX = 4
FIRST_WAIT_S = 1.0
"""Doubles with every attempt: seven seconds in all, then the run ends and can be continued."""
PARALLEL_MAX = 16
FAILURES_NAMED_MAX = 10_000
"""How many failures are kept to be named; the rest is counted."""
NOT_MENTIONED = "the archive's answer does not mention it"
_REASONS = {
    INSTANCE_EXISTS: "the archive has other bytes under the same identifiers",
    PROCESSING_FAILURE: "the archive could not process it",
    0x0122: "the archive does not take this SOP class",
    OUT_OF_RESOURCES: "the archive has no room",
    VALIDATION_FAILED: "the data set is not valid",
    0xA901: "it belongs to another study",
    0xB00F: "the archive is taking it in just now",
    CANNOT_UNDERSTAND: "the archive cannot understand it",
}


@dataclass(slots=True)
class SendReport:
    """What became of the files, while it runs and at its end."""

    stored: int = 0
    identical: int = 0
    """Refused as known, and found to hold the same bytes there."""
    warned: int = 0
    """Stored, but the peer says that it changed or left out something."""
    acknowledged_before: int = 0
    """In the journal of an earlier run."""
    not_dicom: int = 0
    failed_count: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason."""
    skipped: list[str] = field(default_factory=list)
    """Paths of files that are not DICOM instances, where they are to be listed."""

    def note_failure(self, path: str, reason: str) -> None:
        """Count a failure, and name it while there are few."""
        self.failed_count += 1
        if len(self.failed) < FAILURES_NAMED_MAX:
            self.failed.append((path, reason))


@dataclass(frozen=True, slots=True)
class Candidates:
    """Looks through files for what is to be sent, and counts what is not."""

    journal: Journal | None
    report: SendReport
    on_passed: Callable[[int], None]
    """Is told the size of each file that need not be sent."""

    def select(self, files: Iterable[FoundFile]) -> Iterator[FoundFile]:
        """Yield the files that hold an instance and were not acknowledged before."""
        for file in files:
            if self.journal is not None and file in self.journal:
                self.report.acknowledged_before += 1
            elif self._is_instance(file):
                yield file
                continue
            self.on_passed(file.size_bytes)

    def _is_instance(self, file: FoundFile) -> bool:
        try:
            if is_instance_file(file.path):
                return True
        except OSError as error:
            self.report.note_failure(file.path, error.strerror or "it cannot be read")
            return False
        self.report.not_dicom += 1
        if len(self.report.skipped) < FAILURES_NAMED_MAX:
            self.report.skipped.append(file.path)
        return False


def group(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    """Yield files in groups for one request each."""
    batch: list[FoundFile] = []
    size_bytes = 0
    for file in files:
        if batch and (size_bytes + file.size_bytes > BATCH_SIZE_BYTES or len(batch) == BATCH_COUNT_MAX):
            yield batch
            batch, size_bytes = [], 0
        batch.append(file)
        size_bytes += file.size_bytes
    if batch:
        yield batch


def send(
    client: DicomwebClient,
    files: Iterable[FoundFile],
    *,
    journal: Journal,
    report: SendReport,
    parallel: int,
    on_sent: Callable[[int], None],
    first_wait_s: float = FIRST_WAIT_S,
) -> None:
    """Send files and note in journal and report what became of each.

    `on_sent` is told bytes as they go out, from any thread. Raises Unavailable when the archive takes nothing more; the
    journal holds what it acknowledged until then.
    """
    in_flight: deque[Future[list[_Outcome]]] = deque()
    stop = threading.Event()
    sender = _Sender(client, on_sent, stop, first_wait_s)
    with ThreadPoolExecutor(parallel, "store") as executor:
        try:
            for batch in group(files):
                in_flight.append(executor.submit(sender.send_batch, batch))
                if len(in_flight) > parallel:
                    _settle(in_flight.popleft(), journal, report)
            while in_flight:
                _settle(in_flight.popleft(), journal, report)
        except BaseException:
            stop.set()
            executor.shutdown(cancel_futures=True)
            _settle_finished(in_flight, journal, report)
            raise


@dataclass(frozen=True, slots=True)
class _Outcome:
    file: FoundFile
    failure: str | None = None
    is_identical: bool = False
    sop_instance_uid: str | None = None


def _settle(future: Future[list[_Outcome]], journal: Journal, report: SendReport) -> None:
    outcomes = future.result()
    journal.add([(outcome.file, outcome.sop_instance_uid) for outcome in outcomes if outcome.failure is None])
    for outcome in outcomes:
        if outcome.failure is not None:
            report.note_failure(outcome.file.path, outcome.failure)
        elif outcome.is_identical:
            report.identical += 1
        else:
            report.stored += 1


def _settle_finished(in_flight: Iterable[Future[list[_Outcome]]], journal: Journal, report: SendReport) -> None:
    for future in in_flight:
        if future.done() and not future.cancelled() and future.exception() is None:
            _settle(future, journal, report)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Sends batches, from any thread."""

    client: DicomwebClient
    on_sent: Callable[[int], None]
    stop: threading.Event
    first_wait_s: float

    def send_batch(self, batch: Sequence[FoundFile]) -> list[_Outcome]:
        """Send a batch; where it is refused as a whole, its files one by one."""
        try:
            return self._attempt(batch, on_sent=self.on_sent)
        except (Unauthenticated, Forbidden):
            raise
        except Refused as error:
            if len(batch) == 1:
                return [_Outcome(batch[0], error.message)]
        return [outcome for file in batch for outcome in self._send_alone(file)]

    def _send_alone(self, file: FoundFile) -> list[_Outcome]:
        try:
            return self._attempt([file], on_sent=_ignore)
        except Refused as error:
            return [_Outcome(file, error.message)]

    def _attempt(self, batch: Sequence[FoundFile], *, on_sent: Callable[[int], None]) -> list[_Outcome]:
        """Send a batch, again after a wait where the archive is busy."""
        wait_s = self.first_wait_s
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self._send_once(batch, on_sent=on_sent if attempt == 1 else _ignore)
            except (PeerUnreachable, StorageFull):
                raise
            except Unavailable:
                if attempt == ATTEMPTS_MAX or self.stop.wait(wait_s):
                    raise
                wait_s *= 2
        raise AssertionError

    def _send_once(self, batch: Sequence[FoundFile], *, on_sent: Callable[[int], None]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        sources: list[InstanceSource] = []
        sent: list[FoundFile] = []
        for file in batch:
            try:
                sources.append(_source(file))
                sent.append(file)
            except OSError as error:
                outcomes.append(_Outcome(file, error.strerror or "it cannot be read"))
        if sources:
            results = self.client.store(sources, batch_size_bytes=2 * BATCH_SIZE_BYTES, on_sent=on_sent)
            outcomes += [_outcome(self.client, *pair) for pair in zip(sent, results, strict=True)]
        return outcomes


def _source(file: FoundFile) -> InstanceSource:
    return file_source(Path(file.path))


def _outcome(client: DicomwebClient, file: FoundFile, result: StoreResult) -> _Outcome:
    sop_instance_uid = result.source.sop_instance_uid
    if result.is_stored:
        return _Outcome(file, sop_instance_uid=sop_instance_uid)
    comments = "; ".join(result.error_comments)
    if not result.is_known or result.failure_reason is None:
        return _Outcome(file, comments or NOT_MENTIONED)
    if result.failure_reason == INSTANCE_EXISTS and _is_there(client, file, result):
        return _Outcome(file, is_identical=True, sop_instance_uid=sop_instance_uid)
    reason = _REASONS.get(result.failure_reason, f"the archive refused it with reason {result.failure_reason:#06x}")
    return _Outcome(file, f"{reason}: {comments}" if comments else reason)


def _is_there(client: DicomwebClient, file: FoundFile, result: StoreResult) -> bool:
    """Tell whether the archive holds just these bytes; a service that refuses what it knows may have them."""
    try:
        scope = _find_scope(client, result.source.sop_instance_uid)
        if scope is None:
            return False
        for retrieved in client.retrieve(scope):
            with open(file.path, "rb") as local:
                is_same = all(local.read(len(chunk)) == chunk for chunk in retrieved.chunks)
                return is_same and not local.read(1)
    except (IsocenterError, OSError):
        return False
    return False


def _find_scope(client: DicomwebClient, sop_instance_uid: str | None) -> Scope | None:
    if sop_instance_uid is None:
        return None
    rows = client.search(Level.INSTANCE, [("SOPInstanceUID", sop_instance_uid), ("limit", "2")])
    if len(rows) != 1:
        return None
    study, series = (rows[0].get(tag, {}).get("Value", [None])[0] for tag in ("0020000D", "0020000E"))
    return Scope(study, series, sop_instance_uid) if study and series else None


def still_has(client: DicomwebClient, journal: Journal) -> bool:
    """Tell whether an archive still has what a journal says that it acknowledged, by asking for a few instances."""
    for sop_instance_uid in journal.samples:
        try:
            if not client.search(Level.INSTANCE, [("SOPInstanceUID", sop_instance_uid), ("limit", "1")]):
                return False
        except Refused:  # a service that cannot be asked so is believed
            return True
    return True


def _ignore(size_bytes: int) -> None:
    """Take no notice."""
