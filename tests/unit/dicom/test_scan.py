"""The scanner against pydicom, over real files, generated ones and ones that are broken in every way."""

from __future__ import annotations

import mmap
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from isocenter.dicom.model import UNDEFINED_LENGTH
from isocenter.dicom.scan import ITEMS_MAX, scan_instance
from isocenter.dicom.shapes import HeaderShapes
from isocenter.domain.attributes import INDEXED_ATTRIBUTES, item_tag
from isocenter.domain.errors import InvalidDataset, LimitExceeded
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import (
    BIG_ENDIAN,
    BULK_VRS,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    element,
    expected_text,
    file_of,
    fragments_of,
    header,
    implicit_element,
    iter_oracle,
    quiet_pydicom,
    write_file,
)
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

INDEXED = frozenset(attribute.tag for attribute in INDEXED_ATTRIBUTES)
PATIENT_ID, ROWS = 0x00100020, 0x00280010
REFUSED = {
    "ExplVR_BigEndNoMeta.dcm": "preamble",
    "ExplVR_LitEndNoMeta.dcm": "preamble",
    "no_meta.dcm": "preamble",
    "zipMR.gz": "preamble",
    "meta_missing_tsyntax.dcm": "transfer syntax",
    "MR_truncated.dcm": "pixel data",
    "rtplan_truncated.dcm": "(300a,00b0), offset 1418",
}
FUZZ_SEEDS = ("MR_small_implicit.dcm", "MR_small_expb.dcm", "rtplan.dcm", "image_dfl.dcm", "UN_sequence.dcm")


def readable(row: ManifestRow) -> bool:
    """Tell whether a file has a beginning that a file must have, and all of its bytes."""
    return row.is_dicom and not row.is_broken and bool(row.transfer_syntax_uid)


def oracle(content: bytes) -> Dataset:
    with quiet_pydicom():
        return dcmread(DicomBytesIO(content))


def scannable(dataset: Dataset) -> dict[int, str]:
    """Return every top-level element that has a text, by pydicom."""
    with quiet_pydicom():
        texts = {
            int(one.tag): expected_text(one)
            for one in iter_oracle(dataset)
            if one.VR != "SQ" and one.VR not in BULK_VRS and len(str(one.value)) < 20_000
        }
    return {tag: text for tag, text in texts.items() if text}


@pytest.mark.parametrize("row", manifest_params(readable))
def test_every_value_of_a_real_file_is_what_pydicom_reads(row: ManifestRow) -> None:
    content = read_bytes(row)
    expected = scannable(oracle(content))
    scanned = scan_instance(content, wanted=frozenset(expected))
    assert _comparable(scanned.attributes) == _comparable(expected)
    assert scanned.encoding.transfer_syntax_uid == row.transfer_syntax_uid


def _comparable(attributes: Any) -> dict[int, str]:
    """Leave out what pydicom drops of a text: blanks around some values, empty component groups of a name."""
    return {tag: "\\".join(part.strip().rstrip("=") for part in text.split("\\")) for tag, text in attributes.items()}


@pytest.mark.parametrize("row", manifest_params(readable))
def test_pixel_element_lies_where_pydicom_finds_it(row: ManifestRow) -> None:
    content = read_bytes(row)
    dataset = oracle(content)
    pixels = scan_instance(content, wanted=INDEXED).pixel_element
    names = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    there = next((dataset[name] for name in names if name in dataset), None)
    assert (pixels is None) == (there is None)
    if pixels is None or there is None:
        return
    assert pixels.tag == there.tag
    if pixels.length == UNDEFINED_LENGTH:
        assert there.is_undefined_length
    elif not scan_instance(content, wanted=INDEXED).encoding.is_deflated:
        assert content[pixels.value_offset : pixels.value_offset + pixels.length] == there.value


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
@settings(max_examples=30, deadline=None)
@given(dataset=datasets())
def test_every_value_of_a_generated_file_is_what_pydicom_reads(transfer_syntax_uid: str, dataset: Dataset) -> None:
    content = write_file(dataset, transfer_syntax_uid)
    expected = scannable(oracle(content))
    assert dict(scan_instance(content, wanted=frozenset(expected)).attributes) == expected


@pytest.mark.parametrize("row", manifest_params(lambda row: row.is_broken and row.is_dicom))
def test_broken_file_is_scanned_or_refused_with_a_reason(row: ManifestRow) -> None:
    content = read_bytes(row)
    if Path(row.path).name in REFUSED:
        with pytest.raises(InvalidDataset) as caught:
            scan_instance(content, wanted=INDEXED)
        assert REFUSED[Path(row.path).name] in caught.value.message
    else:
        assert scan_instance(content, wanted=INDEXED).number_of_elements > 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_scanned(kind: Any) -> None:
    content = file_of(element(PATIENT_ID, "LO", b"4711 ") + element(ROWS, "US", pack("<H", 512)))
    assert scan_instance(kind(content), wanted=frozenset({PATIENT_ID, ROWS})).attributes == {
        PATIENT_ID: "4711",
        ROWS: "512",
    }


