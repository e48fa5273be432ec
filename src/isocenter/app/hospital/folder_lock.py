"""One supervisor for a folder: a lock that ends with the process that holds it, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isocenter.domain.errors import Conflict

LOCK_FILE = "hospital.lock"
TRIES = 10
TRY_INTERVAL_S = 0.05
"""Whoever looks whether it is held has it for some microseconds; a supervisor has it for good."""


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for the length of a block; raises Conflict where another process does."""
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(fd, folder)
        yield
    finally:
        os.close(fd)


def is_held(folder: Path) -> bool:
    """Tell whether a process holds the lock of a folder."""
    try:
        fd = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _take(fd: int, folder: Path) -> None:
    for _ in range(TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(TRY_INTERVAL_S)
    raise Conflict(f"Another process uses {folder} for a demo.")
