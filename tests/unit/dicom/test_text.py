"""Values as text and numbers."""

from __future__ import annotations

from struct import pack

import pytest

from isocenter.dicom.charset import DEFAULT_CHARACTER_SET, parse_character_set
from isocenter.dicom.text import decode_numbers, decode_tags, decode_text


@pytest.mark.parametrize(("is_little_endian", "order"), [(True, "<"), (False, ">")])
@pytest.mark.parametrize(("vr", "code"), [("US", "H"), ("SS", "h"), ("UL", "I"), ("SL", "i"), ("UV", "Q"), ("SV", "q")])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_numbers_are_read_in_both_byte_orders(
    vr: str, code: str, count: int, is_little_endian: bool, order: str
) -> None:
    value = pack(f"{order}{count}{code}", *range(count))
    assert decode_numbers(value, vr, is_little_endian=is_little_endian) == tuple(range(count))


def test_bytes_that_make_no_whole_number_are_left_out() -> None:
    assert decode_numbers(b"\1\0\2", "US", is_little_endian=True) == (1,)
    assert decode_tags(b"\x10\0\x20\0\1\0", is_little_endian=True) == ["00100020"]


@pytest.mark.parametrize(
    ("vr", "value", "character_set", "expected"),
    [
        ("LO", b"M\xc3\xbcller ", "ISO_IR 192", "Müller"),
        ("CS", b"M\xfc", "ISO_IR 192", "Mü"),
        ("PN", b"\xcd\xf5^\xd0\xa1", "GB18030", "王^小"),
        ("LO", b"\x95\x5c\\A", "ISO_IR 13", "表\\A"),
        ("UT", b"a\\b  ", "", "a\\b"),
        ("OB", b"ab", "", ""),
        ("SQ", b"ab", "", ""),
    ],
)
def test_text_follows_vr_and_character_set(vr: str, value: bytes, character_set: str, expected: str) -> None:
    known = parse_character_set(character_set.encode()) if character_set else DEFAULT_CHARACTER_SET
    assert decode_text(value, vr, character_set=known, is_little_endian=True) == expected
