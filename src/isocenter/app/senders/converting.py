"""Instances on their way out in another transfer syntax, their samples unchanged; memory stays flat for large ones."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO

from isocenter.archive.decoding import decoding_by
from isocenter.dicom.frames import build_frame_table
from isocenter.dicom.pixels import PIXEL_TAGS, PixelDescription
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.transcode import transcode_instance
from isocenter.domain.errors import (
    CorruptInstance,
    InvalidDataset,
    IsocenterError,
    NotAcceptable,
    NotFound,
    Overloaded,
    StorageFull,
)
from isocenter.ports.blobs import Buffer
from isocenter.ports.frame_decoder import FrameDecoder
from isocenter.routing.deliveries.report import LocalFailed, LocalFault
from isocenter.routing.deliveries.sender import Outgoing

IN_MEMORY_MAX_BYTES = 8 * 1024**2
"""What is longer lies in a file without a name while it is converted and sent."""
PIECE_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Converter:
    """What conversions need."""

    decoder: FrameDecoder
    """For compressed frames: away from this process, because of what strangers may have sent."""
    spool_dir: Path | None = None
    """Where large ones lie meanwhile; None for the folder of the machine."""

    def convert(self, outgoing: Outgoing, transfer_syntax_uid: str) -> Converted:
        """Return an instance as a Part 10 file in another transfer syntax.

        Raises NotAcceptable or InvalidDataset where it cannot be brought into it, and what reading it raises.
        """
        content = self._content(outgoing)
        scanned = scan_instance(content, wanted=PIXEL_TAGS)
        has_pixels = scanned.pixel_element is not None
        frames = PixelDescription.of_scanned(scanned).number_of_frames if has_pixels else None
        table = build_frame_table(content, scanned, number_of_frames=frames) if has_pixels else None
        pieces = transcode_instance(content, scanned, table, transfer_syntax_uid, decode=decoding_by(self.decoder))
        return self._kept(pieces)

    def _content(self, outgoing: Outgoing) -> Buffer:
        if outgoing.size_bytes <= IN_MEMORY_MAX_BYTES:
            return b"".join(outgoing.read())
        with self._file() as file:
            for piece in outgoing.read():
                file.write(piece)
            file.flush()
            # Not closed by hand: what is scanned are views of it. It goes with the last of them.
            return memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))

    def _kept(self, pieces: Iterator[bytes]) -> Converted:
        """Return pieces so that they can be read again, and their length is known."""
        held: list[bytes] = []
        size_bytes = 0
        for piece in pieces:
            held.append(piece)
            size_bytes += len(piece)
            if size_bytes > IN_MEMORY_MAX_BYTES:
                return self._spooled(held, pieces)
        return Converted(size_bytes, lambda: iter(held))

    def _spooled(self, held: list[bytes], pieces: Iterator[bytes]) -> Converted:
        file = self._file()
        try:
            file.writelines(held)
            held.clear()
            file.writelines(pieces)
            return Converted(file.tell(), lambda: _from_beginning(file), file)
        except BaseException:
            file.close()
            raise

    def _file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self.spool_dir)


@dataclass(frozen=True, slots=True)
class Converted:
    """An instance in another transfer syntax."""

    size_bytes: int
    read: Callable[[], Iterator[bytes | memoryview]]
    _file: IO[bytes] | None = None

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()


def _from_beginning(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece


def fault_of_conversion(error: Exception) -> LocalFailed:
    """Return why an instance could not be converted."""
    is_refusal = isinstance(error, NotAcceptable | InvalidDataset)
    return LocalFailed(LocalFault.CANNOT_TRANSCODE) if is_refusal else fault_of_reading(error)


def fault_of_reading(error: Exception) -> LocalFailed:
    """Return why the bytes of an instance could not be read, or be put aside."""
    match error:
        case CorruptInstance():
            return LocalFailed(LocalFault.INSTANCE_CORRUPT)
        case NotFound():
            return LocalFailed(LocalFault.INSTANCE_GONE)
        case StorageFull():
            return LocalFailed(LocalFault.DISK_FULL)
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return LocalFailed(LocalFault.DISK_FULL)
        case _:
            return LocalFailed(LocalFault.STORAGE_FAILED)


def words_of(error: Exception) -> str:
    """Return what an error says, without paths of this machine."""
    return error.message if isinstance(error, IsocenterError) else type(error).__name__


CONVERSION_ERRORS = (NotAcceptable, InvalidDataset, CorruptInstance, NotFound, Overloaded, StorageFull, OSError)
"""What stops one instance; Overloaded where too many frames wait for their decoder, which is tried again."""
