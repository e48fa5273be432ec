"""The folder of packs: names, numbers, the lock, and the files that stand open for reading."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from isocenter.domain.errors import CorruptInstance, StorageFull, Unavailable
from isocenter.storage.folders import make_folder, sync_folder
from isocenter.storage.packs.layout import CONTAINER_MAX

PARTIAL_SUFFIX = ".partial"
LOCK_NAME = "packs.lock"
OPEN_FILES_MAX = 128
"""Enough for the readers of a busy node, well below the usual limit of 1,024 descriptors."""

_PACK_NAME = re.compile(r"(\d{8})\.pack", re.ASCII)


@dataclass(slots=True)
class _OpenFile:
    fd: int
    borrowers: int = 0
    is_dropped: bool = False


class PackFolder:
    """Own a folder of packs, alone among all processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: OrderedDict[int, _OpenFile] = OrderedDict()
        self._files_lock = threading.Lock()
        make_folder(path)
        self._lock_fd = _lock(path / LOCK_NAME)
        for leftover in path.glob(f"*{PARTIAL_SUFFIX}"):
            leftover.unlink()
        self._highest = self._highest_durable = max(self.containers(), default=0)
        self.sync()

    def containers(self) -> list[int]:
        """Return the numbers of the packs that are there, lowest first."""
        names = (_PACK_NAME.fullmatch(entry) for entry in os.listdir(self.path))
        return sorted(int(name[1]) for name in names if name)

    @property
    def highest(self) -> int:
        """Return the highest number ever given, whether its file is there yet or not."""
        return self._highest

    @property
    def highest_durable(self) -> int:
        """Return the highest number whose file is on disk by name: the one from which the next start counts on.

        Its pack is never removed, so that no number is given twice: an erasure may still be to come for the first.
        """
        return self._highest_durable

    def note_durable(self, container: int) -> None:
        """Take note that the name of a pack is on disk."""
        self._highest_durable = max(self._highest_durable, container)

    def take_number(self) -> int:
        """Return the next number, for a new pack; the caller serialises."""
        if self._highest >= CONTAINER_MAX:
            raise StorageFull("There are no pack numbers left; start a new folder.")
        self._highest += 1
        return self._highest

    def pack_path(self, container: int) -> Path:
        """Return where a pack lies."""
        return self.path / f"{container:08d}.pack"

    def partial_path(self) -> Path:
        """Return a name for a pack that is still being written."""
        return self.path / f"{secrets.token_hex(8)}{PARTIAL_SUFFIX}"

    def sync(self) -> None:
        """Make the names in the folder durable."""
        sync_folder(self.path)

    @contextmanager
    def borrow(self, container: int) -> Iterator[int]:
        """Lend a descriptor of a pack for reading; it stays open while it is lent."""
        file = self._take(container)
        try:
            yield file.fd
        finally:
            self._give_back(file)

    def _take(self, container: int) -> _OpenFile:
        with self._files_lock:
            file = self._files.get(container)
            if file is None:
                file = _OpenFile(self._open(container))
                self._files[container] = file
                self._shrink()
            else:
                self._files.move_to_end(container)
            file.borrowers += 1
            return file

    def _open(self, container: int) -> int:
        try:
            return os.open(self.pack_path(container), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise CorruptInstance("The pack that held the instance is not there.") from error

    def _shrink(self) -> None:
        while len(self._files) > OPEN_FILES_MAX:
            _, oldest = self._files.popitem(last=False)
            _drop(oldest)

    def _give_back(self, file: _OpenFile) -> None:
        with self._files_lock:
            file.borrowers -= 1
            if file.is_dropped and not file.borrowers:
                os.close(file.fd)

    def forget(self, container: int) -> None:
        """Close a pack's descriptor as soon as nobody reads by it, so that its space is given back."""
        with self._files_lock:
            file = self._files.pop(container, None)
            if file is not None:
                _drop(file)

    def close(self) -> None:
        """Close what is open and let another process have the folder."""
        with self._files_lock:
            for file in self._files.values():
                _drop(file)
            self._files.clear()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def _drop(file: _OpenFile) -> None:
    file.is_dropped = True
    if not file.borrowers:
        os.close(file.fd)


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise Unavailable("The folder of packs is in use by another process; stop that one first.") from error
    return fd
