"""Where the elements of a data set lie whole, header and delimiter with them, for those who copy or replace them."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.dicom.model import Encoding
from isocenter.dicom.walk import Buffer, Element, layout

_UNDEFINED = b"\xff\xff\xff\xff"
_SEQUENCE_ENDS = (bytes.fromhex("feffdde0"), bytes.fromhex("fffee0dd"))
_SHORT_HEADER, _LONG_HEADER, _DELIMITER = 8, 12, 8


@dataclass(frozen=True, slots=True)
class WalkedDataset:
    """A data set and where its elements lie."""

    buffer: Buffer
    elements: list[Element]
    """All of them up to the pixel data, in the order of the buffer."""
    start: int
    end: int
    """Where the pixel data begins, or everything ends."""
    encoding: Encoding
    """As it is in truth, whatever the transfer syntax says of VRs."""

    def span(self, element: Element) -> tuple[int, int]:
        """Return where an element, of whatever level, begins and where it ends."""
        return element_start(self.buffer, element, self.encoding), element_end(self.buffer, element)

    def value(self, element: Element) -> bytes:
        """Return the bytes of a value."""
        _, _, offset, length, _ = element
        return bytes(self.buffer[offset : offset + length])


def element_start(buffer: Buffer, element: Element, encoding: Encoding) -> int:
    """Return where the header of an element begins."""
    tag, _, offset, _, _ = element
    order = layout(encoding.is_little_endian)
    raw = order.length.pack(order.raw(tag))
    is_short = bytes(buffer[offset - _SHORT_HEADER : offset - _SHORT_HEADER + 4]) == raw
    return offset - (_SHORT_HEADER if is_short else _LONG_HEADER)


def element_end(buffer: Buffer, element: Element) -> int:
    """Return where an element ends, with the delimiter of one of undefined length."""
    _, _, offset, length, _ = element
    end = offset + length
    is_delimited = bytes(buffer[offset - 4 : offset]) == _UNDEFINED and bytes(buffer[end : end + 4]) in _SEQUENCE_ENDS
    return end + _DELIMITER if is_delimited else end
