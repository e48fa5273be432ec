"""Walk the headers of the elements of a data set: the one place that knows how an element is laid out (PS3.5 7).

Values are never read, nor pixel data touched, so the buffer may be a mapping of any size. Nothing recurses deeper than
`DEPTH_MAX` and no more than `ELEMENTS_MAX` elements are visited, whatever the bytes say.

Tags are compared as they lie in the buffer, read as one integer of the data set's byte order ("raw"): the hot loops
then unpack three integers and look two of them up, and only elements that somebody wants cost more.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from mmap import mmap
from operator import length_hint

from isocenter.dicom.dictionary import sequence_tags
from isocenter.dicom.model import UNDEFINED_LENGTH, Encoding, PixelElement
from isocenter.domain.errors import InvalidDataset, LimitExceeded

Buffer = bytes | bytearray | memoryview | mmap

DEPTH_MAX = 64
"""Sequences within sequences; the deepest of the standard (structured reports) stay below 20."""
ELEMENTS_MAX = 1_000_000
"""An enhanced multi-frame instance of 4,000 frames has some 400,000."""

PADDING_MAX = 1 << 20
"""Zeros behind the last element that are taken for padding; a sector, or a tape block, is far less."""
HEADER_LENGTH = 8
"""Bytes of the shortest element header, and of an item's."""
_GROUP_GAP_MAX = 0x4000
"""Two neighbouring elements farther apart than this are taken for misread bytes."""

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009
PIXEL_TAGS = frozenset({PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA})

ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD

SHORT_VRS = ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM",
             "UI", "UL", "US")  # fmt: skip
LONG_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
_IMPLICIT_PIXEL_VRS = {PIXEL_DATA: "OW", FLOAT_PIXEL_DATA: "OF", DOUBLE_FLOAT_PIXEL_DATA: "OD"}
_FRAGMENT_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})

