"""Numbers of binary VRs as text and back (PS3.5 table 6.2-1)."""

from __future__ import annotations

import math
import struct

from isocenter.dicom.text import NUMBER_FORMATS, NUMBER_SIZES

_FLOATS = frozenset({"FL", "FD"})
_TEXT_LENGTH_MAX = 40


def encode_number(vr: str, text: str) -> bytes | None:
    """Return a number in little-endian bytes, None where text is no number that the VR can hold."""
    if len(text) > _TEXT_LENGTH_MAX or not text.isascii() or "_" in text:
        return None
    try:
        number = float(text) if vr in _FLOATS else int(text)
        encoded = struct.pack("<" + NUMBER_FORMATS[vr], number)
    except (ValueError, OverflowError, struct.error):
        return None
    return encoded if math.isfinite(number) else None


def number_objection(vr: str, text: str) -> str | None:
    """Return why text cannot be a number of a VR, None where it can."""
    if not text or encode_number(vr, text) is None:
        kind = "number" if vr in _FLOATS else f"whole number of {8 * NUMBER_SIZES[vr]} bits"
        return f"value is no {kind}"
    return None
