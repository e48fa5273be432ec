"""Instances as files in a folder: `STUDY/SERIES/INSTANCE.dcm`, each written whole or not at all.

Names are UIDs that were checked to be UIDs and nothing else, so that no name can leave the folder.
Bytes that stand there already are never overwritten by others.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import InstanceIdentifier, is_uid

Buffer = bytes | bytearray | memoryview

SUFFIX = ".dcm"
COMPARE_CHUNK_BYTES = 1024**2


class Written(Enum):
    """What became of an instance on its way into a file."""

    WRITTEN = "written"
    IDENTICAL = "identical"
    DIFFERENT = "different"
    """A file of that name with other bytes is there; it stays as it is."""


def instance_path(folder: Path, identifier: InstanceIdentifier) -> Path:
    """Return where an instance's file stands in a folder.

    Raises InvalidRequest where an identifier is no UID.
    """
    names = (identifier.study_instance_uid, identifier.series_instance_uid, identifier.sop_instance_uid)
    if not all(is_uid(name) for name in names):
        raise InvalidRequest("An identifier is no UID, so it cannot become a file name.")
    return folder / names[0] / names[1] / (names[2] + SUFFIX)


def write_instance(folder: Path, identifier: InstanceIdentifier, chunks: Iterable[Buffer]) -> Written:
    """Write an instance's bytes to its file, durable before the name appears."""
    path = instance_path(folder, identifier)
    with partial_file(path.parent, chunks) as partial:
        return place(partial, path)


class PartialFile:
    """A file without a name of its own, while it is written."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f".{secrets.token_hex(8)}.partial"
        self._file = self.path.open("xb")

    def write(self, data: Buffer) -> None:
        """Append bytes."""
        self._file.write(data)

    def finish(self) -> None:
        """Make durable what was written, and close it."""
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    def discard(self) -> None:
        """Remove it; harmless where it has become something else."""
        self._file.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def partial_file(folder: Path, chunks: Iterable[Buffer]) -> Iterator[Path]:
    """Write bytes to a file without a name of its own, durable; it goes when the block ends."""
    partial = PartialFile(folder)
    try:
        for chunk in chunks:
            partial.write(chunk)
        partial.finish()
        yield partial.path
    finally:
        partial.discard()


def place(partial: Path, path: Path) -> Written:
    """Give a complete file its name, unless the name is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(partial, path)
    except OSError:
        if path.exists():
            return Written.IDENTICAL if have_same_bytes(partial, path) else Written.DIFFERENT
        os.rename(partial, path)  # a file system without links
    return Written.WRITTEN


def have_same_bytes(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same bytes."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while chunk := first.read(COMPARE_CHUNK_BYTES):
            if chunk != second.read(COMPARE_CHUNK_BYTES):
                return False
    return True


def has_bytes(path: Path, chunks: Iterable[bytes]) -> bool:
    """Tell whether a file holds exactly these bytes."""
    with path.open("rb") as file:
        return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)
