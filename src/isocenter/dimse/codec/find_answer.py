"""C-FIND of patients, studies, series and instances: a row that was found as the identifier of a response.

A response holds the attributes that the request named, empty where there is no value, the unique keys, and what says
how it is meant (PS3.4 C.4.1.1.3.2). Its text is in the default repertoire where that suffices, else in the character
set of the request, else in that of the instance, else in UTF-8: the first that can write all of it.

A response is put together as cells, each the beginning of an element, its VR and its value: a text, bytes, the cells of
items, or None where Specific Character Set stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Protocol, TypeAlias, Union

from isocenter.dicom.charset_encode import UTF_8_TERM, encode_text
from isocenter.dicom.dataset import SHORT_LENGTH_MAX, deflate, is_text_vr, swapped
from isocenter.dicom.dictionary import UNKNOWN_VR
from isocenter.dicom.element_view import SPECIFIC_CHARACTER_SET
from isocenter.dicom.model import Encoding
from isocenter.dicom.text import CHARSET_DELIMITERS, NUMBER_FORMATS
from isocenter.dicom.walk import LONG_VRS
from isocenter.dimse.codec.find import (
    INSTANCE_AVAILABILITY,
    LEVELS,
    RETRIEVE_AE_TITLE,
    TIMEZONE_OFFSET_FROM_UTC,
    FindRequest,
    ReturnKey,
)
from isocenter.dimse.codec.retrieve import QUERY_RETRIEVE_LEVEL
from isocenter.domain.fitting import fits
from isocenter.domain.query import InItem, Match, SearchRow

BINARY_LENGTH_MAX = 64 * 1024
"""Of a value that is no text; what is longer is bulk, which no query gives."""

_LEVEL_NAMES = {level: name for name, level in LEVELS.items()}
_ITEM = 0xFFFEE000
_NUL_PADDED = frozenset({"UI", "OB", UNKNOWN_VR})


class Header(Protocol):
    """Attributes that are no texts of an index: those of a header (`ElementView`), or of a row of another service."""

    @property
    def character_set_terms(self) -> bytes:
        """Return Specific Character Set, empty where none is named."""
        ...

    @property
    def is_little_endian(self) -> bool:
        """Tell the order of bytes in what `raw` returns."""
        ...

    def __iter__(self) -> Iterator[int]: ...

    def __contains__(self, tag: int) -> bool: ...

    def vr_of(self, tag: int) -> str:
        """Return the VR of an attribute."""
        ...

    def values_of(self, tag: int) -> Sequence[str]:
        """Return the values of an attribute as texts."""
        ...

    def text_of(self, tag: int) -> str:
        """Return the same joined by backslashes."""
        ...

    def items_of(self, tag: int) -> Sequence[Header]:
        """Return the items of a sequence."""
        ...

    def raw(self, tag: int) -> bytes | None:
        """Return the bytes of a value."""
        ...


Cell: TypeAlias = tuple[int, str, Union[str, bytes, "list[list[Cell]]", None]]


class AnswerEncoder:
    """Encode what was found for one request."""

    def __init__(
        self, request: FindRequest, encoding: Encoding, *, retrieve_ae_title: str, rows_tell_availability: bool = False
    ) -> None:
        """With `rows_tell_availability`, what is found says itself how quickly it can be had, where it does."""
        self._request = request
        self._told_by_rows = frozenset({INSTANCE_AVAILABILITY} if rows_tell_availability else ())
        self._writer = _Writer(encoding)
        self._constants = {
            QUERY_RETRIEVE_LEVEL: ("CS", _LEVEL_NAMES[request.query.level]),
            RETRIEVE_AE_TITLE: ("AE", retrieve_ae_title),
            INSTANCE_AVAILABILITY: ("CS", "ONLINE"),
        }
        tags = {*request.return_keys, *self._constants, SPECIFIC_CHARACTER_SET}
        if request.tells_timezone:
            tags.add(TIMEZONE_OFFSET_FROM_UTC)
        self._tags = sorted(tags)
        self._item_matches = _item_matches(request.query.matches)

    def needs_header(self, row: SearchRow) -> bool:
        """Tell whether a row has letters for which only its instance names a character set."""
        if self._request.character_set:
            return False
        values = row.attributes
        return not all(values.get(tag, "").isascii() for tag in self._request.return_keys)

    def encode(self, row: SearchRow, header: Header | None) -> bytes:
        """Return the identifier of the response that a row is; `header` has what the index does not keep."""
        cells = list(self._cells(row, header))
        named = self._request.character_set
        stored = header.character_set_terms.decode("ascii", "replace") if header is not None else ""
        sets = ("", *(terms for terms in (named, stored) if terms), UTF_8_TERM)
        written = (self._writer.write(cells, terms) for terms in sets)
        return next(content for content in written if content is not None)  # UTF-8 has every letter

    def _cells(self, row: SearchRow, header: Header | None) -> Iterator[Cell]:
        request, constants, values = self._request, self._constants, row.attributes
        for tag in self._tags:
            if tag in self._told_by_rows and header is not None and header.text_of(tag):
                yield tag, "CS", header.text_of(tag)
            elif tag in constants:
                yield (tag, *constants[tag])
            elif tag == SPECIFIC_CHARACTER_SET:
                yield tag, "CS", None
            elif tag in request.header_tags:
                yield self._from_header(tag, request.return_keys[tag], header, self._item_matches)
            elif tag in request.return_keys:
                yield self._from_index(tag, request.return_keys[tag].vr, values.get(tag, ""))
            elif tag in values:
                yield tag, "SH", values[tag]

    def _from_index(self, tag: int, vr: str, text: str) -> Cell:
        if vr in NUMBER_FORMATS:
            return tag, vr, self._writer.numbers(vr, text)
        return tag, vr, text

    def _from_header(
        self,
        tag: int,
        key: ReturnKey | None,
        header: Header | None,
        matches: Mapping[int, tuple[Match, ...]],
    ) -> Cell:
        """Return an attribute as the header has it, empty where it has none; of a sequence the items that match."""
        if header is None or tag not in header:
            return tag, UNKNOWN_VR if key is None else key.vr, [] if key is not None and key.vr == "SQ" else b""
        vr = header.vr_of(tag)
        if vr == "SQ":
            wanted = key.nested if key is not None else {}
            return tag, vr, list(self._items(header.items_of(tag), wanted, matches.get(tag, ())))
        if vr in NUMBER_FORMATS:
            return tag, vr, self._writer.numbers(vr, header.text_of(tag))
        if is_text_vr(vr):
            return tag, vr, header.text_of(tag)
        raw = header.raw(tag) or b""
        return tag, vr, self._writer.binary(vr, raw, header) if len(raw) <= BINARY_LENGTH_MAX else b""

    def _items(
        self, items: Iterable[Header], wanted: Mapping[int, ReturnKey], matches: tuple[Match, ...]
    ) -> Iterator[list[Cell]]:
        """Yield the items that match, each with the attributes that are wanted (PS3.4 C.2.2.2.6)."""
        below = _item_matches(matches)
        for item in items:
            if all(fits(match, item) for match in matches):
                tags = sorted(tag for tag in wanted or item if tag != SPECIFIC_CHARACTER_SET)
                yield [self._from_header(tag, wanted.get(tag), item, below) for tag in tags]


def _item_matches(matches: Iterable[Match]) -> dict[int, tuple[Match, ...]]:
    """Return what is asked of the items of each sequence."""
    return {match.tag: match.matches for match in matches if isinstance(match, InItem)}


class _Writer:
    """Write cells in one encoding."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._order = "<" if encoding.is_little_endian else ">"
        self._short = struct.Struct(self._order + "H").pack
        self._long = struct.Struct(self._order + "I").pack

    def write(self, cells: list[Cell], character_set: str) -> bytes | None:
        """Return a data set in a character set, None where that cannot write it."""
        content = self._dataset(cells, character_set)
        return deflate(content) if content is not None and self._encoding.is_deflated else content

    def numbers(self, vr: str, text: str) -> bytes:
        """Return the bytes of numbers that are kept as text, none where they are no such numbers."""
        convert = float if vr in ("FL", "FD") else int
        try:
            values = [convert(value) for value in text.split("\\")] if text else []
            return struct.pack(f"{self._order}{len(values)}{NUMBER_FORMATS[vr]}", *values)
        except (ValueError, struct.error):
            return b""

    def binary(self, vr: str, raw: bytes, header: Header) -> bytes:
        """Return a value that is no text in the order of the bytes that is written."""
        return raw if header.is_little_endian is self._encoding.is_little_endian else swapped(raw, vr)

    def _dataset(self, cells: list[Cell], character_set: str) -> bytes | None:
        parts: list[bytes] = []
        for tag, vr, value in cells:
            if value is None:
                if not character_set:
                    continue
                value = character_set
            if isinstance(value, str):
                encoded = value.encode("ascii") if value.isascii() else _coded(value, vr, character_set)
            elif isinstance(value, bytes):
                encoded = value
            else:
                encoded = self._sequence(value, character_set)
            if encoded is None:
                return None
            parts += self._element(tag, vr, encoded)
        return b"".join(parts)

    def _element(self, tag: int, vr: str, value: bytes) -> tuple[bytes, bytes, bytes]:
        if len(value) % 2:
            value += b"\0" if vr in _NUL_PADDED else b" "
        length = len(value)
        if self._encoding.is_implicit_vr:
            return _head(tag, "", self._order), self._long(length), value
        if length > SHORT_LENGTH_MAX and vr not in LONG_VRS:
            vr = UNKNOWN_VR  # PS3.5 6.2.2
        return _head(tag, vr, self._order), self._long(length) if vr in LONG_VRS else self._short(length), value

    def _sequence(self, items: list[list[Cell]], character_set: str) -> bytes | None:
        written = [self._dataset(item, character_set) for item in items]
        start = _head(_ITEM, "", self._order)
        contents = [item for item in written if item is not None]
        if len(contents) < len(written):
            return None
        return b"".join(chain.from_iterable((start, self._long(len(item)), item) for item in contents))


@lru_cache(maxsize=1024)
def _head(tag: int, vr: str, order: str) -> bytes:
    """Return how an element begins, up to its length; the VR is empty where it is implicit."""
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode("ascii")
    return head + b"\0\0" if vr in LONG_VRS else head


def _coded(text: str, vr: str, character_set: str) -> bytes | None:
    delimiters = CHARSET_DELIMITERS.get(vr)
    if delimiters is None:  # the default repertoire alone, whatever the instance wrote there
        return text.encode("ascii", "replace")
    return encode_text(text, character_set, delimiters=delimiters)
