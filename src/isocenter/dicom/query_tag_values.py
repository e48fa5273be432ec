"""What a data set has of extended query tags: the first value of each, or why it cannot be indexed (dicom-service 2.5).

A private tag is meant by its creator: its element is looked for in whichever block the data set has reserved for that
creator (PS3.5 7.8.1). Where the encoding tells no VR, a value is read by the VR of the tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet, parse_character_set
from isocenter.dicom.dictionary import is_private
from isocenter.dicom.minimum_rules import MULTIPLE_VALUES, ErrorCode, Objection, object_to_length, object_to_text
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import open_file
from isocenter.dicom.shapes import HeaderShapes
from isocenter.dicom.text import (
    CHARSET_DELIMITERS,
    NUMBER_FORMATS,
    NUMBER_SIZES,
    TEXT_LENGTH_MAX,
    decode_numbers,
    decode_text,
)
from isocenter.dicom.walk import Buffer, Element, walk_dataset
from isocenter.domain.query_tag import KINDS_BY_VR, QueryTag, ValueKind
from isocenter.domain.query_tag_value import canonical_value

SPECIFIC_CHARACTER_SET = 0x00080005
_TEXT_KINDS = frozenset({ValueKind.STRING, ValueKind.PERSON_NAME})
"""Text that is too long, or has characters that it should not have, can be compared all the same."""
_BLOCKS = range(0x10, 0x100)
_TAG_SETS_MAX = 16
"""An archive has one set of tags at a time; tests and a reindex have others beside it."""
_VR_UNEXPECTED = Objection(ErrorCode.UNEXPECTED_VR, "The extended query tag VR is not expected.")
_TOO_LONG = Objection(ErrorCode.EXCEEDS_MAXIMUM_LENGTH, "Value length exceeds maximum length.")
_INVALID_CHARACTER = Objection(ErrorCode.INVALID_CHARACTERS, "Value contains invalid character.")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a data set has of a tag."""

    tag: int
    """Where it was found."""
    value: str = ""
    """The first value as an index keeps it; empty where it keeps none. Text is there in spite of an objection."""
    objection: Objection | None = None
    """Why Azure's service does not index the first value."""
    has_several_values: bool = False
    ends_in_nul: bool = False

    @property
    def stored_objection(self) -> Objection | None:
        """Return why it cannot be indexed where there must be one value."""
        return MULTIPLE_VALUES if self.has_several_values else self.objection

    @property
    def strict_objection(self) -> Objection | None:
        """Return why it cannot be indexed where there must be one value with no padding but blanks."""
        return _INVALID_CHARACTER if self.ends_in_nul and not self.has_several_values else self.stored_objection


@lru_cache(maxsize=_TAG_SETS_MAX)
def tags_to_locate(query_tags: tuple[QueryTag, ...]) -> frozenset[int]:
    """Return the tags of all elements that tell of query tags: creators of private blocks too."""
    found: set[int] = set()
    for one in query_tags:
        tag = one.entry.tag
        if is_private(tag):
            group, element = tag & 0xFFFF0000, tag & 0xFF
            found.update(group | block for block in _BLOCKS)
            found.update(group | block << 8 | element for block in _BLOCKS)
        else:
            found.add(tag)
    return frozenset(found)


class HeaderFinder:
    """Look for tags in the headers of many stored instances; one of a known shape is not walked again."""

    def __init__(self, query_tags: tuple[QueryTag, ...]) -> None:
        self._query_tags = query_tags
        self._wanted = tags_to_locate(query_tags) | {SPECIFIC_CHARACTER_SET}
        self._shapes = HeaderShapes()

    def find(self, header: Buffer, *, size_bytes: int) -> Mapping[int, Finding]:
        """Return what a file has of the tags, by their keys.

        `header` is the file, of `size_bytes`, up to its pixel data, or more of it. Raises InvalidDataset.
        """
        shape = self._shapes.recall(header, self._wanted, size_bytes=size_bytes)
        if shape is not None:
            return self._find(header, shape.walked.elements, shape.encoding)
        opened = open_file(header)
        walked = walk_dataset(
            opened.buffer,
            opened.dataset_offset,
            len(opened.buffer),
            encoding=opened.encoding,
            wanted=self._wanted,
            is_whole=False,
        )
        self._shapes.learn(opened, walked, self._wanted)
        return self._find(opened.buffer, walked.elements, opened.encoding)

    def _find(self, buffer: Buffer, elements: Sequence[Element], encoding: Encoding) -> dict[int, Finding]:
        return find_in_elements(buffer, elements, self._query_tags, is_little_endian=encoding.is_little_endian)


