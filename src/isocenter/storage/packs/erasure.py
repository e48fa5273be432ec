"""Destroy the bytes of one record for good, so that a crash at any point leaves work that can be done again."""

from __future__ import annotations

import os

from isocenter.ports.blobs import BlobAddress
from isocenter.ports.failpoints import Failpoints
from isocenter.storage.packs.layout import (
    ALIGNMENT_BYTES,
    HEADER_SIZE_MAX_BYTES,
    PACK_HEADER_SIZE_BYTES,
    PREFIX_SIZE_BYTES,
    decode_pack_header,
    encode_tombstone,
    header_size_of,
    nonce_of,
)
from isocenter.storage.packs.volume import Volume, write_all


def erase_record(fd: int, address: BlobAddress, volume: Volume, failpoints: Failpoints) -> None:
    """Give the payload's space back and put a header without identifiers in the place of the record's own.

    The header is found by walking back from the payload; its first 64 bytes say where it starts and how long it is
    even where a crash tore the rest, so that doing this again mends it.
    """
    failpoints.hit("erase.before_punch")
    length = min(address.length, max(0, os.fstat(fd).st_size - address.offset))
    volume.erase_range(fd, address.offset, length)
    failpoints.hit("erase.after_punch")
    start = _find_header(fd, address.offset)
    if start is not None:
        prefix = os.pread(fd, PREFIX_SIZE_BYTES, start)
        nonce = _nonce(fd, prefix)
        size = address.offset - start
        write_all(fd, encode_tombstone(address.length, offset=start, nonce=nonce, header_size=size), start)
    failpoints.hit("erase.after_tombstone")
    os.fdatasync(fd)
    failpoints.hit("erase.after_sync")


def _find_header(fd: int, payload: int) -> int | None:
    start = payload - PREFIX_SIZE_BYTES
    lowest = max(PACK_HEADER_SIZE_BYTES, payload - HEADER_SIZE_MAX_BYTES)
    while start >= lowest:
        if header_size_of(os.pread(fd, PREFIX_SIZE_BYTES, start), offset=start) == payload - start:
            return start
        start -= ALIGNMENT_BYTES
    return None


def _nonce(fd: int, prefix: bytes) -> int:
    header = decode_pack_header(os.pread(fd, PACK_HEADER_SIZE_BYTES, 0))
    return header.nonce if header is not None else nonce_of(prefix) or 0
