"""External metadata in the headers of a store request: `msdicom-meta-{VR}-{ggggeeee}: value` (dicom-service 2.7)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from isocenter.dicom.minimum_rules import object_to_text
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.external_metadata import VRS, ExternalValue, comparable, is_external_tag

PREFIX = "msdicom-meta-"
COUNT_MAX = 100
"""Values of one request; a server takes no more headers than about this anyway."""

_RAW_PREFIX = PREFIX.encode()
_NAME = re.compile(r"([A-Z]{2})-([0-9A-F]{8})", re.ASCII)


def parse_external_metadata(headers: Iterable[tuple[bytes, bytes]]) -> tuple[ExternalValue, ...]:
    """Return what the headers of a request (names in lower case) say, in the order of tags; empty values count not.

    Raises InvalidRequest for the first that cannot be kept. A message names tags and never holds a value.
    """
    found: dict[int, ExternalValue] = {}
    for name, raw in headers:
        if name.startswith(_RAW_PREFIX):
            one = _parse(name[len(_RAW_PREFIX) :].decode("latin-1").upper(), raw)
            if one.tag in found:
                raise InvalidRequest(f"The external metadata tag {one.tag:08X} is given more than once.")
            found[one.tag] = one
            if len(found) > COUNT_MAX:
                raise InvalidRequest(f"A request has at most {COUNT_MAX} external metadata tags.")
    return tuple(found[tag] for tag in sorted(found) if found[tag].value)


def _parse(name: str, raw: bytes) -> ExternalValue:
    parts = _NAME.fullmatch(name)
    if parts is None or parts[1] not in VRS:
        raise InvalidRequest(
            f"A header of external metadata reads {PREFIX}VR-ggggeeee; the VR is one of {', '.join(sorted(VRS))}."
        )
    tag = int(parts[2], 16)
    if not is_external_tag(tag):
        raise InvalidRequest(f"The external metadata tag {tag:08X} is none of a private data element.")
    try:
        text = raw.decode("utf-8").strip(" \t\0")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The value of the external metadata tag {tag:08X} is not UTF-8.") from error
    value = ExternalValue(tag, parts[1], text)
    if text and not _is_valid(value):
        raise InvalidRequest(f"The value of the external metadata tag {tag:08X} is not valid for VR {value.vr}.")
    return value


def _is_valid(value: ExternalValue) -> bool:
    is_text = value.value.isprintable() and "\\" not in value.value
    return is_text and object_to_text(value.vr, value.value) is None and comparable(value) is not None
