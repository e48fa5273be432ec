"""Write walked elements again, in a native little-endian syntax: values stay the bytes they were, but for their order.

Group lengths are dropped (PS3.5 7.2, retired) and sequences become sequences of undefined length, so that nothing needs
to be measured before it is written. Elements behind the pixel data (trailing padding, signatures that the new encoding
would break) are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from isocenter.dicom.dictionary import UNKNOWN_VR, dictionary_vr, resolve_vr
from isocenter.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import META_OFFSET, PREAMBLE_LENGTH, OpenedFile
from isocenter.dicom.syntax import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicom.walk import LONG_VRS, Element, walk_dataset

SHORT_LENGTH_MAX = 0xFFFF
_ICON_IMAGE_SEQUENCE = 0x00880200
_PIXEL_DATA = 0x7FE00010
_META_KEPT = frozenset({0x00020002, 0x00020003, 0x00020016, 0x00020017, 0x00020018})
_SIZES = {"US": 2, "SS": 2, "OW": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4}
_SIZES |= dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
_NUL_PADDED = frozenset({"UI", "OB", "UN"})
_ITEM, _ITEM_END, _SEQUENCE_END = (
    bytes.fromhex(text) for text in ("feff00e0ffffffff", "feff0de000000000", "feffdde000000000")
)
_UNDEFINED = b"\xff\xff\xff\xff"

Values = Mapping[int, tuple[str, bytes]]
"""VR and little-endian value by tag."""


def element_header(tag: int, vr: str, length: int) -> bytes:
    """Return the header of an element in Explicit VR Little Endian (PS3.5 7.1.2)."""
    start = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return start + (struct.pack("<HI", 0, length) if vr in LONG_VRS else struct.pack("<H", length))


def implicit_element_header(tag: int, vr: str, length: int) -> bytes:
    """Return the header of an element in Implicit VR Little Endian (PS3.5 7.1.3), which does not say the VR."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)


WriteHeader = Callable[[int, str, int], bytes]
"""Writes tag, VR and length."""


def header_writer(transfer_syntax_uid: str) -> WriteHeader:
    """Return what writes headers of elements in a little-endian syntax."""
    return implicit_element_header if transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN else element_header


def write_element(tag: int, vr: str, value: bytes, write_header: WriteHeader = element_header) -> bytes:
    """Return an element whole; one too long for its VR becomes UN (PS3.5 6.2.2)."""
    if len(value) % 2:
        value += b"\0" if vr in _NUL_PADDED or vr in _SIZES else b" "
    if len(value) > SHORT_LENGTH_MAX and vr not in LONG_VRS:
        vr = UNKNOWN_VR
    return write_header(tag, vr, len(value)) + value


def write_file_start(opened: OpenedFile, *, transfer_syntax_uid: str, replaced: Values) -> bytes:
    """Return a file up to where its pixel data begins: preamble, meta information, elements with some replaced."""
    buffer = memoryview(opened.buffer)
    walked = walk_dataset(opened.buffer, opened.dataset_offset, len(buffer), encoding=opened.encoding, wanted=None)
    is_signed = _is_signed(buffer, walked.elements, opened.encoding)
    writer = _Writer(buffer, opened.encoding, is_signed, header_writer(transfer_syntax_uid))
    return _meta(opened, transfer_syntax_uid) + writer.dataset(_merged(walked.elements, replaced), replaced)


def _meta(opened: OpenedFile, transfer_syntax_uid: str) -> bytes:
    buffer = memoryview(opened.buffer)
    encoding = Encoding("", is_implicit_vr=False, is_little_endian=True)
    walked = walk_dataset(opened.buffer, META_OFFSET, opened.dataset_offset, encoding=encoding, wanted=None)
    values: dict[int, tuple[str, bytes]] = {
        0x00020001: ("OB", b"\0\1"),
        0x00020010: ("UI", transfer_syntax_uid.encode("ascii")),
        0x00020012: ("UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
        0x00020013: ("SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
    }
    for tag, _, offset, length, _ in walked.elements:
        if tag in _META_KEPT:
            values[tag] = (dictionary_vr(tag), bytes(buffer[offset : offset + length]))
    body = b"".join(write_element(tag, *values[tag]) for tag in sorted(values))
    length_element = write_element(0x00020000, "UL", struct.pack("<I", len(body)))
    return bytes(PREAMBLE_LENGTH) + b"DICM" + length_element + body


def _is_signed(buffer: memoryview, elements: list[Element], encoding: Encoding) -> int:
    order = "<H" if encoding.is_little_endian else ">H"
    for tag, _, offset, length, _ in elements:
        if tag == 0x00280103 and length >= 2:
            return int(struct.unpack_from(order, buffer, offset)[0])
    return 0


def _merged(elements: list[Element], replaced: Values) -> list[Element]:
    """Return elements with those that are replaced or new standing where their tags belong."""
    kept = [element for element in elements if element[0] not in replaced]
    return sorted([*kept, *((tag, vr, 0, 0, None) for tag, (vr, _) in replaced.items())], key=lambda each: each[0])


class _Writer:
    """Writes elements that lie in one buffer."""

    __slots__ = ("_buffer", "_encoding", "_pixel_representation", "_write_header")

    def __init__(
        self, buffer: memoryview, encoding: Encoding, pixel_representation: int, write_header: WriteHeader
    ) -> None:
        self._buffer = buffer
        self._encoding = encoding
        self._pixel_representation = pixel_representation
        self._write_header = write_header

    def dataset(self, elements: Iterable[Element], replaced: Values) -> bytes:
        return b"".join(
            write_element(element[0], *replaced[element[0]], self._write_header)
            if element[0] in replaced
            else self._element(element)
            for element in elements
        )

    def _element(self, element: Element) -> bytes:
        tag, vr, offset, length, items = element
        if tag & 0xFFFF == 0 or (tag == _ICON_IMAGE_SEQUENCE and self._has_fragments(items)):
            return b""
        if items is not None:
            return self._sequence(tag, items)
        if vr is None:
            vr = resolve_vr(tag, dictionary_vr(tag), pixel_representation=self._pixel_representation)
        if vr == "SQ":
            return self._sequence(tag, [])
        value = self._value(vr, bytes(self._buffer[offset : offset + length]))
        return write_element(tag, vr, value, self._write_header)

    def _sequence(self, tag: int, items: list[list[Element]]) -> bytes:
        parts = [self._write_header(tag, "SQ", 0)[:-4], _UNDEFINED]
        for item in items:
            parts += [_ITEM, self.dataset(item, {}), _ITEM_END]
        return b"".join([*parts, _SEQUENCE_END])

    def _value(self, vr: str, value: bytes) -> bytes:
        size = _SIZES.get(vr, 1)
        if self._encoding.is_little_endian or size == 1 or len(value) % size:
            return value
        return np.frombuffer(value, dtype=f">u{size}").astype(f"<u{size}").tobytes()

    def _has_fragments(self, items: list[list[Element]] | None) -> bool:
        """Tell whether an icon is compressed: its pixels would need the syntax that the file is leaving."""
        return self._encoding.is_encapsulated and any(
            element[0] == _PIXEL_DATA and bytes(self._buffer[element[2] - 4 : element[2]]) == _UNDEFINED
            for item in items or []
            for element in item
        )