def find_in_header(header: Buffer, query_tags: tuple[QueryTag, ...]) -> Mapping[int, Finding]:
    """Return what one file has of tags, by the tags' keys; `header` is the file up to its pixel data, or more of it.

    Raises InvalidDataset.
    """
    return HeaderFinder(query_tags).find(header, size_bytes=len(header))


def find_in_elements(
    buffer: Buffer, elements: Sequence[Element], query_tags: Sequence[QueryTag], *, is_little_endian: bool
) -> dict[int, Finding]:
    """Return what located elements tell of tags, by the tags' keys; nothing of those that are absent or empty."""
    reader = _Reader(buffer, elements, is_little_endian=is_little_endian)
    found: dict[int, Finding] = {}
    for one in query_tags:
        finding = reader.find(one)
        if finding is not None:
            found[one.query_tag_key] = finding
    return found


class _Reader:
    """The located elements of one data set."""

    __slots__ = ("_blocks", "_buffer", "_by_tag", "_is_little_endian")

    def __init__(self, buffer: Buffer, elements: Sequence[Element], *, is_little_endian: bool) -> None:
        self._buffer = buffer
        self._by_tag = {element[0]: element for element in elements}
        self._is_little_endian = is_little_endian
        self._blocks: dict[tuple[int, str], list[int]] | None = None

    def find(self, query_tag: QueryTag) -> Finding | None:
        """Return what there is of a tag."""
        entry = query_tag.entry
        element = self._by_tag.get(entry.tag) if not entry.private_creator else self._private_element(query_tag)
        if element is None or element[3] == 0:
            return None
        tag, coded_vr, offset, length, items = element
        if items is not None or coded_vr not in (entry.vr, None, "UN"):
            return Finding(tag, objection=_VR_UNEXPECTED)
        if length > TEXT_LENGTH_MAX:
            return Finding(tag, objection=_TOO_LONG)
        value = bytes(self._buffer[offset : offset + length])
        if entry.vr in NUMBER_FORMATS:
            return self._number(tag, entry.vr, value, is_little_endian=self._is_little_endian or coded_vr == "UN")
        return self._text(tag, entry.vr, value)

    def _private_element(self, query_tag: QueryTag) -> Element | None:
        entry = query_tag.entry
        group, low = entry.tag & 0xFFFF0000, entry.tag & 0xFF
        blocks = self._reserved_blocks().get((group, entry.private_creator), ())
        found = (self._by_tag.get(group | block << 8 | low) for block in blocks)
        return next((element for element in found if element is not None), None)

    def _reserved_blocks(self) -> Mapping[tuple[int, str], Sequence[int]]:
        """Return which blocks of a group each creator has reserved."""
        if self._blocks is None:
            self._blocks = {}
            for tag, element in self._by_tag.items():
                if is_private(tag) and tag & 0xFFFF in _BLOCKS:
                    creator = self._decode("LO", self._value(element))
                    self._blocks.setdefault((tag & 0xFFFF0000, creator), []).append(tag & 0xFFFF)
        return self._blocks

    def _number(self, tag: int, vr: str, value: bytes, *, is_little_endian: bool) -> Finding:
        objection = object_to_length(vr, len(value))
        several = len(value) > NUMBER_SIZES[vr] and len(value) % NUMBER_SIZES[vr] == 0
        if objection is not None and not several:
            return Finding(tag, objection=objection)
        [first, *_] = decode_numbers(value, vr, is_little_endian=is_little_endian)
        return Finding(tag, canonical_value(vr, str(first)), has_several_values=several)

    def _text(self, tag: int, vr: str, value: bytes) -> Finding | None:
        first, backslash, _ = self._decode(vr, value).partition("\\")
        if not first:
            return None
        objection = object_to_text(vr, first)
        kept = canonical_value(vr, first) if objection is None or KINDS_BY_VR[vr] in _TEXT_KINDS else ""
        ends_in_nul = vr != "UI" and value.endswith(b"\0")
        return Finding(tag, kept, objection, has_several_values=bool(backslash), ends_in_nul=ends_in_nul)

    def _value(self, element: Element) -> bytes:
        _, _, offset, length, _ = element
        return bytes(self._buffer[offset : offset + min(length, TEXT_LENGTH_MAX)])

    def _decode(self, vr: str, value: bytes) -> str:
        needs_set = vr in CHARSET_DELIMITERS and not (value.isascii() and b"\x1b" not in value)
        character_set = self._character_set() if needs_set else DEFAULT_CHARACTER_SET
        return decode_text(value, vr, character_set=character_set, is_little_endian=True)

    def _character_set(self) -> CharacterSet:
        element = self._by_tag.get(SPECIFIC_CHARACTER_SET)
        return DEFAULT_CHARACTER_SET if element is None else parse_character_set(self._value(element))
