"""The items and fields that an A-ASSOCIATE PDU is made of, decoded (PS3.8 9.3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from isocenter.dimse.ul.errors import BeyondLocalLimit, ProtocolViolation
from isocenter.dimse.ul.limits import UID_LENGTH_MAX

_ITEM_HEADER = Struct(">BxH")


class Item(NamedTuple):
    """An item or sub-item."""

    kind: int
    content: bytes


def iter_items(content: bytes, position: int = 0, *, count_max: int) -> Iterator[Item]:
    """Yield the items from a position on.

    Raises ProtocolViolation where one does not fit, BeyondLocalLimit where there are too many.
    """
    length = len(content)
    count = 0
    while position < length:
        if length - position < _ITEM_HEADER.size:
            raise ProtocolViolation("The header of an item does not fit into what it is part of.")
        kind, item_length = _ITEM_HEADER.unpack_from(content, position)
        position += _ITEM_HEADER.size
        if item_length > length - position:
            raise ProtocolViolation("An item is longer than what it is part of.")
        count += 1
        if count > count_max:
            raise BeyondLocalLimit(f"An item or PDU has more than {count_max} items.")
        yield Item(kind, content[position : position + item_length])
        position += item_length


class Fields:
    """The fields of one item, read in order; raises ProtocolViolation where one does not fit."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def rest(self) -> bytes:
        """Return what is not read yet."""
        return self._content[self._position :]

    def take(self, length: int) -> bytes:
        """Read so many bytes."""
        end = self._position + length
        if end > len(self._content):
            raise ProtocolViolation("A field is longer than the item that it is part of.")
        taken = self._content[self._position : end]
        self._position = end
        return taken

    def take_number(self, length: int) -> int:
        """Read a number of so many bytes."""
        return int.from_bytes(self.take(length), "big")

    def take_counted(self) -> bytes:
        """Read bytes behind their length."""
        return self.take(self.take_number(2))

    def take_uid(self) -> str:
        """Read a UID behind its length."""
        return decode_uid(self.take_counted())


def decode_uid(raw: bytes) -> str:
    """Return a UID without the padding that some senders add; raises ProtocolViolation for what cannot be one."""
    bare = raw.rstrip(b" \0")
    if len(bare) > UID_LENGTH_MAX or not bare.isascii():
        raise ProtocolViolation("A UID is too long or no text.")
    return bare.decode("ascii")
