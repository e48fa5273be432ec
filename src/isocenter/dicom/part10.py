"""The beginning of a DICOM file (PS3.10 7.1): preamble, prefix, file meta information, and a data set behind it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from isocenter.dicom.model import Encoding
from isocenter.dicom.syntax import transfer_syntax
from isocenter.dicom.walk import Buffer
from isocenter.domain.errors import InvalidDataset, LimitExceeded

PREAMBLE_LENGTH = 128
META_OFFSET = PREAMBLE_LENGTH + 4
META_LENGTH_MAX = 1 << 20
"""File meta information is some 200 bytes; only private information (0002,0102) could be long."""
UID_LENGTH_MAX = 64
"""PS3.5 9.1; what is longer is no transfer syntax that anybody knows."""
META_ELEMENTS_MAX = 64
"""The standard defines 14."""
INFLATED_SIZE_MAX_BYTES = 512 << 20
"""The largest data set that is inflated: it has to be held in memory."""
INFLATED_FREE_BYTES = 64 << 20
INFLATED_RATIO_MAX = 200
"""Beyond `INFLATED_FREE_BYTES` a data set may not be this many times its deflated size; a bomb reaches 1,000."""
INFLATED_UNMEASURED_BYTES = 16 << 20
"""Beyond it a data set is inflated to its end once, and nothing kept, to see that it is no bomb; twice the time, for
the few that are so large, and a bomb costs no more memory than this."""

_BOMB = "The deflated data set expands beyond the limit."
_TRANSFER_SYNTAX = 0x0010
_INFLATE_CHUNK_BYTES = 64 << 10
_INFLATE_STEP_BYTES = 1 << 20

_HEADER = Struct("<HH2sH")
_LENGTH = Struct("<I")
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file whose data set is ready to be walked."""

    buffer: Buffer
    """What came in; where deflated, its beginning with the inflated data set behind."""
    encoding: Encoding
    dataset_offset: int
    size_bytes: int
    """The length of what came in."""


def open_file(buffer: Buffer) -> OpenedFile:
    """Return the data set of a file, inflated if need be. Raises InvalidDataset."""
    encoding, offset = read_encoding(buffer)
    size_bytes = len(buffer)
    if encoding.is_deflated:
        buffer = inflate_file(buffer, offset)
    return OpenedFile(buffer, encoding, offset, size_bytes)


def read_encoding(buffer: Buffer) -> tuple[Encoding, int]:
    """Return how the data set of a file is encoded and where it begins, from the file meta information."""
    if bytes(buffer[PREAMBLE_LENGTH:META_OFFSET]) != b"DICM":
        raise InvalidDataset(
            "The bytes do not begin with a preamble, the prefix DICM and file meta information (PS3.10 7.1)."
        )
    size = len(buffer)
    unpack = _HEADER.unpack_from
    pos, transfer_syntax_uid = META_OFFSET, ""
    for _ in range(META_ELEMENTS_MAX):
        if pos + 8 > size:
            break
        group, element, vr, length = unpack(buffer, pos)
        if group != 2:
            break
        value = pos + 8
        if vr in _LONG_VRS:
            if pos + 12 > size:
                raise _bad_meta(element, pos)
            length = _LENGTH.unpack_from(buffer, pos + 8)[0]
            value = pos + 12
        elif not vr.isalpha():
            length = _LENGTH.unpack_from(buffer, pos + 4)[0]
        if value + length > size or value + length > META_OFFSET + META_LENGTH_MAX:
            raise _bad_meta(element, pos)
        if element == _TRANSFER_SYNTAX:
            transfer_syntax_uid = bytes(buffer[value : value + length]).decode("latin-1").strip(" \0")[:UID_LENGTH_MAX]
        pos = value + length
    else:
        raise LimitExceeded(f"The file meta information has more than {META_ELEMENTS_MAX} elements.")
    if not transfer_syntax_uid:
        raise InvalidDataset("The file meta information names no transfer syntax (0002,0010).")
    return encoding_of(transfer_syntax_uid), pos


@lru_cache(maxsize=128)
def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Return how a data set in a transfer syntax is encoded."""
    syntax = transfer_syntax(transfer_syntax_uid)
    return Encoding(
        transfer_syntax_uid,
        is_implicit_vr=syntax.is_implicit_vr,
        is_little_endian=syntax.is_little_endian,
        is_deflated=syntax.is_deflated,
        is_encapsulated=syntax.is_encapsulated,
    )


def _bad_meta(element: int, pos: int) -> InvalidDataset:
    return InvalidDataset(f"The file meta information is cut off or too long at (0002,{element:04x}), offset {pos}.")


def inflate_file(buffer: Buffer, dataset_offset: int, *, size_max_bytes: int = INFLATED_SIZE_MAX_BYTES) -> bytes:
    """Return a file with its data set inflated; offsets of the scanner count in what this returns.

    Raises LimitExceeded before more than the limits are held in memory.
    """
    deflated_size = len(buffer) - dataset_offset
    size_max = min(size_max_bytes, max(INFLATED_FREE_BYTES, INFLATED_RATIO_MAX * deflated_size))
    out = bytearray(buffer[:dataset_offset])
    is_measured = False
    for piece in _iter_inflated(buffer, dataset_offset):
        out += piece
        size = len(out) - dataset_offset
        if size > INFLATED_UNMEASURED_BYTES and not is_measured:
            _require_size(buffer, dataset_offset, size_max)
            is_measured = True
        if size > size_max:
            raise LimitExceeded(_BOMB)
    return bytes(out)


def _require_size(buffer: Buffer, dataset_offset: int, size_max: int) -> None:
    """Raise LimitExceeded where a data set would become longer, without keeping any of it."""
    size = 0
    for piece in _iter_inflated(buffer, dataset_offset):
        size += len(piece)
        if size > size_max:
            raise LimitExceeded(_BOMB)


def _iter_inflated(buffer: Buffer, dataset_offset: int) -> Iterator[bytes]:
    """Yield a data set as it is inflated, a megabyte at a time; raises InvalidDataset."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for start in range(dataset_offset, len(buffer), _INFLATE_CHUNK_BYTES):
            pending = bytes(buffer[start : start + _INFLATE_CHUNK_BYTES])
            while pending and not inflater.eof:
                yield inflater.decompress(pending, _INFLATE_STEP_BYTES)
                pending = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise InvalidDataset("The deflated data set cannot be inflated.") from error
    if not inflater.eof:
        raise InvalidDataset("The deflated data set is cut off.")
