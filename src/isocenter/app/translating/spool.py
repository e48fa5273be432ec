"""An instance while it passes through: in memory while it is small, else in a file without a name."""

from __future__ import annotations

import errno
import tempfile
import weakref
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO

from isocenter.domain.errors import StorageFailed, StorageFull
from isocenter.ports.blobs import Buffer

MEMORY_MAX_BYTES = 4 * 1024**2
"""Of one instance; a few of them are on their way for each retrieval."""
PIECE_BYTES = 1024**2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Spool:
    """Bytes that are written once, and then read as often as needed; gone when nobody holds it any more."""

    def __init__(self, folder: Path, *, memory_max_bytes: int = MEMORY_MAX_BYTES) -> None:
        self._folder = folder
        self._memory_max_bytes = memory_max_bytes
        self._pieces: list[Buffer] = []
        self._file: IO[bytes] | None = None
        self.size_bytes = 0

    @property
    def is_on_disk(self) -> bool:
        """Tell whether it lies in a file."""
        return self._file is not None

    def would_go_to_disk(self, length: int) -> bool:
        """Tell whether so many more bytes would lie in a file."""
        return self.is_on_disk or self.size_bytes + length > self._memory_max_bytes

    def write(self, piece: Buffer) -> None:
        """Append bytes; raises StorageFull or StorageFailed."""
        self.size_bytes += len(piece)
        if not self.would_go_to_disk(0):
            self._pieces.append(piece)
        else:
            self.go_to_disk()
            self._append(piece)

    def go_to_disk(self) -> None:
        """Free the memory: what came and what comes lies on disk from here on."""
        if self._file is not None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed with the last who holds this
        except OSError as error:
            raise _failure(error) from error
        weakref.finalize(self, file.close)
        self._file = file
        for piece in self._pieces:
            self._append(piece)
        self._pieces.clear()

    def _append(self, piece: Buffer) -> None:
        assert self._file is not None
        try:
            self._file.write(piece)
        except OSError as error:
            raise _failure(error) from error

    def pieces(self) -> list[Buffer]:
        """Return all of it as it came, mapped where it is on disk; nothing is copied."""
        return [self.content()] if self.is_on_disk else list(self._pieces)

    def content(self) -> Buffer:
        """Return all of it in one piece, mapped where it is on disk."""
        if self._file is None:
            if len(self._pieces) > 1:
                self._pieces = [b"".join(self._pieces)]
            return self._pieces[0] if self._pieces else b""
        try:
            self._file.flush()
            # Not closed by hand: what is sent are views of it. It goes with the last of them.
            return memoryview(mmap(self._file.fileno(), 0, access=ACCESS_READ))
        except OSError as error:
            raise _failure(error) from error


def iter_pieces(content: Buffer, start: int = 0) -> Iterator[bytes]:
    """Yield bytes from a place on, copied piece by piece."""
    for at in range(start, len(content), PIECE_BYTES):
        yield bytes(content[at : at + PIECE_BYTES])


def _failure(error: OSError) -> StorageFull | StorageFailed:
    return StorageFull() if error.errno in _FULL else StorageFailed()
