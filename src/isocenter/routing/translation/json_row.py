"""A row of a QIDO-RS answer as attributes: what is held against a query, and what an answer of C-FIND is made of.

Whatever a server sends, a row can be asked for any attribute: what is not as PS3.18 F.2 says has no value.
"""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isocenter.dicom.dictionary import dictionary_vr, resolve_vr
from isocenter.dicom.text import PADDING, SINGLE_VALUED_VRS
from isocenter.dicom.walk import LONG_VRS, SHORT_VRS

DEPTH_MAX = 16
"""Code sequences within protocol contexts reach five."""
_VRS = frozenset(SHORT_VRS) | frozenset(LONG_VRS)
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


class JsonRow:
    """The attributes of a row, or of an item in it."""

    __slots__ = ("_depth", "_row", "character_set_terms", "is_little_endian")

    def __init__(self, row: Mapping[str, Any], *, depth: int = 0) -> None:
        self._row = row
        self._depth = depth
        self.character_set_terms = b""
        """JSON is UTF-8; a row names no character set of its own."""
        self.is_little_endian = True
        """Of what `raw` returns."""

    def __iter__(self) -> Iterator[int]:
        """Yield the tags that are here, in their order."""
        return iter(sorted(tag for tag in map(_tag, self._row) if tag is not None))

    def __contains__(self, tag: int) -> bool:
        return self._attribute(tag) is not None

    def vr_of(self, tag: int) -> str:
        """Return the VR of an attribute, by the dictionary where the row has none that is known."""
        attribute = self._attribute(tag)
        named = attribute.get("vr") if attribute is not None else None
        return (
            named
            if isinstance(named, str) and named in _VRS
            else resolve_vr(tag, dictionary_vr(tag), pixel_representation=0)
        )

    def values_of(self, tag: int) -> list[str]:
        """Return the values of an attribute as texts; none where it is absent, empty, bulk or a sequence."""
        texts = self._texts(tag)
        return texts if any(texts) else []

    def text_of(self, tag: int) -> str:
        """Return the same joined by backslashes."""
        return "\\".join(self.values_of(tag))

    def items_of(self, tag: int) -> Sequence[JsonRow]:
        """Return the items of a sequence."""
        if self.vr_of(tag) != "SQ" or self._depth == DEPTH_MAX:
            return []
        items = [value or {} for value in self._values(tag)]
        return [JsonRow(item, depth=self._depth + 1) for item in items if isinstance(item, Mapping)]

    def raw(self, tag: int) -> bytes | None:
        """Return a binary value, None where there is no such attribute."""
        attribute = self._attribute(tag)
        if attribute is None:
            return None
        try:
            if self.vr_of(tag) == "AT":
                tags = [int(str(value), 16) for value in self._values(tag)]
                return b"".join(struct.pack("<HH", one >> 16, one & 0xFFFF) for one in tags)
            return b64decode(str(attribute.get("InlineBinary") or ""), validate=True)
        except (ValueError, binascii.Error, struct.error):
            return b""

    def _attribute(self, tag: int) -> Mapping[str, Any] | None:
        found = self._row.get(f"{tag:08X}")
        return found if isinstance(found, Mapping) else None

    def _values(self, tag: int) -> list[Any]:
        attribute = self._attribute(tag)
        values = attribute.get("Value") if attribute is not None else None
        return values if isinstance(values, list) else []

    def _texts(self, tag: int) -> list[str]:
        vr = self.vr_of(tag)
        if vr == "SQ":
            return []
        if vr == "PN":
            return [_name(value) for value in self._values(tag)]
        texts = [_text(value) for value in self._values(tag)]
        return texts[:1] if vr in SINGLE_VALUED_VRS else texts


def _tag(key: str) -> int | None:
    try:
        return int(key, 16) if len(key) == 8 else None
    except ValueError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.rstrip(PADDING)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _name(value: Any) -> str:
    """Return a name with all its groups; plain text is taken too, which some servers send."""
    if isinstance(value, Mapping):
        return "=".join(_text(value.get(group)) for group in _GROUPS).rstrip("=")
    return _text(value)
