"""Blobs in a list."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from isocenter.domain.errors import CorruptInstance, InvalidRequest
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import (
    BLOCK_SIZE_BYTES,
    BlobAddress,
    BlobLabel,
    BlobPosition,
    BlobRecord,
    Buffer,
    DamagedRecord,
    Payload,
    RevisionMark,
    joined,
)
from isocenter.storage.digests import are_digests_of, block_digests, require_blocks

CONTAINER = 1


@dataclass(frozen=True, slots=True)
class _Record:
    label: BlobLabel
    address: BlobAddress
    payload: bytes | None
    """None when erased."""
    is_mark: bool = False


class MemorySpool:
    """One large blob while it arrives."""

    def __init__(self, store: MemoryBlobStore) -> None:
        self._store = store
        self._payload: bytearray | None = bytearray()

    def write(self, chunk: Buffer) -> None:
        """Append a chunk."""
        self._require_open().extend(chunk)

    def view(self) -> memoryview:
        """Return what was written so far."""
        return memoryview(bytes(self._require_open()))

    def seal(self, label: BlobLabel) -> BlobAddress:
        """Keep the blob and return its address."""
        payload = bytes(self._require_open())
        self._payload = None
        return self._store.append([(label, payload)])[0]

    def discard(self) -> None:
        """Drop what was written."""
        self._payload = None

    def _require_open(self) -> bytearray:
        if self._payload is None:
            raise InvalidRequest("The blob was sealed or discarded already.")
        return self._payload


class MemoryBlobStore:
    """Keep blobs in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[_Record] = []

    @property
    def is_failed(self) -> bool:
        """Tell that memory does not fail."""
        return False

    def append(self, blobs: Sequence[tuple[BlobLabel, Payload]]) -> list[BlobAddress]:
        """Keep blobs one behind the other."""
        with self._lock:
            return [self._append(label, bytes(joined(payload))) for label, payload in blobs]

    def _append(self, label: BlobLabel, payload: bytes) -> BlobAddress:
        address = BlobAddress(CONTAINER, self._length(), len(payload), block_digests(payload))
        self._records.append(_Record(label, address, payload))
        return address

    def _length(self) -> int:
        # one more than the bytes, so that empty blobs have places of their own
        return self._records[-1].address.offset + self._records[-1].address.length + 1 if self._records else 1

    def mark_revision(self, revision_id: str) -> BlobPosition:
        """Note that the blobs of a revision count from now on."""
        label = BlobLabel(InstanceIdentifier("", "", ""), "", 0.0, "", revision_id=revision_id)
        with self._lock:
            address = self._append(label, b"")
            self._records[-1] = replace(self._records[-1], is_mark=True)
        return BlobPosition(CONTAINER, address.offset)

    def open_spool(self) -> MemorySpool:
        """Begin a large blob."""
        return MemorySpool(self)

    def read(self, address: BlobAddress, *, start: int = 0, length: int | None = None) -> bytes:
        """Return a range of a blob, verified."""
        payload = self._payload(address)
        require_blocks(payload, address.block_digests, first_block=0)
        start = max(0, start)
        return payload[start:] if length is None else payload[start : start + max(0, length)]

    def _payload(self, address: BlobAddress) -> bytes:
        for record in self._records:
            if record.address.offset == address.offset and record.payload is not None:
                return record.payload
        raise CorruptInstance()

    def iter_chunks(
        self, address: BlobAddress, *, start: int = 0, length: int | None = None, chunk_size_bytes: int = 1 << 20
    ) -> Iterator[bytes]:
        """Yield a range of a blob in chunks."""
        step = max(chunk_size_bytes, BLOCK_SIZE_BYTES)
        whole = self.read(address, start=start, length=length)
        for at in range(0, len(whole), step):
            yield whole[at : at + step]

    @contextmanager
    def view(self, address: BlobAddress) -> Iterator[memoryview]:
        """Lend the bytes of a blob."""
        yield memoryview(self.read(address))

    def erase(self, address: BlobAddress) -> None:
        """Forget a blob's bytes."""
        with self._lock:
            self._records = [
                replace(record, payload=None) if record.address.offset == address.offset else record
                for record in self._records
            ]

    def positions(self) -> list[BlobPosition]:
        """Return how far the one container is filled."""
        return [BlobPosition(CONTAINER, self._end(record)) for record in self._records[-1:]]

    def position(self, container: int) -> BlobPosition:
        """Return how far a container is filled; 0 where there is none."""
        return next((one for one in self.positions() if one.container == container), BlobPosition(container, 0))

    def _end(self, record: _Record) -> int:
        return record.address.offset + record.address.length

    def iter_records(
        self, *, after: BlobPosition | None = None, on_damage: Callable[[DamagedRecord], None] | None = None
    ) -> Iterator[BlobRecord | RevisionMark]:
        """Walk the records in the order written; nothing is ever damaged here."""
        for record in list(self._records):
            if record.payload is None or (after is not None and self._end(record) <= after.length):
                continue
            if record.is_mark:
                yield RevisionMark(record.label.revision_id, BlobPosition(CONTAINER, self._end(record)))
            else:
                yield BlobRecord(record.label, record.address)

    def truncate(self, position: BlobPosition) -> None:
        """Drop what lies behind a position."""
        if position.container == CONTAINER:
            with self._lock:
                self._records = [record for record in self._records if self._end(record) <= position.length]

    def is_address_of(self, address: BlobAddress, content: Buffer) -> bool:
        """Tell whether these are the bytes that an address was given for, by its digests."""
        return are_digests_of(address.block_digests, content, length=address.length)

    def verify(self, address: BlobAddress) -> bool:
        """Tell whether all the bytes of a blob are there."""
        try:
            self.read(address)
        except CorruptInstance:
            return False
        return True

    def close(self) -> None:
        """Do nothing: there is nothing to close."""
