"""Rows of a search as DICOM JSON (PS3.18 F.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from isocenter.dicomweb.codec.return_tags import INSTANCE_AVAILABILITY, RETRIEVE_URL, SPECIFIC_CHARACTER_SET
from isocenter.domain.attributes import BY_TAG, COMPUTED_TAGS
from isocenter.domain.identifiers import Level
from isocenter.domain.query import SearchRow

JsonAttribute = Mapping[str, Any]
"""`{"vr": …, "Value": […]}`."""
JsonDataset = dict[str, Any]
"""JSON attributes by eight hex digits; a value may be an `orjson.Fragment`."""

_UNIQUE_KEYS = {
    Level.STUDY: ((0x0020000D, "studies"),),
    Level.SERIES: ((0x0020000D, "studies"), (0x0020000E, "series")),
    Level.INSTANCE: ((0x0020000D, "studies"), (0x0020000E, "series"), (0x00080018, "instances")),
}
_UTF_8 = {"vr": "CS", "Value": ["ISO_IR 192"]}
_ONLINE = {"vr": "CS", "Value": ["ONLINE"]}
_PERSON_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def person_name(text: str) -> dict[str, str] | None:
    """Return a person name by its groups, or None where it is empty."""
    if "=" not in text:
        return {"Alphabetic": text} if text else None
    groups = zip(_PERSON_NAME_GROUPS, text.split("="), strict=False)
    return {name: group for name, group in groups if group} or None


def integer(text: str) -> int | str | None:
    """Return a number as JSON has it, the text itself where it is none, or None where it is empty."""
    try:
        return int(text)
    except ValueError:
        return text.strip() or None


def decimal(text: str) -> float | int | str | None:
    """Return a number as JSON has it, the text itself where it is none, or None where it is empty."""
    try:
        number = float(text)
    except ValueError:
        return text.strip() or None
    return number if number - number == 0 else text.strip()


def text_or_null(text: str) -> str | None:
    """Return text, or None where it is empty."""
    return text or None


_CONVERTERS: dict[str, Callable[[str], object]] = {
    "PN": person_name,
    "IS": integer,
    "US": integer,
    "UL": integer,
    "SS": integer,
    "SL": integer,
    "DS": decimal,
    "FL": decimal,
    "FD": decimal,
}


def json_attribute(vr: str, text: str) -> JsonAttribute:
    """Return an attribute whose values are text joined by backslash; no values where it is empty."""
    if not text:
        return {"vr": vr}
    convert = _CONVERTERS.get(vr, text_or_null)
    if "\\" in text:
        return {"vr": vr, "Value": [convert(value) for value in text.split("\\")]}
    return {"vr": vr, "Value": [convert(text)]}


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
            service_url: What RetrieveURL begins with, without a slash at its end.
            keeps_empty: Return an attribute without a value as an empty one instead of leaving it out.
        """
        self._keeps_empty = keeps_empty
        self._unique_keys = _UNIQUE_KEYS[level]
        self._service_url = service_url
        self._columns = [(tag, f"{tag:08X}", vr, _CONVERTERS.get(vr)) for tag, vr in _indexed(tags)]
        self._constants: JsonDataset = {}
        if SPECIFIC_CHARACTER_SET in tags:
            self._constants["00080005"] = _UTF_8
        if INSTANCE_AVAILABILITY in tags:
            self._constants["00080056"] = _ONLINE
        self._has_retrieve_url = service_url is not None and RETRIEVE_URL in tags

    def to_json(self, row: SearchRow, header: Mapping[str, Any] | None = None) -> JsonDataset:
        """Return a row as a data set, with the attributes that only the instance's header has beside it."""
        attributes = row.attributes
        dataset: JsonDataset = dict(self._constants)
        for tag, key, vr, convert in self._columns:
            text = attributes.get(tag)
            if text is None or text == "":  # the type checker and the reader want both cases apart
                if self._keeps_empty:
                    dataset[key] = {"vr": vr}
            elif "\\" in text or vr == "PN":
                dataset[key] = json_attribute(vr, text)
            else:
                dataset[key] = {"vr": vr, "Value": [text if convert is None else convert(text)]}
        if self._has_retrieve_url:
            dataset["00081190"] = {"vr": "UR", "Value": [self._retrieve_url(attributes)]}
        if header:
            dataset.update(header)
        return dataset

    def encode(self, rows: Iterable[SearchRow], headers: Mapping[int, Mapping[str, Any]] | None = None) -> bytes:
        """Return rows as a JSON array; `headers` are by the rows' newest instance key."""
        found = headers or {}
        return orjson.dumps([self.to_json(row, found.get(row.newest_instance_key)) for row in rows])

    def _retrieve_url(self, attributes: Mapping[int, str]) -> str:
        path = "".join(f"/{collection}/{attributes.get(tag, '')}" for tag, collection in self._unique_keys)
        return f"{self._service_url}{path}"


def _indexed(tags: Iterable[int]) -> list[tuple[int, str]]:
    """Return tag and VR of those that the index answers."""
    columns = []
    for tag in tags:
        if tag in BY_TAG:
            columns.append((tag, BY_TAG[tag].vr))
        elif tag in COMPUTED_TAGS:
            columns.append((tag, COMPUTED_TAGS[tag][1]))
    return columns
