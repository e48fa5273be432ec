"""Find one value of a file by the path that DICOM JSON gives it: `00420011`, `54000100/0/54001010`."""

from __future__ import annotations

from isocenter.dicom.fragments import walk_fragments
from isocenter.dicom.model import UNDEFINED_LENGTH, ScannedInstance
from isocenter.dicom.part10 import OpenedFile
from isocenter.dicom.walk import DEPTH_MAX, PIXEL_TAGS, Buffer, Element, walk_dataset, walk_nested
from isocenter.domain.errors import InvalidRequest, NotFound

ITEM_NUMBER_DIGITS_MAX = 7
"""A data set has a million elements at most, so no sequence has more items."""

_MALFORMED = "The path of the bulk data is malformed."
_MISSING = "The specified bulk data cannot be found."


def find_bulk_value(buffer: Buffer, scanned: ScannedInstance | OpenedFile, path: str) -> tuple[int, int]:
    """Return offset and length of the value that a path names, in the buffer after inflation.

    The buffer may be the header alone where the value lies before the pixel data. For encapsulated pixel data the value
    is its items, the basic offset table first. Raises InvalidRequest for a malformed path, NotFound where nothing is
    there.
    """
    steps = parse_bulk_path(path)
    walked = walk_dataset(
        buffer,
        scanned.dataset_offset,
        len(buffer),
        encoding=scanned.encoding,
        wanted=frozenset({steps[0]}),
        is_whole=False,
    )
    if len(steps) == 1 and steps[0] in PIXEL_TAGS:
        pixels = walked.pixel_element
        if pixels is None or pixels.tag != steps[0]:
            raise NotFound(_MISSING)
        if pixels.length == UNDEFINED_LENGTH:
            return pixels.value_offset, walk_fragments(buffer, pixels.value_offset).end - pixels.value_offset
        return pixels.value_offset, pixels.length
    elements = walked.elements
    for position in range(0, len(steps) - 2, 2):
        elements = _item(buffer, _find(elements, steps[position]), steps[position + 1])
    _, _, offset, length, items = _find(elements, steps[-1])
    if items is not None:
        raise NotFound(_MISSING)
    return offset, length


def parse_bulk_path(path: str) -> tuple[int, ...]:
    """Return the tags of a path with the numbers of items between them."""
    parts = path.split("/")
    if len(parts) % 2 == 0 or len(parts) > 2 * DEPTH_MAX + 1:
        raise InvalidRequest(_MALFORMED)
    return tuple(_item_number(part) if position % 2 else _tag(part) for position, part in enumerate(parts))


def _tag(part: str) -> int:
    if len(part) != 8 or not all(letter in "0123456789ABCDEFabcdef" for letter in part):
        raise InvalidRequest(_MALFORMED)
    return int(part, 16)


def _item_number(part: str) -> int:
    if not (part.isascii() and part.isdigit() and len(part) <= ITEM_NUMBER_DIGITS_MAX):
        raise InvalidRequest(_MALFORMED)
    return int(part)


def _find(elements: list[Element], tag: int) -> Element:
    for element in elements:
        if element[0] == tag:
            return element
    raise NotFound(_MISSING)


def _item(buffer: Buffer, element: Element, number: int) -> list[Element]:
    _, vr, offset, length, items = element
    if items is None and vr == "UN":
        items = walk_nested(buffer, offset, offset + length)
    if items is None or number >= len(items):
        raise NotFound(_MISSING)
    return items[number]
