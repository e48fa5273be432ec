"""Look at some elements of a data set where they lie: values as text, items, raw bytes; nothing is built before.

Searches hold keys against headers through it, and identifiers of DIMSE are read and answered through it.
"""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, CharacterSet, parse_character_set
from isocenter.dicom.dictionary import AMBIGUOUS_VRS, UNKNOWN_VR, dictionary_vr, resolve_vr
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import open_file
from isocenter.dicom.text import SINGLE_VALUED_VRS, TEXT_LENGTH_MAX, decode_text
from isocenter.dicom.walk import Buffer, Element, walk_dataset, walk_nested
from isocenter.domain.errors import InvalidDataset

SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_CONTEXT_TAGS = frozenset({SPECIFIC_CHARACTER_SET, _PIXEL_REPRESENTATION})


class ElementView:
    """The elements of a data set or of an item, by tag."""

    __slots__ = (
        "_elements",
        "_items",
        "buffer",
        "character_set",
        "character_set_terms",
        "is_little_endian",
        "is_signed",
    )

    def __init__(
        self,
        buffer: Buffer,
        elements: list[Element],
        *,
        is_little_endian: bool,
        character_set: CharacterSet = DEFAULT_CHARACTER_SET,
        character_set_terms: bytes = b"",
        is_signed: bool = False,
    ) -> None:
        self.buffer = buffer
        self._elements = {element[0]: element for element in elements}
        self._items: dict[int, list[ElementView]] = {}
        self.is_little_endian = is_little_endian
        self.character_set = character_set
        self.character_set_terms = character_set_terms
        """SpecificCharacterSet as it stands in the data set, or above the item."""
        self.is_signed = is_signed
        """What US or SS means here (PS3.5 A.1)."""
        terms = self.raw(SPECIFIC_CHARACTER_SET)
        if terms is not None:
            self.character_set_terms = terms.rstrip(b" \0")
            self.character_set = parse_character_set(self.character_set_terms)
        representation = self.raw(_PIXEL_REPRESENTATION)
        if representation:
            self.is_signed = any(representation)

    def __iter__(self) -> Iterator[int]:
        """Yield the tags that are here, in their order."""
        return iter(self._elements)

    def __contains__(self, tag: int) -> bool:
        return tag in self._elements

    def raw(self, tag: int) -> bytes | None:
        """Return the bytes of a value, None where there is no such element."""
        element = self._elements.get(tag)
        if element is None:
            return None
        _, _, offset, length, _ = element
        return bytes(self.buffer[offset : offset + length])

    def vr_of(self, tag: int) -> str:
        """Return the VR that an element has, or would have by the dictionary."""
        element = self._elements.get(tag)
        coded = element[1] if element is not None else None
        if element is not None and element[4] is not None:
            return "SQ"
        if coded is not None and coded != UNKNOWN_VR:
            return coded
        vr = dictionary_vr(tag)
        return resolve_vr(tag, vr, pixel_representation=self.is_signed) if vr in AMBIGUOUS_VRS else vr

    def text_of(self, tag: int) -> str:
        """Return a value as text, several joined by backslash; empty where it is absent, bulk, nested or too long."""
        element = self._elements.get(tag)
        if element is None or not 0 < element[3] <= TEXT_LENGTH_MAX or element[4] is not None:
            return ""
        _, coded, offset, length, _ = element
        return decode_text(
            self.buffer[offset : offset + length],
            self.vr_of(tag),
            character_set=self.character_set,
            is_little_endian=self.is_little_endian or coded == UNKNOWN_VR,
        )

    def values_of(self, tag: int) -> list[str]:
        """Return the values of an element as text, none where it has no value."""
        text = self.text_of(tag)
        if not text:
            return []
        return [text] if self.vr_of(tag) in SINGLE_VALUED_VRS else text.split("\\")

    def items_of(self, tag: int) -> list[ElementView]:
        """Return the items of a sequence."""
        found = self._items.get(tag)
        if found is None:
            found = self._items[tag] = [self._nested(item, tag) for item in self._items_at(tag)]
        return found

    def _items_at(self, tag: int) -> list[list[Element]]:
        element = self._elements.get(tag)
        if element is None:
            return []
        _, coded, offset, length, items = element
        if items is None and coded == UNKNOWN_VR and dictionary_vr(tag) == "SQ":
            try:
                return walk_nested(self.buffer, offset, offset + length)
            except InvalidDataset:
                return []
        return items or []

    def _nested(self, item: list[Element], tag: int) -> ElementView:
        is_unknown = self._elements[tag][1] == UNKNOWN_VR  # such items are little endian always (PS3.5 6.2.2, note 4)
        return ElementView(
            self.buffer,
            item,
            is_little_endian=self.is_little_endian or is_unknown,
            character_set=self.character_set,
            character_set_terms=self.character_set_terms,
            is_signed=self.is_signed,
        )


def view_header(header: Buffer, tags: frozenset[int]) -> ElementView:
    """Return some top-level elements of a file, with all that is nested in them.

    `header` is the file up to its pixel data, or more of it. Raises InvalidDataset.
    """
    opened = open_file(header)
    buffer = opened.buffer
    walked = walk_dataset(
        buffer,
        opened.dataset_offset,
        len(buffer),
        encoding=opened.encoding,
        wanted=tags | _CONTEXT_TAGS,
        is_whole=False,
    )
    return ElementView(buffer, walked.elements, is_little_endian=opened.encoding.is_little_endian)


def view_dataset(dataset: Buffer, encoding: Encoding) -> ElementView:
    """Return all elements of a data set that stands alone, not deflated. Raises InvalidDataset."""
    walked = walk_dataset(dataset, 0, len(dataset), encoding=encoding)
    return ElementView(dataset, walked.elements, is_little_endian=encoding.is_little_endian)
