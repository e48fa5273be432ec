"""Digests of blocks: what an address carries and every read is held against."""

from __future__ import annotations

import xxhash

from isocenter.domain.errors import CorruptInstance
from isocenter.ports.blobs import BLOCK_SIZE_BYTES, Buffer

DIGEST_SIZE_BYTES = 8


def block_digests(payload: Buffer) -> bytes:
    """Return the XXH3-64 digest of each block of a payload, big-endian, one behind the other."""
    digest = xxhash.xxh3_64_digest
    length = len(payload)
    if 0 < length <= BLOCK_SIZE_BYTES:
        return digest(payload)
    view = memoryview(payload)
    return b"".join([digest(view[at : at + BLOCK_SIZE_BYTES]) for at in range(0, length, BLOCK_SIZE_BYTES)])


def digests_of_pieces(pieces: tuple[Buffer, ...]) -> bytes:
    """Return the digests of a payload that lies in pieces."""
    if len(pieces) == 1:
        return block_digests(pieces[0])
    digester = BlockDigester()
    for piece in pieces:
        digester.update(piece)
    return digester.digests()


def digest_of_digests(digests: bytes) -> bytes:
    """Return the 16 bytes that stand for a whole payload in a record's header."""
    return xxhash.xxh3_128_digest(digests)


def are_digests_of(digests: bytes, payload: Buffer, *, length: int) -> bool:
    """Tell whether a length and digests are those of a payload."""
    return len(payload) == length and block_digests(payload) == digests


def require_blocks(blocks: Buffer, digests: bytes, *, first_block: int) -> None:
    """Raise CorruptInstance unless consecutive blocks, whole ones from `first_block` on, match their digests."""
    at = first_block * DIGEST_SIZE_BYTES
    found = block_digests(blocks)
    if found != digests[at : at + len(found)]:
        raise CorruptInstance()


class BlockDigester:
    """Digest a payload that arrives in chunks of any size."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._open = xxhash.xxh3_64()
        self._open_length = 0

    def update(self, chunk: Buffer) -> None:
        """Take the next chunk."""
        view = memoryview(chunk)
        at = 0
        if self._open_length:
            at = min(len(view), BLOCK_SIZE_BYTES - self._open_length)
            self._take_open(view[:at])
        whole = (len(view) - at) // BLOCK_SIZE_BYTES * BLOCK_SIZE_BYTES
        if whole:
            self._done.append(block_digests(view[at : at + whole]))
        if at + whole < len(view):
            self._take_open(view[at + whole :])

    def _take_open(self, part: memoryview) -> None:
        self._open.update(part)
        self._open_length += len(part)
        if self._open_length == BLOCK_SIZE_BYTES:
            self._done.append(self._open.digest())
            self._open.reset()
            self._open_length = 0

    def digests(self) -> bytes:
        """Return the digests of all that was taken."""
        tail = [self._open.digest()] if self._open_length else []
        return b"".join(self._done + tail)
