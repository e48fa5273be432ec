"""Rows of an archive behind the gateway as the answer to a search (PS3.18 10.6.3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from isocenter.app.gateway.upstream import Row
from isocenter.dicomweb.codec.return_tags import INSTANCE_AVAILABILITY, RETRIEVE_URL, SPECIFIC_CHARACTER_SET
from isocenter.domain.identifiers import Level
from isocenter.domain.values import first_text, tag_key
from isocenter.routing.translation.identifier import UNIQUE_KEYS

_COLLECTIONS = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}


def encode_rows(rows: Sequence[Row], *, tags: Sequence[int], level: Level, service_url: str) -> bytes:
    """Return rows as a JSON array, each with those of the attributes that the archive has."""
    return orjson.dumps([_encode(row, tags, level, service_url) for row in rows])


def _encode(row: Row, tags: Sequence[int], level: Level, service_url: str) -> Mapping[str, Any]:
    document: dict[str, Any] = {}
    for tag in tags:
        name = tag_key(tag)
        if tag == SPECIFIC_CHARACTER_SET:
            document[name] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        elif tag == RETRIEVE_URL:
            document[name] = {"vr": "UR", "Value": [service_url + _path(row, level)]}
        elif tag == INSTANCE_AVAILABILITY:
            document[name] = row.attributes.get(name) or {"vr": "CS", "Value": ["ONLINE"]}
        elif row.attributes.get(name, {}).get("Value"):
            document[name] = row.attributes[name]
    return document


def _path(row: Row, level: Level) -> str:
    return "".join(
        f"/{collection}/{first_text(row.values, UNIQUE_KEYS[each])}"
        for each, collection in _COLLECTIONS.items()
        if each <= level
    )
