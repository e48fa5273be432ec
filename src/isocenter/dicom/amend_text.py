"""New text for a data set that has a character set already (PS3.3 C.12.1.1.2).

In this order, and each way only where the one before cannot write the new values:

    1. the character set that the data set names
    2. another one, where no other text of the data set depends on it
    3. that one with code extensions, which leave every byte of the other text as it is and means
    4. UTF-8, with all other text of the data set written anew
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from isocenter.dicom.charset import CharacterSet, parse_character_set
from isocenter.dicom.charset_encode import UTF_8_TERM, encode_text
from isocenter.dicom.dataset import (
    SPECIFIC_CHARACTER_SET,
    Attribute,
    encode_dataset,
    has_charset_text,
    text_attribute,
    vr_of,
)
from isocenter.dicom.dictionary import UNKNOWN_VR
from isocenter.dicom.element_span import WalkedDataset
from isocenter.dicom.text import CHARSET_DELIMITERS
from isocenter.dicom.walk import Element, layout
from isocenter.domain.errors import InvalidDataset

Texts = Mapping[int, tuple[str, str]]
"""VR and text by tag."""
Encoded = dict[int, bytes]
"""Whole elements by tag."""

LATIN_1_TERM = "ISO_IR 100"
"""Read by more devices than UTF-8 is."""
EXTENSIONS = ("100", "101", "109", "110", "144", "127", "126", "138", "148", "166", "13", "87", "159", "149", "58")
"""What code extensions can add (PS3.3 tables C.12-3 and C.12-4), as numbers of ISO 2022 IR."""
_ADDED_MAX = 2
"""Two further sets write a name in three scripts."""
_REPLACEMENT = "\ufffd"


def encode_texts(dataset: WalkedDataset, texts: Texts) -> Encoded:
    """Return the elements that change, encoded as the data set is; Specific Character Set and others among them.

    Raises InvalidDataset where text of the data set cannot be read, and would have to be written anew.
    """
    named = _named(dataset)
    encoded = _in_character_set(dataset, texts, named)
    if encoded is not None:
        return encoded
    if not _has_dependent(dataset, dataset.elements, texts):
        candidates: Iterable[str] = (LATIN_1_TERM, UTF_8_TERM)
    else:
        candidates = _extended(named)
    for term in candidates:
        encoded = _in_character_set(dataset, texts, term)
        if encoded is not None:
            return encoded | _character_set(dataset, term)
    return _in_utf_8(dataset, texts, parse_character_set(named.encode("latin-1")))


def _named(dataset: WalkedDataset) -> str:
    values = [dataset.value(element) for element in dataset.elements if element[0] == SPECIFIC_CHARACTER_SET]
    return values[0].decode("latin-1").strip(" \0") if values else ""


def _in_character_set(dataset: WalkedDataset, texts: Texts, term: str) -> Encoded | None:
    """Return the new elements where a character set writes all of them so that they are read as they were meant."""
    found: Encoded = {}
    reader = parse_character_set(term.encode("latin-1"))
    for tag, (vr, text) in texts.items():
        if not has_charset_text(vr):
            found[tag] = _element(dataset, tag, vr, text.encode("ascii"))
            continue
        delimiters = CHARSET_DELIMITERS[vr]
        value = encode_text(text, term, delimiters=delimiters)
        if value is None or reader.decode(value, delimiters=delimiters) != text:
            return None
        found[tag] = _element(dataset, tag, vr, value)
    return found


def _element(dataset: WalkedDataset, tag: int, vr: str, value: bytes) -> bytes:
    return encode_dataset({tag: Attribute(vr, value)}, dataset.encoding)


def _character_set(dataset: WalkedDataset, term: str) -> Encoded:
    attribute = text_attribute("CS", term)
    return {SPECIFIC_CHARACTER_SET: encode_dataset({SPECIFIC_CHARACTER_SET: attribute}, dataset.encoding)}


def _extended(named: str) -> Iterator[str]:
    """Yield a character set with further ones behind it; none where it takes no extensions."""
    terms = [term.strip() for term in named.split("\\")]
    if not parse_character_set(named.encode("latin-1")).is_extensible:
        return
    first = terms[0].replace("ISO_IR", "ISO 2022 IR") if terms[0] not in ("", "ISO_IR 6") else ""
    present = [first, *terms[1:]]
    for count in range(1, _ADDED_MAX + 1):
        for added in combinations(EXTENSIONS, count):
            yield "\\".join([*present, *(f"ISO 2022 IR {number}" for number in added)])


def _vr(element: Element) -> str:
    tag, coded_vr, *_ = element
    return vr_of(tag) if coded_vr is None or coded_vr == UNKNOWN_VR else coded_vr


def _has_dependent(dataset: WalkedDataset, elements: Iterable[Element], leaving: Texts) -> bool:
    """Tell whether any text depends on the character set, in items too that do not name their own."""
    return any(_is_dependent(dataset, element) for element in elements if element[0] not in leaving)


def _is_dependent(dataset: WalkedDataset, element: Element) -> bool:
    items = element[4]
    if items is not None:
        return any(_has_dependent(dataset, item, {}) for item in items if not _names_own(item))
    if not has_charset_text(_vr(element)):
        return False
    value = dataset.value(element)
    return not value.isascii() or b"\x1b" in value


def _names_own(item: Iterable[Element]) -> bool:
    return any(element[0] == SPECIFIC_CHARACTER_SET for element in item)


def _in_utf_8(dataset: WalkedDataset, texts: Texts, reader: CharacterSet) -> Encoded:
    encoded = _in_character_set(dataset, texts, UTF_8_TERM)
    if encoded is None:
        raise InvalidDataset("A new value cannot be written in any character set.")
    rewriting = _Rewriting(dataset, reader)
    for element in dataset.elements:
        if element[0] not in texts and _has_dependent(dataset, [element], {}):
            encoded[element[0]] = rewriting.element(element)
    return encoded | _character_set(dataset, UTF_8_TERM)


class _Rewriting:
    """Writes elements with their text in UTF-8; what depends on no character set is copied."""

    def __init__(self, dataset: WalkedDataset, reader: CharacterSet) -> None:
        self._dataset = dataset
        self._reader = reader
        self._order = layout(dataset.encoding.is_little_endian)

    def element(self, element: Element) -> bytes:
        tag, _, _, _, items = element
        if not _has_dependent(self._dataset, [element], {}):
            return self._copied(element)
        if items is not None:
            return self._sequence(element, items)
        vr = _vr(element)
        text = self._reader.decode(self._dataset.value(element), delimiters=CHARSET_DELIMITERS[vr])
        if _REPLACEMENT in text:
            raise InvalidDataset(f"The text of ({tag >> 16:04x},{tag & 0xFFFF:04x}) is not in its character set.")
        return _element(self._dataset, tag, vr, text.encode())

    def _sequence(self, element: Element, items: Iterable[Iterable[Element]]) -> bytes:
        """Return a sequence with defined lengths, in the place of what it was; group lengths are left out."""
        tag, coded_vr, *_ = element
        if coded_vr == UNKNOWN_VR:  # its items are encoded in another way than what is around them (PS3.5 6.2.2)
            raise InvalidDataset(f"The text of ({tag >> 16:04x},{tag & 0xFFFF:04x}) lies in a sequence of unknown VR.")
        value = b"".join(self._item(item) for item in items)
        empty = encode_dataset({tag: Attribute("SQ")}, self._dataset.encoding)
        return empty[:-4] + self._order.length.pack(len(value)) + value

    def _item(self, item: Iterable[Element]) -> bytes:
        write = self._copied if _names_own(item) else self.element
        body = b"".join(write(one) for one in item if one[0] & 0xFFFF)
        return self._order.implicit.pack(self._order.item, len(body)) + body

    def _copied(self, element: Element) -> bytes:
        first, behind = self._dataset.span(element)
        return bytes(self._dataset.buffer[first:behind])
