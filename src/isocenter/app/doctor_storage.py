"""Checks of a data folder: file system, room, how honest its disk is, index and packs."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

from isocenter.app.doctor import Check, Finding, fail, ok, warn
from isocenter.app.settings import Settings
from isocenter.domain.errors import Unavailable
from isocenter.ports.blobs import BlobPosition, DamagedRecord

SYNCS_MEASURED = 20
SYNC_SIZE_BYTES = 4096
SYNC_HONEST_MIN_S = 50e-6
"""No medium makes bytes durable faster; a quicker answer comes from a cache that may lie (reliability 1.2)."""
SYNC_SLOW_S = 0.05
RECORDS_WALKED_MAX = 10_000
"""The newest pack up to this many records: seconds at most."""
VOLATILE = frozenset({"tmpfs", "ramfs"})
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"})
MOUNTS = Path("/proc/self/mounts")


def check_folders(settings: Settings) -> Finding:
    """Look whether the folders can be written, and on what file system they are."""
    found = []
    for folder in _folders(settings):
        place = _nearest(folder)
        with tempfile.TemporaryFile(dir=place):
            pass
        kind = file_system_of(place)
        found.append(f"{folder} on {kind}" + ("" if place == folder else " (not there yet)"))
        if kind in VOLATILE:
            return warn(
                f"{folder} is on {kind}, in memory", "Put data_dir on a disk: nothing there outlives the machine."
            )
        if kind in NETWORK:
            return warn(
                f"{folder} is on {kind}, a network file system",
                "Put index and packs on a local disk: locks and syncs are not dependable over a network.",
            )
    return ok("; ".join(found))


def check_space(settings: Settings) -> Finding:
    """Look whether there is room above the reserve."""
    reserve = settings.storage.reserve_bytes
    free = {folder: shutil.disk_usage(_nearest(folder)).free for folder in _folders(settings)}
    least = min(free, key=lambda folder: free[folder])
    found = f"{free[least] / 1e9:.1f} GB free at {least}, reserve {reserve / 1e9:.2f} GB"
    if free[least] < reserve:
        return fail(found, "Free space or move the packs: new instances are refused below the reserve.")
    if free[least] < reserve + settings.storage.pack_size_bytes:
        return warn(found, "Free space soon: less than one pack fits above the reserve.")
    return ok(found)


def check_sync(settings: Settings) -> Finding:
    """Measure how long the disk takes to make bytes durable."""
    place = _nearest(settings.storage.packs_dir)
    latency_s = measure_sync(place)
    found = f"fdatasync of 4 KiB takes {latency_s * 1000:.2f} ms at {place}"
    if latency_s < SYNC_HONEST_MIN_S and file_system_of(place) not in VOLATILE:
        return warn(
            found,
            "That is faster than any medium: a cache answers for it. Make sure it survives a power cut (battery, "
            "capacitors), or turn it off.",
        )
    if latency_s > SYNC_SLOW_S:
        return warn(found, "Stores wait for it: a faster disk for packs and index would help most.")
    return ok(found)


def measure_sync(folder: Path) -> float:
    """Return the median duration of a durable append in a folder, in seconds."""
    samples = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(SYNCS_MEASURED):
            file.write(bytes(SYNC_SIZE_BYTES))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            samples.append(time.perf_counter() - started)
    return statistics.median(samples)


def check_index(settings: Settings) -> Finding:
    """Open the index for reading and let SQLite look through it."""
    import apsw

    from isocenter.app.wiring import INDEX_FILE

    path = settings.storage.index_dir / INDEX_FILE
    if not path.exists():
        return ok(f"none yet at {path}")
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            answers = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)")]
    except apsw.BusyError:
        return ok(f"{path} is held by a running node")
    except apsw.Error as error:
        return fail(f"{path} cannot be read: {type(error).__name__}", "Run `isocenter reindex` on the data folder.")
    if answers != ["ok"]:
        return fail(f"{path} is damaged: {answers[0]}", "Run `isocenter reindex` on the data folder.")
    return ok(f"{path}, {path.stat().st_size / 1e6:.1f} MB, passes SQLite's quick check")


def check_packs(settings: Settings) -> Finding:
    """Walk the records of the newest pack."""
    from isocenter.storage.packs.store import LocalPackBlobStore

    folder = settings.storage.packs_dir
    if not folder.is_dir():
        return ok(f"none yet at {folder}")
    damaged: list[DamagedRecord] = []
    try:
        with LocalPackBlobStore(folder) as store:
            positions = store.positions()
            if not positions:
                return ok(f"none yet in {folder}")
            start = BlobPosition(positions[-1].container, 0)
            records = list(islice(store.iter_records(after=start, on_damage=damaged.append), RECORDS_WALKED_MAX))
    except Unavailable as error:
        return ok(f"not walked: {error.message}")
    size = sum(position.length for position in positions)
    found = f"{len(positions)} packs, {size / 1e9:.2f} GB; {len(records)} records at the end are intact"
    if damaged:
        return warn(
            f"{found}, {len(damaged)} places are not",
            "Start the node, which repairs a torn end; then `isocenter scrub`.",
        )
    return ok(found)


def file_system_of(path: Path) -> str:
    """Return the kind of file system that a path is on, as the kernel names it."""
    real = str(path.resolve())
    best, kind = "", "an unknown file system"
    if MOUNTS.exists():
        for line in MOUNTS.read_text(errors="replace").splitlines():
            _device, mount, name, *_ = line.split(" ")
            point = mount.encode().decode("unicode_escape")
            if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, name
    return kind


def _folders(settings: Settings) -> list[Path]:
    storage = settings.storage
    return list(dict.fromkeys((settings.data_dir, storage.packs_dir, storage.index_dir)))


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or the nearest one above it that is there."""
    place = folder.absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place if place != folder.absolute() else folder


CHECKS = (
    Check("data folder", check_folders),
    Check("disk space", check_space),
    Check("disk sync", check_sync),
    Check("index", check_index),
    Check("packs", check_packs),
)
