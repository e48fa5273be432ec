"""Headers that were walked lately, so that one of the same shape need not be walked again.

Instances of a series come one behind the other and mostly have the same elements of the same lengths. The walk of a
header depends on nothing but its structure: tags, VRs, lengths, items and delimiters, and the transfer syntax. Where
all of those bytes are as in a header that was walked, everything lies where it lay there, and one comparison of two
large numbers takes the place of the walk. Values are never taken over; they are read anew.

    structure = every byte up to the pixel data, save the preamble and the values of elements
    header & mask == structure of a header that was walked  →  its walk holds
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from struct import Struct

from isocenter.dicom.known_texts import KnownTexts, known_texts_of
from isocenter.dicom.model import UNDEFINED_LENGTH, Encoding
from isocenter.dicom.part10 import META_OFFSET, OpenedFile
from isocenter.dicom.validation_plan import Plan, plan_of
from isocenter.dicom.walk import Buffer, Element, Walked, walk_dataset

SHAPES_MAX = 8
"""Shapes that are tried; lengths of numbers and UIDs vary in a few ways within a series."""
SEEN_MAX = 64
"""Recent headers that are remembered by their place of the pixel data alone: a second one is worth learning."""
HEADER_LENGTH_MAX = 64 * 1024
"""A longer header is rare, and its comparison no longer cheap."""

NOTHING: frozenset[int] = frozenset()

_TAIL_LENGTH = 8
_UNDEFINED = b"\xff\xff\xff\xff"
_TRANSFER_SYNTAX = 0x0010
_META = Struct("<HH2sH")
_LENGTH = Struct("<I")
_LONG_VRS = (b"OB", b"OW", b"UN", b"UT", b"SQ")


@dataclass(frozen=True, slots=True)
class Shape:
    """The structure of a header, and what the walk of it found."""

    length: int
    mask: int
    structure: int
    tail: bytes
    size_min: int
    """Where the pixel data ends, if its length is defined: a shorter file is cut off."""
    encoding: Encoding
    dataset_offset: int
    walked: Walked
    wanted: frozenset[int]
    located: frozenset[int]
    """Elements that were taken besides, without being read."""
    texts: KnownTexts
    """How the wanted values are read."""
    plan: Plan | None
    """Where every value lies, for those who look at all of them."""


class HeaderShapes:
    """A few shapes, the latest first. Threads may share it: what they swap is replaced whole."""

    def __init__(self) -> None:
        self._shapes: tuple[Shape, ...] = ()
        self._seen: deque[tuple[int, int]] = deque(maxlen=SEEN_MAX)

    def recall(
        self,
        buffer: Buffer,
        wanted: frozenset[int],
        *,
        located: frozenset[int] = NOTHING,
        size_bytes: int | None = None,
        has_plan: bool = False,
    ) -> Shape | None:
        """Return the shape that a header has, if it is one of those remembered; with `has_plan`, one that has a plan.

        The buffer may be only the beginning of a file of `size_bytes`.
        """
        length = len(buffer) if size_bytes is None else size_bytes
        for shape in self._shapes:
            start = shape.length - _TAIL_LENGTH
            if (
                bytes(buffer[start : shape.length]) == shape.tail
                and length >= shape.size_min
                and (shape.wanted is wanted or shape.wanted == wanted)
                and shape.located == located
                and (shape.plan is not None or not has_plan)
                and int.from_bytes(buffer[: shape.length], "little") & shape.mask == shape.structure
            ):
                return shape
        return None

    def learn(
        self,
        opened: OpenedFile,
        walked: Walked,
        wanted: frozenset[int],
        *,
        located: frozenset[int] = NOTHING,
        has_plan: bool = False,
    ) -> None:
        """Remember the shape of a header that was walked, once another with its pixel data at that place was seen.

        With `has_plan`, where each of its values lies is remembered too.
        """
        pixels = walked.pixel_element
        if pixels is None or opened.encoding.is_deflated or pixels.value_offset > HEADER_LENGTH_MAX:
            return
        sign = (pixels.value_offset, walked.number_of_elements)
        if sign not in self._seen:
            self._seen.append(sign)
            return
        shape = _shape_of(opened, walked, wanted, pixels.value_offset, located=located, has_plan=has_plan)
        self._shapes = (shape, *self._shapes[: SHAPES_MAX - 1])


def _shape_of(
    opened: OpenedFile,
    walked: Walked,
    wanted: frozenset[int],
    length: int,
    *,
    located: frozenset[int],
    has_plan: bool,
) -> Shape:
    buffer, encoding = opened.buffer, opened.encoding
    mask = bytearray(b"\xff" * length)
    mask[:128] = bytes(128)
    _free_meta(mask, bytes(buffer[: opened.dataset_offset]))
    whole = walk_dataset(buffer, opened.dataset_offset, len(buffer), encoding=encoding, wanted=None, is_whole=False)
    _free_values(mask, buffer, whole.elements)
    mask_number = int.from_bytes(mask, "little")
    pixels = walked.pixel_element
    is_defined = pixels is not None and pixels.length != UNDEFINED_LENGTH
    return Shape(
        length=length,
        mask=mask_number,
        structure=int.from_bytes(buffer[:length], "little") & mask_number,
        tail=bytes(buffer[length - _TAIL_LENGTH : length]),
        size_min=length + pixels.length if pixels is not None and is_defined else length,
        encoding=encoding,
        dataset_offset=opened.dataset_offset,
        walked=walked,
        wanted=wanted,
        located=located,
        texts=known_texts_of(walked.elements, wanted, length=length, is_little_endian=encoding.is_little_endian),
        plan=plan_of(whole.elements) if has_plan else None,
    )


def _free_meta(mask: bytearray, meta: bytes) -> None:
    """Leave the values of the file meta information open, save that of the transfer syntax."""
    position = META_OFFSET
    while position + 8 <= len(meta):
        _, element, vr, length = _META.unpack_from(meta, position)
        value = position + 8
        if vr in _LONG_VRS:
            length, value = _LENGTH.unpack_from(meta, value)[0], position + 12
        elif not vr.isalpha():
            return
        if element != _TRANSFER_SYNTAX:
            mask[value : value + length] = bytes(length)
        position = value + length


def _free_values(mask: bytearray, buffer: Buffer, elements: list[Element]) -> None:
    """Leave the values of elements open; one of undefined length ends where its bytes say, so those stay fixed."""
    for _, _, offset, length, items in elements:
        if items is not None:
            for item in items:
                _free_values(mask, buffer, item)
        elif bytes(buffer[offset - 4 : offset]) != _UNDEFINED:
            end = min(offset + length, len(mask))
            mask[offset:end] = bytes(max(0, end - offset))
