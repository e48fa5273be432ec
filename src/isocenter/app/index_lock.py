"""Who may open the index beside a running node: commands that write to it together, a rebuild alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.domain.errors import Unavailable
from isocenter.storage.folders import make_folder

LOCK_FILE = "index.lock"


@contextmanager
def sharing_index(index_dir: Path) -> Iterator[None]:
    """Keep a rebuild from taking the index away for the length of a block; raises Unavailable while one runs."""
    with _locked(index_dir, fcntl.LOCK_SH, "The index is being rebuilt; try again when that is done."):
        yield


@contextmanager
def holding_index(index_dir: Path) -> Iterator[None]:
    """Keep commands from writing to the index for the length of a block; raises Unavailable while one does."""
    with _locked(index_dir, fcntl.LOCK_EX, "A command is writing to the index; try again when it is done."):
        yield


@contextmanager
def _locked(index_dir: Path, how: int, refusal: str) -> Iterator[None]:
    make_folder(index_dir)
    fd = os.open(index_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable(refusal) from error
        yield
    finally:
        os.close(fd)
