"""The values that an index keeps of extended query tags, in the form in which they compare (dicom-service 4.3, 7.2)."""

from __future__ import annotations

from math import isfinite
from struct import error as struct_error
from struct import pack, unpack

from isocenter.domain.date_time import first_instant
from isocenter.domain.forms import integer_of, padded_time
from isocenter.domain.moments import is_date
from isocenter.domain.query import fold, fold_caseless
from isocenter.domain.query_tag import KINDS_BY_VR, ValueKind

Comparable = str | int | float

NUMBER_LENGTH_MAX = 64
"""The longest spelling of a number that is read; the shortest one of any double has 24 characters."""


def canonical_value(vr: str, text: str) -> str:
    """Return the text that is kept of one value, empty where it cannot be compared.

    A date with time stands for its first instant, in the time of its own zone.
    """
    bare = text.strip(" \0") if vr not in ("LO", "SH", "PN") else text.rstrip(" \0")
    if vr == "DT":
        return first_instant(bare) or ""
    return bare if bare and comparable_of(vr, bare) is not None else ""


def comparable_of(vr: str, text: str) -> Comparable | None:
    """Return a value as it compares: text folded, a time in microseconds, numbers; None where text is no such value."""
    match KINDS_BY_VR[vr]:
        case ValueKind.STRING:
            return fold_caseless(text)
        case ValueKind.PERSON_NAME:
            return fold(text)
        case ValueKind.DATE_TIME:
            return first_instant(text) if vr == "DT" else text if is_date(text) else None
        case ValueKind.INTEGER:
            return microseconds_of(text) if vr == "TM" else integer_of(text)
        case ValueKind.DOUBLE:
            return double_of(vr, text)


def microseconds_of(time: str) -> int | None:
    """Return a time of day in microseconds since its beginning, None where text is none."""
    padded = padded_time(time)
    if padded is None:
        return None
    seconds = int(padded[:2]) * 3600 + int(padded[2:4]) * 60 + int(padded[4:6])
    return seconds * 1_000_000 + int(padded[7:])


def double_of(vr: str, text: str) -> float | None:
    """Return a number as it is kept: one of VR FL to the precision that such an element has."""
    bare = text.strip()
    if len(bare) > NUMBER_LENGTH_MAX or "_" in bare or not bare.isascii():
        return None
    try:
        number = float(bare)
        number = unpack("<f", pack("<f", number))[0] if vr == "FL" else number
    except (ValueError, OverflowError, struct_error):
        return None
    return number if isfinite(number) else None
