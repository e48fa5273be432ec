"""Read the texts of a header whose shape is known: where they lie and what they are is worked out once for all.

Most wanted values are short texts in the default repertoire. The header becomes one string, and each of them a slice of
it. What is not read that way (numbers, items, texts of other repertoires) is named, for the scan to read as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.dicom.dictionary import AMBIGUOUS_VRS, dictionary_vr
from isocenter.dicom.text import (
    CHARSET_DELIMITERS,
    NUMBER_STRING_VRS,
    PLAIN_TEXT_VRS,
    SINGLE_VALUED_VRS,
    TEXT_LENGTH_MAX,
    unpadded,
    unpadded_numbers,
)
from isocenter.dicom.walk import Buffer, Element

_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_UNSIGNED_SHORT_SIZE = 2
_CONTEXT_TAGS = (_SPECIFIC_CHARACTER_SET, _PIXEL_REPRESENTATION)


_PLAIN, _NUMBER, _ANY_REPERTOIRE, _UNSIGNED_SHORT = range(4)
"""What may be in a value, and what of it does not count."""

_Text = tuple[int, int, int, int, Element]
"""Tag, start, end and kind: a plain tuple, because some thirty are read of each header."""


@dataclass(frozen=True, slots=True)
class KnownTexts:
    """The wanted texts of headers of one shape."""

    length: int
    texts: tuple[_Text, ...]
    others: tuple[Element, ...]
    """Wanted elements that are not read here."""
    context: tuple[Element, ...]
    """What reading the others depends on."""

    def read(self, header: Buffer) -> tuple[dict[int, str], list[Element]]:
        """Return the texts by tag, and the elements that are left to be read, with what reading them depends on."""
        whole = str(header[: self.length], "latin-1")
        attributes: dict[int, str] = {}
        unread = list(self.others)
        for tag, start, end, kind, element in self.texts:
            text = whole[start:end]
            if kind == _PLAIN or (kind == _ANY_REPERTOIRE and text.isascii() and "\x1b" not in text):
                text = unpadded(text)
            elif kind == _UNSIGNED_SHORT:
                attributes[tag] = str(ord(text[0]) | ord(text[1]) << 8)
                continue
            elif kind == _NUMBER:
                text = unpadded_numbers(text)
            else:
                unread.append(element)
                continue
            if text:
                attributes[tag] = text
        return attributes, [*self.context, *unread] if unread else []


def known_texts_of(
    elements: Sequence[Element], wanted: frozenset[int], *, length: int, is_little_endian: bool
) -> KnownTexts:
    """Return how the wanted elements of a header of that length are read; the others are passed over."""
    texts: list[_Text] = []
    others: list[Element] = []
    for element in elements:
        tag, _, offset, size, items = element
        if items is not None:
            others.append(element)
        elif size and tag in wanted:
            kind = _kind_of(element, is_little_endian=is_little_endian)
            if kind is None or size > TEXT_LENGTH_MAX or offset + size > length:
                others.append(element)
            else:
                texts.append((tag, offset, offset + size, kind, element))
    context = tuple(element for element in elements if element[0] in _CONTEXT_TAGS)
    return KnownTexts(length, tuple(texts), tuple(others), context)


def _kind_of(element: Element, *, is_little_endian: bool) -> int | None:
    tag, vr, _, size, _ = element
    if vr == "US" and size == _UNSIGNED_SHORT_SIZE and is_little_endian:
        return _UNSIGNED_SHORT
    if vr is None or vr == "UN":
        vr = dictionary_vr(tag)
    if vr in AMBIGUOUS_VRS or vr in SINGLE_VALUED_VRS:
        return None
    if vr in PLAIN_TEXT_VRS:
        return _PLAIN
    if vr in NUMBER_STRING_VRS:
        return _NUMBER
    return _ANY_REPERTOIRE if vr in CHARSET_DELIMITERS else None
