"""Import the files that others put down, as by a store, and clear them away (dicom-service 11.3).

    waiting ─▶ read ─▶ store ─▶ durable ─▶ removed
                         └────▶ refused ─▶ put aside, with a message beside it
                         └────▶ not now ─▶ left where it is, later again

A file goes only after its instance is durable. After a kill in between it is imported once more, and the same bytes are
harmless. Whatever cannot be cleared away waits longer from time to time; the others go on meanwhile.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import uuid4

import orjson
import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.identify import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from isocenter.archive.planning import Planner
from isocenter.archive.store import Reception, begin_store
from isocenter.archive.validate import SOURCE_IMPORT
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import (
    Broken,
    InvalidDataset,
    InvalidRequest,
    IsocenterError,
    NotFound,
    TooLarge,
    Unavailable,
)
from isocenter.domain.identifiers import is_uid
from isocenter.domain.outcome import Disposition, StoreOutcome
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.statuses import statuses_of
from isocenter.ports.import_source import ImportFile, ImportSource

_log = structlog.get_logger()

OPERATION = "bulk-import-store"
IMPORTER = Principal("bulk-import", frozenset({DataAction.WRITE}))
IN_FLIGHT_MAX = 64
"""Files that share group commits; more would bring no speed."""
IN_FLIGHT_MAX_BYTES = 32 * 1024**2
"""Two batches of the group commit, as for one request of STOW."""
ON_DISK_COUNTS_AS_BYTES = 8 * 1024**2
"""What a file that waits on disk counts for: it holds an open file."""
WAIT_MAX_S = 60.0
"""Between attempts while storage or source do not work; a person who mended it is not kept waiting long."""
FILE_WAIT_S = 5.0
FILE_WAIT_MAX_S = 600.0
PUT_OFF_MAX = 10_000
"""Files that are remembered as ones that cannot be cleared away; further ones are tried at each look."""


class ImportResult(StrEnum):
    """What became of a file."""

    STORED = "stored"
    IDENTICAL = "identical"
    """The instance was stored already."""
    REFUSED = "refused"
    PUT_OFF = "put off"


class ImportCounts:
    """What importers have done since the start of the process, by source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: Counter[tuple[str, ImportResult]] = Counter()
        self._waiting: dict[str, int] = {}

    def note(self, source: str, result: ImportResult) -> None:
        """Count a file."""
        with self._lock:
            self._files[source, result] += 1

    def note_waiting(self, source: str, count: int) -> None:
        """Note how many files a look left where they were."""
        with self._lock:
            self._waiting[source] = count

    @property
    def files(self) -> Mapping[tuple[str, ImportResult], int]:
        """Return how many files had which result."""
        with self._lock:
            return dict(self._files)

    @property
    def waiting(self) -> Mapping[str, int]:
        """Return how many files are ready and were left."""
        with self._lock:
            return dict(self._waiting)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What an operator chose."""

    partition_name: str
    poll_interval_s: float
    kind: str = SOURCE_IMPORT
    """As which source instances are stored, which says how they are validated too."""
    planner: Callable[[], Planner] | None = None
    """Gives what plans where an instance goes; raises Unavailable while nothing is taken in."""
    note_refusal: Callable[[Mapping[str, str], IsocenterError], None] | None = None
    """Called for each file that is refused, with the UIDs that it shows."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A file on its way: its instance is on the way to the disk, or was refused."""

    file: ImportFile
    record: AuditRecord
    reception: Reception
    future: Future[StoreOutcome] | None
    error: IsocenterError | None = None

    @property
    def memory_bytes(self) -> int:
        return ON_DISK_COUNTS_AS_BYTES if self.reception.is_on_disk else self.file.size_bytes


@dataclass(frozen=True, slots=True)
class _PutOff:
    until_s: float
    wait_s: float


