"""The fragments of encapsulated pixel data (PS3.5 A.4), read by their item headers alone."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from struct import Struct

from isocenter.dicom.walk import Buffer
from isocenter.domain.errors import InvalidDataset, LimitExceeded

ITEM_HEADER_LENGTH = 8
FRAGMENTS_MAX = 2_000_000
"""A slide of 500,000 by 500,000 pixels in tiles of 512 has 950,000."""

_HEADER = Struct("<II")
_ITEM = 0xE000FFFE
_SEQUENCE_DELIMITER = 0xE0DDFFFE


@dataclass(frozen=True, slots=True)
class Fragments:
    """The fragments of one value; each follows the one before it behind an item header."""

    offset_table: tuple[int, int]
    """Offset and length of the value of the first item, the basic offset table."""
    start: int
    """Offset of the value of the first fragment."""
    lengths: array[int]
    end: int
    """Offset behind the last fragment."""


def walk_fragments(buffer: Buffer, value_offset: int) -> Fragments:
    """Walk the fragments of an encapsulated value. Raises InvalidDataset where they are cut off."""
    size = len(buffer)
    unpack = _HEADER.unpack_from
    lengths = array("I")
    pos = value_offset
    table: tuple[int, int] | None = None
    for _ in range(FRAGMENTS_MAX + 2):
        # Without the delimiter at its end a value is complete all the same.
        if pos + ITEM_HEADER_LENGTH > size:
            break
        tag, length = unpack(buffer, pos)
        if tag != _ITEM:
            if tag != _SEQUENCE_DELIMITER:
                raise InvalidDataset(f"The pixel data holds something that is not a fragment at offset {pos}.")
            break
        pos += ITEM_HEADER_LENGTH
        if pos + length > size:
            raise InvalidDataset(f"The pixel data is cut off within a fragment at offset {pos}.")
        if table is None:
            table = (pos, length)
        else:
            lengths.append(length)
        pos += length
    else:
        raise LimitExceeded(f"The pixel data has more than {FRAGMENTS_MAX} fragments.")
    if table is None:
        raise InvalidDataset(f"The pixel data has no basic offset table at offset {value_offset}.")
    return Fragments(table, sum(table) + ITEM_HEADER_LENGTH, lengths, pos)
