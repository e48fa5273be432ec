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
PIXEL_HEADER_LENGTH = 12
"""Bytes of the longest header of a pixel element: so many behind a header show that there is one, and its VR."""
_GROUP_GAP_MAX = 0x4000
"""Two neighbouring elements farther apart than this are taken for misread bytes."""

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA = 0x7FE00009
PIXEL_TAGS = frozenset({PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA})

ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD

_DELIMITERS = frozenset({ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER})
_TOO_MANY = f"The data set has more than {ELEMENTS_MAX} elements."

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
Header = tuple[int, "str | None", int, int]
"""Tag, VR, offset and length of a value."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The numbers of one byte order: how headers are unpacked, and what raw tags and VRs look like."""

    is_little_endian: bool
    explicit: struct.Struct
    implicit: struct.Struct
    length: struct.Struct
    short_vrs: Mapping[int, str]
    long_vrs: Mapping[int, str]
    plain_long_vrs: Mapping[int, str]
    """All of `long_vrs` but SQ."""
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
        plain_long_vrs=_codes(tuple(vr for vr in LONG_VRS if vr != "SQ"), is_little_endian),
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
    """Elements and items visited, the pixel element included."""
    is_implicit_vr: bool
    """How the data set is in truth, whatever its transfer syntax says."""


_NONE_WANTED: frozenset[int] = frozenset()


def walk_dataset(
    buffer: Buffer,
    start: int,
    end: int,
    *,
    encoding: Encoding,
    wanted: frozenset[int] | None = None,
    is_whole: bool = True,
) -> Walked:
    """Walk a data set up to its pixel data and return the wanted top-level elements; all of them for None.

    Everything nested in a wanted sequence comes with it. Raises InvalidDataset for bytes that are no data set. Where
    the buffer is not the whole file but only its header, the pixel data may be missing from it.
    """
    order = layout(encoding.is_little_endian)
    walker = _Walker(buffer, _NONE_WANTED if wanted is None else _raw_tags(wanted, encoding.is_little_endian))
    walker.is_whole = is_whole
    out: list[Element] = []
    is_implicit = _is_implicit(buffer, start, end, order, assumed=encoding.is_implicit_vr)
    walk = walker.implicit if is_implicit else walker.explicit
    stop = walk(order, start, end, out, wanted is None, False)
    return Walked(out, walker.pixel_element, stop, walker.count(), is_implicit)


