"""DICOM JSON model (PS3.18 annex F) to a data set: the other way of `json.py`, for data sets that people write.

Text becomes bytes in the character set that the data set names, where that can write it, else in UTF-8.
"""

from __future__ import annotations

import binascii
import re
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from isocenter.dicom.charset_encode import UTF_8_TERM, is_ascii, with_character_set
from isocenter.dicom.dataset import SPECIFIC_CHARACTER_SET, Attribute, Dataset, vr_of
from isocenter.dicom.dictionary import tag_of
from isocenter.dicom.text import BULK_VRS, NUMBER_FORMATS, SINGLE_VALUED_VRS
from isocenter.dicom.walk import LONG_VRS, SHORT_VRS
from isocenter.domain.errors import InvalidDataset

DEPTH_MAX = 16
"""Code sequences within protocol contexts reach five."""

_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_VRS = frozenset(SHORT_VRS) | frozenset(LONG_VRS)
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def parse_dicom_json(document: object) -> Dataset:
    """Return the data set that a JSON object describes, its attributes named by tag or by keyword.

    Raises InvalidDataset, which names the attribute.
    """
    dataset = _dataset(document, depth=0)
    named = dataset.get(SPECIFIC_CHARACTER_SET)
    wanted = named.value.decode("ascii") if named is not None else ""
    utf_8 = _marked_as_utf_8(dataset)
    if is_ascii(utf_8):
        return dataset
    return with_character_set(utf_8, wanted) or utf_8


def _marked_as_utf_8(dataset: Dataset) -> Dataset:
    marked = dict(dataset)
    marked[SPECIFIC_CHARACTER_SET] = Attribute("CS", UTF_8_TERM.encode("ascii"))
    return dict(sorted(marked.items()))


def _dataset(document: object, *, depth: int) -> Dataset:
    if not isinstance(document, Mapping) or depth > DEPTH_MAX:
        raise InvalidDataset("A data set in the DICOM JSON model is an object, nested not too deeply (PS3.18 F.2).")
    found: dict[int, Attribute] = {}
    for name, content in document.items():
        tag = _tag(str(name))
        if tag >> 16 in (0x0000, 0x0002) or not tag & 0xFFFF or (depth and tag == SPECIFIC_CHARACTER_SET):
            continue
        try:
            found[tag] = _attribute(tag, content, depth=depth)
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise InvalidDataset(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) is not as PS3.18 F.2 says.") from error
    return dict(sorted(found.items()))


def _tag(name: str) -> int:
    if _TAG.fullmatch(name):
        return int(name, 16)
    tag = tag_of(name)
    if tag is None:
        raise InvalidDataset("An attribute in DICOM JSON is named by eight hexadecimal digits or by its keyword.")
    return tag


def _attribute(tag: int, content: object, *, depth: int) -> Attribute:
    if not isinstance(content, Mapping) or "BulkDataURI" in content:
        raise ValueError
    vr = str(content.get("vr") or vr_of(tag))
    if vr not in _VRS:
        raise ValueError
    if "InlineBinary" in content:
        if vr not in BULK_VRS:
            raise ValueError
        return Attribute(vr, _binary(content["InlineBinary"]))
    values = content.get("Value") or []
    if not isinstance(values, list):
        raise ValueError
    if vr == "SQ":
        return Attribute("SQ", items=tuple(_dataset(item or {}, depth=depth + 1) for item in values))
    if vr in BULK_VRS and values:
        raise ValueError
    return Attribute(vr, _value(vr, values))


def _binary(text: object) -> bytes:
    try:
        return b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _value(vr: str, values: list[Any]) -> bytes:
    if vr in NUMBER_FORMATS:
        parse: Callable[[Any], int | float] = float if vr in {"FL", "FD"} else int
        return b"".join(struct.pack("<" + NUMBER_FORMATS[vr], parse(value)) for value in values)
    if vr == "AT":
        tags = [int(str(value), 16) for value in values]
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
    texts = [_text(vr, value) for value in values]
    if vr in SINGLE_VALUED_VRS and len(texts) > 1:
        raise ValueError
    return "\\".join(texts).encode()


def _text(vr: str, value: object) -> str:
    if value is None:
        return ""
    if vr == "PN":
        return _name(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError
    return value if isinstance(value, str) else f"{value:.10g}" if isinstance(value, float) else str(value)


def _name(value: object) -> str:
    """Return a person name; plain text is taken too, which many write."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or not set(value) <= set(_GROUPS):
        raise ValueError
    return "=".join(str(value.get(group) or "") for group in _GROUPS).rstrip("=")
