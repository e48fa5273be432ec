"""A data set kept as DICOM JSON (PS3.18 annex F): made uniform when it comes, read as texts when it is looked at.

Uniform means: attributes named by eight hexadecimal digits, in their order, each with its VR; no empty list of values;
numbers where IS, DS, SV and UV say numbers; names as objects. It must never hold an instance on its way in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias

from isocenter.dicom.dataset import vr_of
from isocenter.dicom.dictionary import tag_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dicom.text import PADDING
from isocenter.domain.values import Values

Document: TypeAlias = dict[str, dict[str, Any]]
"""A data set: attributes by eight hexadecimal digits, each with `vr` and at most one of `Value`, `InlineBinary`."""

NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
INTEGER_DIGITS_MAX = 18
"""So many digits fit an integer of 64 bits, which is what JSON readers agree on."""

_OTHER_GROUPS = (0x0000, 0x0002)
"""Commands and file meta information belong to no data set."""
_INTEGER_VRS = frozenset({"IS", "SV", "UV"})
_UNPADDED = {"UI": " \0", "IS": " \0", "DS": " \0", "SV": " \0", "UV": " \0"}


def read_document(given: object) -> Document:
    """Return a data set that somebody sent as a JSON object.

    Raises InvalidDataset, which names the attribute.
    """
    parse_dicom_json(given)
    return _document(given)


def _document(given: Any) -> Document:
    found: dict[int, dict[str, Any]] = {}
    for name, content in (given or {}).items():
        tag = _tag(name)
        if tag >> 16 not in _OTHER_GROUPS and tag & 0xFFFF:
            found[tag] = _attribute(tag, content)
    return {f"{tag:08X}": attribute for tag, attribute in sorted(found.items())}


def _tag(name: str) -> int:
    named = tag_of(name)
    return int(name, 16) if named is None else named


def _attribute(tag: int, content: Mapping[str, Any]) -> dict[str, Any]:
    vr = str(content.get("vr") or vr_of(tag))
    if "InlineBinary" in content:
        inline = content["InlineBinary"]
        return {"vr": vr, "InlineBinary": inline} if inline else {"vr": vr}
    values = [_value(vr, value) for value in content.get("Value") or ()]
    return {"vr": vr} if all(value is None for value in values) else {"vr": vr, "Value": values}


def _value(vr: str, value: Any) -> Any:
    if vr == "SQ":
        return _document(value)
    if vr == "PN":
        return _name(value)
    if isinstance(value, str):
        bare = value.strip(PADDING) if vr in _INTEGER_VRS or vr == "DS" else value.rstrip(_UNPADDED.get(vr, " "))
        return _number(vr, bare) if bare else None
    return value


def _name(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    groups = value.split("=", 2) if isinstance(value, str) else [value.get(group) or "" for group in NAME_GROUPS]
    named = {group: text.rstrip(" ") for group, text in zip(NAME_GROUPS, groups, strict=False)} if value else {}
    return {group: text for group, text in named.items() if text} or None


def _number(vr: str, text: str) -> int | float | str:
    """Return a number where the text of a number's VR is one that JSON can say."""
    try:
        if vr in _INTEGER_VRS or (vr == "DS" and text.isdigit()):
            return int(text) if len(text) <= INTEGER_DIGITS_MAX and text.isascii() and "_" not in text else text
        if vr == "DS":
            number = float(text)
            return number if isfinite(number) and text.isascii() and "_" not in text else text
    except ValueError:
        return text
    return text


def values_of_document(document: Mapping[str, Mapping[str, Any]]) -> Values:
    """Return the texts of a data set by tag, with an entry for every attribute that is there, be it empty.

    A binary value counts as one text.
    """
    return {key: _texts(attribute) for key, attribute in document.items()}


def _texts(attribute: Mapping[str, Any]) -> Sequence[str | Values]:
    if "InlineBinary" in attribute:
        return [str(attribute["InlineBinary"])]
    values = attribute.get("Value") or ()
    vr = attribute.get("vr")
    if vr == "SQ":
        return [values_of_document(item) for item in values]
    if vr == "PN":
        return [
            "=".join(value.get(group, "") for group in NAME_GROUPS).rstrip("=") if value else "" for value in values
        ]
    return ["" if value is None else str(value) for value in values]


def _name_text(value: Mapping[str, str] | None) -> str:
    return "=".join(value.get(group, "") for group in NAME_GROUPS).rstrip("=") if value else ""
