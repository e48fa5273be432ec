"""Retrieve stored bytes: instances, frames, bulk data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.dicom.frames import FrameTable, read_frame
from isocenter.dicom.walk import PIXEL_HEADER_LENGTH
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.principal import Principal
from isocenter.ports.index import InstanceRow

STREAM_CHUNK_BYTES = 1024**2
"""Large enough that a chunk costs little beside its copy, small enough that a slow reader holds one megabyte."""


def find_instances(
    archive: Archive, principal: Principal, scope: Scope, *, original: bool = False
) -> list[InstanceRow]:
    """Return the instances of a scope in the order of series and instance numbers.

    With `original`, each as it was first stored (dicom-service 3.7). Raises NotFound where there is nothing, Forbidden.
    """
    principal.require_reading(scope.study_instance_uid, scope.partition_name)
    rows = archive.index.instances(scope)
    if not rows:
        raise NotFound(f"The specified {scope.level.name.lower()} cannot be found.")
    if not original:
        return rows
    first = {row.identifier: row for row in archive.index.instances(scope, original=True)}
    return [first.get(row.identifier, row) for row in rows]


def find_instance(archive: Archive, principal: Principal, scope: Scope, *, original: bool = False) -> InstanceRow:
    """Return the one instance that a scope names."""
    if scope.level is not Level.INSTANCE:
        raise InvalidRequest("A single instance must be named.")
    return find_instances(archive, principal, scope, original=original)[0]


def read_instance(archive: Archive, row: InstanceRow) -> Iterator[bytes]:
    """Yield an instance as it was stored, bit for bit, each chunk verified."""
    return archive.blobs.iter_chunks(row.address, chunk_size_bytes=STREAM_CHUNK_BYTES)


def read_range(archive: Archive, row: InstanceRow, *, start: int, length: int) -> bytes:
    """Return a range of a stored instance, verified."""
    return archive.blobs.read(row.address, start=start, length=length)


def read_header(archive: Archive, row: InstanceRow) -> bytes:
    """Return the bytes before the pixel data, and of that what tells how it is encoded."""
    return archive.blobs.read(row.address, start=0, length=row.header_length + PIXEL_HEADER_LENGTH)


@dataclass(frozen=True, slots=True)
class FrameReader:
    """Frames of one instance; the table is read once."""

    archive: Archive
    row: InstanceRow
    table: FrameTable

    def bit_offset(self, frame_number: int) -> int:
        """Return how many bits of a frame's first byte belong to the frame before; native pixels of one bit only."""
        return (frame_number - 1) * self.table.bits_per_frame % 8

    def read_to_decode(self, frame_number: int) -> bytes:
        """Return the bytes that a decoder needs: a single native frame with its padding, for swapped words."""
        table = self.table
        if table.number_of_frames == 1 and not table.is_encapsulated and not table.deflated_length:
            return self.archive.blobs.read(self.row.address, start=table.start, length=table.length)
        return self.read(frame_number)

    def read(self, frame_number: int) -> bytes:
        """Return the bytes in which a frame lies as it is stored, counted from 1."""

        def read_part(offset: int, length: int) -> bytes:
            return self.archive.blobs.read(self.row.address, start=offset, length=length)

        return read_frame(self.table, frame_number - 1, read_part)


def open_frames(archive: Archive, row: InstanceRow, frame_numbers: Sequence[int]) -> FrameReader:
    """Return a reader after checking that every frame asked for is there.

    Frames count from 1. Raises NotFound where the instance has no pixels or fewer frames.
    """
    encoded = archive.index.frame_table(row.instance_key)
    if not encoded:
        raise NotFound("The specified frame cannot be found.")
    table = FrameTable.decode(encoded)
    if any(number > table.number_of_frames for number in frame_numbers):
        raise NotFound("The specified frame cannot be found.")
    return FrameReader(archive, row, table)


def read_whole(archive: Archive, row: InstanceRow) -> bytes:
    """Return a whole instance; the caller has checked that its size is bounded."""
    return archive.blobs.read(row.address)
