"""External attributes as DICOM JSON (PS3.18 F.2), in the form that the service gives (dicom-service 1.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from isocenter.domain.external_metadata import PRIVATE_CREATOR, ExternalValue, creator_tag
from isocenter.domain.forms import integer_of
from isocenter.domain.query_tag_value import double_of

_INTEGERS = frozenset({"IS", "SL", "SS", "UL", "US"})
_REALS = frozenset({"DS", "FD", "FL"})
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def attribute_json(value: ExternalValue) -> dict[str, Any]:
    """Return an attribute as a member of a data set."""
    return {"vr": value.vr, "Value": [_value_json(value)]}


def _value_json(value: ExternalValue) -> object:
    text = value.value
    if value.vr in _INTEGERS:
        number = integer_of(text)
        return text if number is None else number
    if value.vr in _REALS:
        real = double_of(value.vr, text)
        return text if real is None else real
    if value.vr == "PN":
        groups = zip(_NAME_GROUPS, text.split("="), strict=False)
        return {name: group for name, group in groups if group}
    return text


def with_creators(document: Mapping[str, Any], tags: Collection[int]) -> dict[str, Any]:
    """Return a data set with the elements that reserve the blocks of private tags, where it has none of its own."""
    creators = {f"{creator_tag(tag):08X}" for tag in tags}
    return {name: {"vr": "LO", "Value": [PRIVATE_CREATOR]} for name in creators} | dict(document)
