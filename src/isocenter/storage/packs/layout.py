"""The bytes of a pack: file header, record header, label (docs/reference/pack-format.md).

Every number is little-endian. A record header is checked by XXH3-64 seeded with the pack's nonce, which nobody
outside knows: bytes inside a payload can never pass for a record when a walk looks for the next one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson
import xxhash

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobLabel

PACK_MAGIC = b"\xb1ISOPACK"
RECORD_MAGIC = b"\xb1ISOREC\n"
"""0xB1 followed by ASCII is not UTF-8, so that no label contains it."""
FORMAT_VERSION = 1
ALIGNMENT_BYTES = 64
PACK_HEADER_SIZE_BYTES = 64
PREFIX_SIZE_BYTES = 64
HEADER_SIZE_MAX_BYTES = 4096 - PACK_HEADER_SIZE_BYTES
"""A spool's record header fills its pack to the first page, so that the payload can be mapped; no header is longer."""
CONTAINER_MAX = 99_999_999
"""Eight digits in the file name."""

_PACK_HEADER = struct.Struct("<8sIIQH30xQ")
_PREFIX = struct.Struct("<8sQIHHQQ16sQ")
_CHECKED_FROM = 16
_NO_DIGEST = bytes(16)
_KINDS = frozenset({1, 2, 3})


class PackKind(IntEnum):
    """What a pack holds."""

    LOG = 1
    """Many records, appended to until it is full."""
    SINGLE = 2
    """One large blob that came through a spool."""


class RecordKind(IntEnum):
    """What a record is."""

    INSTANCE = 1
    ERASED = 2
    MARK = 3
    """Says that the instances of a revision which stand before it count; its payload is empty."""


@dataclass(frozen=True, slots=True)
class PackHeader:
    """The first bytes of a pack."""

    container: int
    nonce: int
    kind: PackKind


@dataclass(frozen=True, slots=True)
class RecordHeader:
    """The bytes before a payload."""

    kind: RecordKind
    header_size: int
    payload_length: int
    payload_digest: bytes
    label: bytes


