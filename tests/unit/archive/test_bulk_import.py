"""Bulk import: durable before it is removed, refused with a message, put off where it is nobody's fault."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from isocenter.archive import bulk_import
from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.bulk_import import BulkImporter, ImportCounts, ImportOptions, ImportResult
from isocenter.archive.store import Reception
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import Overloaded, StorageFailed, StorageFull
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier
from isocenter.ports.import_source import ImportFile
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.sources.folder import FolderSource
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import SmallInstance, make_instance

TIMEOUT_S = 30
A, B, C = (make_instance(identify(1, 1, number)) for number in (1, 2, 3))
OTHER_A = make_instance(identify(1, 1, 1), seed=5)


class Stubborn(FolderSource):
    """A folder whose files cannot be removed for a while."""

    is_stubborn = True
    attempts = 0

    def remove(self, file: ImportFile) -> None:
        """Refuse."""
        self.attempts += 1
        if self.is_stubborn:
            raise StorageFailed()
        super().remove(file)


class Bench:
    """An archive in memory, a folder on disk, and importers between them."""

    def __init__(self, root: Path, archive: Archive, clock: FakeClock) -> None:
        self.folder = root / "in"
        self.errors = root / "errors"
        self.archive = archive
        self.clock = clock
        self.counts = ImportCounts()
        self.records: list[AuditRecord] = []
        self.audit: Callable[[AuditRecord], None] = self.records.append
        self.source: FolderSource = self.open(FolderSource)

    def open(self, kind: type[FolderSource]) -> FolderSource:
        self.source = kind(self.folder, self.errors, settle_s=0.0, monotonic_s=self.clock.monotonic_s)
        self.source.check()
        return self.source

    def put(self, instance: SmallInstance | bytes, name: str = "") -> None:
        content = instance if isinstance(instance, bytes) else instance.content
        name = name or f"{len(list(self.folder.iterdir()))}.dcm"
        (self.folder / name).write_bytes(content)

    @contextmanager
    def importing(self) -> Iterator[None]:
        options = ImportOptions(DEFAULT_PARTITION, poll_interval_s=0.01)
        importer = BulkImporter(self.archive, self.source, options, counts=self.counts, audit=self.audit)
        importer.start()
        try:
            yield
        finally:
            importer.close()

    def wait(self, is_done: Callable[[], bool]) -> None:
        never = threading.Event()
        for _ in range(TIMEOUT_S * 100):
            if is_done():
                return
            never.wait(0.01)
        raise AssertionError(f"{self.names()} {self.counts.files}")

    def import_all(self) -> None:
        with self.importing():
            self.wait(lambda: not self.names())

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def stored(self, identifier: InstanceIdentifier) -> bytes | None:
        rows = self.archive.index.instances(scope_of(identifier))
        if not rows:
            return None
        return b"".join(self.archive.blobs.iter_chunks(rows[0].address, chunk_size_bytes=1 << 20))

    def count(self, result: ImportResult) -> int:
        return self.counts.files.get(("folder", result), 0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bench(tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    settings = ArchiveSettings(instance_size_max_bytes=200_000, spool_threshold_bytes=50_000)
    with memory_archive(settings, clock=clock) as archive, capture_logs():
        yield Bench(tmp_path, archive, clock)


def test_files_are_stored_bit_for_bit_and_removed(bench: Bench) -> None:
    large = make_instance(identify(2), size_bytes=100_000)
    instances = [A, B, C, large]
    for instance in instances:
        bench.put(instance)
    bench.import_all()
    assert [bench.stored(one.identifier) for one in instances] == [one.content for one in instances]
    assert bench.count(ImportResult.STORED) == 4
    assert bench.archive.index.latest_sequence() == 4


def test_the_same_bytes_once_more_are_harmless(bench: Bench) -> None:
    store(bench.archive, A.content)
    bench.put(A)
    bench.import_all()
    assert bench.count(ImportResult.IDENTICAL) == 1
    assert bench.archive.index.latest_sequence() == 1
    assert list(bench.errors.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "status", "reason", "word"),
    [
        (b"", 409, 0xA900, "PS3.10"),
        (b"no dicom at all", 409, 0xA900, "PS3.10"),
        (A.content[:-1], 409, 0xA900, ""),
        (make_instance(identify(2), size_bytes=300_000).content, 413, 0x0110, "limit"),
        (OTHER_A.content, 409, 0xB00E, "exists"),
    ],
    ids=["empty", "not DICOM", "cut off", "too large", "other bytes"],
)
def test_what_cannot_be_stored_goes_aside_with_a_message(
    bench: Bench, content: bytes, status: int, reason: int, word: str
) -> None:
    store(bench.archive, A.content)
    bench.put(content, "x.dcm")
    bench.import_all()
    assert (bench.errors / "x.dcm").read_bytes() == content
    message = orjson.loads((bench.errors / "x.dcm.error.json").read_bytes())
    assert (message["file"], message["status"], message["failureReason"]) == ("x.dcm", status, reason)
    assert word in message["error"]
    assert bench.count(ImportResult.REFUSED) == 1
    assert bench.stored(A.identifier) == A.content


def test_one_refused_file_holds_up_no_other(bench: Bench) -> None:
    for content in (A, b"nothing", B, b"nothing else", C):
        bench.put(content)
    bench.import_all()
    assert all(bench.stored(one.identifier) == one.content for one in (A, B, C))
    assert (bench.count(ImportResult.STORED), bench.count(ImportResult.REFUSED)) == (3, 2)


def test_values_are_checked_as_by_the_latest_version_of_the_service(bench: Bench) -> None:
    content = A.content.replace(b"Test^Durability ", b"Te\x00st^Durability")
    assert content != A.content
    bench.put(content)
    bench.import_all()
    [row] = bench.archive.index.instances(scope_of(A.identifier))
    assert bench.archive.index.invalid_paths([row.instance_key]) != {}
    assert bench.stored(A.identifier) == content


def test_neither_names_nor_values_are_logged(bench: Bench) -> None:
    with capture_logs() as logs:
        bench.put(A.content.replace(b"D0      ", b"SECRET\0\0"), "DOE_JANE.dcm")
        bench.put(A.content.replace(A.identifier.sop_instance_uid.encode(), b"S" * 36), "DOE_JOHN.dcm")
        bench.import_all()
    assert logs
    assert not any(word in str(logs) for word in ("DOE", "SECRET", "SSSS"))


def test_every_file_leaves_two_records(bench: Bench) -> None:
    bench.put(A, "a.dcm")
    bench.put(b"nothing", "b.dcm")
    bench.import_all()
    records = {record.uri.rpartition("/")[2]: record for record in bench.records if record.status is not None}
    assert [record.action for record in bench.records].count(AuditAction.EXECUTING) == 2
    assert {record.operation for record in bench.records} == {"bulk-import-store"}
    assert {name: record.status for name, record in records.items()} == {"a.dcm": 200, "b.dcm": 409}
    uids = A.identifier
    assert records["a.dcm"].resource == {
        "partition": DEFAULT_PARTITION,
        "study": uids.study_instance_uid,
        "series": uids.series_instance_uid,
        "instance": uids.sop_instance_uid,
    }
    pairs = {record.correlation_id for record in bench.records}
    assert len(pairs) == 2


def test_nothing_is_imported_while_nothing_can_be_recorded(bench: Bench) -> None:
    is_open = threading.Event()
    asked = threading.Event()

    def audit(record: AuditRecord) -> None:
        if record.action is AuditAction.EXECUTING and not is_open.is_set():
            asked.set()
            raise Overloaded()

    bench.audit = audit
    bench.put(A)
    with bench.importing():
        assert asked.wait(TIMEOUT_S)
        assert bench.stored(A.identifier) is None
        is_open.set()
        bench.wait(lambda: not bench.names())
    assert bench.stored(A.identifier) == A.content


class FullIndex(MemoryInstanceIndex):
    """An index without room until it is given some."""

    has_room = False

    def require_room(self) -> None:
        """Refuse while there is none."""
        if not self.has_room:
            raise StorageFull()


def test_files_wait_where_they_are_while_there_is_no_room(tmp_path: Path, clock: FakeClock) -> None:
    index = FullIndex()
    with memory_archive(index=index, clock=clock) as archive, capture_logs():
        bench = Bench(tmp_path, archive, clock)
        bench.put(A)
        bench.put(B)
        with bench.importing():
            bench.wait(lambda: bench.count(ImportResult.PUT_OFF) >= 3)
            assert len(bench.names()) == 2
            index.has_room = True
            bench.wait(lambda: not bench.names())
        assert bench.stored(A.identifier) == A.content
        assert list(bench.errors.iterdir()) == []


def test_a_file_that_cannot_be_removed_is_tried_less_and_less_often(bench: Bench, clock: FakeClock) -> None:
    source = bench.open(Stubborn)
    assert isinstance(source, Stubborn)
    bench.put(A)
    with bench.importing():
        bench.wait(lambda: source.attempts == 1)
        bench.put(B, "b.dcm")
        bench.wait(lambda: bench.stored(B.identifier) is not None and source.attempts == 2)
        for wait_s in (bulk_import.FILE_WAIT_S, 2 * bulk_import.FILE_WAIT_S):
            before = source.attempts
            clock.advance(wait_s)
            bench.wait(lambda before=before: source.attempts == before + 2)  # type: ignore[misc]
        source.is_stubborn = False
        clock.advance(bulk_import.FILE_WAIT_MAX_S)
        bench.wait(lambda: not bench.names())
    assert bench.archive.index.latest_sequence() == 2


def test_a_fault_of_ours_over_one_file_puts_it_aside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reception, "finish", lambda _reception: 1 / 0)
    bench.put(A, "a.dcm")
    bench.import_all()
    assert (bench.errors / "a.dcm").read_bytes() == A.content


def test_a_folder_that_goes_away_is_taken_up_again(bench: Bench) -> None:
    with bench.importing():
        moved = bench.folder.rename(bench.folder.with_name("moved"))
        bench.wait(bench.folder.exists)
        bench.folder.rmdir()
        moved.rename(bench.folder)
        bench.put(A)
        bench.wait(lambda: not bench.names())
    assert bench.stored(A.identifier) == A.content


def test_many_files_share_commits(bench: Bench) -> None:
    instances = [make_instance(identify(3, 1, number)) for number in range(150)]
    for instance in instances:
        bench.put(instance)
    bench.import_all()
    assert bench.count(ImportResult.STORED) == 150
    assert bench.archive.index.latest_sequence() == 150
