"""One value of an instance, as metadata refers to it by BulkDataURI (PS3.18 10.4.1.1.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import STREAM_CHUNK_BYTES, FrameReader, open_frames, read_header
from isocenter.dicom.bulk import find_bulk_value, parse_bulk_path
from isocenter.dicom.part10 import open_file
from isocenter.dicom.walk import PIXEL_TAGS
from isocenter.domain.errors import NotFound
from isocenter.ports.index import InstanceRow


@dataclass(frozen=True, slots=True)
class BulkValue:
    """A value, or one frame of it: its length where that is known, and how to read it."""

    length: int | None
    read: Callable[[], Iterator[bytes]]


def open_bulk_data(archive: Archive, row: InstanceRow, path: str) -> list[BulkValue]:
    """Return the value that a path names: one, or each frame of encapsulated pixel data.

    Raises InvalidRequest for a malformed path, NotFound where nothing is there.
    """
    steps = parse_bulk_path(path)
    if len(steps) == 1 and steps[0] in PIXEL_TAGS:
        return _pixel_data(archive, row)
    opened = open_file(read_header(archive, row))
    offset, length = find_bulk_value(opened.buffer, opened, path)
    return [BulkValue(length, lambda: iter((bytes(opened.buffer[offset : offset + length]),)))]


def _pixel_data(archive: Archive, row: InstanceRow) -> list[BulkValue]:
    reader = open_frames(archive, row, [])
    table = reader.table
    if not table.is_encapsulated and not table.deflated_length:
        return [
            BulkValue(
                table.length,
                lambda: archive.blobs.iter_chunks(
                    row.address, start=table.start, length=table.length, chunk_size_bytes=STREAM_CHUNK_BYTES
                ),
            )
        ]
    if not table.number_of_frames:
        raise NotFound("The specified bulk data cannot be found.")
    return [_frame(reader, number) for number in range(1, table.number_of_frames + 1)]


def _frame(reader: FrameReader, frame_number: int) -> BulkValue:
    return BulkValue(None, lambda: iter((reader.read(frame_number),)))
