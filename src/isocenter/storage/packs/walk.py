"""Walk a pack record by record, and find the way again behind damage.

Order at each offset: a header that is intact → its payload is digested → yielded if the digests fit. Where either is
damaged the walk looks for the next intact header at the alignment, from just behind the place where this one began.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from isocenter.ports.blobs import (
    BLOCK_SIZE_BYTES,
    BlobAddress,
    BlobPosition,
    BlobRecord,
    DamagedRecord,
    RevisionMark,
)
from isocenter.storage.digests import block_digests, digest_of_digests
from isocenter.storage.packs.layout import (
    ALIGNMENT_BYTES,
    HEADER_SIZE_MAX_BYTES,
    PACK_HEADER_SIZE_BYTES,
    PREFIX_SIZE_BYTES,
    RECORD_MAGIC,
    RecordHeader,
    RecordKind,
    align,
    decode_label,
    decode_mark,
    decode_pack_header,
    decode_record_header,
    nonce_of,
)

READ_SIZE_BYTES = 16 * BLOCK_SIZE_BYTES
"""A window of 1 MiB keeps memory flat and the number of reads low."""

OnDamage = Callable[[DamagedRecord], None]


def iter_pack(
    fd: int, container: int, *, start: int, length: int, on_damage: OnDamage
) -> Iterator[BlobRecord | RevisionMark]:
    """Yield the intact instances and marks of a pack from an offset on, up to a length."""
    if length <= PACK_HEADER_SIZE_BYTES:  # a crash came before the first record, and maybe before the header
        return
    nonce = _nonce(fd, container, on_damage)
    if nonce is None:
        return
    offset = align(max(start, PACK_HEADER_SIZE_BYTES))
    while offset < length:
        header = decode_record_header(os.pread(fd, HEADER_SIZE_MAX_BYTES, offset), offset=offset, nonce=nonce)
        if header is None:
            offset = _resume(fd, container, offset, length, nonce, on_damage, "header")
            continue
        payload = offset + header.header_size
        if header.kind is RecordKind.INSTANCE:
            record, reason = _read_record(fd, container, payload, header)
            if record is None:
                offset = _resume(fd, container, offset, length, nonce, on_damage, reason)
                continue
            yield record
        elif header.kind is RecordKind.MARK:
            yield RevisionMark(decode_mark(header.label), BlobPosition(container, payload))
        offset = align(payload + header.payload_length)


def has_intact_header(fd: int, address: BlobAddress) -> bool:
    """Tell whether the header before a payload is whole and speaks of that payload.

    Without it a walk does not find the instance. The pack's own header counts with that of its first record.
    """
    lowest = max(PACK_HEADER_SIZE_BYTES, address.offset - HEADER_SIZE_MAX_BYTES)
    before = os.pread(fd, address.offset - lowest, lowest)
    pack_header = decode_pack_header(os.pread(fd, PACK_HEADER_SIZE_BYTES, 0))
    at = before.rfind(RECORD_MAGIC)
    while at >= 0:
        nonce = pack_header.nonce if pack_header is not None else nonce_of(before[at:])
        header = decode_record_header(before[at:], offset=lowest + at, nonce=nonce or 0)
        if header is not None and at + header.header_size == len(before):
            is_pack_known = pack_header is not None or lowest + at > PACK_HEADER_SIZE_BYTES
            return is_pack_known and _speaks_of(header, address)
        at = before.rfind(RECORD_MAGIC, 0, at)
    return False


def _speaks_of(header: RecordHeader, address: BlobAddress) -> bool:
    return (
        header.kind is RecordKind.INSTANCE
        and header.payload_length == address.length
        and header.payload_digest == digest_of_digests(address.block_digests)
    )


def _nonce(fd: int, container: int, on_damage: OnDamage) -> int | None:
    head = os.pread(fd, PACK_HEADER_SIZE_BYTES + PREFIX_SIZE_BYTES, 0)
    header = decode_pack_header(head[:PACK_HEADER_SIZE_BYTES])
    if header is not None:
        return header.nonce
    on_damage(DamagedRecord(container, 0, "pack header"))
    return nonce_of(head[PACK_HEADER_SIZE_BYTES:])


def _read_record(fd: int, container: int, payload: int, header: RecordHeader) -> tuple[BlobRecord | None, str]:
    digests = _digests(fd, payload, header.payload_length)
    if digests is None or digest_of_digests(digests) != header.payload_digest:
        return None, "payload"
    label = decode_label(header.label)
    if label is None:
        return None, "label"
    return BlobRecord(label, BlobAddress(container, payload, header.payload_length, digests)), ""


def _digests(fd: int, offset: int, length: int) -> bytes | None:
    digests: list[bytes] = []
    end = offset + length
    while offset < end:
        chunk = os.pread(fd, min(READ_SIZE_BYTES, end - offset), offset)
        if len(chunk) < min(READ_SIZE_BYTES, end - offset):
            return None
        digests.append(block_digests(chunk))
        offset += len(chunk)
    return b"".join(digests)


def _resume(fd: int, container: int, offset: int, length: int, nonce: int, on_damage: OnDamage, reason: str) -> int:
    on_damage(DamagedRecord(container, offset, reason))
    at = offset + ALIGNMENT_BYTES
    while at < length:
        window = os.pread(fd, min(READ_SIZE_BYTES, length - at), at)
        if not window:
            break
        for candidate in _candidates(window):
            head = os.pread(fd, HEADER_SIZE_MAX_BYTES, at + candidate)
            if decode_record_header(head, offset=at + candidate, nonce=nonce) is not None:
                return at + candidate
        at += READ_SIZE_BYTES
    return length


def _candidates(window: bytes) -> Iterator[int]:
    at = window.find(RECORD_MAGIC)
    while at >= 0:
        if at % ALIGNMENT_BYTES == 0:
            yield at
        at = window.find(RECORD_MAGIC, at + 1)
