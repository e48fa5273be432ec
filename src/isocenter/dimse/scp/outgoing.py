"""Stored instances on their way out: in which syntax each is sent, and its data set, read ahead of the wire.

An instance goes as it is stored wherever the receiver takes that transfer syntax; else it is transcoded without loss
to one that it takes. Threads read a few megabytes at a time, so that one trip brings many small instances, and the wire
never waits for the disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_instance, read_whole
from isocenter.archive.select import select_instances
from isocenter.archive.transcode import check_target, iter_transcoded
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicom.transcode import JPEG_2000_LOSSLESS
from isocenter.dimse.scp.supply import READ_AHEAD_BYTES, ContextKey, Flow, Opened, Outgoing
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.errors import InvalidDataset, IsocenterError, NotAcceptable
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.principal import Principal
from isocenter.domain.selection import Selection
from isocenter.ports.index import InstanceRow

HEAD_LENGTH_MAX = 2 * 1024**2
"""File meta information is no longer; what of an instance must be there before its data set can begin."""
TRANSCODED_WHOLE_MAX_BYTES = 64 * 1024**2
"""Up to this size a frame that cannot be decoded costs one sub-operation; beyond it, it costs the association."""
TARGETS = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, JPEG_2000_LOSSLESS)
"""What is transcoded to, the best first."""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance of the archive (`Sendable`)."""

    archive: Archive
    row: InstanceRow

    @property
    def identifier(self) -> InstanceIdentifier:
        """Return which instance it is."""
        return self.row.identifier

    @property
    def sop_class_uid(self) -> str:
        """Return its SOP class."""
        return self.row.sop_class_uid

    @property
    def transfer_syntax_uids(self) -> tuple[str, ...]:
        """Return the transfer syntax that it is stored in."""
        return (self.row.transfer_syntax_uid,)

    def syntax_for(self, accepted: Collection[ContextKey]) -> str | None:
        """Return the transfer syntax to send it in, or None where the receiver takes nothing that we can make of it."""
        row = self.row
        if (row.sop_class_uid, row.transfer_syntax_uid) in accepted:
            return row.transfer_syntax_uid
        targets = (target for target in TARGETS if (row.sop_class_uid, target) in accepted)
        return next((target for target in targets if self._can_become(target)), None)

    def _can_become(self, target: str) -> bool:
        try:
            check_target(self.archive, self.row, target)
        except NotAcceptable:
            return False
        return True


class ArchiveSupply:
    """The node's archive (`Supply`)."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def select(self, principal: Principal, selection: Selection, *, count_max: int) -> list[StoredInstance]:
        """Return the instances that are named; raises TooLarge, Unavailable, Forbidden."""
        rows = select_instances(self._archive, principal, selection, count_max=count_max)
        return [StoredInstance(self._archive, row) for row in rows]

    def begin(self, runtime: Runtime, outgoing: Sequence[Outgoing], *, accepted: Collection[ContextKey]) -> Flow:
        """Begin to read instances."""
        return ReadAhead(runtime, outgoing)


def open_outgoing(outgoing: Outgoing) -> Opened:
    """Read the beginning of an instance's data set, all of it where that is not much; waits for the disk."""
    try:
        opened = _open(outgoing)
    except IsocenterError as error:
        return Opened(outgoing, error=error.without_frames())
    return replace(opened, open_again=lambda: open_outgoing(outgoing))


def _open(outgoing: Outgoing) -> Opened:
    archive, row = _stored(outgoing).archive, _stored(outgoing).row
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


def _stored(outgoing: Outgoing) -> StoredInstance:
    assert isinstance(outgoing.instance, StoredInstance), "a supply is given what it selected"
    return outgoing.instance


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


class ReadAhead:
    """Stored instances in their order (`Flow`)."""

    def __init__(self, runtime: Runtime, outgoing: Sequence[Outgoing]) -> None:
        self._runtime = runtime
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
            size_bytes += _stored(batch[-1]).row.address.length
            if batch[-1].is_transcoded:
                break
        executor = self._runtime.picture_executor if batch and batch[0].is_transcoded else self._runtime.executor
        self._reading = self._runtime.loop.run_in_executor(executor, _open_all, batch) if batch else None

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


def _open_all(batch: Sequence[Outgoing]) -> list[Opened]:
    return [open_outgoing(outgoing) for outgoing in batch]
