from __future__ import annotations

import pytest

from isocenter.dicom.search_key import make_key
from isocenter.domain.key import Key


@pytest.mark.parametrize(
    ("tag", "key"),
    [
        (0x00100020, Key(0x00100020, "LO", "x", "PatientID")),
        (0x00080061, Key(0x00080061, "CS", "x", "ModalitiesInStudy", is_multi_valued=True)),
        (0x00280106, Key(0x00280106, "US", "x", "SmallestImagePixelValue")),
        (0x0040A160, Key(0x0040A160, "UT", "x", "TextValue")),
    ],
)
def test_an_attribute_is_a_key_by_the_dictionary(tag: int, key: Key) -> None:
    assert make_key(tag, "x") == key


@pytest.mark.parametrize(
    "tag",
    [0x00400275, 0x7FE00010, 0x00091001, 0x00090010, 0x00020010, 0x00000900, 0x00100000, 0x00080005, 0x00080052],
    ids=hex,
)
def test_what_has_no_value_to_match_is_no_key(tag: int) -> None:
    assert make_key(tag, "x") is None
