from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.search_json import RowEncoder
from isocenter.domain.attributes import BY_KEYWORD, INDEXED_ATTRIBUTES
from isocenter.domain.identifiers import Level
from isocenter.domain.query import SearchRow

STUDY_UID, SERIES_UID, INSTANCE_UID = 0x0020000D, 0x0020000E, 0x00080018


def encode(attributes: dict[int, str], *, tags: list[int] | None = None, **options: Any) -> dict[str, Any]:
    encoder = RowEncoder(sorted(attributes) if tags is None else tags, level=Level.STUDY, **options)
    (row,) = json.loads(encoder.encode([SearchRow(1, attributes)]))
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize(
    ("keyword", "text", "values"),
    [
        ("StudyDate", "20200101", ["20200101"]),
        ("Modality", "CT", ["CT"]),
        ("StudyDescription", 'say "ah" \t\n', ['say "ah" \t\n']),
        ("StudyDescription", "one\\two", ["one", "two"]),
        ("StudyDescription", "one\\\\three", ["one", None, "three"]),
        ("SeriesNumber", "003", [3]),
        ("SeriesNumber", "-3\\4", [-3, 4]),
        ("SeriesNumber", "none", ["none"]),
        ("Rows", "512", [512]),
        ("PatientName", "Yamada^Tarou", [{"Alphabetic": "Yamada^Tarou"}]),
        (
            "PatientName",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
            [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}],
        ),
        ("PatientName", "=山田", [{"Ideographic": "山田"}]),
        ("PatientName", "==", [None]),
        ("PatientName", "A^B\\\\C^D", [{"Alphabetic": "A^B"}, None, {"Alphabetic": "C^D"}]),
    ],
)
def test_values_are_written_by_their_vr(keyword: str, text: str, values: list[object]) -> None:
    attribute = BY_KEYWORD[keyword]
    assert encode({attribute.tag: text}) == {f"{attribute.tag:08X}": {"vr": attribute.vr, "Value": values}}


def test_computed_attributes_are_lists_and_numbers() -> None:
    assert encode({0x00080061: "CT\\MR", 0x00201208: "3"}) == {
        "00080061": {"vr": "CS", "Value": ["CT", "MR"]},
        "00201208": {"vr": "IS", "Value": [3]},
    }


def test_what_has_no_value_is_left_out_or_kept_empty() -> None:
    tags = [0x00080020, 0x00100010]
    assert encode({0x00080020: ""}, tags=tags) == {}
    assert encode({0x00080020: ""}, tags=tags, keeps_empty=True) == {"00080020": {"vr": "DA"}, "00100010": {"vr": "PN"}}


def test_what_was_not_asked_for_is_left_out() -> None:
    assert encode({0x00080020: "20200101"}, tags=[]) == {}


def test_attributes_of_the_answer_itself_are_made_where_asked_for() -> None:
    row = encode({STUDY_UID: "1.2"}, tags=[0x00080005, 0x00080056, 0x00081190], service_url="https://host/v2")
    assert row == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00081190": {"vr": "UR", "Value": ["https://host/v2/studies/1.2"]},
    }


@pytest.mark.parametrize(
    ("level", "path"),
    [
        (Level.STUDY, "/studies/1"),
        (Level.SERIES, "/studies/1/series/2"),
        (Level.INSTANCE, "/studies/1/series/2/instances/3"),
    ],
)
def test_the_retrieve_url_names_the_row_at_its_level(level: Level, path: str) -> None:
    encoder = RowEncoder([0x00081190], level=level, service_url="http://h")
    row = SearchRow(1, {STUDY_UID: "1", SERIES_UID: "2", INSTANCE_UID: "3"})
    assert json.loads(encoder.encode_row(row)) == {"00081190": {"vr": "UR", "Value": [f"http://h{path}"]}}


def test_attributes_of_the_header_stand_beside_those_of_the_index() -> None:
    encoder = RowEncoder([STUDY_UID, 0x00101010], level=Level.STUDY)
    rows = [SearchRow(7, {STUDY_UID: "1"}), SearchRow(8, {STUDY_UID: "2"}), SearchRow(9, {})]
    headers: dict[int, dict[str, object]] = {
        7: {"00101010": {"vr": "AS", "Value": ["050Y"]}},
        8: {},
        9: {"00101010": orjson.Fragment(b'{"vr":"AS"}')},
    }
    assert json.loads(encoder.encode(rows, headers)) == [
        {"0020000D": {"vr": "UI", "Value": ["1"]}, "00101010": {"vr": "AS", "Value": ["050Y"]}},
        {"0020000D": {"vr": "UI", "Value": ["2"]}},
        {"00101010": {"vr": "AS"}},
    ]


def test_no_rows_are_an_empty_array() -> None:
    assert RowEncoder([], level=Level.STUDY).encode([]) == b"[]"


@given(st.dictionaries(st.sampled_from([attribute.tag for attribute in INDEXED_ATTRIBUTES]), st.text()))
def test_any_values_make_json_of_the_tags_that_have_one(attributes: dict[int, str]) -> None:
    tags = [attribute.tag for attribute in INDEXED_ATTRIBUTES]
    content = RowEncoder(tags, level=Level.STUDY).encode([SearchRow(1, attributes)])
    assert set(orjson.loads(content)[0]) == {f"{tag:08X}" for tag, text in attributes.items() if text}


def test_half_of_a_surrogate_pair_does_not_spoil_the_answer() -> None:
    assert encode({0x00081030: "\ud800"})["00081030"]["Value"] == ["?"]
