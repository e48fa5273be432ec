from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.text import NUMBER_FORMATS
from isocenter.routing.transforms.numbers import encode_number, number_objection


@pytest.mark.parametrize(
    ("vr", "text", "encoded"),
    [
        ("US", "512", b"\0\2"),
        ("SS", "-1", b"\xff\xff"),
        ("FD", "1.5", struct.pack("<d", 1.5)),
        ("UV", "1", b"\1" + bytes(7)),
    ],
)
def test_numbers_are_little_endian(vr: str, text: str, encoded: bytes) -> None:
    assert encode_number(vr, text) == encoded


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("US", "65536"),
        ("US", "-1"),
        ("US", "1.5"),
        ("US", ""),
        ("FL", "nan"),
        ("FD", "1e999"),
        ("US", "1_0"),
        ("US", "٣"),
    ],
)
def test_what_is_no_number_of_the_vr_is_told(vr: str, text: str) -> None:
    assert number_objection(vr, text) is not None


@given(vr=st.sampled_from(sorted(NUMBER_FORMATS)), text=st.text(max_size=50))
def test_any_text_is_a_number_or_none(vr: str, text: str) -> None:
    encoded = encode_number(vr, text)
    assert encoded is None or len(encoded) == struct.calcsize("<" + NUMBER_FORMATS[vr])