def walk_nested(buffer: Buffer, start: int, end: int) -> Items:
    """Return the items of a sequence that lies in a UN element of defined length (PS3.5 6.2.2, note 4)."""
    walker = _Walker(buffer, _NONE_WANTED)
    return walker.nested(layout(True), (0, "UN", start, end - start), end, True)[0] or []


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
    """One walk: the buffer, what is left of the limits, what was found.

    A level of nesting is one call of `explicit` or `implicit`. Their loops hold what every element costs, all that is
    rare is in the methods below them, which set `is_closed` where the level ends.
    """

    __slots__ = ("buffer", "closings", "depth", "interesting", "is_closed", "is_whole", "pixel_element", "ticks")

    def __init__(self, buffer: Buffer, interesting: frozenset[int]) -> None:
        self.buffer = buffer
        self.interesting = interesting
        """Raw tags that are taken from the top level."""
        self.ticks = iter(range(ELEMENTS_MAX))
        """Shared by the loops of all levels: each turn takes one, so that keeping the limit costs nothing."""
        self.closings = 0
        self.depth = 0
        self.is_closed = False
        self.is_whole = True
        self.pixel_element: PixelElement | None = None

    def count(self) -> int:
        """Return how many elements and items were visited."""
        return ELEMENTS_MAX - length_hint(self.ticks) - self.closings

    def explicit(
        self, order: Layout, pos: int, end: int, out: list[Element], take_all: bool, is_delimited: bool
    ) -> int:
        """Walk a data set in explicit VR from `pos`; return where it ended."""
        buffer, is_little_endian = self.buffer, order.is_little_endian
        unpack, short_vrs, pixel_tags = order.explicit.unpack_from, order.short_vrs, order.pixel_tags
        unpack_length, plain_long_vrs = order.length.unpack_from, order.plain_long_vrs
        interesting = _NONE_WANTED if self.depth else self.interesting
        last = end - HEADER_LENGTH
        raw = 0
        for _ in self.ticks:
            if pos > last:
                return self._close(order, raw, pos, end, is_delimited)
            raw, code, length = unpack(buffer, pos)
            if code in short_vrs and raw not in pixel_tags:
                pos += 8
                if take_all or raw in interesting:
                    tag = (raw & 0xFFFF) << 16 | raw >> 16 if is_little_endian else raw
                    out.append((tag, short_vrs[code], pos, length, None))
                pos += length
                continue
            if code in plain_long_vrs and raw not in pixel_tags and pos + 12 <= end:
                length = unpack_length(buffer, pos + 8)[0]
                if length != UNDEFINED_LENGTH:
                    pos += 12
                    if take_all or raw in interesting:
                        out.append((order.raw(raw), plain_long_vrs[code], pos, length, None))
                    pos += length
                    continue
            taker = out if take_all or raw in interesting else None
            pos = self._explicit_rest(order, pos, end, taker, is_delimited)
            if self.is_closed:
                self.is_closed = False
                return pos
        raise LimitExceeded(_TOO_MANY)

    def implicit(
        self, order: Layout, pos: int, end: int, out: list[Element], take_all: bool, is_delimited: bool
    ) -> int:
        """Walk a data set in implicit VR from `pos`; return where it ended."""
        buffer, is_little_endian = self.buffer, order.is_little_endian
        unpack, special = order.implicit.unpack_from, order.implicit_special
        interesting = _NONE_WANTED if self.depth else self.interesting
        last = end - HEADER_LENGTH
        raw = 0
        for _ in self.ticks:
            if pos > last:
                return self._close(order, raw, pos, end, is_delimited)
            raw, length = unpack(buffer, pos)
            if raw in special or length == UNDEFINED_LENGTH:
                taker = out if take_all or raw in interesting else None
                pos = self._implicit_rest(order, pos, end, taker, is_delimited)
                if self.is_closed:
                    self.is_closed = False
                    return pos
            else:
                pos += 8
                if take_all or raw in interesting:
                    tag = (raw & 0xFFFF) << 16 | raw >> 16 if is_little_endian else raw
                    out.append((tag, None, pos, length, None))
                pos += length
        raise LimitExceeded(_TOO_MANY)

    def _explicit_rest(self, order: Layout, pos: int, end: int, out: list[Element] | None, is_delimited: bool) -> int:
        """Pass over an element with a 32-bit length, a delimiter, or bytes that are neither; return where it ends."""
        raw: int
        length: int
        raw, code, length = order.explicit.unpack_from(self.buffer, pos)
        tag = order.raw(raw)
        vr: str | None
        value: int
        if code in order.long_vrs:
            if pos + 12 > end:
                raise InvalidDataset(f"The header of an element is cut off at {_place(tag, pos)}.")
            vr, value = order.long_vrs[code], pos + 12
            length = order.length.unpack_from(self.buffer, pos + 8)[0]
        elif tag in _DELIMITERS:
            return self._delimiter(tag, pos, is_delimited)
        elif raw == 0:
            return self._padding(pos, end)
        elif code in order.short_vrs:
            vr, value = order.short_vrs[code], pos + 8
        else:
            vr, value, length = self._unknown_vr(order, pos, end)
        if self.depth == 0 and tag in PIXEL_TAGS:
            return self._stop((tag, vr, value, length), pos, end)
        if vr == "SQ" or length == UNDEFINED_LENGTH:
            items, value_end, after = self.nested(order, (tag, vr, value, length), end, out is not None)
            if out is not None:
                coded_vr = vr if items is None or vr is None or vr == "UN" else "SQ"
                out.append((tag, coded_vr, value, value_end - value, items))
            return after
        if out is not None:
            out.append((tag, vr, value, length, None))
        return value + length

    def _implicit_rest(self, order: Layout, pos: int, end: int, out: list[Element] | None, is_delimited: bool) -> int:
        """Pass over a sequence, a delimiter, or what could be the pixel data; return where it ends."""
        raw: int
        length: int
        raw, length = order.implicit.unpack_from(self.buffer, pos)
        tag, value = order.raw(raw), pos + 8
        if tag in _DELIMITERS:
            return self._delimiter(tag, pos, is_delimited)
        if tag == 0:
            return self._padding(pos, end)
        if self.depth == 0 and tag in PIXEL_TAGS:
            return self._stop((tag, None, value, length), pos, end)
        if length == UNDEFINED_LENGTH or tag not in PIXEL_TAGS:
            items, value_end, after = self.nested(order, (tag, None, value, length), end, out is not None)
            if out is not None:
                out.append((tag, None, value, value_end - value, items))
            return after
        if out is not None:
            out.append((tag, None, value, length, None))
        return value + length

    def nested(self, order: Layout, header: Header, end: int, is_taken: bool) -> tuple[Items | None, int, int]:
        """Walk a sequence, or fragments; return its items, where its value and where its element ends."""
        tag, vr, pos, length = header
        is_undefined = length == UNDEFINED_LENGTH
        if is_undefined and (vr in _FRAGMENT_VRS or tag in PIXEL_TAGS):
            return None, *self._fragments(order, tag, pos, end)
        if self.depth >= DEPTH_MAX:
            raise LimitExceeded(f"Sequences are nested deeper than {DEPTH_MAX} levels at {_place(tag, pos)}.")
        limit = end if is_undefined else pos + length
        if limit > end:
            raise _overrun(tag, pos)
        if vr == "UN":
            order = layout(True)
        items: Items = []
        unpack = order.implicit.unpack_from
        self.depth += 1
        for _ in self.ticks:
            if limit - pos < HEADER_LENGTH:
                if is_undefined or pos != limit:
                    raise InvalidDataset(f"A sequence is cut off at {_place(tag, pos)}.")
                self.closings += 1
                self.depth -= 1
                return items, pos, pos
            raw, item_length = unpack(self.buffer, pos)
            pos += HEADER_LENGTH
            if raw == order.item:
                item: list[Element] = []
                item_header = (tag, vr, pos, item_length)
                pos = self._item(order, item_header, limit, item, is_taken)
                if is_taken:
                    items.append(item)
            elif raw != order.sequence_delimiter:
                raise InvalidDataset(f"A sequence holds something that is not an item at {_place(tag, pos - 8)}.")
            else:
                self.closings += 1
                if is_undefined:
                    self.depth -= 1
                    return items, pos - HEADER_LENGTH, pos
        raise LimitExceeded(_TOO_MANY)

    def _item(self, order: Layout, header: Header, limit: int, out: list[Element], is_taken: bool) -> int:
        """Walk one item of the sequence that `header` names, whose own value begins and ends as it says."""
        tag, vr, pos, length = header
        is_delimited = length == UNDEFINED_LENGTH
        end = limit if is_delimited else pos + length
        if end > limit:
            raise _overrun(tag, pos)
        if (vr is None or vr == "UN") and _is_implicit(self.buffer, pos, end, order, assumed=True):
            return self.implicit(order, pos, end, out, is_taken, is_delimited)
        return self.explicit(order, pos, end, out, is_taken, is_delimited)

    def _fragments(self, order: Layout, tag: int, pos: int, end: int) -> tuple[int, int]:
        """Pass over the fragments of an encapsulated value that is not the pixel data."""
        for _ in self.ticks:
            if end - pos < HEADER_LENGTH:
                break
            raw, length = order.implicit.unpack_from(self.buffer, pos)
            if raw == order.sequence_delimiter:
                self.closings += 1
                return pos, pos + HEADER_LENGTH
            pos += HEADER_LENGTH + length
            if raw != order.item:
                break
        raise InvalidDataset(f"A value of undefined length is not made of fragments at {_place(tag, pos)}.")

    def _unknown_vr(self, order: Layout, pos: int, end: int) -> tuple[str | None, int, int]:
        """Return VR, offset and length of the value of an element whose VR is none of the standard.

        Three readings are possible: a VR of a later edition (32-bit length, PS3.5 6.2.2), a wrong one with a 16-bit
        length, and an element that was left in implicit VR. The first that leads to a believable next element wins.
        """
        raw, _, short_length = order.explicit.unpack_from(self.buffer, pos)
        tag = order.raw(raw)
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
        is_next = tag < following and following >> 16 <= (tag >> 16) + _GROUP_GAP_MAX
        return is_next or following in _DELIMITERS

    def _padding(self, pos: int, end: int) -> int:
        """Close a data set behind which nothing but zeros is left; a tag of zeros is none that a data set may hold."""
        if not self._is_padding(pos, end):
            raise InvalidDataset(f"A data set holds an element of group 0000 at offset {pos}.")
        return self._closed(end)

    def _is_padding(self, pos: int, end: int) -> bool:
        """Tell whether nothing but zeros is left, which some senders pad a file with."""
        return end - pos <= PADDING_MAX and not any(bytes(self.buffer[pos:end]))

    def _delimiter(self, tag: int, pos: int, is_delimited: bool) -> int:
        """Close the item that a delimiter ends; one that ends nothing is passed over."""
        if tag == ITEM:
            raise InvalidDataset(f"An item stands outside of a sequence at {_place(tag, pos)}.")
        if not is_delimited:
            self.closings += 1
            return pos + HEADER_LENGTH
        return self._closed(pos + HEADER_LENGTH if tag == ITEM_DELIMITER else pos)

    def _closed(self, pos: int) -> int:
        self.closings += 1
        self.is_closed = True
        return pos

    def _close(self, order: Layout, raw: int, pos: int, end: int, is_delimited: bool) -> int:
        """Check that a data set ends where it should; `raw` is its last element."""
        if pos > end:
            raise _overrun(order.raw(raw), end)
        if is_delimited:
            raise InvalidDataset(f"An item is cut off behind {_place(order.raw(raw), pos)}.")
        if pos < end and not self._is_padding(pos, end):
            raise InvalidDataset(f"A data set ends within the header of an element at offset {pos}.")
        self.closings += 1
        return end

    def _stop(self, header: Header, pos: int, end: int) -> int:
        """Note the pixel element and return its offset."""
        tag, vr, value, length = header
        if self.is_whole and length != UNDEFINED_LENGTH and value + length > end:
            raise InvalidDataset(f"The pixel data is longer than what is left of the file at {_place(tag, pos)}.")
        implicit_vr = "OB" if length == UNDEFINED_LENGTH else _IMPLICIT_PIXEL_VRS[tag]
        self.pixel_element = PixelElement(tag, vr or implicit_vr, value, length)
        self.is_closed = True
        return pos


def _place(tag: int, pos: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x}), offset {pos}"


def _overrun(tag: int, pos: int) -> InvalidDataset:
    return InvalidDataset(f"The length of an element passes the end of what holds it at {_place(tag, pos)}.")