def test_mapping_of_a_file_of_gigabytes_is_scanned_without_reading_its_pixels(tmp_path: Path) -> None:
    start = file_of(element(PATIENT_ID, "LO", b"4711") + header(0x7FE00010, "OW", 3 << 30))
    path = tmp_path / "large.dcm"
    with path.open("w+b") as file:
        file.write(start)
        file.truncate(len(start) + (3 << 30))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
            scanned = scan_instance(mapping, wanted=frozenset({PATIENT_ID}))
            assert scanned.attributes == {PATIENT_ID: "4711"}
            assert scanned.pixel_element is not None
            assert (scanned.pixel_element.value_offset, scanned.pixel_element.length) == (len(start), 3 << 30)
            assert scanned.header_length == len(start) - 12


def test_header_ends_where_pixel_data_begins() -> None:
    before = file_of(element(PATIENT_ID, "LO", b"4711"))
    scanned = scan_instance(before + fragments_of(b"\xff\xd8"), wanted=INDEXED)
    assert scanned.header_length == len(before)


def test_file_without_pixel_data_is_all_header() -> None:
    content = file_of(element(PATIENT_ID, "LO", b"4711"))
    scanned = scan_instance(content, wanted=INDEXED)
    assert (scanned.header_length, scanned.pixel_element) == (len(content), None)


def test_deflated_file_is_all_header_in_its_stored_length() -> None:
    dataset = Dataset()
    dataset.PatientComments = "4711" * 100
    content = write_file(dataset, DEFLATED)
    assert scan_instance(content, wanted=INDEXED).header_length == len(content)


@pytest.mark.parametrize(
    ("value", "vr", "expected"),
    [
        (b"A\0", "LO", "A"),
        (b"A \\B  \\ C ", "LO", "A\\B\\ C"),
        (b"\\\\B", "LO", "\\\\B"),
        (b"a\\b ", "LT", "a\\b"),
        (b" 12 \\+3", "IS", "12\\+3"),
        (pack("<hh", -1, 2), "SS", "-1\\2"),
        (pack("<II", 1, 2), "UL", "1\\2"),
        (pack("<i", -7), "SL", "-7"),
        (pack("<f", 0.5), "FL", "0.5"),
        (pack("<d", 1e300), "FD", "1e+300"),
        (pack("<HH", 0x0018, 0x106A), "AT", "0018106A"),
        (b"\x01\x02\x03", "US", "513"),
        (b"1.2.3\0", "UI", "1.2.3"),
    ],
)
def test_value_is_text_without_padding(value: bytes, vr: str, expected: str) -> None:
    content = file_of(element(PATIENT_ID, vr, value))
    assert scan_instance(content, wanted=frozenset({PATIENT_ID})).attributes == {PATIENT_ID: expected}


def test_element_of_vr_un_is_read_by_the_dictionary() -> None:
    content = file_of(element(PATIENT_ID, "UN", b"4711"))
    assert scan_instance(content, wanted=INDEXED).attributes == {PATIENT_ID: "4711"}


@pytest.mark.parametrize(("representation", "expected"), [(0, "65535"), (1, "-1")])
def test_ambiguous_vr_follows_pixel_representation(representation: int, expected: str) -> None:
    content = file_of(
        implicit_element(0x00280103, pack("<H", representation)) + implicit_element(0x00280120, b"\xff\xff"), IMPLICIT
    )
    assert scan_instance(content, wanted=frozenset({0x00280120})).attributes == {0x00280120: expected}


def test_indexed_value_longer_than_the_limit_is_refused() -> None:
    content = file_of(implicit_element(PATIENT_ID, b"A" * 65_538), IMPLICIT)
    with pytest.raises(LimitExceeded, match=r"\(0010,0020\)"):
        scan_instance(content, wanted=INDEXED)


def test_message_of_a_refusal_holds_no_value() -> None:
    content = file_of(element(0x00100010, "PN", b"ZZCANARY^PHI") + header(PATIENT_ID, "LO", 60_000) + b"ZZCANARY")
    with pytest.raises(InvalidDataset) as caught:
        scan_instance(content, wanted=INDEXED)
    assert "CANARY" not in caught.value.message


