"""Values of DICOM JSON as the data types of FHIR R4; what cannot be one raises ValueError without the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

Metadata = Mapping[str, Any]
"""One instance in the DICOM JSON model (PS3.18 annex F)."""
UNSIGNED_INT_MAX = 2**31 - 1
"""Of the type unsignedInt."""
STRING_LENGTH_MAX = 1024**2
"""Of the type string."""
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60)(\.\d{1,6})?)?)?", re.ASCII)
_OFFSET = re.compile(r"([+-])(0\d|1[0-3])([0-5]\d)|([+-])1400", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+|[^\S ]")
"""Blanks that are not ASCII too: validators differ in whether they belong to a text."""


def first_value(metadata: Metadata, tag: str) -> Any:
    """Return the first value of an attribute; None where it is absent or empty."""
    attribute = metadata.get(tag)
    values = attribute.get("Value") if isinstance(attribute, Mapping) else None
    return values[0] if isinstance(values, list) and values else None


def items(metadata: Metadata, tag: str) -> list[Metadata]:
    """Return the items of a sequence."""
    attribute = metadata.get(tag)
    values = attribute.get("Value") if isinstance(attribute, Mapping) else None
    return [item for item in values if isinstance(item, Mapping)] if isinstance(values, list) else []


def text(metadata: Metadata, tag: str) -> str | None:
    """Return the first value as a string of FHIR, which is not empty and holds no control characters."""
    value = first_value(metadata, tag)
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        raise ValueError("is not a text")
    return clean(str(value))


def clean(value: str) -> str | None:
    """Return text as a string of FHIR; None where nothing is left."""
    return _CONTROLS.sub(" ", value).strip()[:STRING_LENGTH_MAX] or None


def person_name(metadata: Metadata, tag: str) -> str | None:
    """Return a person name in its first component group that is not empty."""
    value = first_value(metadata, tag)
    if value is None:
        return None
    groups = value if isinstance(value, Mapping) else {}
    for group in ("Alphabetic", "Ideographic", "Phonetic"):
        name = groups.get(group)
        if isinstance(name, str) and name.strip(" ^"):
            return clean(name)
    return None


def day(metadata: Metadata, tag: str) -> str | None:
    """Return a date (VR DA) as a date of FHIR."""
    value = text(metadata, tag)
    if value is None:
        return None
    found = _DATE.fullmatch(value)
    if found is None:
        raise ValueError("is not a date (YYYYMMDD)")
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        raise ValueError("is not a day of the calendar") from None


def time_of_day(metadata: Metadata, tag: str) -> str | None:
    """Return a time (VR TM) as a time of FHIR: what it leaves out is zero."""
    value = text(metadata, tag)
    if value is None:
        return None
    found = _TIME.fullmatch(value)
    if found is None:
        raise ValueError("is not a time (HHMMSS.FFFFFF)")
    hour, minute, second, fraction = found.groups()
    return f"{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"


def offset_from_utc(metadata: Metadata, tag: str) -> str | None:
    """Return an offset from UTC (+0100) as FHIR writes it (+01:00)."""
    value = text(metadata, tag)
    return None if value is None else parse_offset(value)


def parse_offset(value: str) -> str:
    """Return an offset as FHIR writes it, from +0100 or +01:00."""
    bare = value.replace(":", "")
    if not _OFFSET.fullmatch(bare):
        raise ValueError("is not an offset from UTC (+HHMM)")
    return f"{bare[:3]}:{bare[3:]}"


def moment(date_: str | None, time: str | None, offset: str | None) -> str | None:
    """Return a dateTime: with a time only where the offset is known, without which FHIR knows none."""
    if date_ is None or time is None or offset is None:
        return date_
    return f"{date_}T{time}{offset}"


def unsigned_int(metadata: Metadata, tag: str) -> int | None:
    """Return a whole number from 0 to 2^31-1."""
    value = text(metadata, tag)
    if value is None:
        return None
    if not re.fullmatch(r"\+?\d{1,12}", value, re.ASCII) or int(value) > UNSIGNED_INT_MAX:
        raise ValueError("is not a whole number from 0 to 2147483647")
    return int(value)
