"""A data set as a value, for the small ones that are made, changed or answered: work list items, steps, commitments.

Attributes stand by tag in the order of tags. A value is its bytes as they came, in little-endian order; a sequence is
data sets. It must never hold an instance on its way in: that one is walked where it lies (`scan.py`).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet, parse_character_set
from isocenter.dicom.dictionary import UNKNOWN_VR, dictionary_vr, resolve_vr
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import inflate_file
from isocenter.dicom.text import (
    CHARSET_DELIMITERS,
    NUMBER_FORMATS,
    NUMBER_SIZES,
    NUMBER_STRING_VRS,
    PLAIN_TEXT_VRS,
    SINGLE_VALUED_VRS,
    decode_text,
)
from isocenter.dicom.walk import LONG_VRS, Buffer, Element, walk_dataset
from isocenter.domain.errors import InvalidDataset
from isocenter.domain.values import Values, tag_key

SPECIFIC_CHARACTER_SET = 0x00080005
INFLATED_SIZE_MAX_BYTES = 16 << 20
"""Of what is no instance: identifiers and lists, of which a megabyte is much; many may be read at once."""
SHORT_LENGTH_MAX = 0xFFFF

_WORD_LENGTHS = {**NUMBER_SIZES, "AT": 2, "OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
_NUL_PADDED = frozenset({"UI", "OB", "UN", *_WORD_LENGTHS})
_ITEM = 0xFFFEE000
_UNDEFINED = b"\xff\xff\xff\xff"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its VR and its value, or the items of a sequence."""

    vr: str
    value: bytes = b""
    items: tuple[Dataset, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether it has no value."""
        return not self.items and not self.value.strip(b" \0")


Dataset: TypeAlias = Mapping[int, Attribute]
"""In the order of tags; a sequence is `Attribute("SQ", items=…)`."""


def decode_dataset(content: bytes, encoding: Encoding) -> Dataset:
    """Return the data set that stands in these bytes, up to its pixel data. Raises InvalidDataset."""
    if encoding.is_deflated:
        content = inflate_dataset(content)
    walked = walk_dataset(content, 0, len(content), encoding=encoding, wanted=None)
    return decode_elements(content, walked.elements, encoding.is_little_endian)


def decode_elements(content: Buffer, elements: Iterable[Element], is_little_endian: bool) -> Dataset:
    """Return elements that lie in a buffer as a data set. Raises InvalidDataset for an encapsulated value."""
    found: dict[int, Attribute] = {}
    for tag, coded_vr, offset, length, items in elements:
        if not tag & 0xFFFF or tag >> 16 in (0x0000, 0x0002):  # group lengths, and what belongs to no data set
            continue
        is_little = is_little_endian or coded_vr == UNKNOWN_VR
        if items is not None:
            found[tag] = Attribute("SQ", items=tuple(decode_elements(content, item, is_little) for item in items))
            continue
        if bytes(content[offset - 4 : offset]) == _UNDEFINED:
            raise InvalidDataset("A data set that is no instance holds an encapsulated value.")
        vr = vr_of(tag) if coded_vr is None or coded_vr == UNKNOWN_VR else coded_vr
        value = bytes(content[offset : offset + length])
        if vr == "SQ":
            vr = "SQ" if not value else UNKNOWN_VR
        found[tag] = Attribute(vr, value if is_little else swapped(value, vr))
    return dict(sorted(found.items()))


def vr_of(tag: int) -> str:
    """Return the VR that the dictionary gives a tag outside of images, UN where it has none."""
    return resolve_vr(tag, dictionary_vr(tag), pixel_representation=0)


def encode_dataset(dataset: Dataset, encoding: Encoding) -> bytes:
    """Return a data set as bytes, its sequences with lengths, which the oldest devices read too."""
    content = _encode(dataset, encoding)
    return deflate(content) if encoding.is_deflated else content


def inflate_dataset(content: bytes) -> bytes:
    """Return a deflated data set that is no instance as it was; raises InvalidDataset, LimitExceeded for a bomb."""
    return inflate_file(content, 0, size_max_bytes=INFLATED_SIZE_MAX_BYTES)


def deflate(content: bytes) -> bytes:
    """Return a data set as the deflated transfer syntax has it (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(content) + deflater.flush()
    return deflated + b"\0" * (len(deflated) % 2)


def _encode(dataset: Dataset, encoding: Encoding) -> bytes:
    return b"".join(_element(tag, attribute, encoding) for tag, attribute in dataset.items())


def _element(tag: int, attribute: Attribute, encoding: Encoding) -> bytes:
    vr = attribute.vr
    if vr == "SQ":
        value = b"".join(_item(item, encoding) for item in attribute.items)
    else:
        value = attribute.value if encoding.is_little_endian else swapped(attribute.value, vr)
        if len(value) % 2:
            value += b"\0" if vr in _NUL_PADDED else b" "
    order = "<" if encoding.is_little_endian else ">"
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if encoding.is_implicit_vr:
        return head + struct.pack(order + "I", len(value)) + value
    if len(value) > SHORT_LENGTH_MAX and vr not in LONG_VRS:
        vr = UNKNOWN_VR  # PS3.5 6.2.2
    if vr in LONG_VRS:
        return head + vr.encode("ascii") + struct.pack(order + "HI", 0, len(value)) + value
    return head + vr.encode("ascii") + struct.pack(order + "H", len(value)) + value


def _item(item: Dataset, encoding: Encoding) -> bytes:
    content = _encode(item, encoding)
    order = "<" if encoding.is_little_endian else ">"
    return struct.pack(order + "HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(content)) + content


def swapped(value: bytes, vr: str) -> bytes:
    """Return a value with the bytes of each of its words in the other order."""
    size = _WORD_LENGTHS.get(vr, 1)
    if size == 1 or len(value) % size:
        return value
    return b"".join(value[at : at + size][::-1] for at in range(0, len(value), size))


def character_set_of(dataset: Dataset, inherited: CharacterSet = DEFAULT_CHARACTER_SET) -> CharacterSet:
    """Return the character set of a data set: its own, else that of the data set it is nested in."""
    named = dataset.get(SPECIFIC_CHARACTER_SET)
    return inherited if named is None else parse_character_set(named.value)


def texts_of(attribute: Attribute, character_set: CharacterSet) -> tuple[str, ...]:
    """Return the values of an attribute as texts without padding; none where it is empty, bulk or a sequence."""
    text = decode_text(attribute.value, attribute.vr, character_set=character_set, is_little_endian=True)
    if attribute.vr == "PN":
        return tuple(_without_empty_ends(name) for name in text.split("\\")) if text else ()
    return () if not text else (text,) if attribute.vr in SINGLE_VALUED_VRS else tuple(text.split("\\"))


def _without_empty_ends(name: str) -> str:
    """Return a person name without the delimiters that nothing follows, which mean nothing (PS3.5 6.2.1.2)."""
    return "=".join(group.rstrip("^ ") for group in name.split("=")).rstrip("=")


def text_of(dataset: Dataset, tag: int) -> str:
    """Return the first value of an attribute as text, empty where there is none."""
    attribute = dataset.get(tag)
    texts = texts_of(attribute, character_set_of(dataset)) if attribute is not None else ()
    return texts[0] if texts else ""


def values_of(dataset: Dataset) -> Values:
    """Return the texts of a data set by tag; what has no value is left out."""
    return _values(dataset, DEFAULT_CHARACTER_SET, keeps_empty=False)


def presence_of(dataset: Dataset) -> Values:
    """Return the same with an empty entry for what has no text, to tell it from what is absent."""
    return _values(dataset, DEFAULT_CHARACTER_SET, keeps_empty=True)


def _values(dataset: Dataset, inherited: CharacterSet, *, keeps_empty: bool) -> Values:
    character_set = character_set_of(dataset, inherited)
    values: dict[str, Sequence[str | Values]] = {}
    for tag, attribute in dataset.items():
        found: list[str | Values] = [_values(item, character_set, keeps_empty=keeps_empty) for item in attribute.items]
        found += texts_of(attribute, character_set)
        if found or keeps_empty:
            values[tag_key(tag)] = found
    return values


def text_attribute(vr: str, *texts: str) -> Attribute:
    """Return an attribute with values that need no character set, or that are encoded as UTF-8."""
    return Attribute(vr, "\\".join(texts).encode())


def has_charset_text(vr: str) -> bool:
    """Tell whether the values of a VR depend on Specific Character Set (PS3.5 6.1.2.2)."""
    return vr in CHARSET_DELIMITERS


def is_text_vr(vr: str) -> bool:
    """Tell whether values of a VR can be compared as text."""
    return vr in CHARSET_DELIMITERS or vr in PLAIN_TEXT_VRS or vr in NUMBER_STRING_VRS or vr in NUMBER_FORMATS