@pytest.mark.parametrize("row", manifest_params(lambda row: row.path.endswith(FUZZ_SEEDS)))
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_file_gives_a_value_or_a_refusal(row: ManifestRow, data: st.DataObject) -> None:
    content = _damaged(read_bytes(row)[:6000], data)
    try:
        scan_instance(content, wanted=INDEXED)
    except InvalidDataset:
        return


def _damaged(content: bytes, data: st.DataObject) -> bytes:
    """Return a file with some bytes changed, and perhaps its end cut off."""
    out = bytearray(content)
    places = st.integers(128, len(content) - 1)
    for place in data.draw(st.lists(places, max_size=6)):
        out[place] = data.draw(st.integers(0, 255))
    return bytes(out[: data.draw(places)]) if data.draw(st.booleans()) else bytes(out)


def test_number_of_frames_that_is_no_number_is_kept_as_it_is() -> None:
    content = file_of(element(0x00280008, "IS", b"1A") + fragments_of(b"\xff\xd8"), JPEG_BASELINE)
    assert scan_instance(content, wanted=INDEXED).attributes == {0x00280008: "1A"}


def test_encoding_is_that_of_the_bytes_where_the_transfer_syntax_lies() -> None:
    content = file_of(implicit_element(PATIENT_ID, b"4711") + implicit_element(0x7FE00010, bytes(2)), EXPLICIT)
    scanned = scan_instance(content, wanted=frozenset({PATIENT_ID}))
    assert scanned.attributes == {PATIENT_ID: "4711"}
    assert scanned.encoding.is_implicit_vr
    assert scanned.encoding.transfer_syntax_uid == EXPLICIT


REQUESTED, SCHEDULED = item_tag(0x00400275, 0x00401001), item_tag(0x00400275, 0x00400009)


def _with_requests(*items: tuple[str | None, str | None]) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientID = "1"
    requests = []
    for requested, scheduled in items:
        item = Dataset()
        item.RequestedProcedureDescription = "beside"
        if requested is not None:
            item.RequestedProcedureID = requested
        if scheduled is not None:
            item.ScheduledProcedureStepID = scheduled
        item.ScheduledProtocolCodeSequence = [Dataset()]
        requests.append(item)
    dataset.RequestAttributesSequence = requests
    dataset.RequestedProcedureID = "not in an item"
    return dataset


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
@pytest.mark.parametrize("is_undefined", [False, True])
def test_what_is_wanted_of_items_has_a_part_for_each(transfer_syntax_uid: str, is_undefined: bool) -> None:
    dataset = _with_requests(("Ä1", "S1"), (None, "S2"), ("R3", ""))
    dataset["RequestAttributesSequence"].is_undefined_length = is_undefined
    scanned = scan_instance(
        write_file(dataset, transfer_syntax_uid), wanted=frozenset({PATIENT_ID, REQUESTED, SCHEDULED})
    )
    assert scanned.attributes == {PATIENT_ID: "1", REQUESTED: "Ä1\\\\R3", SCHEDULED: "S1\\S2\\"}


def test_items_without_what_is_wanted_tell_nothing() -> None:
    wanted = frozenset({REQUESTED, SCHEDULED})
    for items in ((), ((None, ""),), ((None, None), (None, None))):
        content = write_file(_with_requests(*items), EXPLICIT)
        assert scan_instance(content, wanted=wanted).attributes == {}


def test_an_item_has_a_character_set_of_its_own() -> None:
    dataset = _with_requests(("a", None), ("b", None))
    item = dataset.RequestAttributesSequence[1]
    item.SpecificCharacterSet = "ISO_IR 192"
    item.RequestedProcedureID = "山"
    scanned = scan_instance(write_file(dataset, EXPLICIT), wanted=frozenset({REQUESTED}))
    assert scanned.attributes == {REQUESTED: "a\\山"}


def test_more_items_than_a_series_can_have_are_not_told_of() -> None:
    content = write_file(_with_requests(*((str(number), None) for number in range(ITEMS_MAX + 5))), EXPLICIT)
    (text,) = scan_instance(content, wanted=frozenset({REQUESTED})).attributes.values()
    assert text.split("\\") == [str(number) for number in range(ITEMS_MAX)]


def test_a_header_of_a_known_shape_tells_of_its_own_items() -> None:
    shapes, wanted = HeaderShapes(), frozenset({REQUESTED})
    for number in range(1, 5):
        dataset = _with_requests((f"R{number}", None))
        dataset.Rows = dataset.Columns = 1
        dataset.BitsAllocated, dataset.PixelData = 8, b"\0\0"
        dataset["PixelData"].VR = "OB"
        scanned = scan_instance(write_file(dataset, EXPLICIT), wanted=wanted, shapes=shapes)
        assert scanned.attributes == {REQUESTED: f"R{number}"}
