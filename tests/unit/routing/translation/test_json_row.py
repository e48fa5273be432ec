"""Rows of JSON as attributes: what is sound is read whole, and nothing that a server sends breaks the reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.fitting import fits
from isocenter.domain.query import OneOf, PersonName
from isocenter.routing.translation.json_row import DEPTH_MAX, JsonRow

NAME, DATE, SERIES_COUNT, COMMENT, REQUESTS, ACCESSION = (
    0x00100010,
    0x00080020,
    0x00201206,
    0x00104000,
    0x00400275,
    0x00080050,
)

ROW: dict[str, Any] = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": ""}]},
    "00080020": {"vr": "DA", "Value": ["20240131"]},
    "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
    "00201206": {"vr": "IS", "Value": [3]},
    "00181151": {"vr": "DS", "Value": [0.25, "1.5"]},
    "00080050": {"vr": "SH"},
    "00104000": {"vr": "LT", "Value": ["one", "two"]},
    "00400275": {"vr": "SQ", "Value": [{"00080050": {"vr": "SH", "Value": ["A1"]}}, None]},
    "00420011": {"vr": "OB", "InlineBinary": "AQI="},
    "00280009": {"vr": "AT", "Value": ["00181063"]},
}


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (NAME, "Yamada^Tarou=山田^太郎"),
        (DATE, "20240131"),
        (0x00080061, "CT\\SR"),
        (SERIES_COUNT, "3"),
        (0x00181151, "0.25\\1.5"),
        (ACCESSION, ""),
        (COMMENT, "one"),
        (REQUESTS, ""),
        (0x00420011, ""),
        (0x00200010, ""),
    ],
)
def test_values_are_told_as_text(tag: int, text: str) -> None:
    assert JsonRow(ROW).text_of(tag) == text


def test_items_are_rows_of_their_own() -> None:
    first, second = JsonRow(ROW).items_of(REQUESTS)
    assert first.values_of(ACCESSION) == ["A1"]
    assert list(second) == []


def test_binary_values_are_bytes() -> None:
    row = JsonRow(ROW)
    assert row.raw(0x00420011) == b"\1\2"
    assert row.raw(0x00280009) == b"\x18\0\x63\x10"
    assert row.raw(0x00200010) is None


def test_a_row_can_be_held_against_a_query() -> None:
    row = JsonRow(ROW)
    assert fits(PersonName(NAME, ("yamada*",)), row)
    assert fits(PersonName(NAME, ("", "山田*")), row)
    assert not fits(OneOf(DATE, ("20240201",)), row)


def test_the_vr_of_the_dictionary_stands_for_one_that_is_none() -> None:
    assert JsonRow({"00100010": {"vr": "??"}}).vr_of(NAME) == "PN"


def test_nesting_ends_somewhere() -> None:
    row: dict[str, Any] = {"00080020": {"vr": "DA", "Value": ["20240131"]}}
    for _ in range(DEPTH_MAX + 5):
        row = {"00400275": {"vr": "SQ", "Value": [row]}}
    view, depth = JsonRow(row), 0
    while view.items_of(REQUESTS):
        view, depth = view.items_of(REQUESTS)[0], depth + 1
    assert depth == DEPTH_MAX


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["vr", "Value", "00100010"]), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["00100010", "00400275", "00420011", "00280009", "xx"]), _JSON))
def test_nothing_that_a_server_sends_breaks_the_reader(row: dict[str, Any]) -> None:
    view = JsonRow(row)
    for tag in (*view, NAME, REQUESTS, 0x00420011, 0x00280009):
        assert isinstance(view.text_of(tag), str)
        assert isinstance(view.vr_of(tag), str)
        assert isinstance(view.raw(tag), bytes | None)
        assert all(isinstance(item, JsonRow) for item in view.items_of(tag))
