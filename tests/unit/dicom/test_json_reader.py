"""DICOM JSON back to data sets, with our own writer and pydicom as the oracles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from pydicom.dataset import Dataset as PydicomDataset

from isocenter.dicom.charset_encode import with_character_set
from isocenter.dicom.dataset import Attribute, Dataset, character_set_of, encode_dataset, texts_of, values_of
from isocenter.dicom.json import BulkPolicy, dataset_json
from isocenter.dicom.json_reader import DEPTH_MAX, parse_dicom_json
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import InvalidDataset
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import EXPLICIT, file_of, quiet_pydicom, write_file

INLINE = BulkPolicy.by_reference("/bulk/", inline_length_max=1 << 30)
NAME = 0x00100010


def _json_of(dataset: Dataset) -> dict[str, Any]:
    return dataset_json(file_of(encode_dataset(dataset, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))), bulk=INLINE)


@settings(max_examples=50)
@given(source=datasets())
def test_what_was_read_is_written_as_the_same_json(source: PydicomDataset) -> None:
    with quiet_pydicom():
        document = dataset_json(write_file(source, EXPLICIT), bulk=INLINE)
    again = _json_of(parse_dicom_json(document))
    assert _without_sets(again) == _without_sets(document)


def _without_sets(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _without_sets(value) for key, value in document.items() if key != "00080005"}
    return [_without_sets(value) for value in document] if isinstance(document, list) else document


def test_text_is_written_in_the_named_set_where_that_has_it() -> None:
    document = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "PatientName": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg"}]},
    }
    assert parse_dicom_json(document)[NAME].value == "Müller^Jörg".encode("latin-1")


@pytest.mark.parametrize("named", [None, "ISO_IR 100", "no such set"])
def test_text_is_written_as_utf_8_where_the_named_set_lacks_it(named: str | None) -> None:
    document: dict[str, object] = {"00100010": {"vr": "PN", "Value": [{"Ideographic": "山田^太郎"}]}}
    if named:
        document["00080005"] = {"vr": "CS", "Value": [named]}
    dataset = parse_dicom_json(document)
    assert dataset[0x00080005].value == b"ISO_IR 192"
    assert texts_of(dataset[NAME], character_set_of(dataset)) == ("=山田^太郎",)


def test_plain_text_keeps_the_set_that_was_named_and_gets_none() -> None:
    plain = {"00100010": {"vr": "PN", "Value": ["Doe^Jane"]}}
    assert parse_dicom_json(plain) == {NAME: Attribute("PN", b"Doe^Jane")}
    named = plain | {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}}
    assert parse_dicom_json(named)[0x00080005].value == b"ISO_IR 100"


def test_values_come_in_every_form_that_people_write() -> None:
    document = json.loads(
        """{
        "00100020": {"Value": ["ID"]},
        "00101030": {"vr": "DS", "Value": [70.5]},
        "001021C0": {"vr": "US", "Value": [4]},
        "00200013": {"vr": "IS", "Value": ["7"]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00081060": {"vr": "PN", "Value": [null, {"Alphabetic": "A"}]},
        "00420011": {"vr": "OB", "InlineBinary": "AAE="},
        "00400100": {"vr": "SQ", "Value": [{"Modality": {"vr": "CS", "Value": ["CT"]}}]},
        "00081110": {"vr": "SQ"}
        }"""
    )
    dataset = parse_dicom_json(document)
    assert values_of(dataset) == {
        "00081060": ["", "A"],
        "00100020": ["ID"],
        "00101030": ["70.5"],
        "001021C0": ["4"],
        "00200013": ["7"],
        "00280009": ["00181063"],
        "00400100": [{"00080060": ["CT"]}],
    }
    assert dataset[0x00420011] == Attribute("OB", b"\0\1")
    assert dataset[0x00081110] == Attribute("SQ")


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        {"PatientsName": {"vr": "PN"}},
        {"00100010": "Doe"},
        {"00100010": {"vr": "XX"}},
        {"00100010": {"vr": "PN", "Value": "Doe"}},
        {"00100010": {"vr": "PN", "Value": [{"First": "Jane"}]}},
        {"00100020": {"vr": "LO", "Value": [True]}},
        {"00100020": {"vr": "LO", "InlineBinary": "AAE="}},
        {"00100020": {"vr": "LO", "BulkDataURI": "http://x"}},
        {"001021C0": {"vr": "US", "Value": ["four"]}},
        {"001021C0": {"vr": "US", "Value": [70000]}},
        {"001021B0": {"vr": "LT", "Value": ["a", "b"]}},
        {"00420011": {"vr": "OB", "InlineBinary": "?"}},
        {"00420011": {"vr": "OB", "Value": [1]}},
        {"00400100": {"vr": "SQ", "Value": ["item"]}},
    ],
)
def test_what_is_not_the_model_is_refused(document: object) -> None:
    with pytest.raises(InvalidDataset):
        parse_dicom_json(document)


def test_nesting_is_bounded() -> None:
    document: dict[str, object] = {}
    for _ in range(DEPTH_MAX + 1):
        document = {"00400100": {"vr": "SQ", "Value": [document]}}
    with pytest.raises(InvalidDataset):
        parse_dicom_json(document)


def test_an_unknown_set_cannot_write_what_is_not_plain() -> None:
    assert with_character_set({NAME: Attribute("PN", "ü".encode("latin-1"))}, "no such set") is None
