"""What stands behind the pixel data, where most readers never look: padding, signatures, private groups."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.dicom.element_span import WalkedDataset
from isocenter.dicom.model import UNDEFINED_LENGTH
from isocenter.dicom.walk import ITEM, LONG_VRS, SEQUENCE_DELIMITER, Element, layout, walk_dataset
from isocenter.domain.errors import InvalidDataset

FRAGMENTS_MAX = 1_000_000
"""As many elements as a data set may have; a film of an hour has some hundred thousand."""
_ITEM_HEADER_LENGTH = 8


@dataclass(frozen=True, slots=True)
class BehindPixels:
    """The elements behind the pixel data."""

    start: int
    """Where the pixel data ends; the end of the buffer where there is none."""
    elements: list[Element]


def look_behind_pixels(dataset: WalkedDataset) -> BehindPixels:
    """Return what stands behind the pixel data of a data set. Raises InvalidDataset where that cannot be read."""
    buffer = dataset.buffer
    start = _end_of_pixels(dataset)
    if start >= len(buffer):
        return BehindPixels(len(buffer), [])
    walked = walk_dataset(buffer, start, len(buffer), encoding=dataset.encoding, wanted=None)
    return BehindPixels(start, walked.elements)


def _end_of_pixels(dataset: WalkedDataset) -> int:
    """Return where the pixel element ends, which begins where the walk over the data set stopped."""
    buffer, at = dataset.buffer, dataset.end
    order = layout(dataset.encoding.is_little_endian)
    if at >= len(buffer):
        return len(buffer)
    if dataset.encoding.is_implicit_vr:
        length, value = order.implicit.unpack_from(buffer, at)[1], at + 8
    else:
        is_long = bytes(buffer[at + 4 : at + 6]).decode("latin-1") in LONG_VRS
        length = order.length.unpack_from(buffer, at + 8)[0] if is_long else order.explicit.unpack_from(buffer, at)[2]
        value = at + (12 if is_long else 8)
    return _end_of_fragments(dataset, value) if length == UNDEFINED_LENGTH else value + length


def _end_of_fragments(dataset: WalkedDataset, at: int) -> int:
    order = layout(dataset.encoding.is_little_endian)
    for _ in range(FRAGMENTS_MAX):
        if at + _ITEM_HEADER_LENGTH > len(dataset.buffer):
            break
        raw, length = order.implicit.unpack_from(dataset.buffer, at)
        at += _ITEM_HEADER_LENGTH
        if order.raw(raw) == SEQUENCE_DELIMITER:
            return at
        if order.raw(raw) != ITEM:
            break
        at += length
    raise InvalidDataset("The pixel data is not made of fragments, or has no end.")
