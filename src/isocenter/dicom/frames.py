"""Where each frame of an instance lies: found once at ingest, kept in the index, asked for every frame that is read.

Native frames lie one behind the other and need two numbers. Encapsulated ones are runs of fragments, which lie one
behind the other too, each behind an item header; so their lengths are enough. Pixel bytes are not read, except the
first few of a fragment where no offset table tells which fragments begin a frame.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct, error

from isocenter.dicom.fragments import ITEM_HEADER_LENGTH, Fragments, walk_fragments
from isocenter.dicom.model import UNDEFINED_LENGTH, PixelElement, ScannedInstance
from isocenter.dicom.part10 import inflate_file
from isocenter.dicom.syntax import transfer_syntax
from isocenter.dicom.walk import Buffer
from isocenter.domain.errors import CorruptInstance, NotFound

Range = tuple[int, int]
"""Offset and length."""

_VERSION = 1
_HEAD = Struct("<BBQQQQQI")
_IS_ENCAPSULATED, _HAS_GROUPS = 1, 2
_WORD_SIZE = 4


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The frames of one instance. Offsets count from the beginning of the file, inflated where it is deflated."""

    start: int
    """Offset of the first frame, or of the first fragment's value."""
    number_of_frames: int
    bits_per_frame: int
    """0 where encapsulated."""
    length: int
    """Bytes of native pixel data; 0 where encapsulated."""
    fragment_lengths: array[int]
    fragments_per_frame: array[int] | None = None
    """None where each fragment is a frame."""
    deflated_length: int = 0
    """The length of the deflated file; 0 where it is not deflated."""
    dataset_offset: int = 0
    """Where the deflated part begins."""
    _offsets: array[int] = field(default_factory=lambda: array("Q"), compare=False, repr=False)
    _firsts: array[int] = field(default_factory=lambda: array("Q"), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Sum up once what every frame needs: where each fragment lies, and which is a frame's first."""
        self._offsets.extend(_starts(length + ITEM_HEADER_LENGTH for length in self.fragment_lengths))
        if self.fragments_per_frame is not None:
            self._firsts.extend(_starts(self.fragments_per_frame))

    @property
    def is_encapsulated(self) -> bool:
        """Tell whether frames are runs of fragments."""
        return self.bits_per_frame == 0

    def frame_ranges(self, index: int) -> tuple[Range, ...]:
        """Return where the bytes of a frame lie, counted from 0; joined they are the frame.

        A native frame that does not begin or end at a byte boundary (PS3.5 8.1.1) shares its outer bytes with its
        neighbours. Raises NotFound for a frame that is not there.
        """
        if not 0 <= index < self.number_of_frames:
            raise NotFound("The specified frame cannot be found.")
        if not self.is_encapsulated:
            first = index * self.bits_per_frame // 8
            last = -(-(index + 1) * self.bits_per_frame // 8)
            return ((self.start + first, min(last, self.length) - first),)
        if self.fragments_per_frame is None:
            fragments = range(index, index + 1)
        else:
            first = self._firsts[index]
            fragments = range(first, first + self.fragments_per_frame[index])
        return tuple((self.start + self._offsets[one], self.fragment_lengths[one]) for one in fragments)

    def stream_ranges(self) -> tuple[Range, ...]:
        """Return where all the pixel data lies in order, whatever its frames: the stream of a video."""
        if not self.is_encapsulated:
            return ((self.start, self.length),)
        return tuple(
            (self.start + offset, length) for offset, length in zip(self._offsets, self.fragment_lengths, strict=False)
        )

    def encode(self) -> bytes:
        """Return the table as bytes, four for each fragment."""
        flags = _IS_ENCAPSULATED * self.is_encapsulated | _HAS_GROUPS * (self.fragments_per_frame is not None)
        head = _HEAD.pack(
            _VERSION,
            flags,
            self.start,
            self.bits_per_frame,
            self.length,
            self.deflated_length,
            self.dataset_offset,
            self.number_of_frames,
        )
        return head + _to_bytes(self.fragments_per_frame or array("I")) + _to_bytes(self.fragment_lengths)

    @classmethod
    def decode(cls, encoded: bytes) -> FrameTable:
        """Return the table of what `encode` made. Raises CorruptInstance for anything else."""
        try:
            version, flags, start, bits, length, deflated_length, dataset_offset, number = _HEAD.unpack_from(encoded)
        except error as cause:
            raise CorruptInstance("The frame table is cut off.") from cause
        groups_size = number * _WORD_SIZE if flags & _HAS_GROUPS else 0
        body = encoded[_HEAD.size :]
        if version != _VERSION or len(body) % _WORD_SIZE or len(body) < groups_size:
            raise CorruptInstance("The frame table cannot be read.")
        return cls(
            start,
            number,
            bits,
            length,
            _from_bytes(body[groups_size:]),
            _from_bytes(body[:groups_size]) if flags & _HAS_GROUPS else None,
            deflated_length,
            dataset_offset,
        )


def build_frame_table(buffer: Buffer, scanned: ScannedInstance, *, number_of_frames: int | None) -> FrameTable | None:
    """Return where the frames of a scanned file lie; None where it has no pixel data.

    A table without frames means that the bytes do not tell them apart. Raises InvalidDataset where pixel data is cut
    off. The buffer is the one that was scanned; of a deflated file nothing is read.
    """
    pixels = scanned.pixel_element
    if pixels is None:
        return None
    expected = max(number_of_frames or 1, 1)
    if pixels.length != UNDEFINED_LENGTH:
        return _native(scanned, pixels, expected)
    fragments = walk_fragments(buffer, pixels.value_offset)
    groups = _group(buffer, scanned, pixels, fragments, expected)
    is_plain = all(count == 1 for count in groups) and len(groups) == len(fragments.lengths)
    return FrameTable(fragments.start, len(groups), 0, 0, fragments.lengths, None if is_plain else groups)


def read_frame(table: FrameTable, index: int, read_part: Callable[[int, int], bytes]) -> bytes:
    """Return a frame, counted from 0, by a callable that returns `length` bytes of the stored file at `offset`."""
    ranges = table.frame_ranges(index)
    if table.deflated_length:
        inflated = inflate_file(read_part(0, table.deflated_length), table.dataset_offset)
        return b"".join(inflated[offset : offset + length] for offset, length in ranges)
    if len(ranges) == 1:
        return read_part(*ranges[0])
    return b"".join(read_part(offset, length) for offset, length in ranges)


def _native(scanned: ScannedInstance, pixels: PixelElement, expected: int) -> FrameTable:
    """Return the table of native frames: as many of those expected as there are bytes for."""
    length = pixels.length
    bits = pixels.bits_per_frame or length * 8 // expected
    number = min(expected, length * 8 // bits) if bits else 0
    if number == 0 and length:
        number, bits = 1, length * 8
    is_deflated = scanned.encoding.is_deflated
    return FrameTable(
        pixels.value_offset,
        number,
        max(bits, 1),
        length,
        array("I"),
        deflated_length=scanned.size_bytes if is_deflated else 0,
        dataset_offset=scanned.dataset_offset if is_deflated else 0,
    )


def _group(
    buffer: Buffer, scanned: ScannedInstance, pixels: PixelElement, fragments: Fragments, expected: int
) -> array[int]:
    """Return how many fragments each frame has."""
    number = len(fragments.lengths)
    if expected == 1 or transfer_syntax(scanned.encoding.transfer_syntax_uid).is_video:
        return array("I", [number] if number else [])
    for offset, length, code, size in (
        (*(pixels.extended_offset_table or (0, 0)), "Q", 8),
        (*fragments.offset_table, "I", 4),
    ):
        if length == expected * size:
            groups = _group_by_offsets(fragments, _read_words(buffer, offset, length, code))
            if groups is not None:
                return groups
    if number <= expected:
        return array("I", [1]) * number
    groups = _group_by_markers(buffer, fragments)
    return groups if len(groups) == expected else array("I")


def _group_by_offsets(fragments: Fragments, offsets: array[int]) -> array[int] | None:
    """Return the groups that an offset table makes; None where it does not point at fragments in their order."""
    positions = {
        offset: number
        for number, offset in enumerate(_starts(length + ITEM_HEADER_LENGTH for length in fragments.lengths))
    }
    firsts = [positions.get(offset, -1) for offset in offsets]
    if firsts[0] != 0 or any(one >= following for one, following in pairwise(firsts)):
        return None
    bounds = [*firsts, len(fragments.lengths)]
    return array("I", (following - one for one, following in pairwise(bounds)))


_MARKERS = (
    b"\xff\xd8",  # JPEG, JPEG-LS: start of image
    b"\xff\x4f\xff\x51",  # JPEG 2000, HTJ2K: start of codestream, image size
    b"\x00\x00\x00\x0cjP  ",  # JPEG 2000 in a JP2 file, which some senders leave in
    b"\xff\x0a",  # JPEG XL codestream
    b"\x00\x00\x00\x0cJXL ",  # JPEG XL container
)
_MARKER_LENGTH_MAX = 8


def _group_by_markers(buffer: Buffer, fragments: Fragments) -> array[int]:
    """Return the groups that begin where a codestream does."""
    groups = array("I")
    pos = fragments.start
    for length in fragments.lengths:
        head = bytes(buffer[pos : pos + min(length, _MARKER_LENGTH_MAX)])
        if head.startswith(_MARKERS):
            groups.append(1)
        elif groups:
            groups[-1] += 1
        else:
            return groups
        pos += length + ITEM_HEADER_LENGTH
    return groups


def _read_words(buffer: Buffer, offset: int, length: int, code: str) -> array[int]:
    return _from_bytes(bytes(buffer[offset : offset + length]), code)


def _starts(lengths: Iterable[int]) -> Iterable[int]:
    """Return where each of several things begins that lie one behind the other."""
    total = 0
    for length in lengths:
        yield total
        total += length


def _to_bytes(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words = words[:]
        words.byteswap()
    return words.tobytes()


def _from_bytes(raw: bytes, code: str = "I") -> array[int]:
    words = array(code)
    words.frombytes(raw)
    if sys.byteorder == "big":
        words.byteswap()
    return words