def align(offset: int) -> int:
    """Return the next offset at which a record may start."""
    return -(-offset // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def encode_pack_header(header: PackHeader) -> bytes:
    """Return the first bytes of a pack."""
    bare = _PACK_HEADER.pack(PACK_MAGIC, FORMAT_VERSION, header.container, header.nonce, header.kind, 0)[:-8]
    return bare + struct.pack("<Q", xxhash.xxh3_64_intdigest(bare))


def decode_pack_header(data: bytes) -> PackHeader | None:
    """Return the header of a pack; None where it is damaged or of another version."""
    if len(data) < PACK_HEADER_SIZE_BYTES:
        return None
    magic, version, container, nonce, kind, check = _PACK_HEADER.unpack_from(data)
    if magic != PACK_MAGIC or version != FORMAT_VERSION or kind not in (PackKind.LOG, PackKind.SINGLE):
        return None
    if check != xxhash.xxh3_64_intdigest(data[: PACK_HEADER_SIZE_BYTES - 8]):
        return None
    return PackHeader(container, nonce, PackKind(kind))


def encode_record_header(
    label: bytes, payload_length: int, payload_digest: bytes, *, offset: int, nonce: int, header_size: int = 0
) -> bytes:
    """Return the header of an instance; `header_size` fixes its length, else it is as short as alignment allows."""
    size = header_size or align(PREFIX_SIZE_BYTES + len(label))
    if size > HEADER_SIZE_MAX_BYTES or PREFIX_SIZE_BYTES + len(label) > size:
        raise InvalidRequest("The identifiers of the instance are too long to be kept.")
    return _encode(RecordKind.INSTANCE, label, payload_length, payload_digest, offset, nonce, size)


def encode_tombstone(payload_length: int, *, offset: int, nonce: int, header_size: int) -> bytes:
    """Return the header that takes the place of an erased instance's, of the same length and without identifiers."""
    return _encode(RecordKind.ERASED, b"", payload_length, _NO_DIGEST, offset, nonce, header_size)


def encode_mark(revision_id: str, *, offset: int, nonce: int) -> bytes:
    """Return the whole record that marks a revision."""
    label = orjson.dumps({"revision_id": revision_id})
    size = align(PREFIX_SIZE_BYTES + len(label))
    return _encode(RecordKind.MARK, label, 0, _NO_DIGEST, offset, nonce, size)


def decode_mark(label: bytes) -> str:
    """Return which revision a mark names; empty where it names none."""
    try:
        return str(orjson.loads(label)["revision_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _encode(
    kind: RecordKind, label: bytes, payload_length: int, payload_digest: bytes, offset: int, nonce: int, size: int
) -> bytes:
    fixed = _PREFIX.pack(RECORD_MAGIC, 0, size, kind, len(label), offset, payload_length, payload_digest, nonce)
    checked = (fixed[_CHECKED_FROM:] + label).ljust(size - _CHECKED_FROM, b"\0")
    return RECORD_MAGIC + struct.pack("<Q", xxhash.xxh3_64_intdigest(checked, nonce)) + checked


def decode_record_header(data: bytes, *, offset: int, nonce: int) -> RecordHeader | None:
    """Return the header at the start of some bytes; None unless it is whole, intact and meant for this offset."""
    if len(data) < PREFIX_SIZE_BYTES or not data.startswith(RECORD_MAGIC):
        return None
    _, check, size, kind, label_size, own_offset, length, digest, _ = _PREFIX.unpack_from(data)
    if not PREFIX_SIZE_BYTES + label_size <= size <= min(HEADER_SIZE_MAX_BYTES, len(data)) or own_offset != offset:
        return None
    if check != xxhash.xxh3_64_intdigest(data[_CHECKED_FROM:size], nonce) or kind not in _KINDS:
        return None
    return RecordHeader(
        RecordKind(kind), size, length, digest, data[PREFIX_SIZE_BYTES : PREFIX_SIZE_BYTES + label_size]
    )


def header_size_of(prefix: bytes, *, offset: int) -> int:
    """Return the length that a header claims, intact or not; 0 where no header starts there."""
    if len(prefix) < PREFIX_SIZE_BYTES or not prefix.startswith(RECORD_MAGIC):
        return 0
    _, _, size, _, _, own_offset, _, _, _ = _PREFIX.unpack_from(prefix)
    return int(size) if own_offset == offset and size <= HEADER_SIZE_MAX_BYTES else 0


def nonce_of(prefix: bytes) -> int | None:
    """Return the copy of the pack's nonce in a record header, for a pack whose own header is damaged."""
    if len(prefix) < PREFIX_SIZE_BYTES or not prefix.startswith(RECORD_MAGIC):
        return None
    nonce: int = _PREFIX.unpack_from(prefix)[8]
    return nonce


def encode_label(label: BlobLabel) -> bytes:
    """Return a label as JSON."""
    identifier = label.identifier
    fields: dict[str, object] = {
        "partition_name": identifier.partition_name,
        "study_instance_uid": identifier.study_instance_uid,
        "series_instance_uid": identifier.series_instance_uid,
        "sop_instance_uid": identifier.sop_instance_uid,
        "transfer_syntax_uid": label.transfer_syntax_uid,
        "received_at": label.received_at,
        "source": label.source,
        "supersedes": label.supersedes,
    }
    if label.revision_id:
        fields["revision_id"] = label.revision_id
    if label.replaces is not None:
        replaced = label.replaces
        fields["replaces"] = [replaced.study_instance_uid, replaced.series_instance_uid, replaced.sop_instance_uid]
    return orjson.dumps(fields)


def decode_label(data: bytes) -> BlobLabel | None:
    """Return the label that JSON holds; None where it is not one."""
    try:
        fields = orjson.loads(data)
        return BlobLabel(
            InstanceIdentifier(
                study_instance_uid=str(fields["study_instance_uid"]),
                series_instance_uid=str(fields["series_instance_uid"]),
                sop_instance_uid=str(fields["sop_instance_uid"]),
                partition_name=str(fields["partition_name"]),
            ),
            transfer_syntax_uid=str(fields["transfer_syntax_uid"]),
            received_at=float(fields["received_at"]),
            source=str(fields["source"]),
            supersedes=bool(fields["supersedes"]),
            revision_id=str(fields.get("revision_id", "")),
            replaces=_replaced(fields),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _replaced(fields: dict[str, Any]) -> InstanceIdentifier | None:
    if "replaces" not in fields:
        return None
    study, series, instance = fields["replaces"]
    return InstanceIdentifier(str(study), str(series), str(instance), str(fields["partition_name"]))
