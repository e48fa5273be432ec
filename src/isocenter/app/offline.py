"""Work on the data folder of a node that does not run: rebuild its index, verify it, write its instances out.

Each takes the folder's lock, so that a running node and such work exclude each other.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.app.index_lock import holding_index
from isocenter.app.instance_files import Written, has_bytes, instance_path, write_instance
from isocenter.app.settings import Settings
from isocenter.app.wiring import INDEX_FILE, SystemClock, open_archive, open_stores
from isocenter.archive.archive import Archive
from isocenter.archive.reindex import ReindexReport, reindex
from isocenter.archive.retrieve import read_instance
from isocenter.archive.scrub import ScrubReport, scrub
from isocenter.archive.search import search
from isocenter.domain.errors import CorruptInstance, IsocenterError, NotFound, StorageFull
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier, Level, Scope
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query import Query
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.index import InstanceRow
from isocenter.storage.packs.store import LocalPackBlobStore
from isocenter.storage.sqlite.carry_over import carry_over, relink_deliveries
from isocenter.storage.sqlite.index import SqliteInstanceIndex

REBUILD_SUFFIX = ".rebuild"
BACKUP_SUFFIX = ".before-reindex"
ERASURES_MAX = 1_000_000
"""Pending erasures that a rebuild takes over from the old index; a minute's deletes are far fewer."""
OPENING_BYTES = 512 * 1024
"""Room that must be left beside both indexes: opening one writes its shared memory (32 KiB) and the first pages of its
write-ahead log."""
STUDY_PAGE = 1000
STUDY_INSTANCE_UID = 0x0020000D
REPORT_COUNT_MAX = 1000


def require_archive(settings: Settings) -> None:
    """Raise NotFound unless the folder holds an archive; a command that looks after one never makes one."""
    if not settings.storage.packs_dir.is_dir():
        raise NotFound(f"There is no archive in {settings.data_dir}; --data-dir names the folder of a node.")


def rebuild_index(
    settings: Settings, *, on_progress: Callable[[ReindexReport], None] | None = None
) -> tuple[ReindexReport, Path | None]:
    """Build a fresh index beside the old one and put it in its place; return what was found and the old one's copy.

    A crash at any point leaves the old index or the new one in place, never half of either. Raises StorageFull where
    the volume has no room for both and a start; the old index stays in place then.
    """
    require_archive(settings)
    path = settings.storage.index_dir / INDEX_FILE
    fresh = path.with_name(path.name + REBUILD_SUFFIX)
    with _open_blobs(settings) as blobs, holding_index(settings.storage.index_dir), _removing_on_failure(fresh):
        erased = _pending_erasures(path)
        with closing(SqliteInstanceIndex(fresh)) as index:
            is_whole = _carry_over(path, fresh)
            report = reindex(index=index, blobs=blobs, clock=SystemClock(), erased=erased, on_progress=on_progress)
            if is_whole and path.exists():
                relink_deliveries(path, fresh)
        report.has_lost_records = not is_whole
        _require_room(path.parent)
        return report, _swap(fresh, path)


@contextmanager
def _removing_on_failure(fresh: Path) -> Iterator[None]:
    """Leave no half-built index, which would keep the room that the old one needs to serve."""
    _remove_database(fresh)
    try:
        yield
    except BaseException:
        _remove_database(fresh)
        raise


def _require_room(folder: Path) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < OPENING_BYTES:
        raise StorageFull(
            f"The rebuilt index leaves {free_bytes} bytes free in {folder}, and a node needs {OPENING_BYTES} to start;"
            " the old index stays in place. Free some space and run it again."
        )


def _carry_over(path: Path, fresh: Path) -> bool:
    """Take what no pack knows from the old index; tell whether that could be done."""
    if not path.exists():
        return True
    try:
        carry_over(path, fresh)
    except (IsocenterError, OSError):
        return False
    return True


@contextmanager
def _open_blobs(settings: Settings) -> Iterator[LocalPackBlobStore]:
    storage = settings.storage
    with LocalPackBlobStore(storage.packs_dir, pack_size_bytes=storage.pack_size_bytes) as blobs:
        yield blobs