class BulkImporter:
    """Import from one source for as long as it is open."""

    def __init__(
        self,
        archive: Archive,
        source: ImportSource,
        options: ImportOptions,
        *,
        counts: ImportCounts,
        audit: Callable[[AuditRecord], None] | None = None,
    ) -> None:
        self._archive = archive
        self._source = source
        self._options = options
        self._counts = counts
        self._audit = audit
        self._put_off: dict[str, _PutOff] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"import-{source.name}", daemon=True)

    def start(self) -> None:
        """Begin to look for files."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the files that are on their way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        failures, is_checked = 0, False
        while not self._stop.is_set():
            try:
                if not is_checked:
                    self._source.check()
                    is_checked = True
                has_taken = self._look()
                failures = 0
            except IsocenterError as error:
                failures, is_checked, has_taken = failures + 1, False, False
                _log.warning("bulk_import.waits", source=self._source.name, reason=error.message, attempt=failures)
            except Exception:  # the outermost loop of the thread: what is there waits for the next look
                failures, is_checked, has_taken = failures + 1, False, False
                _log.exception("bulk_import.broken", source=self._source.name)
            self._stop.wait(self._wait_s(failures, has_taken=has_taken))

    def _wait_s(self, failures: int, *, has_taken: bool) -> float:
        interval_s = self._options.poll_interval_s
        if failures:
            return max(interval_s, min(WAIT_MAX_S, 2.0 ** min(failures, 16) / 2))
        return 0.0 if has_taken else interval_s

    def _look(self) -> bool:
        """Take all files that are ready; tell whether any went.

        Raises Unavailable where nothing can be stored.
        """
        on_their_way: deque[_Taken] = deque()
        seen = has_taken = 0
        try:
            for file in self._source.iter_waiting():
                if self._stop.is_set():
                    break
                seen += 1
                if not self._is_due(file):
                    continue
                if (taken := self._take(file)) is not None:
                    on_their_way.append(taken)
                while _is_too_much(on_their_way):
                    has_taken += self._settle(on_their_way.popleft())
        finally:
            settled = list(self._settle_all(on_their_way))
        has_taken += sum(settled)
        self._counts.note_waiting(self._source.name, seen - has_taken)
        return bool(has_taken)

    def _settle_all(self, on_their_way: deque[_Taken]) -> Iterator[bool]:
        """Settle each, and then tell of the first that could not be stored."""
        failure: Unavailable | None = None
        while on_their_way:
            try:
                yield self._settle(on_their_way.popleft())
            except Unavailable as error:
                failure = failure or error
        if failure is not None:
            raise failure

    # ---- one file

    def _take(self, file: ImportFile) -> _Taken | None:
        """Read a file and hand it to the group commit; None where it is not there any more.

        Raises Unavailable where the archive takes nothing.
        """
        record = self._begin_record(file)
        reception = begin_store(
            self._archive, IMPORTER, source=self._options.kind, partition_name=self._options.partition_name
        )
        try:
            if self._options.planner is not None:
                reception.planner = self._options.planner()
            if not self._read(file, reception):
                self._end_record(record, reception, status=statuses_of(NotFound()).http_status)
                return None
            return _Taken(file, record, reception, reception.finish())
        except Unavailable as error:
            reception.abort()
            self._end_record(record, reception, status=statuses_of(error).http_status)
            raise
        except IsocenterError as error:
            reception.abort()
            return _Taken(file, record, reception, None, error.without_frames())
        except Exception:  # a fault of ours over this one file: the others are imported all the same
            reception.abort()
            _log.exception("bulk_import.file_broken", source=self._source.name)
            return _Taken(file, record, reception, None, Broken())

    def _read(self, file: ImportFile, reception: Reception) -> bool:
        """Hand over the content of a file; False where it is gone, changes or cannot be read at the moment."""
        limit = self._archive.settings.instance_size_max_bytes
        if file.size_bytes > limit:
            raise TooLarge(f"The file is larger than the limit of {limit} bytes.")
        chunks = self._source.iter_chunks(file)
        while True:
            try:
                chunk = next(chunks, None)
            except NotFound:
                reception.abort()
                return False
            except Unavailable as error:
                reception.abort()
                self._put_file_off(file, error)
                return False
            if chunk is None:
                return True
            reception.write(chunk)

    def _settle(self, taken: _Taken) -> bool:
        """Clear a file away once its instance is durable or refused; tell whether it is gone.

        Raises Unavailable where the instance could not be stored for now.
        """
        outcome, error = _outcome_of(taken)
        status = 200 if error is None else statuses_of(error).http_status
        self._end_record(taken.record, taken.reception, status=status)
        if isinstance(error, Unavailable):
            self._counts.note(self._source.name, ImportResult.PUT_OFF)
            raise error
        try:
            if error is None:
                self._source.remove(taken.file)
            else:
                self._source.put_aside(taken.file, self._message(taken.file, error))
        except (Unavailable, InvalidRequest) as refusal:
            self._put_file_off(taken.file, refusal)
            return False
        self._put_off.pop(taken.file.path, None)
        self._counts.note(self._source.name, _result_of(outcome))
        if error is not None and self._options.note_refusal is not None:
            self._options.note_refusal(_uids_of(taken.reception), error)
        elif error is not None:
            _log.warning(
                "bulk_import.refused",
                source=self._source.name,
                sop_instance_uid=_uids_of(taken.reception).get("instance", ""),
                reason=type(error).__name__ if isinstance(error, InvalidDataset) else error.message,
            )
        return True

    def _message(self, file: ImportFile, error: IsocenterError) -> bytes:
        """Return what is put beside a refused file; it may hold values of that file, as an answer to a store does."""
        statuses = statuses_of(error)
        document = {
            "file": _readable(file.path),
            "time": self._archive.clock.now().isoformat(),
            "error": error.message,
            "status": statuses.http_status,
            "failureReason": statuses.failure_reason,
            "comments": list(error.comments) if isinstance(error, InvalidDataset) else [],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    # ---- files that cannot be read or cleared away

    def _is_due(self, file: ImportFile) -> bool:
        put_off = self._put_off.get(file.path)
        return put_off is None or put_off.until_s <= self._archive.clock.monotonic_s()

    def _put_file_off(self, file: ImportFile, error: IsocenterError) -> None:
        before = self._put_off.get(file.path)
        wait_s = FILE_WAIT_S if before is None else min(2 * before.wait_s, FILE_WAIT_MAX_S)
        now_s = self._archive.clock.monotonic_s()
        if before is None and len(self._put_off) >= PUT_OFF_MAX:
            self._put_off = {path: one for path, one in self._put_off.items() if one.until_s > now_s}
        if len(self._put_off) < PUT_OFF_MAX:
            self._put_off[file.path] = _PutOff(now_s + wait_s, wait_s)
        self._counts.note(self._source.name, ImportResult.PUT_OFF)
        _log.warning("bulk_import.put_off", source=self._source.name, reason=error.message, wait_s=wait_s)

    # ---- the audit log

    def _begin_record(self, file: ImportFile) -> AuditRecord:
        record = AuditRecord(
            AuditAction.EXECUTING,
            operation=OPERATION,
            correlation_id=str(uuid4()),
            caller=IMPORTER,
            address="",
            method="",
            uri=self._source.href(file),
            resource={"partition": self._options.partition_name},
        )
        if self._audit is not None:
            self._audit(record)
        return record

    def _end_record(self, record: AuditRecord, reception: Reception, *, status: int) -> None:
        if self._audit is not None:
            resource = {**record.resource, **_uids_of(reception)}
            self._audit(replace(record, action=AuditAction.EXECUTED, status=status, resource=resource))


def _is_too_much(on_their_way: deque[_Taken]) -> bool:
    return len(on_their_way) > IN_FLIGHT_MAX or (
        len(on_their_way) > 1 and sum(one.memory_bytes for one in on_their_way) > IN_FLIGHT_MAX_BYTES
    )


def _outcome_of(taken: _Taken) -> tuple[StoreOutcome | None, IsocenterError | None]:
    """Wait until an instance is durable or refused."""
    if taken.future is None:
        return None, taken.error
    try:
        return taken.future.result(), None
    except IsocenterError as error:
        return None, error.without_frames()


def _result_of(outcome: StoreOutcome | None) -> ImportResult:
    if outcome is None:
        return ImportResult.REFUSED
    return ImportResult.IDENTICAL if outcome.disposition is Disposition.IDENTICAL else ImportResult.STORED


def _uids_of(reception: Reception) -> Mapping[str, str]:
    """Return what a file says it is, as far as it was read; only what is a UID leaves it."""
    attributes = reception.scanned.attributes if reception.scanned is not None else {}
    named = (("study", STUDY_INSTANCE_UID), ("series", SERIES_INSTANCE_UID), ("instance", SOP_INSTANCE_UID))
    return {name: attributes[tag] for name, tag in named if is_uid(attributes.get(tag, ""))}


def _readable(path: str) -> str:
    """Return a path without what is no character: names of files are bytes."""
    return path.encode("utf-8", "backslashreplace").decode()
