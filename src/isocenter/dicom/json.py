"""DICOM JSON model (PS3.18 annex F) straight from the bytes of a header.

Group lengths are left out (F.2.2), and so is what lies behind the pixel data. Padding blanks are dropped; NUL is
padding in UI only, elsewhere it is part of the value as it was sent. Whatever the bytes, the answer is valid JSON.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite, isnan
from typing import Any, Literal

import orjson

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet, parse_character_set
from isocenter.dicom.dictionary import AMBIGUOUS_VRS, dictionary_vr, resolve_vr
from isocenter.dicom.model import UNDEFINED_LENGTH, Encoding
from isocenter.dicom.part10 import OpenedFile, open_file
from isocenter.dicom.shapes import HeaderShapes
from isocenter.dicom.text import (
    BULK_VRS,
    CHARSET_DELIMITERS,
    SINGLE_VALUED_VRS,
    decode_numbers,
    decode_tags,
)
from isocenter.dicom.walk import PIXEL_TAGS, Buffer, Element, Items, Walked, walk_dataset, walk_nested
from isocenter.domain.errors import InvalidDataset


@dataclass(frozen=True, slots=True)
class BulkPolicy:
    """What becomes of elements of VR OB, OD, OF, OL, OV, OW and UN."""

    uri_prefix: str | None
    """What the path of an element (`00420011`, `54000100/0/54001010`) is put behind; None to leave bulk out."""
    inline_length_max: int = 0
    """Values of up to so many bytes go inline, base64; the pixel data never does."""

    @classmethod
    def drop(cls) -> BulkPolicy:
        """Leave bulk data out, at every level (dicom-service 3.5)."""
        return cls(None)

    @classmethod
    def by_reference(cls, uri_prefix: str, *, inline_length_max: int = 0) -> BulkPolicy:
        """Give bulk data by URI."""
        return cls(uri_prefix, inline_length_max)


Attribute = dict[str, Any]
"""One attribute of the JSON model: `vr` and at most one of `Value`, `BulkDataURI`, `InlineBinary`."""


def encode_instance_json(header: Buffer, *, bulk: BulkPolicy) -> bytes:
    """Return the data set of a file as a DICOM JSON object.

    `header` is the file up to its pixel data, or more of it: where bulk is referred to, the pixel data is named if at
    least `PIXEL_HEADER_LENGTH` bytes of its element are there.
    """
    return orjson.dumps(dataset_json(header, bulk=bulk))


class InstanceJsonEncoder:
    """Encode instances one after the other, as `encode_instance_json` does.

    The instances of a series have their structure and most of their elements in common. A header of a shape that was
    walked is not walked again, and what an element says is kept under its bytes: it is worked out anew only where they
    differ, or what the reading of all others depends on.
    """

    def __init__(self) -> None:
        self._shapes = HeaderShapes()
        self._walked: Walked | None = None
        self._context_elements: list[Element] = []
        self._context: object = None
        self._known: dict[_ElementKey, bytes] = {}

    def encode(self, header: Buffer, *, bulk: BulkPolicy) -> bytes:
        """Return the data set of a file as a DICOM JSON object."""
        encoding, walked, head = self._walk(header)
        self._enter(encoding, walked, head, bulk)
        members: dict[int, bytes] = {}
        unknown: list[tuple[_ElementKey, Element]] = []
        known = self._known
        for element in walked.elements:
            tag, vr, offset, length, _ = element
            key = (tag, vr, head[offset : offset + length])
            text = known.get(key)
            if text is None:
                unknown.append((key, element))
                text = b""
            members[tag] = text
        self._encode_unknown(unknown, members, _Encoder(head, bulk), encoding)
        pixels = _pixel_reference(walked, bulk)
        if pixels is not None:
            members[pixels[0]] = _member(f"{pixels[0]:08X}", pixels[1])
        return b"{" + b",".join(filter(None, members.values())) + b"}"

    def _walk(self, header: Buffer) -> tuple[Encoding, Walked, bytes]:
        shape = self._shapes.recall(header, _WHOLE, size_bytes=sys.maxsize)
        if shape is not None:
            return shape.encoding, shape.walked, bytes(header)
        opened = open_file(header)
        walked, head = _walk(opened, None)
        self._shapes.learn(opened, walked, _WHOLE)
        return opened.encoding, walked, head

    def _enter(self, encoding: Encoding, walked: Walked, head: bytes, bulk: BulkPolicy) -> None:
        """Forget everything where what the reading of values depends on is not as it was."""
        if walked is not self._walked:
            self._walked = walked
            self._context_elements = [element for element in walked.elements if element[0] in _CONTEXT_TAGS]
        context = (
            encoding.is_little_endian,
            bulk.uri_prefix is None,
            bulk.inline_length_max,
            [(tag, vr, head[offset : offset + length]) for tag, vr, offset, length, _ in self._context_elements],
        )
        if context != self._context or len(self._known) > KEPT_MAX:
            self._known.clear()
        self._context = context

    def _encode_unknown(
        self,
        unknown: list[tuple[_ElementKey, Element]],
        members: dict[int, bytes],
        encoder: _Encoder,
        encoding: Encoding,
    ) -> None:
        elements = [element for _, element in unknown]
        root = _Dataset(elements, DEFAULT_CHARACTER_SET, encoding.is_little_endian, None)
        encoded = encoder.dataset(root, "")
        for key, (tag, _, _, length, _) in unknown:
            name = _key(tag)
            text = _member(name, encoded[name]) if name in encoded else b""
            members[tag] = text
            if length <= KEPT_LENGTH_MAX and tag not in _CONTEXT_TAGS and _BULK_REFERENCE not in text:
                self._known[key] = text


_ElementKey = tuple[int, str | None, bytes]
_WHOLE: frozenset[int] = frozenset()
"""What the shapes are told is wanted of a header: here, everything."""
KEPT_LENGTH_MAX = 2048
"""Longer values are seldom the same in the next instance, and comparing them costs as much as reading them."""
KEPT_MAX = 1024
"""Far more than the elements of one data set; with the length, some megabytes at most."""
_BULK_REFERENCE = b'"BulkDataURI":'
"""Names the instance: never kept for the next one."""


def _member(name: str, attribute: Attribute) -> bytes:
    return orjson.dumps({name: attribute})[1:-1]


def dataset_json(header: Buffer, *, bulk: BulkPolicy) -> dict[str, Attribute]:
    """Return the same as a Python value, for those who add to it."""
    return _encode(open_file(header), None, bulk)


def without_paths(dataset: dict[str, Attribute], paths: Iterable[str]) -> dict[str, Attribute]:
    """Return a data set after taking out the elements that paths name (`00400275/0/00400007`), where they are there."""
    for path in paths:
        *steps, last = path.split("/")
        item: dict[str, Attribute] | None = dataset
        for tag, number in zip(steps[::2], steps[1::2], strict=True):
            items = item.get(tag, {}).get("Value", []) if item is not None else []
            item = items[int(number)] if int(number) < len(items) else None
        if item is not None:
            item.pop(last, None)
    return dataset


def select_json(header: Buffer, tags: frozenset[int], *, bulk: BulkPolicy | None = None) -> dict[str, Attribute]:
    """Return some top-level attributes of a file, those of them that it has, with all that is nested in them."""
    selected = _encode(open_file(header), tags | _CONTEXT_TAGS, bulk or BulkPolicy.drop())
    return {key: attribute for key, attribute in selected.items() if int(key, 16) in tags}


def _encode(opened: OpenedFile, tags: frozenset[int] | None, bulk: BulkPolicy) -> dict[str, Attribute]:
    walked, head = _walk(opened, tags)
    root = _Dataset(walked.elements, DEFAULT_CHARACTER_SET, opened.encoding.is_little_endian, None)
    encoded = _Encoder(head, bulk).dataset(root, "")
    pixels = _pixel_reference(walked, bulk)
    if pixels is not None and (tags is None or pixels[0] in tags):
        encoded[f"{pixels[0]:08X}"] = pixels[1]
    return encoded


def _walk(opened: OpenedFile, tags: frozenset[int] | None) -> tuple[Walked, bytes]:
    """Return where the elements of a header lie, and its bytes up to the last of them."""
    buffer = opened.buffer
    walked = walk_dataset(
        buffer, opened.dataset_offset, len(buffer), encoding=opened.encoding, wanted=tags, is_whole=False
    )
    return walked, buffer if isinstance(buffer, bytes) else bytes(buffer[: walked.end])


def _pixel_reference(walked: Walked, bulk: BulkPolicy) -> tuple[int, Attribute] | None:
    """Return the pixel data as it is named, where bulk is referred to."""
    pixels = walked.pixel_element
    if pixels is None or bulk.uri_prefix is None:
        return None
    return pixels.tag, {"vr": pixels.vr, "BulkDataURI": f"{bulk.uri_prefix}{pixels.tag:08X}"}


_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_LUT_DESCRIPTOR = 0x00283002
_CONTEXT_TAGS = frozenset({_SPECIFIC_CHARACTER_SET, _PIXEL_REPRESENTATION, _LUT_DESCRIPTOR})
_WORD_LENGTHS = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}


@dataclass(slots=True)
class _Dataset:
    """A data set with what the reading of its values depends on."""

    elements: list[Element]
    character_set: CharacterSet
    is_little_endian: bool
    parent: _Dataset | None
    numbers: dict[int, int | None] = field(default_factory=dict)


class _Encoder:
    """One pass over the elements of a header."""

    __slots__ = ("buffer", "bulk", "refers")

    def __init__(self, buffer: bytes, bulk: BulkPolicy) -> None:
        self.buffer = buffer
        self.bulk = bulk
        self.refers = bulk.uri_prefix is not None

    def dataset(self, dataset: _Dataset, path: str) -> dict[str, Attribute]:
        """Return a data set; `path` is that of the item that it is, with a slash at its end."""
        out: dict[str, Attribute] = {}
        buffer = self.buffer
        for element in dataset.elements:
            tag, vr, offset, length, items = element
            if not tag & 0xFFFF or tag >> 16 in _OTHER_GROUPS:
                continue
            if vr is None or vr == "UN":
                vr, items = self._resolve(dataset, element)
            key = _key(tag)
            decode = _DECODERS.get(vr)
            if decode is not None:
                values = decode(buffer[offset : offset + length]) if length else None
                if tag == _SPECIFIC_CHARACTER_SET:
                    dataset.character_set = parse_character_set(buffer[offset : offset + length])
            elif vr in CHARSET_DELIMITERS:
                values = self._texts(dataset, vr, offset, length)
            elif items is not None or vr == "SQ":
                out[key] = self._sequence(dataset, element[1], items or [], f"{path}{key}/")
                continue
            elif vr in BULK_VRS:
                if self.refers:
                    out[key] = self._bulk(dataset, vr, offset, length, path + key)
                continue
            else:
                is_little_endian = dataset.is_little_endian or element[1] == "UN"
                values = _numbers(buffer[offset : offset + length], vr, is_little_endian)
            out[key] = {"vr": vr, "Value": values} if values else {"vr": vr}
        return out

    def _texts(self, dataset: _Dataset, vr: str, offset: int, length: int) -> list[Any] | None:
        raw = self.buffer[offset : offset + length]
        if raw.isascii() and b"\x1b" not in raw:
            text = raw.decode("ascii")
        else:
            text = dataset.character_set.decode(raw, delimiters=CHARSET_DELIMITERS[vr])
        return _names(text) if vr == "PN" else _texts(text, vr)

    def _sequence(self, dataset: _Dataset, coded_vr: str | None, items: Items, path: str) -> Attribute:
        if not items:
            return {"vr": "SQ"}
        is_little_endian = dataset.is_little_endian or coded_vr == "UN"
        values = [
            self.dataset(_Dataset(item, dataset.character_set, is_little_endian, dataset), f"{path}{number}/")
            for number, item in enumerate(items)
        ]
        return {"vr": "SQ", "Value": values}

    def _resolve(self, dataset: _Dataset, element: Element) -> tuple[str, Items | None]:
        """Return the VR of an element that came without one, and its items."""
        tag, coded_vr, offset, length, items = element
        if items is not None:
            return "SQ", items
        if length == UNDEFINED_LENGTH:
            return "OB", None
        vr = dictionary_vr(tag)
        if vr in AMBIGUOUS_VRS:
            vr = resolve_vr(
                tag,
                vr,
                pixel_representation=self._pixel_representation(dataset),
                lut_entries=self._first_number(dataset, _LUT_DESCRIPTOR) or 0,
            )
        if vr == "SQ" and coded_vr == "UN":
            try:
                return vr, walk_nested(self.buffer, offset, offset + length)
            except InvalidDataset:
                return "UN", None
        return vr, None

    def _first_number(self, dataset: _Dataset, wanted: int) -> int | None:
        """Return the first value of a US element of a data set, looked for once however often it is asked for."""
        if wanted not in dataset.numbers:
            byte_order: Literal["little", "big"] = "little" if dataset.is_little_endian else "big"
            dataset.numbers[wanted] = next(
                (
                    int.from_bytes(self.buffer[offset : offset + 2], byte_order)
                    for tag, _, offset, length, _ in dataset.elements
                    if tag == wanted and length >= 2
                ),
                None,
            )
        return dataset.numbers[wanted]

    def _pixel_representation(self, dataset: _Dataset | None) -> int:
        """Return PixelRepresentation of a data set, or of the nearest above it that has one."""
        while dataset is not None:
            found = self._first_number(dataset, _PIXEL_REPRESENTATION)
            if found is not None:
                return found
            dataset = dataset.parent
        return 0

    def _bulk(self, dataset: _Dataset, vr: str, offset: int, length: int, path: str) -> Attribute:
        bulk = self.bulk
        if length == 0:
            return {"vr": vr}
        if bulk.uri_prefix is None:
            return {}
        if length > bulk.inline_length_max or int(path[-8:], 16) in PIXEL_TAGS:
            return {"vr": vr, "BulkDataURI": bulk.uri_prefix + path}
        raw = self.buffer[offset : offset + length]
        if not dataset.is_little_endian:
            raw = _swapped(raw, _WORD_LENGTHS.get(vr, 1))
        return {"vr": vr, "InlineBinary": b64encode(raw).decode("ascii")}


_OTHER_GROUPS = (0x0002, 0x0000)
"""File meta information and commands do not belong to a data set."""


def _swapped(raw: bytes, word_length: int) -> bytes:
    """Return big endian words as little endian, which inline binary is in always (PS3.18 F.2.7)."""
    return b"".join(raw[start : start + word_length][::-1] for start in range(0, len(raw), word_length))


@lru_cache(maxsize=8192)
def _key(tag: int) -> str:
    """Return the name that an attribute has in the JSON model."""
    return f"{tag:08X}"


def _texts(text: str, vr: str) -> list[Any]:
    text = text.rstrip(" ")
    if "\\" not in text or vr in SINGLE_VALUED_VRS:
        return [text] if text else []
    return [part.rstrip(" ") or None for part in text.split("\\")]


def _plain_texts(raw: bytes) -> list[Any]:
    text = raw.decode("latin-1").rstrip(" ")
    if "\\" not in text:
        return [text] if text else []
    return [part.rstrip(" ") or None for part in text.split("\\")]


def _uids(raw: bytes) -> list[Any]:
    text = raw.decode("latin-1").rstrip(" \0")
    if "\\" not in text:
        return [text] if text else []
    return [part.rstrip(" \0") or None for part in text.split("\\")]


def _uri(raw: bytes) -> list[Any]:
    return _texts(raw.decode("latin-1"), "UR")


def _names(text: str) -> list[Any]:
    values = [_name(part) for part in text.split("\\")]
    return values if len(values) > 1 or values[0] else []


def _name(text: str) -> dict[str, str] | None:
    groups = zip(_COMPONENT_GROUPS, text.split("=", 2), strict=False)
    return {name: bare for name, group in groups if (bare := group.rstrip(" "))} or None


_COMPONENT_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def _integers(raw: bytes) -> list[Any]:
    return _number_strings(raw, _integer)


def _decimals(raw: bytes) -> list[Any]:
    return _number_strings(raw, _decimal)


def _number_strings(raw: bytes, parse: Callable[[str], int | float | str]) -> list[Any]:
    text = raw.decode("latin-1").strip(" \0")
    if "\\" not in text:
        return [parse(text)] if text else []
    return [parse(bare) if (bare := part.strip(" \0")) else None for part in text.split("\\")]


def _integer(text: str) -> int | str:
    try:
        return int(text) if len(text) <= _DIGITS_MAX and text.isascii() and "_" not in text else text
    except ValueError:
        return text


def _decimal(text: str) -> int | float | str:
    if text.isdigit() and text.isascii() and len(text) <= _DIGITS_MAX:
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) and "_" not in text and text.isascii() else text


_DIGITS_MAX = 18
"""So many digits fit an integer of 64 bits, which is what JSON encoders agree on; IS has 12 at most."""


def _numbers(raw: bytes, vr: str, is_little_endian: bool) -> list[Any]:
    if vr == "AT":
        return decode_tags(raw, is_little_endian=is_little_endian)
    numbers = decode_numbers(raw, vr, is_little_endian=is_little_endian)
    if vr in _FLOAT_VRS and not all(map(isfinite, numbers)):
        return [number if isfinite(number) else _not_finite(number) for number in numbers]
    return list(numbers)


_FLOAT_VRS = frozenset({"FL", "FD"})


def _not_finite(number: float) -> str:
    """Return the word for a value that JSON numbers cannot express."""
    if isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


_DECODERS: dict[str, Callable[[bytes], list[Any]]] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "TM"), _plain_texts),
    "UI": _uids,
    "UR": _uri,
    "IS": _integers,
    "DS": _decimals,
}
"""The VRs whose text is in the default repertoire."""
