"""Elements looked at where they lie, against pydicom."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given, settings
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from isocenter.dicom.element_view import ElementView, view_dataset, view_header
from isocenter.dicom.part10 import encoding_of
from isocenter.domain.errors import InvalidDataset
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import (
    BIG_ENDIAN,
    BULK_VRS,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    element,
    expected_text,
    file_of,
    implicit_element,
    iter_oracle,
    quiet_pydicom,
    write_file,
)
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

PATIENT_ID, ITEMS = 0x00100020, 0x00400275


def _compare(view: ElementView, dataset: Dataset) -> None:
    for one in iter_oracle(dataset):
        tag = int(one.tag)
        if one.VR == "SQ":
            items = view.items_of(tag)
            assert len(items) == len(one.value)
            for item, expected in zip(items, one.value, strict=True):
                _compare(item, expected)
        elif one.VR not in BULK_VRS and len(str(one.value)) < 20_000:
            assert view.text_of(tag) == expected_text(one), one.keyword
            assert view.vr_of(tag) == one.VR or one.tag.is_private


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
@settings(max_examples=30, deadline=None)
@given(dataset=datasets())
def test_every_value_at_every_depth_is_what_pydicom_reads(transfer_syntax_uid: str, dataset: Dataset) -> None:
    content = write_file(dataset, transfer_syntax_uid)
    with quiet_pydicom():
        oracle = dcmread(DicomBytesIO(content))
        tags = frozenset(int(one.tag) for one in oracle)
        _compare(view_header(content, tags), oracle)


def readable(row: ManifestRow) -> bool:
    return row.path.startswith("charset/")


@pytest.mark.parametrize("row", manifest_params(readable))
def test_names_in_every_character_set_are_what_pydicom_reads(row: ManifestRow) -> None:
    content = read_bytes(row)
    with quiet_pydicom():
        name = str(dcmread(DicomBytesIO(content)).get("PatientName", ""))
    assert view_header(content, frozenset({0x00100010})).text_of(0x00100010).rstrip("=") == name.rstrip("=")


def test_only_what_was_asked_for_is_there() -> None:
    content = file_of(element(0x00080005, "CS", b"ISO_IR 100") + element(PATIENT_ID, "LO", b"1 "))
    assert list(view_header(content, frozenset())) == [0x00080005]
    view = view_header(content, frozenset({PATIENT_ID}))
    assert (PATIENT_ID in view, 0x00100010 in view) == (True, False)
    assert (view.raw(PATIENT_ID), view.raw(0x00100010)) == (b"1 ", None)
    assert (view.values_of(0x00100010), view.items_of(0x00100010)) == ([], [])


def test_several_values_come_apart_but_for_texts() -> None:
    content = file_of(element(0x00081080, "LO", b"a\\b ") + element(0x001021B0, "LT", b"a\\b "))
    view = view_header(content, frozenset({0x00081080, 0x001021B0}))
    assert view.values_of(0x00081080) == ["a", "b"]
    assert view.values_of(0x001021B0) == ["a\\b"]


def test_a_sequence_in_an_element_without_vr_is_found() -> None:
    items = implicit_element(0xFFFEE000, implicit_element(0x00401001, b"R1"))
    view = view_header(file_of(element(ITEMS, "UN", items)), frozenset({ITEMS}))
    assert [item.text_of(0x00401001) for item in view.items_of(ITEMS)] == ["R1"]
    broken = view_header(file_of(element(ITEMS, "UN", b"no items")), frozenset({ITEMS}))
    assert broken.items_of(ITEMS) == []


def test_signs_are_told_by_the_pixel_representation() -> None:
    for representation, expected in ((0, "65535"), (1, "-1")):
        pixels = implicit_element(0x00280103, pack("<H", representation))
        content = file_of(pixels + implicit_element(0x00280106, b"\xff\xff"), IMPLICIT)
        assert view_header(content, frozenset({0x00280106})).text_of(0x00280106) == expected


def test_a_value_too_long_for_text_is_none() -> None:
    content = file_of(element(0x0040A160, "UT", b"x" * 70_000))
    assert view_header(content, frozenset({0x0040A160})).values_of(0x0040A160) == []


def test_a_data_set_may_stand_alone() -> None:
    view = view_dataset(element(PATIENT_ID, "LO", b"1 "), encoding_of(EXPLICIT))
    assert view.text_of(PATIENT_ID) == "1"
    with pytest.raises(InvalidDataset):
        view_dataset(b"\x10\x00\x20\x00LO\xff\x00", encoding_of(EXPLICIT))
