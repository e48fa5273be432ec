"""Values of elements as text: what the index keeps of an attribute."""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from isocenter.dicom.charset import NO_DELIMITERS, PN_DELIMITERS, TEXT_DELIMITERS, CharacterSet

Value = bytes | bytearray | memoryview

TEXT_LENGTH_MAX = 1 << 16
"""The longest value that is decoded for the index: what an element with a 16-bit length can hold."""

PADDING = " \0"

CHARSET_DELIMITERS = {
    "PN": PN_DELIMITERS,
    "SH": TEXT_DELIMITERS,
    "LO": TEXT_DELIMITERS,
    "UC": TEXT_DELIMITERS,
    "ST": NO_DELIMITERS,
    "LT": NO_DELIMITERS,
    "UT": NO_DELIMITERS,
}
"""VRs that Specific Character Set applies to (PS3.5 6.1.2.2), and what resets their code extensions."""
SINGLE_VALUED_VRS = frozenset({"ST", "LT", "UT", "UR"})
NUMBER_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
PLAIN_TEXT_VRS = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI"})
NUMBER_STRING_VRS = frozenset({"DS", "IS"})
"""Blanks before a number count as little as those behind it (PS3.5 6.2)."""
BULK_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


@lru_cache(maxsize=256)
def number_struct(vr: str, count: int, is_little_endian: bool) -> Struct:
    """Return the layout of so many numbers of a VR."""
    return Struct(f"{'<' if is_little_endian else '>'}{count}{NUMBER_FORMATS[vr]}")


NUMBER_SIZES = {vr: Struct("=" + code).size for vr, code in NUMBER_FORMATS.items()}


def decode_numbers(value: Value, vr: str, *, is_little_endian: bool) -> tuple[int | float, ...]:
    """Return the numbers of a binary value; bytes that make no whole number at its end are left out."""
    size = NUMBER_SIZES[vr]
    count = len(value) // size
    if count <= 8:
        return number_struct(vr, count, is_little_endian).unpack_from(value)
    return Struct(f"{'<' if is_little_endian else '>'}{count}{NUMBER_FORMATS[vr]}").unpack_from(value)


def decode_tags(value: Value, *, is_little_endian: bool) -> list[str]:
    """Return the values of an AT element as eight hexadecimal digits each."""
    words = decode_numbers(value[: len(value) // 4 * 4], "US", is_little_endian=is_little_endian)
    return [f"{group:04X}{element:04X}" for group, element in zip(words[::2], words[1::2], strict=True)]


def decode_plain_text(value: Value) -> str:
    """Return a value of a VR in the default repertoire, several values joined by backslash, each unpadded."""
    return unpadded(str(value, "latin-1"))


def unpadded(text: str) -> str:
    """Return the values of a text without the padding behind each."""
    text = text.rstrip(PADDING)
    return "\\".join([part.rstrip(PADDING) for part in text.split("\\")]) if "\\" in text else text


def unpadded_numbers(text: str) -> str:
    """Return the values of a number string without the blanks around each."""
    text = text.strip(PADDING)
    return "\\".join([part.strip(PADDING) for part in text.split("\\")]) if "\\" in text else text


def decode_text(value: Value, vr: str, *, character_set: CharacterSet, is_little_endian: bool) -> str:
    """Return a value as text: unpadded, several values joined by backslash; empty for VRs that are bulk or nested."""
    if vr in CHARSET_DELIMITERS:
        text = str(value, "latin-1")
        if not text.isascii() or "\x1b" in text:
            text = character_set.decode(bytes(value), delimiters=CHARSET_DELIMITERS[vr])
        return text.rstrip(PADDING) if vr in SINGLE_VALUED_VRS else unpadded(text)
    if vr in NUMBER_STRING_VRS:
        return unpadded_numbers(str(value, "latin-1"))
    if vr in NUMBER_FORMATS:
        return "\\".join(map(str, decode_numbers(value, vr, is_little_endian=is_little_endian)))
    if vr == "AT":
        return "\\".join(decode_tags(value, is_little_endian=is_little_endian))
    if vr == "UR":
        return str(value, "latin-1").rstrip(PADDING)
    return decode_plain_text(value) if vr in PLAIN_TEXT_VRS else ""
