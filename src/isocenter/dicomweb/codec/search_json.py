"""Rows of a search as DICOM JSON (PS3.18 F.2), written as text at once.

Thousands of rows make tens of thousands of small objects; building them to serialise them cost three times as much as
writing the text, in allocation and garbage collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

import orjson

from isocenter.dicomweb.codec.return_tags import INSTANCE_AVAILABILITY, RETRIEVE_URL, SPECIFIC_CHARACTER_SET
from isocenter.domain.attributes import BY_TAG, COMPUTED_TAGS
from isocenter.domain.identifiers import Level
from isocenter.domain.query import SearchRow

_UNIQUE_KEYS = {
    Level.STUDY: ((0x0020000D, "studies"),),
    Level.SERIES: ((0x0020000D, "studies"), (0x0020000E, "series")),
    Level.INSTANCE: ((0x0020000D, "studies"), (0x0020000E, "series"), (0x00080018, "instances")),
}
_CONSTANTS = {
    SPECIFIC_CHARACTER_SET: '"00080005":{"vr":"CS","Value":["ISO_IR 192"]}',
    INSTANCE_AVAILABILITY: '"00080056":{"vr":"CS","Value":["ONLINE"]}',
}
_PERSON_NAME_GROUPS = ('"Alphabetic"', '"Ideographic"', '"Phonetic"')
_NULL = "null"


def _text(value: str) -> str:
    return encode_basestring(value) if value else _NULL


def _person_name(value: str) -> str:
    if "=" not in value and value:
        return f'{{"Alphabetic":{encode_basestring(value)}}}'
    groups = zip(_PERSON_NAME_GROUPS, value.split("="), strict=False)
    members = ",".join(f"{name}:{encode_basestring(group)}" for name, group in groups if group)
    return f"{{{members}}}" if members else _NULL


def _several(values: str, convert: Callable[[str], str]) -> str:
    return ",".join(convert(value) for value in values.split("\\"))


def _integer(value: str) -> str:
    try:
        return str(int(value))
    except ValueError:
        return _text(value.strip())


_CONVERTERS: dict[str, Callable[[str], str]] = {
    "PN": _person_name,
    **dict.fromkeys(("IS", "US", "UL", "SS", "SL"), _integer),
}


class RowEncoder:
    """Encode rows of one search: the same attributes for each."""

    def __init__(
        self,
        tags: Sequence[int],
        *,
        level: Level,
        service_url: str | None = None,
        keeps_empty: bool = False,
    ) -> None:
        """Prepare to encode.

        Args:
            tags: What to return, ascending, as `return_tags` gives it.
            level: The level of the rows.
            service_url: What RetrieveURL begins with, without a slash at its end; None leaves RetrieveURL out.
            keeps_empty: Return an attribute without a value as an empty one instead of leaving it out.
        """
        self._columns = [_column(tag, vr, keeps_empty) for tag, vr in _indexed(tags)]
        self._constants = [text for tag, text in _CONSTANTS.items() if tag in tags]
        self._unique_keys = _UNIQUE_KEYS[level]
        self._service_url = service_url if RETRIEVE_URL in tags else None

    def encode_row(self, row: SearchRow, header: Mapping[str, Any] | None = None) -> str:
        """Return a row as a JSON object, with the attributes that only the instance's header has behind its own."""
        attributes = row.attributes
        value_of = attributes.get
        members = self._constants.copy()
        append = members.append
        for tag, opening, convert, when_empty in self._columns:
            value = value_of(tag)
            if not value:
                if when_empty is not None:
                    append(when_empty)
            elif "\\" in value:
                append(f"{opening}{_several(value, convert or _text)}]}}")
            elif convert is None:
                append(f"{opening}{encode_basestring(value)}]}}")
            else:
                append(f"{opening}{convert(value)}]}}")
        if self._service_url is not None:
            members.append(f'"00081190":{{"vr":"UR","Value":[{_text(self._retrieve_url(attributes))}]}}')
        if header:
            members.append(orjson.dumps(header)[1:-1].decode())
        return f"{{{','.join(members)}}}"

    def encode(self, rows: Iterable[SearchRow], headers: Mapping[int, Mapping[str, Any]] | None = None) -> bytes:
        """Return rows as a JSON array.

        `headers` holds, by the rows' newest instance key, attributes by eight hex digits as DICOM JSON; a value may be
        an `orjson.Fragment`.
        """
        found = headers or {}
        members = [self.encode_row(row, found.get(row.newest_instance_key)) for row in rows]
        return f"[{','.join(members)}]".encode("utf-8", "replace")

    def _retrieve_url(self, attributes: Mapping[int, str]) -> str:
        path = "".join(f"/{collection}/{attributes.get(tag, '')}" for tag, collection in self._unique_keys)
        return f"{self._service_url}{path}"


def _column(tag: int, vr: str, keeps_empty: bool) -> tuple[int, str, Callable[[str], str] | None, str | None]:
    """Return a tag, the text before its values, how one is written (None: as text), and what stands for no value."""
    opening = f'"{tag:08X}":{{"vr":"{vr}"'
    return tag, f'{opening},"Value":[', _CONVERTERS.get(vr), f"{opening}}}" if keeps_empty else None


def _indexed(tags: Iterable[int]) -> list[tuple[int, str]]:
    """Return tag and VR of those that the index answers."""
    columns = []
    for tag in tags:
        if tag in BY_TAG:
            columns.append((tag, BY_TAG[tag].vr))
        elif tag in COMPUTED_TAGS:
            columns.append((tag, COMPUTED_TAGS[tag][1]))
    return columns
