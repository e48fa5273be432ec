"""Write a ZIP file while it is sent: whatever its size, memory holds a chunk and the list of its entries."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ENTRY_MODE = 0o100644 << 16
"""A file that its owner may write and everybody may read, as unpackers on Unix take it."""
EARLIEST = (1980, 1, 1, 0, 0, 0)
"""Before it a ZIP file cannot tell the time."""


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One file of a ZIP file."""

    name: str
    size_bytes: int
    chunks: Iterable[bytes]
    written_at: tuple[int, int, int, int, int, int] = EARLIEST


def iter_zip(entries: Iterable[ZipEntry]) -> Iterator[bytes]:
    """Yield a ZIP file piece by piece. Nothing is packed: what images hold seldom shrinks, and packing takes a core."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as file:  # type: ignore[call-overload]  # all that writing needs
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, max(entry.written_at, EARLIEST))
            info.external_attr = ENTRY_MODE
            info.file_size = entry.size_bytes
            with file.open(info, "w") as opened:
                for chunk in entry.chunks:
                    opened.write(chunk)
                    yield sink.take()
    yield sink.take()


class _Sink:
    """Holds what was written until it is taken; it cannot be read or sought."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is no further buffer."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