def _pending_erasures(path: Path) -> frozenset[BlobAddress]:
    """Return where bytes lie that the old index was about to erase; nothing where it cannot be read."""
    if not path.exists():
        return frozenset()
    try:
        with closing(SqliteInstanceIndex(path)) as index:
            due = index.due_erasures(now=float("inf"), limit=ERASURES_MAX)
            return frozenset(erasure.address for erasure in due)
    except (IsocenterError, OSError):
        return frozenset()


def _swap(fresh: Path, path: Path) -> Path | None:
    """Put the fresh index in the old one's place.

    The old write-ahead log goes first: without it the old file is an older state of the same index, which the next
    start repairs; beside the new file it would be poison.
    """
    backup = None
    if path.exists():
        backup = path.with_name(f"{path.name}{BACKUP_SUFFIX}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
        os.link(path, backup)
        with suppress(FileNotFoundError):
            os.replace(f"{path}-wal", f"{backup}-wal")
        Path(f"{path}-shm").unlink(missing_ok=True)
    _sync_folder(path.parent)
    os.replace(fresh, path)
    _sync_folder(path.parent)
    return backup


def _remove_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def scrub_archive(settings: Settings, *, on_progress: Callable[[ScrubReport], None] | None = None) -> ScrubReport:
    """Verify every stored byte of a data folder."""
    require_archive(settings)
    with open_stores(settings) as (index, blobs):
        return scrub(index=index, blobs=blobs, on_progress=on_progress)


@dataclass(slots=True)
class ExportReport:
    """What an export wrote, while it runs and at its end."""

    total_bytes: int = 0
    done_bytes: int = 0
    written: int = 0
    identical: int = 0
    failed_count: int = 0
    failed: list[tuple[InstanceIdentifier, str]] = field(default_factory=list)

    def note_failure(self, identifier: InstanceIdentifier, reason: str) -> None:
        """Count a failure, and name it while there are few."""
        self.failed_count += 1
        if len(self.failed) < REPORT_COUNT_MAX:
            self.failed.append((identifier, reason))


def export(
    settings: Settings,
    scopes: list[Scope] | None,
    *,
    folder: Path,
    on_progress: Callable[[ExportReport], None] | None = None,
) -> ExportReport:
    """Write the instances of some scopes, or of all studies, to files; each byte is verified on the way out.

    Raises NotFound where a scope names nothing.
    """
    require_archive(settings)
    with open_archive(settings) as archive:
        report = ExportReport()
        if scopes is None:
            report.total_bytes = archive.index.totals().size_bytes
        else:
            report.total_bytes = sum(row.address.length for scope in scopes for row in _rows(archive, scope))
        for scope in scopes if scopes is not None else _all_studies(archive):
            for row in _rows(archive, scope):
                _export_one(archive, row, folder=folder, report=report)
                if on_progress is not None:
                    on_progress(report)
        return report


def _rows(archive: Archive, scope: Scope) -> list[InstanceRow]:
    rows = archive.index.instances(scope)
    if not rows:
        raise NotFound(f"There is no {scope.level.name.lower()} of that UID in the archive.")
    return rows


def _all_studies(archive: Archive) -> Iterator[Scope]:
    for partition in archive.partitions.all():
        name, offset = partition.partition_name, 0
        while page := search(
            archive, LOCAL_OWNER, Query(Level.STUDY, limit=STUDY_PAGE, offset=offset, partition_name=name)
        ):
            for found in page:
                yield Scope(found.attributes[STUDY_INSTANCE_UID], partition_name=name)
            offset += len(page)


def _folder_of(identifier: InstanceIdentifier, folder: Path) -> Path:
    """Return where the studies of a partition go: those of further ones apart, as they lie apart in the archive."""
    name = identifier.partition_name
    return folder if name == DEFAULT_PARTITION else folder / f"partition-{name}"


def _export_one(archive: Archive, row: InstanceRow, *, folder: Path, report: ExportReport) -> None:
    identifier = row.identifier
    folder = _folder_of(identifier, folder)
    report.done_bytes += row.address.length
    try:
        path = instance_path(folder, identifier)
        if path.exists() and path.stat().st_size == row.address.length and has_bytes(path, read_instance(archive, row)):
            report.identical += 1
            return
        if write_instance(folder, identifier, read_instance(archive, row)) is Written.WRITTEN:
            report.written += 1
        else:
            report.note_failure(identifier, "a file of that name with other bytes is there; it was left as it is")
    except CorruptInstance:
        report.note_failure(identifier, "the stored bytes no longer match their checksum; nothing was written")
