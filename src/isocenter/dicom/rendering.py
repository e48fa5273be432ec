"""What a data set says of how its pixels are to be shown: rescale, windows, lookup tables, palette.

The plain CT, MR and CR take only attributes that the scanner decoded anyway; the elements are walked again
only where the header holds lookup tables or functional groups (enhanced multi-frame, PS3.3 C.7.6.16).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.dicom._lookup_table import LookupTable, expand_segments
from isocenter.dicom.codecs import decoded_photometric_interpretation
from isocenter.dicom.model import ScannedInstance
from isocenter.dicom.part10 import open_file
from isocenter.dicom.pixels import PIXEL_DATA, PIXEL_TAGS, Buffer, PixelDescription
from isocenter.dicom.walk import Element, walk_dataset

PIXEL_PADDING_VALUE = 0x00280120
WINDOW_CENTER = 0x00281050
WINDOW_WIDTH = 0x00281051
RESCALE_INTERCEPT = 0x00281052
RESCALE_SLOPE = 0x00281053
VOI_LUT_FUNCTION = 0x00281056
RENDERING_TAGS = PIXEL_TAGS | {
    PIXEL_PADDING_VALUE,
    WINDOW_CENTER,
    WINDOW_WIDTH,
    RESCALE_INTERCEPT,
    RESCALE_SLOPE,
    VOI_LUT_FUNCTION,
}
"""The attributes that `rendering_attributes` reads: ask the scanner for them."""

_MODALITY_LUT_SEQUENCE = 0x00283000
_VOI_LUT_SEQUENCE = 0x00283010
_LUT_DESCRIPTOR = 0x00283002
_LUT_DATA = 0x00283006
_SHARED_FUNCTIONAL_GROUPS = 0x52009229
_PER_FRAME_FUNCTIONAL_GROUPS = 0x52009230
_FRAME_VOI_LUT_SEQUENCE = 0x00289132
_PIXEL_VALUE_TRANSFORMATION_SEQUENCE = 0x00289145
_PALETTE_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_PALETTE_DATA = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED_PALETTE_DATA = (0x00281221, 0x00281222, 0x00281223)
_GROUPS = (_MODALITY_LUT_SEQUENCE, _VOI_LUT_SEQUENCE, _SHARED_FUNCTIONAL_GROUPS, _PER_FRAME_FUNCTIONAL_GROUPS)
_WALKED = frozenset({*_GROUPS, *_PALETTE_DESCRIPTORS, *_PALETTE_DATA, *_SEGMENTED_PALETTE_DATA})
_FUNCTIONS = {"LINEAR", "LINEAR_EXACT", "SIGMOID"}


@dataclass(frozen=True, slots=True)
class Window:
    """A window of values to be spread over the shades (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class RenderingAttributes:
    """How decoded samples of a frame become shades or colours."""

    photometric_interpretation: str
    """Of the decoded samples."""
    bits_stored: int
    slope: float = 1.0
    intercept: float = 0.0
    modality_table: LookupTable | None = None
    window: Window | None = None
    voi_table: LookupTable | None = None
    palette: tuple[LookupTable, LookupTable, LookupTable] | None = None
    padding_value: int | None = None
    """Stored value of pixels outside of the image; it takes no part in an automatic window."""


def rendering_attributes(header: Buffer, scanned: ScannedInstance, *, frame_number: int = 1) -> RenderingAttributes:
    """Return how a frame is to be shown. `header` is the file up to its pixel data, or all of it.

    The instance was scanned for `RENDERING_TAGS`. Values that make no sense are passed over: what can be decoded can be
    shown.
    """
    description = PixelDescription.of_scanned(scanned)
    if not _has_groups(header, scanned) and description.photometric_interpretation != "PALETTE COLOR":
        return _attributes(description, scanned.attributes, _Tables())
    opened = open_file(header)
    walked = walk_dataset(
        opened.buffer, opened.dataset_offset, len(opened.buffer), encoding=opened.encoding, wanted=_WALKED
    )
    reader = _Reader(opened.buffer, scanned.encoding.is_little_endian, description.pixel_representation == 1)
    top = reader.by_tag(walked.elements)
    transformation = reader.group(top, _PIXEL_VALUE_TRANSFORMATION_SEQUENCE, frame_number)
    voi = reader.group(top, _FRAME_VOI_LUT_SEQUENCE, frame_number)
    texts = {**scanned.attributes, **reader.texts(transformation), **reader.texts(voi)}
    tables = _Tables(
        modality=reader.table(reader.first_item(top, _MODALITY_LUT_SEQUENCE)),
        voi=reader.table(reader.first_item(voi, _VOI_LUT_SEQUENCE) or reader.first_item(top, _VOI_LUT_SEQUENCE)),
        palette=reader.palette(top),
    )
    return _attributes(description, texts, tables)


@dataclass(frozen=True, slots=True)
class _Tables:
    modality: LookupTable | None = None
    voi: LookupTable | None = None
    palette: tuple[LookupTable, LookupTable, LookupTable] | None = None


def _attributes(description: PixelDescription, texts: Mapping[int, str], tables: _Tables) -> RenderingAttributes:
    slope, intercept = _number(texts, RESCALE_SLOPE), _number(texts, RESCALE_INTERCEPT)
    padding_value = _number(texts, PIXEL_PADDING_VALUE)
    return RenderingAttributes(
        photometric_interpretation=decoded_photometric_interpretation(description),
        bits_stored=description.bits_stored,
        slope=slope or 1.0,
        intercept=intercept or 0.0,
        modality_table=tables.modality,
        window=_window(texts, is_float=description.pixel_tag != PIXEL_DATA),
        voi_table=tables.voi,
        palette=tables.palette,
        padding_value=None if padding_value is None else int(padding_value),
    )


def _window(texts: Mapping[int, str], *, is_float: bool) -> Window | None:
    """Return the first window. On real numbers LINEAR, which counts whole steps, means LINEAR_EXACT."""
    center, width = _number(texts, WINDOW_CENTER), _number(texts, WINDOW_WIDTH)
    function = texts.get(VOI_LUT_FUNCTION, "LINEAR").strip().upper()
    if is_float and function == "LINEAR":
        function = "LINEAR_EXACT"
    if center is None or width is None or width < (1 if function == "LINEAR" else 0) or width == 0:
        return None
    return Window(center, width, function if function in _FUNCTIONS else "LINEAR")


def _number(texts: Mapping[int, str], tag: int) -> float | None:
    try:
        number = float(texts.get(tag, "").split("\\", 1)[0])
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _has_groups(header: Buffer, scanned: ScannedInstance) -> bool:
    if scanned.encoding.is_deflated:
        return True
    order = "little" if scanned.encoding.is_little_endian else "big"
    head = bytes(header[: scanned.header_length])
    return any(_tag_bytes(tag, order) in head for tag in _GROUPS)


def _tag_bytes(tag: int, order: str) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    if order == "little":
        return group.to_bytes(2, "little") + element.to_bytes(2, "little")
    return tag.to_bytes(4, "big")


_Item = Mapping[int, Element]


class _Reader:
    """Reads the values of walked elements out of their buffer."""

    __slots__ = ("_buffer", "_is_little_endian", "_is_signed")

    def __init__(self, buffer: object, is_little_endian: bool, is_signed: bool) -> None:
        self._buffer = memoryview(buffer)  # type: ignore[arg-type]  # mmap is a buffer too, which typeshed has no word for
        self._is_little_endian = is_little_endian
        self._is_signed = is_signed

    def by_tag(self, elements: list[Element]) -> _Item:
        return {element[0]: element for element in elements}

    def first_item(self, item: _Item, tag: int) -> _Item:
        return self._item(item, tag, 0)

    def group(self, top: _Item, tag: int, frame_number: int) -> _Item:
        """Return the macro of a frame: its own, else the shared one."""
        own = self.first_item(self._item(top, _PER_FRAME_FUNCTIONAL_GROUPS, frame_number - 1), tag)
        return own or self.first_item(self.first_item(top, _SHARED_FUNCTIONAL_GROUPS), tag)

    def texts(self, item: _Item) -> dict[int, str]:
        """Return the text of the attributes of an item that rendering reads."""
        texts = {tag: self._bytes(item, tag).decode("latin-1").strip(" \0") for tag in item if tag in RENDERING_TAGS}
        return {tag: text for tag, text in texts.items() if text}

    def table(self, item: _Item) -> LookupTable | None:
        """Return the table of an item of a LUT sequence."""
        return self._table(item, _LUT_DESCRIPTOR, self._bytes(item, _LUT_DATA), is_segmented=False)

    def palette(self, top: _Item) -> tuple[LookupTable, LookupTable, LookupTable] | None:
        """Return the tables of red, green and blue."""
        tables = []
        for descriptor, data, segmented in zip(
            _PALETTE_DESCRIPTORS, _PALETTE_DATA, _SEGMENTED_PALETTE_DATA, strict=True
        ):
            is_segmented = data not in top and segmented in top
            table = self._table(
                top, descriptor, self._bytes(top, segmented if is_segmented else data), is_segmented=is_segmented
            )
            if table is None:
                return None
            tables.append(table)
        return tables[0], tables[1], tables[2]

    def _item(self, item: _Item, tag: int, index: int) -> _Item:
        element = item.get(tag)
        items = element[4] if element is not None else None
        return self.by_tag(items[index]) if items and 0 <= index < len(items) else {}

    def _bytes(self, item: _Item, tag: int) -> bytes:
        element = item.get(tag)
        return b"" if element is None else bytes(self._buffer[element[2] : element[2] + element[3]])

    def _table(self, item: _Item, descriptor_tag: int, data: bytes, *, is_segmented: bool) -> LookupTable | None:
        descriptor = self._bytes(item, descriptor_tag)
        if len(descriptor) < 6 or not data:
            return None
        order = "little" if self._is_little_endian else "big"
        vr = item[descriptor_tag][1]
        is_signed = vr == "SS" or (vr not in ("US", "SS") and self._is_signed)
        count = int.from_bytes(descriptor[:2], order) or 65_536  # type: ignore[arg-type]  # order is one of two literals
        first_value = int.from_bytes(descriptor[2:4], order, signed=is_signed)  # type: ignore[arg-type]  # as above
        bits = int.from_bytes(descriptor[4:6], order)  # type: ignore[arg-type]  # as above
        if not 0 < bits <= 16:
            return None
        if is_segmented:
            entries = expand_segments(data, bits=bits, count=count, is_little_endian=self._is_little_endian)
            return LookupTable.of(entries, count=count, first_value=first_value, bits=bits, is_little_endian=True)
        return LookupTable.of(
            data, count=count, first_value=first_value, bits=bits, is_little_endian=self._is_little_endian
        )
