"""A start after a crash reads a bounded amount, however large the archive is (R12).

What it reads is counted by strace rather than timed. The archive is one that was killed: its index's log is as long as
it gets between checkpoints, its packs hold many records, and the last batch is written and not committed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from isocenter.app.wiring import INDEX_FILE
from isocenter.ports.blobs import BlobAddress
from isocenter.ports.index import NewInstance
from isocenter.storage.packs import LocalPackBlobStore
from isocenter.storage.sqlite import SqliteInstanceIndex
from isocenter.storage.sqlite.writer import CHECKPOINT_PAGES
from tests.durability.conftest import FAST_ERASURE
from tests.durability.test_io_errors import require_strace
from tests.support.instances import identify, label_of, new_instance
from tests.support.processes import serve

PACKS, RECORDS_OF_A_PACK = 24, 100
RECORD_BYTES = 20_000
BATCH = 400
COMMITTED = 60_000
PAGE_BYTES = 4096
LOG_MAX_BYTES = 2 * CHECKPOINT_PAGES * PAGE_BYTES
"""A checkpoint falls due at the end of the commit that fills the log; one big commit comes on top."""
PACKS_READ_MAX_BYTES = PACKS * 1024 + (1 << 20)
"""A look at the newest pack and a tail; far below the 48 MB that are committed."""
INDEX_READ_MAX_BYTES = 1 << 20
"""The first pages, the counters and what the tail touches; far below the whole."""
_READ = re.compile(r"p?read(?:v|64)?\((\d+)<([^>]*)>.*= (\d+)$")
_MAP = re.compile(r"mmap\(.*<([^>]*)>")


def fill_packs(archive_dir: Path) -> list[BlobAddress]:
    """Write packs full of records and return where they lie."""
    addresses: list[BlobAddress] = []
    pack_size_bytes = RECORDS_OF_A_PACK * RECORD_BYTES
    with LocalPackBlobStore(archive_dir / "packs", pack_size_bytes=pack_size_bytes) as blobs:
        for number in range(PACKS):
            payloads = [os.urandom(RECORD_BYTES) for _ in range(RECORDS_OF_A_PACK)]
            first = number * RECORDS_OF_A_PACK
            addresses += blobs.append(
                [(label_of(identify(1, 1, first + at)), payload) for at, payload in enumerate(payloads, start=1)]
            )
    return addresses


def fill_index(folder: Path, addresses: Sequence[BlobAddress], archive_dir: Path) -> None:
    """Commit many instances; take the files as they are before the last checkpoint, when the log is at its longest."""
    with LocalPackBlobStore(archive_dir / "packs") as blobs:
        positions = blobs.positions()
    with SqliteInstanceIndex(folder / INDEX_FILE) as index:
        snapshot, size_bytes = folder / "snapshot", 0
        snapshot.mkdir()
        for first in range(0, COMMITTED, BATCH):
            batch = [instance_of(number, addresses) for number in range(first, first + BATCH)]
            index.commit(batch, now=1.0, erase_due_at=1.0, positions=positions)
            if (folder / INDEX_FILE).stat().st_size > size_bytes and any(
                snapshot.iterdir()
            ):  # this commit moved the log
                copy_database(snapshot, archive_dir)
            size_bytes = (folder / INDEX_FILE).stat().st_size
            if first > COMMITTED // 2:
                copy_database(folder, snapshot)


def copy_database(source: Path, target: Path) -> None:
    for name in (INDEX_FILE, f"{INDEX_FILE}-wal"):
        shutil.copy(source / name, target / name)


def instance_of(number: int, addresses: Sequence[BlobAddress]) -> NewInstance:
    address = addresses[number % len(addresses)]
    return new_instance(identify(1 + number // 50, 1, number), address=address, PatientID=f"P{number}")


def count_reads(trace_path: Path) -> Counter[str]:
    """Return by file name how many bytes were read."""
    read: Counter[str] = Counter()
    for line in trace_path.read_text(errors="replace").splitlines():
        if found := _READ.search(line):
            read[Path(found[2]).name] += int(found[3])
        elif (mapped := _MAP.search(line)) and mapped[1].endswith(".pack"):
            raise AssertionError(f"a start maps {mapped[1]}")
    return read


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Return the data folder of a node that was killed."""
    archive_dir = tmp_path / "data"
    (archive_dir / "packs").mkdir(parents=True)
    (tmp_path / "index").mkdir()
    fill_index(tmp_path / "index", fill_packs(archive_dir), archive_dir)
    with LocalPackBlobStore(archive_dir / "packs") as blobs:
        blobs.append([(label_of(identify(9, 9, 9)), b"not an instance, and not committed")])
    return archive_dir


def test_a_start_reads_neither_the_packs_nor_the_whole_index(crashed: Path, tmp_path: Path) -> None:
    log_bytes = (crashed / f"{INDEX_FILE}-wal").stat().st_size
    index_bytes = (crashed / INDEX_FILE).stat().st_size
    packs_bytes = sum(path.stat().st_size for path in (crashed / "packs").glob("*.pack"))
    assert CHECKPOINT_PAGES * PAGE_BYTES / 2 < log_bytes <= LOG_MAX_BYTES
    assert index_bytes > 4 * INDEX_READ_MAX_BYTES
    assert packs_bytes > 10 * PACKS_READ_MAX_BYTES

    trace_path = tmp_path / "strace.txt"
    program = [require_strace(), "-f", "-yy", "-o", str(trace_path), "-e", "trace=read,readv,pread64,preadv,mmap"]
    isocenter = str(Path(sys.executable).with_name("isocenter"))
    settings = [part for name, value in FAST_ERASURE.items() for part in ("--set", f"{name}={value}")]
    arguments = ["--auth", "off", *settings]
    with serve(crashed, program=[*program, isocenter], arguments=arguments, must_end_cleanly=False) as node:
        reads = count_reads(trace_path)
        os.killpg(node.process.pid, signal.SIGKILL)
    read_of_packs = sum(size for name, size in reads.items() if name.endswith(".pack"))
    assert 0 < read_of_packs <= PACKS_READ_MAX_BYTES
    assert 0 < reads[INDEX_FILE] <= INDEX_READ_MAX_BYTES
    assert reads[f"{INDEX_FILE}-wal"] <= 3 * log_bytes, "recovered once, and what the start asks for"
    print(read_of_packs, reads[INDEX_FILE], reads[f"{INDEX_FILE}-wal"], index_bytes, packs_bytes)  # noqa: T201