Element = tuple[int, "str | None", int, int, "list[list[Element]] | None"]
"""Tag, VR (None where the encoding has none), offset and length of the value, data sets of the items of a sequence.

A plain tuple, because thousands are made per header. The length of a value of undefined length is that of its bytes
without the delimiter.
"""
Items = list[list[Element]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The numbers of one byte order: how headers are unpacked, and what raw tags and VRs look like."""

    is_little_endian: bool
    explicit: struct.Struct
    implicit: struct.Struct
    length: struct.Struct
    short_vrs: Mapping[int, str]
    long_vrs: Mapping[int, str]
    sequence_vr: int
    pixel_tags: frozenset[int]
    item: int
    item_delimiter: int
    sequence_delimiter: int
    implicit_special: frozenset[int]
    """Raw tags that an implicit VR data set must look at: sequences, delimiters, pixel data, zero."""

    def raw(self, tag: int) -> int:
        """Return how a tag reads as one integer of this byte order; the function is its own inverse."""
        return _raw(tag, self.is_little_endian)


def _raw(tag: int, is_little_endian: bool) -> int:
    return (tag & 0xFFFF) << 16 | tag >> 16 if is_little_endian else tag


def _codes(vrs: tuple[str, ...], is_little_endian: bool) -> dict[int, str]:
    return {int.from_bytes(vr.encode(), "little" if is_little_endian else "big"): vr for vr in vrs}


@lru_cache(maxsize=2)
def layout(is_little_endian: bool) -> Layout:
    """Return the layout of a byte order."""
    order = "<" if is_little_endian else ">"
    special = sequence_tags() | PIXEL_TAGS | {0, ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER}
    return Layout(
        is_little_endian=is_little_endian,
        explicit=struct.Struct(order + "IHH"),
        implicit=struct.Struct(order + "II"),
        length=struct.Struct(order + "I"),
        short_vrs=_codes(SHORT_VRS, is_little_endian),
        long_vrs=_codes(LONG_VRS, is_little_endian),
        sequence_vr=next(iter(_codes(("SQ",), is_little_endian))),
        pixel_tags=frozenset(_raw(tag, is_little_endian) for tag in PIXEL_TAGS),
        item=_raw(ITEM, is_little_endian),
        item_delimiter=_raw(ITEM_DELIMITER, is_little_endian),
        sequence_delimiter=_raw(SEQUENCE_DELIMITER, is_little_endian),
        implicit_special=frozenset(_raw(tag, is_little_endian) for tag in special),
    )


@dataclass(frozen=True, slots=True)
class Walked:
    """What one walk over a data set found."""

    elements: list[Element]
    """The top-level elements that were asked for, in the order of the buffer."""
    pixel_element: PixelElement | None
    end: int
    """Offset of the pixel element, else of the end of the data set."""
    number_of_elements: int


_NONE_WANTED: frozenset[int] = frozenset()


def walk_dataset(
    buffer: Buffer, start: int, end: int, *, encoding: Encoding, wanted: frozenset[int] | None = None
) -> Walked:
    """Walk a data set up to its pixel data and return the wanted top-level elements; all of them for None.

    Everything nested in a wanted sequence comes with it. Raises InvalidDataset for bytes that are no data set.
    """
    order = layout(encoding.is_little_endian)
    walker = _Walker(buffer)
    interesting = _NONE_WANTED if wanted is None else _raw_tags(wanted, encoding.is_little_endian)
    out: list[Element] = []
    is_implicit = _is_implicit(buffer, start, end, order, assumed=encoding.is_implicit_vr)
    walk = walker.implicit if is_implicit else walker.explicit
    stop = walk(order, start, end, 0, out, wanted is None, interesting, False)
    return Walked(out, walker.pixel_element, stop, walker.count())


@lru_cache(maxsize=64)
def _raw_tags(tags: frozenset[int], is_little_endian: bool) -> frozenset[int]:
    order = layout(is_little_endian)
    return frozenset(order.raw(tag) for tag in tags) | order.pixel_tags


def _is_implicit(buffer: Buffer, start: int, end: int, order: Layout, *, assumed: bool) -> bool:
    """Tell whether a data set has no VRs, which its first element shows where the transfer syntax lies."""
    if end - start < HEADER_LENGTH:
        return assumed
    _, code, _ = order.explicit.unpack_from(buffer, start)
    has_vr = code in order.short_vrs or code in order.long_vrs
    if not assumed:
        letters = bytes(buffer[start + 4 : start + 6])
        return (
            not has_vr and not (letters.isalpha() and letters.isupper()) and _fits_implicit(buffer, start, end, order)
        )
    return not (has_vr and not _fits_implicit(buffer, start, end, order))


def _fits_implicit(buffer: Buffer, start: int, end: int, order: Layout) -> bool:
    length = order.implicit.unpack_from(buffer, start)[1]
    return bool(length == UNDEFINED_LENGTH or start + HEADER_LENGTH + length <= end)


class _Walker:
    """One walk: the buffer, what is left of the limit, what was found."""

    __slots__ = ("buffer", "closings", "pixel_element", "ticks")

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self.ticks = iter(range(ELEMENTS_MAX))
        """Shared by the loops of all levels: each turn takes one, so that the limit costs nothing to keep."""
        self.closings = 0
        self.pixel_element: PixelElement | None = None

    def count(self) -> int:
        """Return how many elements and items were visited."""
        return ELEMENTS_MAX - length_hint(self.ticks) - self.closings

    def explicit(
        self,
        order: Layout,
        pos: int,
        end: int,
        depth: int,
        out: list[Element],
        take_all: bool,
        interesting: frozenset[int],
        is_delimited: bool,
    ) -> int:
        """Walk a data set in explicit VR from `pos`; return where it ended."""
        buffer = self.buffer
        unpack, unpack_length = order.explicit.unpack_from, order.length.unpack_from
        short_vrs, long_vrs, sequence_vr = order.short_vrs, order.long_vrs, order.sequence_vr
        last = end - HEADER_LENGTH
        for _ in self.ticks:
            if pos > last:
                self.closings += 1
                return self._close(pos, end, depth, is_delimited)
            raw, code, length = unpack(buffer, pos)
            if code in short_vrs:
                value = pos + 8
                vr: str | None = short_vrs[code]
            elif code in long_vrs:
                if pos + 12 > end:
                    raise _cut_header(order.raw(raw), pos)
                length = unpack_length(buffer, pos + 8)[0]
                value = pos + 12
                vr = long_vrs[code]
            else:
                if raw == order.item_delimiter or raw == order.sequence_delimiter:
                    if is_delimited:
                        return pos + 8 if raw == order.item_delimiter else pos
                    pos += 8
                    continue
                if raw == 0 and depth == 0 and self._is_padding(pos, end):
                    return end
                vr, value, length = self._unknown_vr(order, pos, end)
            after = value + length
            if code == sequence_vr or length == UNDEFINED_LENGTH:
                if depth == 0 and raw in order.pixel_tags:
                    return self._stop(order.raw(raw), vr, pos, value, length, end)
                taken = take_all or raw in interesting
                items, value_end, after = self._nested(order, order.raw(raw), vr, value, length, end, depth, taken)
                if taken:
                    out.append((order.raw(raw), vr, value, value_end - value, items))
            elif after > end:
                if depth == 0 and raw in order.pixel_tags:
                    return self._stop(order.raw(raw), vr, pos, value, length, end)
                raise _overrun(order.raw(raw), pos)
            elif take_all or raw in interesting:
                if depth == 0 and raw in order.pixel_tags:
                    return self._stop(order.raw(raw), vr, pos, value, length, end)
                out.append((order.raw(raw), vr, value, length, None))
            pos = after
        raise LimitExceeded(f"The data set has more than {ELEMENTS_MAX} elements.")

    def implicit(
        self,
        order: Layout,
        pos: int,
        end: int,
        depth: int,
        out: list[Element],
        take_all: bool,
        interesting: frozenset[int],
        is_delimited: bool,
    ) -> int:
        """Walk a data set in implicit VR from `pos`; return where it ended."""
        buffer = self.buffer
        unpack, special = order.implicit.unpack_from, order.implicit_special
        last = end - HEADER_LENGTH
        for _ in self.ticks:
            if pos > last:
                self.closings += 1
                return self._close(pos, end, depth, is_delimited)
            raw, length = unpack(buffer, pos)
            after = pos + 8 + length
            items = None
            value_length = length
            if raw in special or after > end or length == UNDEFINED_LENGTH:
                if raw == order.item_delimiter or raw == order.sequence_delimiter:
                    if is_delimited:
                        return pos + 8 if raw == order.item_delimiter else pos
                    pos += 8
                    continue
                if depth == 0:
                    if raw in order.pixel_tags:
                        return self._stop(order.raw(raw), None, pos, pos + 8, length, end)
                    if raw == 0 and self._is_padding(pos, end):
                        return end
                if length == UNDEFINED_LENGTH or (raw in special and raw not in order.pixel_tags and raw):
                    taken = take_all or raw in interesting
                    items, value_end, after = self._nested(
                        order, order.raw(raw), None, pos + 8, length, end, depth, taken
                    )
                    value_length = value_end - pos - 8
                elif after > end:
                    raise _overrun(order.raw(raw), pos)
            if take_all or raw in interesting:
                out.append((order.raw(raw), None, pos + 8, value_length, items))
            pos = after
        raise LimitExceeded(f"The data set has more than {ELEMENTS_MAX} elements.")

    def _nested(
        self, order: Layout, tag: int, vr: str | None, pos: int, length: int, end: int, depth: int, taken: bool
    ) -> tuple[Items | None, int, int]:
        """Walk a sequence, or fragments; return its items, where its value and where its element ends."""
        if vr in _FRAGMENT_VRS or tag in PIXEL_TAGS:
            return None, *self._fragments(order, tag, pos, end)
        if depth >= DEPTH_MAX:
            raise LimitExceeded(f"Sequences are nested deeper than {DEPTH_MAX} levels at {_place(tag, pos)}.")
        if vr == "UN":
            order = layout(True)
        is_undefined = length == UNDEFINED_LENGTH
        limit = end if is_undefined else pos + length
        if limit > end:
            raise _overrun(tag, pos)
        items: Items = []
        is_implicit = vr is None or vr == "UN"
        for _ in self.ticks:
            if limit - pos < HEADER_LENGTH:
                self.closings += 1
                if is_undefined or pos != limit:
                    raise InvalidDataset(f"A sequence is cut off at {_place(tag, pos)}.")
                return items, pos, pos
            raw, item_length = order.implicit.unpack_from(self.buffer, pos)
            pos += HEADER_LENGTH
            if raw == order.item:
                item: list[Element] = []
                pos = self._item(order, tag, pos, item_length, limit, depth + 1, item, taken, is_implicit)
                if taken:
                    items.append(item)
            elif raw != order.sequence_delimiter:
                raise InvalidDataset(f"A sequence holds something that is not an item at {_place(tag, pos - 8)}.")
            elif is_undefined:
                return items, pos - HEADER_LENGTH, pos
        raise LimitExceeded(f"The data set has more than {ELEMENTS_MAX} elements.")

    def _item(
        self,
        order: Layout,
        tag: int,
        pos: int,
        length: int,
        limit: int,
        depth: int,
        out: list[Element],
        taken: bool,
        is_implicit: bool,
    ) -> int:
        is_undefined = length == UNDEFINED_LENGTH
        end = limit if is_undefined else pos + length
        if end > limit:
            raise _overrun(tag, pos)
        if is_implicit:
            is_implicit = _is_implicit(self.buffer, pos, end, order, assumed=True)
        walk = self.implicit if is_implicit else self.explicit
        return walk(order, pos, end, depth, out, taken, _NONE_WANTED, is_undefined)

    def _fragments(self, order: Layout, tag: int, pos: int, end: int) -> tuple[int, int]:
        """Pass over the fragments of an encapsulated value that is not the pixel data."""
        for _ in self.ticks:
            if end - pos < HEADER_LENGTH:
                break
            raw, length = order.implicit.unpack_from(self.buffer, pos)
            if raw == order.sequence_delimiter:
                return pos, pos + HEADER_LENGTH
            pos += HEADER_LENGTH + length
            if raw != order.item:
                break
        raise InvalidDataset(f"A value of undefined length is not made of fragments at {_place(tag, pos)}.")

    def _unknown_vr(self, order: Layout, pos: int, end: int) -> tuple[str | None, int, int]:
        """Return VR, offset and length of the value of an element whose VR is none of the standard.

        Three readings are possible: a VR of a later edition (32-bit length, PS3.5 6.2.2), a wrong one with a 16-bit length,
        and an element that was left in implicit VR. The first that leads to a believable next element wins.
        """
        raw, code, short_length = order.explicit.unpack_from(self.buffer, pos)
        tag = order.raw(raw)
        if tag >> 16 == 0xFFFE:
            raise InvalidDataset(f"An item stands outside of a sequence at {_place(tag, pos)}.")
        implicit_length = order.implicit.unpack_from(self.buffer, pos)[1]
        short = (None, pos + 8, short_length)
        readings: list[tuple[str | None, int, int]] = [(None, pos + 8, implicit_length), short]
        letters = bytes(self.buffer[pos + 4 : pos + 6])
        if letters.isalpha() and letters.isupper():
            readings.reverse()
            if short_length == 0 and pos + 12 <= end:
                readings.insert(0, ("UN", pos + 12, order.length.unpack_from(self.buffer, pos + 8)[0]))
        fitting = [reading for reading in readings if reading[2] == UNDEFINED_LENGTH or reading[1] + reading[2] <= end]
        if not fitting:
            raise _overrun(tag, pos)
        return next((one for one in fitting if self._is_believable(order, tag, one, end)), fitting[0])

    def _is_believable(self, order: Layout, tag: int, reading: tuple[str | None, int, int], end: int) -> bool:
        _, value, length = reading
        after = value if length == UNDEFINED_LENGTH else value + length
        if end - after < HEADER_LENGTH:
            return after == end
        following: int = order.raw(order.explicit.unpack_from(self.buffer, after)[0])
        return tag < following and following >> 16 <= (tag >> 16) + _GROUP_GAP_MAX or following >> 16 == 0xFFFE

    def _is_padding(self, pos: int, end: int) -> bool:
        """Tell whether nothing but zeros is left, which some senders pad a file with."""
        return end - pos <= PADDING_MAX and not any(bytes(self.buffer[pos:end]))

    def _close(self, pos: int, end: int, depth: int, is_delimited: bool) -> int:
        if is_delimited:
            raise InvalidDataset(f"An item is cut off at offset {pos}.")
        if pos < end and not (depth == 0 and self._is_padding(pos, end)):
            raise InvalidDataset(f"The data set ends within the header of an element at offset {pos}.")
        return pos

    def _stop(self, tag: int, vr: str | None, pos: int, value: int, length: int, end: int) -> int:
        """Note the pixel element and return its offset."""
        if length != UNDEFINED_LENGTH and value + length > end:
            raise InvalidDataset(f"The pixel data is longer than what is left of the file at {_place(tag, pos)}.")
        implicit_vr = "OB" if length == UNDEFINED_LENGTH else _IMPLICIT_PIXEL_VRS[tag]
        self.pixel_element = PixelElement(tag, vr or implicit_vr, value, length)
        return pos


def _place(tag: int, pos: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x}), offset {pos}"


def _overrun(tag: int, pos: int) -> InvalidDataset:
    return InvalidDataset(f"The length of an element passes the end of what holds it at {_place(tag, pos)}.")


def _cut_header(tag: int, pos: int) -> InvalidDataset:
    return InvalidDataset(f"The header of an element is cut off at {_place(tag, pos)}.")
