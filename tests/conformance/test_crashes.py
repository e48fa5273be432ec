"""A kill at every failpoint, again and again on the same folder: what was acknowledged is there, byte for byte."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from isocenter.domain.errors import CorruptInstance
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobPosition, BlobStore
from isocenter.ports.failpoints import FAILPOINT_NAMES, FAILPOINTS_VARIABLE
from isocenter.ports.index import InstanceIndex
from isocenter.storage.packs import LocalPackBlobStore
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import records_of
from tests.support.peers import MISSING_PREFIX
from tests.support.shared_data import REPOSITORY
from tests.support.storage_history import LEFT_OUT_VARIABLE, PACK_SIZE_BYTES, payload_of

STORAGE_FAILPOINTS = [name for name in FAILPOINT_NAMES if not name.startswith(("archive.", "update."))]
HITS = (2, 1, 5)
RANDOM_KILLS = 60
FS_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSH = 2
TIMEOUT_S = 60


@dataclass
class History:
    """What the killed process was told, and what it had begun."""

    acknowledged: dict[InstanceIdentifier, int | None] = field(default_factory=dict)
    """The version that must be there; None where it was deleted."""
    open: dict[InstanceIdentifier, int] = field(default_factory=dict)
    """What was begun and not acknowledged: it may be there or not."""


def _history(folder: Path) -> History:
    history = History()
    for line in (folder / "history.txt").read_text().splitlines():
        event, study, series, instance, version = line.split()
        identifier = InstanceIdentifier(study, series, instance)
        if event == "begin":
            history.open[identifier] = int(version)
        else:
            history.open.pop(identifier, None)
            history.acknowledged[identifier] = int(version) if event == "stored" else None
    return history


def _run_until_killed(folder: Path, seed: int, failpoint: str, *, left_out: str = "") -> bool:
    """Run the process; tell whether it was killed (else it came to its end)."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.storage_history", str(folder), str(seed)],
        env={**os.environ, FAILPOINTS_VARIABLE: failpoint, LEFT_OUT_VARIABLE: left_out},
        cwd=REPOSITORY,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


def _recover(blobs: BlobStore, index: InstanceIndex) -> None:
    recorded = index.positions()
    for position in blobs.positions():
        blobs.truncate(BlobPosition(position.container, recorded.get(position.container, 0)))


def _check(folder: Path) -> None:
    history = _history(folder)
    with (
        LocalPackBlobStore(folder / "packs", pack_size_bytes=PACK_SIZE_BYTES) as blobs,
        SqliteInstanceIndex(folder / "index" / "index.sqlite") as index,
    ):
        _recover(blobs, index)
        assert not list((folder / "packs").glob("*.partial"))
        _check_instances(history, blobs, index)
        _check_feed(index)
        walked = {(record.label.identifier, record.address) for record in records_of(blobs)}
        indexed = {(identifier, address) for _, identifier, address in index.addresses()}
        waiting = {erasure.address for erasure in index.due_erasures(now=3.0, limit=1000)}
        assert indexed <= walked
        assert {address for _, address in walked - indexed} <= waiting
        totals = index.totals()
        assert totals.instances == len(indexed)
        assert totals.size_bytes == sum(address.length for _, address in indexed)


def _check_instances(history: History, blobs: BlobStore, index: InstanceIndex) -> None:
    for identifier, version in history.acknowledged.items():
        row = index.find_stored([identifier]).get(identifier)
        if identifier not in history.open:
            assert (row is None) == (version is None), f"{identifier} is as it was acknowledged"
        allowed = {version, history.open.get(identifier)} - {None}
        if row is not None:
            assert blobs.read(row.address) in [payload_of(identifier, one) for one in allowed if one is not None]
    for key, _, address in index.addresses():
        assert blobs.verify(address)
        assert index.frame_table(key)


def _check_feed(index: InstanceIndex) -> None:
    changes = index.changes(limit=100_000)
    assert [change.sequence for change in changes] == list(range(1, index.latest_sequence() + 1))
    current = {change.instance_key for change in changes if change.state.value == "Current"}
    assert current == {key for key, _, _ in index.addresses()}


@pytest.mark.parametrize("name", STORAGE_FAILPOINTS)
def test_a_kill_at_a_failpoint_loses_nothing_that_was_acknowledged(tmp_path: Path, name: str) -> None:
    assert _run_until_killed(tmp_path, 0, f"{name}=kill@{HITS[0]}"), f"{name} was never reached"
    _check(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", STORAGE_FAILPOINTS)
def test_kills_that_follow_each_other_lose_nothing_that_was_acknowledged(tmp_path: Path, name: str) -> None:
    for seed, hit in enumerate(HITS):
        _run_until_killed(tmp_path, seed, f"{name}=kill@{hit}")
        _check(tmp_path)


@dataclass(frozen=True)
class Volume:
    """An ext4 of its own, in a file."""

    image: Path
    mount_point: Path

    def mount(self) -> bool:
        """Mount it; tell whether the system allows that."""
        self.mount_point.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-o", "loop", str(self.image), str(self.mount_point)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def unmount(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", str(self.mount_point)], check=True)

    def cut_power(self) -> None:
        """Stop the file system without writing anything more, as if the power had gone."""
        fd = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
        finally:
            os.close(fd)


@pytest.fixture
def volumes(tmp_path: Path) -> Iterator[tuple[Volume, Volume]]:
    """Mount one volume for the packs and one for the index: on one, the sync of the index would hide a missing one."""
    if os.geteuid() != 0:
        pytest.skip(f"{MISSING_PREFIX}root, to cut the power of a volume")
    made = []
    for name in ("packs", "index"):
        volume = Volume(tmp_path / f"{name}.ext4", tmp_path / "data" / name)
        with volume.image.open("wb") as image:
            image.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(volume.image)], check=True)
        if not volume.mount():
            pytest.skip(f"{MISSING_PREFIX}a system that lets root mount a volume from a file")
        made.append(volume)
    try:
        yield made[0], made[1]
    finally:
        for volume in made:
            volume.unmount()


@pytest.mark.root
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STORAGE_FAILPOINTS)
def test_a_power_cut_at_a_failpoint_loses_nothing_that_was_acknowledged(
    tmp_path: Path, volumes: tuple[Volume, Volume], name: str
) -> None:
    folder = tmp_path / "data"
    for seed, hit in enumerate(HITS):
        _run_until_killed(folder, seed, f"{name}=kill@{hit}")
        _cut_power(volumes)
        _check(folder)


def _cut_power(volumes: tuple[Volume, Volume]) -> None:
    for volume in volumes:
        volume.cut_power()
    for volume in volumes:
        volume.unmount()
    for volume in volumes:
        assert volume.mount()


@pytest.mark.root
@pytest.mark.timeout(300)
@pytest.mark.parametrize("left_out", ["data", "names"])
def test_a_power_cut_shows_a_sync_that_was_left_out(
    tmp_path: Path, volumes: tuple[Volume, Volume], left_out: str
) -> None:
    folder = tmp_path / "data"
    _run_until_killed(folder, 0, "index.after_commit=kill@2", left_out=left_out)
    _cut_power(volumes)
    with pytest.raises((CorruptInstance, AssertionError)):
        _check(folder)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_many_kills_on_one_folder_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    made = random.Random(20261121)
    kills = 0
    for seed in range(RANDOM_KILLS):
        kills += _run_until_killed(tmp_path, seed, f"{made.choice(STORAGE_FAILPOINTS)}=kill@{made.randrange(1, 20)}")
        _check(tmp_path)
    assert kills > RANDOM_KILLS // 3
