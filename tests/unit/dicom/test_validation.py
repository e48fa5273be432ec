"""Every invalid value of a header is found, wherever it is, and none beside."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from isocenter.dicom import validation, validation_plan
from isocenter.dicom.part10 import open_file
from isocenter.dicom.validation import find_flaws
from isocenter.dicom.validation_plan import Flaw, plan_of
from isocenter.dicom.walk import walk_dataset
from isocenter.domain.errors import LimitExceeded
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    element,
    file_of,
    header,
    implicit_element,
    quiet_pydicom,
    write_file,
)
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes


def readable(row: ManifestRow) -> bool:
    """Tell whether a file has a beginning that a file must have, and all of its bytes."""
    return row.is_dicom and not row.is_broken and bool(row.transfer_syntax_uid)


def _flaws(content: bytes) -> list[Flaw]:
    """Return the flaws of a file, which are the same with a plan, without one, and of a view of it."""
    opened = open_file(content)
    buffer = opened.buffer
    walked = walk_dataset(buffer, opened.dataset_offset, len(buffer), encoding=opened.encoding)
    found = find_flaws(buffer, walked.elements, end=walked.end)
    assert find_flaws(buffer, walked.elements, end=walked.end, plan=plan_of(walked.elements)) == found
    assert find_flaws(memoryview(buffer), walked.elements, end=walked.end) == found
    return found


def _reasons(dataset: bytes, transfer_syntax_uid: str = EXPLICIT) -> dict[str, str]:
    return {flaw.path: flaw.reason for flaw in _flaws(file_of(dataset, transfer_syntax_uid))}


def _sequence(tag: int, *items: bytes) -> bytes:
    content = b"".join(implicit_element(ITEM, item) for item in items)
    return header(tag, "SQ", len(content)) + content


def test_the_sentence_has_the_value_its_vr_and_the_reason() -> None:
    assert _reasons(element(0x00080020, "DA", b"NotAValidStudyDate")) == {
        "00080020": 'Content "NotAValidStudyDate" does not validate VR DA: one of the date values does not match the '
        "pattern YYYYMMDD"
    }


def test_a_value_in_an_item_is_found_by_its_path_and_its_namesake_above_is_left_alone() -> None:
    good, bad = element(0x00080060, "CS", b"CT"), element(0x00080060, "CS", b"ct")
    dataset = good + _sequence(0x00081115, good, _sequence(0x00400275, bad))
    assert list(_reasons(dataset)) == ["00081115/1/00400275/0/00080060"]


@pytest.mark.parametrize("vr", ["AE", "CS", "DA", "DS", "IS", "LO", "PN", "SH", "TM", "UI"])
def test_nuls_behind_a_value_are_padding_and_others_are_not(vr: str) -> None:
    value = {"DA": b"20260228", "TM": b"1011"}.get(vr, b"12")
    assert not _reasons(element(0x00090010, vr, value + b"\0"))
    assert not _reasons(element(0x00090010, vr, value + b" \0\0"))
    assert _reasons(element(0x00090010, vr, b"\0" + value))


def test_each_of_several_values_is_looked_at_and_the_first_problem_named() -> None:
    reasons = _reasons(element(0x00080008, "CS", b"ORIGINAL\\primary\\axial"))
    assert reasons == {"00080008": 'Content "primary" does not validate VR CS: value contains invalid character'}
    assert not _reasons(element(0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL\\"))


@pytest.mark.parametrize(
    ("character_set", "name"),
    [("ISO_IR 192", "é" * 64), ("GB18030", "王" * 64), ("\\ISO 2022 IR 87", "山" * 64), ("ISO_IR 100", "ä" * 64)],
)
def test_text_is_measured_in_characters_of_its_character_set(character_set: str, name: str) -> None:
    codec = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "ISO_IR 100": "latin-1"}.get(character_set, "iso2022_jp")
    for text, is_valid in ((name, True), (name + name[0], False)):
        dataset = element(0x00080005, "CS", character_set.encode()) + element(0x00100010, "PN", text.encode(codec))
        assert (not _reasons(dataset)) is is_valid


def test_an_item_has_the_character_set_of_what_holds_it_unless_it_names_one() -> None:
    name = element(0x00100010, "PN", ("é" * 64).encode())
    utf_8, latin = element(0x00080005, "CS", b"ISO_IR 192"), element(0x00080005, "CS", b"ISO_IR 100")
    assert not _reasons(utf_8 + _sequence(0x00081115, name))
    assert list(_reasons(utf_8 + _sequence(0x00081115, latin + name))) == ["00081115/0/00100010"]


def test_without_vrs_the_dictionary_tells_them() -> None:
    dataset = implicit_element(0x00080020, b"nonsense") + implicit_element(0x00091001, b"\1\2private\0")
    assert list(_reasons(dataset, IMPLICIT)) == ["00080020"]


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
@given(dataset=datasets())
def test_what_pydicom_writes_is_valid(transfer_syntax_uid: str, dataset: Dataset) -> None:
    assert not _flaws(write_file(dataset, transfer_syntax_uid))


@given(dataset=datasets(), place=st.integers(0, 3))
def test_one_invalid_value_among_valid_ones_is_the_one_that_is_found(dataset: Dataset, place: int) -> None:
    inner = dataset
    path = ""
    for _ in range(place):
        sequence = next((one for one in inner if one.VR == "SQ" and len(one.value)), None)
        if sequence is None:
            break
        path += f"{int(sequence.tag):08X}/0/"
        inner = sequence.value[0]
    with quiet_pydicom():
        inner.add_new(0x00741204, "LO", "x" * 65)
    assert [flaw.path for flaw in _flaws(write_file(dataset, EXPLICIT))] == [f"{path}00741204"]


@pytest.mark.parametrize("row", manifest_params(readable))
def test_real_files_are_looked_through(row: ManifestRow) -> None:
    for flaw in _flaws(read_bytes(row)):
        assert flaw.path.endswith(f"{flaw.tag:08X}")


def test_more_flaws_than_can_be_named_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_plan, "FLAWS_MAX", 3)
    with pytest.raises(LimitExceeded):
        _reasons(b"".join(element(0x00090010 + number, "CS", b"low") for number in range(4)))


def test_a_large_header_is_not_copied_to_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "QUICK_LENGTH_MAX", 1 << 16)
    monkeypatch.setattr(validation_plan, "PART_BYTES", 1 << 18)
    many = b"".join(element(0x00100000 + number, "LT", b"x" * 10_000) for number in range(1000))
    content = file_of(many)
    opened = open_file(content)
    walked = walk_dataset(content, opened.dataset_offset, len(content), encoding=opened.encoding)
    tracemalloc.start()
    try:
        assert not find_flaws(content, walked.elements, end=walked.end)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < len(content) / 5
