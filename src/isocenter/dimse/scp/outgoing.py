"""Stored instances on their way out: in which context each is sent, and its data set, read ahead of the wire.

An instance goes as it is stored wherever the receiver takes that transfer syntax; else it is transcoded without loss
to one that it takes. Threads read a few megabytes at a time, so that one trip brings many small instances, and the wire
never waits for the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_instance, read_whole
from isocenter.archive.transcode import check_target, iter_transcoded
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicom.transcode import JPEG_2000_LOSSLESS
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.errors import InvalidDataset, IsocenterError, NotAcceptable
from isocenter.ports.index import InstanceRow

READ_AHEAD_BYTES = 4 * 1024**2
"""One trip to a thread brings about this much while as much is being sent."""
HEAD_LENGTH_MAX = 2 * 1024**2
"""File meta information is no longer; what of an instance must be there before its data set can begin."""
TRANSCODED_WHOLE_MAX_BYTES = 64 * 1024**2
"""Up to this size a frame that cannot be decoded costs one sub-operation; beyond it, it costs the association."""
TARGETS = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, JPEG_2000_LOSSLESS)
"""What is transcoded to, the best first."""

ContextKey = tuple[str, str]
"""SOP class and transfer syntax."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An instance, and the transfer syntax that it is sent in."""

    row: InstanceRow
    transfer_syntax_uid: str

    @property
    def key(self) -> ContextKey:
        """Return what its context must be for."""
        return self.row.sop_class_uid, self.transfer_syntax_uid

    @property
    def is_transcoded(self) -> bool:
        """Tell whether it goes in another syntax than it is stored in."""
        return self.transfer_syntax_uid != self.row.transfer_syntax_uid


@dataclass(slots=True)
class Opened:
    """An instance whose data set is read, whole or to begin with; or why it cannot be."""

    outgoing: Outgoing
    pieces: list[Buffer] = field(default_factory=list)
    rest: Iterator[bytes] | None = None
    """What follows the pieces, to be read by a thread."""
    error: IsocenterError | None = None


def contexts_to_send(contexts: Iterable[AcceptedContext]) -> dict[ContextKey, int]:
    """Return the contexts on which we may send, by SOP class and transfer syntax."""
    return {
        (context.abstract_syntax_uid, context.transfer_syntax_uid): context.context_id
        for context in contexts
        if context.as_scu
    }


def choose_syntax(archive: Archive, row: InstanceRow, accepted: Iterable[ContextKey]) -> Outgoing | None:
    """Return how an instance can be sent to a receiver, or None where it takes nothing that we can make of it."""
    keys = set(accepted)
    if (row.sop_class_uid, row.transfer_syntax_uid) in keys:
        return Outgoing(row, row.transfer_syntax_uid)
    for target in TARGETS:
        if (row.sop_class_uid, target) in keys and _can_transcode(archive, row, target):
            return Outgoing(row, target)
    return None


def _can_transcode(archive: Archive, row: InstanceRow, target: str) -> bool:
    try:
        check_target(archive, row, target)
    except NotAcceptable:
        return False
    return True


def open_outgoing(archive: Archive, outgoing: Outgoing) -> Opened:
    """Read the beginning of an instance's data set, all of it where that is not much; waits for the disk."""
    try:
        return _open(archive, outgoing)
    except IsocenterError as error:
        return Opened(outgoing, error=error.without_frames())


def _open(archive: Archive, outgoing: Outgoing) -> Opened:
    row = outgoing.row
    if outgoing.is_transcoded:
        chunks = iter_transcoded(archive, row, outgoing.transfer_syntax_uid)
        whole_max_bytes = TRANSCODED_WHOLE_MAX_BYTES
    elif row.address.length <= READ_AHEAD_BYTES:
        content = read_whole(archive, row)
        return Opened(outgoing, [memoryview(content)[read_encoding(content)[1] :]])
    else:
        chunks, whole_max_bytes = read_instance(archive, row), READ_AHEAD_BYTES
    pieces = [_without_head(chunks)]
    size_bytes = len(pieces[0])
    for chunk in chunks:
        pieces.append(chunk)
        size_bytes += len(chunk)
        if size_bytes >= whole_max_bytes:
            return Opened(outgoing, pieces, chunks)
    return Opened(outgoing, pieces)


def _without_head(chunks: Iterator[bytes]) -> Buffer:
    """Return the first bytes of the data set, behind the head of the file."""
    content = next(chunks)
    while True:
        try:
            offset = read_encoding(content)[1]
        except InvalidDataset:
            following = next(chunks, b"")
            if not following or len(content) > HEAD_LENGTH_MAX:
                raise
            content += following
        else:
            if offset < len(content):
                return memoryview(content)[offset:]
            content += next(chunks, b"")
            return memoryview(content)[offset:]


async def iter_pieces(runtime: Runtime, opened: Opened) -> AsyncIterator[Buffer]:
    """Yield a data set that is too large for memory, reading on while what was read is sent."""
    executor = runtime.picture_executor if opened.outgoing.is_transcoded else runtime.executor
    batch: Sequence[Buffer] = opened.pieces
    rest = opened.rest
    while batch:
        following = None if rest is None else runtime.loop.run_in_executor(executor, _take, rest)
        try:
            for piece in batch:
                yield piece
        finally:
            if following is not None:
                await asyncio.wait([following])
        batch = [] if following is None else following.result()


def _take(chunks: Iterator[bytes]) -> list[bytes]:
    batch: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        batch.append(chunk)
        size_bytes += len(chunk)
        if size_bytes >= READ_AHEAD_BYTES:
            break
    return batch


class ReadAhead:
    """Instances in their order, each opened before it is asked for; several may ask."""

    def __init__(self, runtime: Runtime, archive: Archive, outgoing: Sequence[Outgoing]) -> None:
        self._runtime = runtime
        self._archive = archive
        self._waiting = deque(outgoing)
        self._opened: deque[Opened] = deque()
        self._reading: asyncio.Future[list[Opened]] | None = None
        self._begin()

    def _begin(self) -> None:
        batch: list[Outgoing] = []
        size_bytes = 0
        while self._waiting and size_bytes < READ_AHEAD_BYTES:
            if self._waiting[0].is_transcoded and batch:
                break
            batch.append(self._waiting.popleft())
            size_bytes += batch[-1].row.address.length
            if batch[-1].is_transcoded:
                break
        executor = self._runtime.picture_executor if batch and batch[0].is_transcoded else self._runtime.executor
        self._reading = self._runtime.loop.run_in_executor(executor, self._open_all, batch) if batch else None

    def _open_all(self, batch: Sequence[Outgoing]) -> list[Opened]:
        return [open_outgoing(self._archive, outgoing) for outgoing in batch]

    async def take(self) -> Opened | None:
        """Return the next instance, or None behind the last."""
        while not self._opened:
            reading = self._reading
            if reading is None:
                return None
            await asyncio.wait([reading])
            if reading is self._reading:  # the first of those who waited; the others find what it found
                self._opened.extend(reading.result())
                self._begin()
        return self._opened.popleft()

    async def close(self) -> None:
        """Wait for what is being read; nobody takes more."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._reading = None
