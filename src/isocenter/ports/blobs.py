"""Where the bytes of instances are kept: checksummed, durable, addressed opaquely.

An address says where a blob lies and how to tell that it is intact; only the store that gave it
can read it. Every read is verified; a mismatch raises CorruptInstance and no wrong byte leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from isocenter.domain.identifiers import InstanceIdentifier

Buffer = bytes | bytearray | memoryview
Payload = Buffer | tuple[Buffer, ...]
"""The bytes of a blob in one piece, or in the pieces in which they came, so that nobody need join them."""

BLOCK_SIZE_BYTES = 64 * 1024
"""One checksum for each such block: a small range is verified without reading a whole instance."""


@dataclass(frozen=True, slots=True)
class BlobAddress:
    """Where a blob lies: container, offset of its first byte there, length, digest of each block (8 bytes each)."""

    container: int
    offset: int
    length: int
    block_digests: bytes


@dataclass(frozen=True, slots=True)
class BlobLabel:
    """What a blob says of itself, so that an index can be rebuilt from blobs alone."""

    identifier: InstanceIdentifier
    transfer_syntax_uid: str
    received_at: float
    """Seconds since the epoch, UTC."""
    source: str
    """The edge it came by, e.g. `stow`, `c-store`, `import`."""
    supersedes: bool = False
    """True where it was accepted as a new version of an instance that was there (replace or keep)."""
    revision_id: str = ""
    """Where set, it counts only from the mark of that revision on: with all of the others, or not at all."""
    replaces: InstanceIdentifier | None = None
    """Whose place it takes, where the identifiers themselves changed."""


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """A blob found by walking the store: its label, its address."""

    label: BlobLabel
    address: BlobAddress

    @property
    def position(self) -> BlobPosition:
        """Return how far its container is filled with it."""
        return BlobPosition(self.address.container, self.address.offset + self.address.length)


@dataclass(frozen=True, slots=True)
class RevisionMark:
    """Found by walking the store: from here on the blobs of a revision that stand before it count."""

    revision_id: str
    position: BlobPosition
    """How far its container is filled with it."""


@dataclass(frozen=True, slots=True)
class BlobPosition:
    """How far a container is filled: bytes up to which every record is committed to the index."""

    container: int
    length: int


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A place where walking the store found no intact record; the walk goes on behind it."""

    container: int
    offset: int
    reason: str
    """What does not fit: `pack header`, `header`, `label`, `payload`."""


def pieces_of(payload: Payload) -> tuple[Buffer, ...]:
    """Return a payload as its pieces."""
    return payload if isinstance(payload, tuple) else (payload,)


def joined(payload: Payload) -> Buffer:
    """Return a payload in one piece."""
    return b"".join(payload) if isinstance(payload, tuple) else payload


class BlobSpool(Protocol):
    """One large blob while it arrives; bytes go to disk, memory stays flat. Not visible until `seal`."""

    def write(self, chunk: Buffer) -> None:
        """Append a chunk."""
        ...

    def view(self) -> memoryview:
        """Return what was written so far as a read-only mapping, for scanning; released by seal or discard."""
        ...

    def seal(self, label: BlobLabel) -> BlobAddress:
        """Make the blob durable and return its address."""
        ...

    def discard(self) -> None:
        """Drop what was written; harmless after `seal` or a second time."""
        ...


class BlobStore(Protocol):
    """Keep blobs."""

    @property
    def is_failed(self) -> bool:
        """Tell whether an I/O error stopped all writing until the store is opened anew."""
        ...

    def append(self, blobs: Sequence[tuple[BlobLabel, Payload]]) -> list[BlobAddress]:
        """Write blobs one behind the other and return when all are durable.

        All or nothing: raises StorageFull or StorageFailed with none of them kept.
        """
        ...

    def mark_revision(self, revision_id: str) -> BlobPosition:
        """Note durably that the blobs of a revision count from now on; return how far its container is filled.

        Raises StorageFull or StorageFailed.
        """
        ...

    def open_spool(self) -> BlobSpool:
        """Begin a large blob."""
        ...

    def read(self, address: BlobAddress, *, start: int = 0, length: int | None = None) -> bytes:
        """Return a range of a blob, verified."""
        ...

    def iter_chunks(
        self, address: BlobAddress, *, start: int = 0, length: int | None = None, chunk_size_bytes: int = 1 << 20
    ) -> Iterator[bytes]:
        """Yield a range of a blob in chunks, each verified before it is yielded."""
        ...

    def view(self, address: BlobAddress) -> AbstractContextManager[memoryview]:
        """Lend the bytes of a blob, read-only, for the length of a block; memory stays flat for a large one.

        Not verified where they are not copied: for those who walk the records, which verifies each, and scan it then.
        """
        ...

    def erase(self, address: BlobAddress) -> None:
        """Destroy a blob's bytes for good; harmless if done before."""
        ...

    def positions(self) -> list[BlobPosition]:
        """Return how far each container is filled, in order of containers."""
        ...

    def position(self, container: int) -> BlobPosition:
        """Return how far one container is filled."""
        ...

    def iter_records(
        self, *, after: BlobPosition | None = None, on_damage: Callable[[DamagedRecord], None] | None = None
    ) -> Iterator[BlobRecord | RevisionMark]:
        """Walk the intact records and marks in the order written, skipping erased and damaged ones.

        `after` leaves out lower containers and what lies before it in its own; `on_damage` learns of each damage.
        """
        ...

    def truncate(self, position: BlobPosition) -> None:
        """Drop what lies behind a position of a container: a torn tail after a crash."""
        ...

    def is_address_of(self, address: BlobAddress, content: Buffer) -> bool:
        """Tell whether these are the bytes that an address was given for, by its digests, whatever is stored there."""
        ...

    def verify(self, address: BlobAddress) -> bool:
        """Tell whether all the bytes of a blob are intact."""
        ...
