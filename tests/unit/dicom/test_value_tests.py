"""A test of all values at once never passes what a look at each of them refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.text import SINGLE_VALUED_VRS
from isocenter.dicom.value_tests import VALUE_TESTS
from isocenter.dicom.vr_rules import objection_to
from tests.unit.dicom.test_vr_rules import INVALID, VALID

_ALPHABET = "0123456789.^=\\ +-eEDWMYAZ_az\0\t\n\x1bä"


def _is_valid(vr: str, value: bytes) -> bool:
    text = value.decode("latin-1").rstrip("\0 ")
    parts = [text] if vr in SINGLE_VALUED_VRS else text.split("\\")
    return all(objection_to(vr, part.rstrip(" ")) is None for part in parts)


def _values(vr: str) -> st.SearchStrategy[list[bytes]]:
    known = [text.encode("latin-1", "replace") for text in VALID[vr] + INVALID[vr]]
    padded = st.tuples(st.sampled_from(known), st.sampled_from([b"", b" ", b"\0", b"\\", b"\\ "])).map(b"".join)
    wild = st.text(_ALPHABET, min_size=1, max_size=24).map(lambda text: text.encode("latin-1"))
    return st.lists(st.one_of(padded, wild, st.binary(min_size=1, max_size=8)), min_size=1, max_size=4)


@pytest.mark.parametrize("vr", sorted(VALUE_TESTS))
@given(data=st.data())
def test_what_passes_is_valid(vr: str, data: st.DataObject) -> None:
    values = data.draw(_values(vr))
    if VALUE_TESTS[vr](values):
        assert all(_is_valid(vr, value) for value in values)


@pytest.mark.parametrize("vr", sorted(VALUE_TESTS))
def test_plain_values_pass_together(vr: str) -> None:
    plain = [
        text
        for text in VALID[vr]
        if text.isascii() and text.isprintable() and "=" not in text and len(text) <= 64 and text not in _LOOKED_AT
    ]
    assert plain
    assert VALUE_TESTS[vr]([text.encode() for text in plain])


_LOOKED_AT = {"202602", "20240229", "235960", "20260228235960-1400"}
"""Valid, and rare enough to be looked at one by one."""


@pytest.mark.parametrize(
    ("vr", "text"),
    [(vr, text) for vr, texts in INVALID.items() for text in texts if "\\" not in text or vr in SINGLE_VALUED_VRS],
)
def test_one_invalid_value_fails_them_all(vr: str, text: str) -> None:
    valid = VALID[vr][0].encode("latin-1")
    assert not VALUE_TESTS[vr]([valid, text.encode("utf-8"), valid])
