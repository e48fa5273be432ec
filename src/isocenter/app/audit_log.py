"""The audit log: a file a day, one JSON object a line, written beside the requests and chained line by line.

Each line carries the digest of the one before it (`previous`), so that a line that is changed or taken out shows:
`isocenter audit verify`. Lines that come together share a sync; the last ones before a power cut may be missing, whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import structlog

from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import InvalidRequest, Overloaded

_log = structlog.get_logger()

WAITING_MAX = 100_000
"""Records that may wait for the disk, some 100 MB; beyond it requests are refused rather than left unrecorded."""
BATCH_MAX = 1000
"""Records that share one write and one sync."""
RETRY_INTERVAL_S = 1.0
TAIL_SIZE_BYTES = 1024**2
"""Where the last line begins; a record has some kilobytes at most."""
VERSION = "1.0"
FIRST = "0" * 64
"""What stands before the first line of all."""
_NAME = "audit-{:%Y%m%d}.jsonl"
_RESOURCES = {"study": "studyInstanceUid", "series": "seriesInstanceUid", "instance": "sopInstanceUid"}


class AuditLog:
    """Take records from any thread and write them in order."""

    def __init__(self, folder: Path, *, keep_s: float, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._keep = timedelta(seconds=keep_s)
        self._now = now
        self._waiting: queue.SimpleQueue[tuple[datetime, AuditRecord] | None] = queue.SimpleQueue()
        self._has_failed = False
        self._is_closing = threading.Event()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._previous = last_digest(folder)
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def write(self, record: AuditRecord) -> None:
        """Take a record; raises Overloaded for the first of a request where records cannot be written fast enough."""
        if record.action is AuditAction.EXECUTING:
            if self._has_failed:
                raise Overloaded("The audit log cannot be written; requests are refused until it can.")
            if self._waiting.qsize() >= WAITING_MAX:
                raise Overloaded()
        self._waiting.put((self._now(), record))

    def close(self) -> None:
        """Write what waits, and stop."""
        self._is_closing.set()
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._collect()
            while batch:
                try:
                    self._append(batch)
                    self._has_failed = False
                except OSError as error:
                    if not self._has_failed:
                        _log.error("audit.failed", reason=error.strerror)
                    self._has_failed = True
                    if self._is_closing.wait(RETRY_INTERVAL_S):
                        return

    def _collect(self) -> tuple[list[tuple[datetime, AuditRecord]], bool]:
        """Return what waits, at least one record, and whether more may come."""
        batch: list[tuple[datetime, AuditRecord]] = []
        try:
            while len(batch) < BATCH_MAX:
                one = self._waiting.get(block=not batch)
                if one is None:
                    return batch, False
                batch.append(one)
        except queue.Empty:
            pass
        return batch, True

    def _append(self, batch: list[tuple[datetime, AuditRecord]]) -> None:
        """Write the first records of a batch, those of one day, and take them out of it."""
        path = self._folder / _NAME.format(batch[0][0])
        is_new = not path.exists()
        previous, lines = self._previous, []
        for at, record in batch:
            if _NAME.format(at) != path.name:
                break
            line = orjson.dumps({**document_of(record, at), "previous": previous})
            previous = hashlib.sha256(line).hexdigest()
            lines.append(line + b"\n")
        _append_durably(path, b"".join(lines))
        self._previous = previous
        del batch[: len(lines)]
        if is_new:
            self._forget_old()

    def _forget_old(self) -> None:
        oldest = _NAME.format(self._now() - self._keep)
        for path in self._folder.glob("audit-*.jsonl"):
            if path.name < oldest:
                path.unlink(missing_ok=True)


def document_of(record: AuditRecord, at: datetime) -> dict[str, Any]:
    """Return a record under the names that Azure's log has (dicom-service 12.4)."""
    caller = record.caller
    document: dict[str, Any] = {
        "time": at.astimezone(UTC).isoformat(),
        "category": "AuditLogs",
        "operationName": record.operation,
        "operationVersion": VERSION,
        "action": record.action.value,
        "correlationId": record.correlation_id,
        "callerIpAddress": record.address,
        "method": record.method,
        "uri": record.uri,
        "resultType": _result_type(record),
        "level": "Informational",
        "identity": None
        if caller is None
        else {"name": caller.name, "objectId": caller.object_id, "applicationId": caller.application_id},
        "resource": _resource(record.resource),
    }
    if record.status is not None:
        document["resultSignature"] = record.status
    if record.properties:
        document["properties"] = dict(record.properties)
    return document


def _result_type(record: AuditRecord) -> str:
    if record.action is AuditAction.EXECUTING or record.status is None:
        return "Started"
    return "Succeeded" if record.status < 400 else "Failed"


def _resource(parts: Mapping[str, str]) -> dict[str, str]:
    return {_RESOURCES.get(name, name): value for name, value in parts.items()}


def _append_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        try:
            written = os.write(descriptor, content)
            if written != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)  # a line is there whole or not at all
            raise
    finally:
        os.close(descriptor)


def files_of(folder: Path) -> list[Path]:
    """Return the files of a log, the oldest first."""
    return sorted(folder.glob("audit-*.jsonl"))


def last_digest(folder: Path) -> str:
    """Return the digest of the last whole line; a torn one behind it is cut off."""
    for path in reversed(files_of(folder)):
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - TAIL_SIZE_BYTES))
            tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) != len(tail):
            os.truncate(path, size - len(tail) + len(whole))
        lines = whole.splitlines()
        if lines:
            return hashlib.sha256(lines[-1]).hexdigest()
    return FIRST


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain of an audit log does not hold."""

    path: Path
    line: int


def iter_breaks(folder: Path, *, on_line: Callable[[], None] = lambda: None) -> Iterator[Break]:
    """Yield every line that does not follow from the one before it.

    The first line that is kept may follow one that was forgotten in time. Raises InvalidRequest where there is no log.
    """
    files = files_of(folder)
    if not files:
        raise InvalidRequest(f"There is no audit log in {folder}.")
    expected: str | None = None
    for path in files:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                bare = line.rstrip(b"\n")
                previous = _previous(bare)
                if previous is None or (expected is not None and previous != expected):
                    yield Break(path, number)
                expected = hashlib.sha256(bare).hexdigest()
                on_line()


def _previous(line: bytes) -> str | None:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    found = document.get("previous") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None
