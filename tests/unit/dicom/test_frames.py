"""The frame table against pydicom, and offset tables that lie."""

from __future__ import annotations

from array import array
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.pixels.utils import get_expected_length

from isocenter.dicom.frames import FrameTable, build_frame_table, read_frame
from isocenter.dicom.scan import scan_instance
from isocenter.domain.errors import CorruptInstance, InvalidDataset, NotFound
from tests.support.dicom_files import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    JPEG_BASELINE,
    UNDEFINED,
    element,
    file_of,
    fragments_of,
    header,
    implicit_element,
    quiet_pydicom,
    write_file,
)
from tests.support.shared_data import ManifestRow, manifest_params, read_bytes

MPEG4 = "1.2.840.10008.1.2.4.102"
SOI = b"\xff\xd8"


def readable(row: ManifestRow) -> bool:
    return row.is_dicom and not row.is_broken and bool(row.transfer_syntax_uid) and bool(row.columns)


def table_of(content: bytes, number_of_frames: int | None) -> FrameTable:
    scanned = scan_instance(content, wanted=frozenset())
    table = build_frame_table(content, scanned, number_of_frames=number_of_frames)
    assert table is not None
    decoded = FrameTable.decode(table.encode())
    assert decoded == table
    return decoded


def frames_of(content: bytes, number_of_frames: int | None) -> list[bytes]:
    def read_part(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    scanned = scan_instance(content, wanted=frozenset())
    if scanned.pixel_element is None:
        return []
    if scan_instance(content, wanted=frozenset()).pixel_element is None:
        return []
    table = table_of(content, number_of_frames)
    return [read_frame(table, index, read_part) for index in range(table.number_of_frames)]


@pytest.mark.parametrize("row", manifest_params(readable))
def test_frames_of_a_real_file_are_those_of_pydicom(row: ManifestRow) -> None:
    content = read_bytes(row)
    with quiet_pydicom():
        dataset = dcmread(DicomBytesIO(content))
        number = int(dataset.get("NumberOfFrames", 1) or 1)
        floats = [dataset[name].value for name in ("FloatPixelData", "DoubleFloatPixelData") if name in dataset]
        if "PixelData" not in dataset:
            expected = floats
        elif dataset["PixelData"].is_undefined_length:
            expected = list(generate_frames(dataset.PixelData, number_of_frames=number))
        else:
            expected = _native_frames(dataset, number)
    assert frames_of(content, number) == expected


def _native_frames(dataset: Dataset, number: int) -> list[bytes]:
    """Return the frames by pydicom's length of all of them; frames of bits share the bytes at their borders."""
    samples = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
    if dataset.BitsAllocated == 1:
        return [dataset.PixelData[samples * at // 8 : -(-samples * (at + 1) // 8)] for at in range(number)]
    length = get_expected_length(dataset) // number
    return [dataset.PixelData[length * at : length * (at + 1)] for at in range(number)]


def native(*, rows: int, columns: int, bits: int, pixels: bytes, samples: int = 1, more: bytes = b"") -> bytes:
    return file_of(
        element(0x00280002, "US", pack("<H", samples))
        + more
        + element(0x00280010, "US", pack("<H", rows))
        + element(0x00280011, "US", pack("<H", columns))
        + element(0x00280100, "US", pack("<H", bits))
        + element(0x7FE00010, "OB", pixels)
    )


def test_padding_does_not_belong_to_the_last_frame() -> None:
    assert frames_of(native(rows=3, columns=1, bits=8, pixels=bytes(range(10))), 3) == [
        b"\0\1\2",
        b"\3\4\5",
        b"\6\7\10",
    ]


def test_subsampled_colour_takes_two_samples_a_pixel() -> None:
    photometric = element(0x00280004, "CS", b"YBR_FULL_422")
    content = native(rows=2, columns=2, bits=8, samples=3, more=photometric, pixels=bytes(16))
    assert [len(frame) for frame in frames_of(content, 2)] == [8, 8]


def test_frames_of_bits_share_bytes() -> None:
    table = table_of(native(rows=3, columns=3, bits=1, pixels=bytes(4)), 3)
    start = table.start
    assert [table.frame_ranges(at) for at in range(3)] == [((start, 2),), ((start + 1, 2),), ((start + 2, 2),)]


def test_only_frames_that_are_there_are_counted() -> None:
    assert len(frames_of(native(rows=2, columns=2, bits=8, pixels=bytes(10)), 5)) == 2


def test_pixel_data_of_unknown_shape_is_divided_evenly() -> None:
    assert frames_of(file_of(element(0x7FE00010, "OB", b"aabb")), 2) == [b"aa", b"bb"]


def test_pixel_data_shorter_than_a_frame_is_one_frame() -> None:
    assert frames_of(native(rows=9, columns=9, bits=8, pixels=b"ab"), 1) == [b"ab"]


def test_frames_of_a_deflated_file_are_read_through_inflation() -> None:
    dataset = Dataset()
    dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.SamplesPerPixel = 1, 2, 8, 1
    dataset.add_new(0x7FE00010, "OB", b"aabb")
    assert frames_of(write_file(dataset, DEFLATED), 2) == [b"aa", b"bb"]


def test_file_without_pixel_data_has_no_table() -> None:
    content = file_of(element(0x00080060, "CS", b"SR"))
    assert build_frame_table(content, scan_instance(content, wanted=frozenset()), number_of_frames=None) is None


def encapsulated(*fragments: bytes, table: bytes = b"", syntax: str = JPEG_BASELINE, extended: bytes = b"") -> bytes:
    before = element(0x7FE00001, "OV", extended) if extended else b""
    return file_of(before + fragments_of(*fragments, offset_table=table), syntax)


A, B, C, D = SOI + b"aa", b"bb", SOI + b"cc", b"dddd"


@pytest.mark.parametrize(
    ("content", "number", "expected"),
    [
        pytest.param(encapsulated(A, B, C), 3, [A, B, C], id="a fragment each"),
        pytest.param(encapsulated(A, B, C), 1, [A + B + C], id="one frame"),
        pytest.param(encapsulated(A, B, C), None, [A + B + C], id="number unknown"),
        pytest.param(encapsulated(A, B, C, D), 2, [A + B, C + D], id="by markers"),
        pytest.param(encapsulated(A, B, C, D, table=pack("<II", 0, 34)), 2, [A + B + C, D], id="offset table"),
        pytest.param(encapsulated(A, B, C, D, table=pack("<II", 0, 35)), 2, [A + B, C + D], id="table astray"),
        pytest.param(encapsulated(A, B, C, D, table=pack("<II", 0, 0)), 2, [A + B, C + D], id="table stands still"),
        pytest.param(encapsulated(A, B, C, D, table=pack("<II", 12, 22)), 2, [A + B, C + D], id="table begins late"),
        pytest.param(encapsulated(A, B, C, D, table=pack("<I", 0)), 2, [A + B, C + D], id="table too short"),
        pytest.param(encapsulated(A, B, C, D, table=b"\0\0\0"), 2, [A + B, C + D], id="table no table"),
        pytest.param(
            encapsulated(A, B, C, D, extended=pack("<QQ", 0, 12)), 2, [A, B + C + D], id="extended offset table"
        ),
        pytest.param(encapsulated(A, C), 5, [A, C], id="fewer than announced"),
        pytest.param(encapsulated(A, B, B, B), 2, [], id="no telling frames apart"),
        pytest.param(encapsulated(b"x", B, B), 2, [], id="no marker at the beginning"),
        pytest.param(encapsulated(), 1, [], id="no fragment"),
        pytest.param(encapsulated(A, B, C, syntax=MPEG4), 3, [A + B + C], id="video is one stream"),
    ],
)
def test_fragments_make_frames(content: bytes, number: int | None, expected: list[bytes]) -> None:
    assert frames_of(content, number) == expected


def test_missing_delimiter_at_the_end_of_the_file_is_forgiven() -> None:
    assert frames_of(encapsulated(A, C)[:-8], 2) == [A, C]


@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(implicit_element(ITEM, b"") + implicit_element(ITEM, b"abc", length=100), id="cut off"),
        pytest.param(implicit_element(ITEM, b"") + element(0x00100010, "PN", b"A"), id="no fragment"),
        pytest.param(implicit_element(0xFFFEE0DD, b""), id="no offset table"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_damaged_fragments_are_refused(tail: bytes) -> None:
    with pytest.raises(InvalidDataset):
        table_of(file_of(header(0x7FE00010, "OB", UNDEFINED) + tail, JPEG_BASELINE), 1)


@pytest.mark.parametrize("index", [-1, 1])
def test_frame_that_is_not_there_is_not_found(index: int) -> None:
    with pytest.raises(NotFound):
        table_of(encapsulated(A), 1).frame_ranges(index)


def test_pixel_bytes_are_not_read_but_for_item_headers() -> None:
    content = encapsulated(SOI + b"x" * 1000, SOI + b"y" * 1000)

    class Watched(bytearray):
        seen = 0

        def __getitem__(self, place: Any) -> Any:
            got = super().__getitem__(place)
            Watched.seen += len(got) if isinstance(got, bytearray) else 1
            return got

    scanned = scan_instance(content, wanted=frozenset())
    assert build_frame_table(Watched(content), scanned, number_of_frames=2) is not None
    assert Watched.seen < 100


@given(
    table=st.builds(
        FrameTable,
        st.integers(0, 2**63),
        st.just(3),
        st.just(0),
        st.just(0),
        st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6).map(lambda lengths: array("I", lengths)),
        st.sampled_from([None, array("I", [1, 2, 3])]),
    )
)
def test_table_survives_its_encoding(table: FrameTable) -> None:
    decoded = FrameTable.decode(table.encode())
    assert decoded == table
    assert [decoded.frame_ranges(at) for at in range(3)] == [table.frame_ranges(at) for at in range(3)]


@pytest.mark.parametrize("encoded", [b"", b"\1" * 10, b"\2" + bytes(60), b"\1\2" + b"\xff" * 60])
def test_bytes_that_are_no_table_are_corrupt(encoded: bytes) -> None:
    with pytest.raises(CorruptInstance):
        FrameTable.decode(encoded)


def test_table_of_ten_thousand_frames_takes_four_bytes_a_frame() -> None:
    content = file_of(fragments_of(*[b"ab"] * 10_000), JPEG_BASELINE)
    assert len(table_of(content, 10_000).encode()) < 40_100


def test_implicit_pixel_data_is_found() -> None:
    assert frames_of(file_of(implicit_element(0x7FE00010, b"aabb"), IMPLICIT), 2) == [b"aa", b"bb"]
    assert frames_of(file_of(element(0x7FE00010, "OW", b"aabb"), EXPLICIT), 1) == [b"aabb"]
