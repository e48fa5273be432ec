"""Volumes of their own for packs and index: small ones that fill up, ones whose power can be cut.

Each needs root and a machine that allows mounts; where it does not, the test is skipped loudly. A volume is unmounted
with its block, whatever happened in it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.peers import not_possible_here

FS_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSHING_THE_LOG = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: nothing that is not on the device gets there any more, as when the power goes."""
MOUNT_TIMEOUT_S = 60
UNMOUNT_TRIES = 50
UNMOUNT_WAIT_S = 0.1
"""A process that was killed a moment ago may still be giving its files back."""


@dataclass(frozen=True, slots=True)
class CuttableVolume:
    """An ext4 file system in a file."""

    image: Path
    path: Path

    def cut(self) -> None:
        """Cut the power: from now on every write fails, and what was not synced is lost."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING_THE_LOG))
        finally:
            os.close(fd)

    def mount(self) -> None:
        """Mount it; the journal is replayed, as after a power cut."""
        _run("mount", "-o", "loop", str(self.image), str(self.path))

    def unmount(self) -> None:
        """Unmount it, if it is mounted."""
        unmount(self.path)


def require_mounts() -> None:
    """Skip loudly where this machine does not let us mount."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        not_possible_here("mounting needs root on Linux")
    for tool in ("mount", "umount", "mkfs.ext4"):
        if shutil.which(tool) is None:
            not_possible_here(f"{tool} is not installed")


@contextlib.contextmanager
def cuttable_volume(folder: Path, name: str, *, size_mib: int) -> Iterator[CuttableVolume]:
    """Provide an ext4 volume whose power can be cut."""
    require_mounts()
    volume = CuttableVolume(folder / f"{name}.img", folder / name)
    volume.path.mkdir(parents=True)
    with volume.image.open("wb") as image:
        image.truncate(size_mib << 20)
    _run("mkfs.ext4", "-q", "-F", str(volume.image))
    try:
        try:
            volume.mount()
        except subprocess.CalledProcessError as error:
            not_possible_here(f"loop devices cannot be mounted: {error.stderr.decode(errors='replace').strip()}")
        yield volume
    finally:
        volume.unmount()
        volume.image.unlink(missing_ok=True)


@contextlib.contextmanager
def small_volume(path: Path, *, size_kib: int, inodes: int = 0) -> Iterator[Path]:
    """Provide a volume in memory that is soon full, of bytes or of files."""
    require_mounts()
    path.mkdir(parents=True)
    options = f"size={size_kib}k" + (f",nr_inodes={inodes}" if inodes else "")
    try:
        _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))
    except subprocess.CalledProcessError as error:
        not_possible_here(f"tmpfs cannot be mounted: {error.stderr.decode(errors='replace').strip()}")
    try:
        yield path
    finally:
        unmount(path)


def fill(path: Path, *, leave_bytes: int = 0) -> Path:
    """Fill a volume with a file of no meaning, but for some bytes; return the file."""
    ballast = path / "ballast"
    with ballast.open("ab") as file:
        while (room := free_bytes(path) - leave_bytes) > 0:
            try:
                file.write(bytes(min(room, 1 << 20)))
                file.flush()
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                with contextlib.suppress(OSError):
                    file.close()
                break
    return ballast


def free_bytes(path: Path) -> int:
    """Return how much room a volume has."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def unmount(path: Path) -> None:
    """Unmount a folder, if something is mounted there."""
    for _ in range(UNMOUNT_TRIES):
        if not path.is_mount():
            return
        done = subprocess.run(["umount", str(path)], check=False, capture_output=True, timeout=MOUNT_TIMEOUT_S)
        if done.returncode == 0:
            return
        time.sleep(UNMOUNT_WAIT_S)
    _run("umount", "-l", str(path))
    raise AssertionError(f"{path} is still in use")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=MOUNT_TIMEOUT_S)
