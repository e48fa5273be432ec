"""DICOM JSON against pydicom, over real files and generated ones, and what we mean to do otherwise."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from struct import pack
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from isocenter.dicom.json import (
    KEPT_MAX,
    BulkPolicy,
    InstanceJsonEncoder,
    encode_instance_json,
    select_json,
    without_paths,
)
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.walk import PIXEL_HEADER_LENGTH
from isocenter.domain.errors import InvalidDataset
from isocenter.modality.workload import instance_values
from isocenter.modality.workload_dataset import make_workload_template
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    UNDEFINED,
    element,
    expected_json,
    file_of,
    fragments_of,
    header,
    implicit_element,
    quiet_pydicom,
    write_file,
)
from tests.support.shared_data import ManifestRow, manifest_params, manifest_rows, read_bytes

DROP = BulkPolicy.drop()
INLINE = BulkPolicy.by_reference("/bulkdata/", inline_length_max=1 << 30)


def readable(row: ManifestRow) -> bool:
    return row.is_dicom and not row.is_broken and bool(row.transfer_syntax_uid)


def told_by_pydicom(content: bytes, *, with_bulk: bool = False) -> dict[str, Any]:
    with quiet_pydicom():
        return expected_json(dcmread(DicomBytesIO(content)), with_bulk=with_bulk)


def attribute(vr: str, value: bytes, *, tag: int = 0x00091001) -> Any:
    """Return what one element becomes."""
    return orjson.loads(encode_instance_json(file_of(element(tag, vr, value)), bulk=INLINE))[f"{tag:08X}"]


@pytest.mark.parametrize("row", manifest_params(readable))
def test_metadata_of_a_real_file_is_what_pydicom_says(row: ManifestRow) -> None:
    content = read_bytes(row)
    head = content[: scan_instance(content, wanted=frozenset()).header_length]
    assert orjson.loads(encode_instance_json(head, bulk=DROP)) == told_by_pydicom(content)


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN])
@settings(max_examples=40, deadline=None)
@given(dataset=datasets())
def test_metadata_of_a_generated_file_is_what_pydicom_says(transfer_syntax_uid: str, dataset: Dataset) -> None:
    content = write_file(dataset, transfer_syntax_uid)
    is_comparable = transfer_syntax_uid not in {BIG_ENDIAN, IMPLICIT}
    told = orjson.loads(encode_instance_json(content, bulk=INLINE if is_comparable else DROP))
    assert told == told_by_pydicom(content, with_bulk=is_comparable)


@pytest.mark.parametrize("row", manifest_params(lambda row: row.path.startswith(("charset/", "sop-classes/sr"))))
def test_selected_attributes_are_those_of_the_whole(row: ManifestRow) -> None:
    content = read_bytes(row)
    whole = orjson.loads(encode_instance_json(content, bulk=DROP))
    wanted = [0x00100010, 0x0040A730, 0x00321064, 0x00400275, 0x00080005, 0x00990001]
    expected = {f"{tag:08X}": whole[f"{tag:08X}"] for tag in wanted if f"{tag:08X}" in whole}
    assert select_json(content, frozenset(wanted)) == expected
    assert set(select_json(content, frozenset({0x00080018}))) == {"00080018"} & set(whole)


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("LO", b"", {"vr": "LO"}),
        ("LO", b"  ", {"vr": "LO"}),
        ("LO", b"A\\\\B ", {"vr": "LO", "Value": ["A", None, "B"]}),
        ("CS", b"CT\0 ", {"vr": "CS", "Value": ["CT\0"]}),
        ("UI", b"1.2.3\0", {"vr": "UI", "Value": ["1.2.3"]}),
        ("LT", b"a\\b\x01", {"vr": "LT", "Value": ["a\\b\x01"]}),
        ("UR", b"http://x/\\y ", {"vr": "UR", "Value": ["http://x/\\y"]}),
        ("PN", b"", {"vr": "PN"}),
        ("PN", b"==", {"vr": "PN"}),
        ("PN", b"A^B=\\=I=P", {"vr": "PN", "Value": [{"Alphabetic": "A^B"}, {"Ideographic": "I", "Phonetic": "P"}]}),
        ("PN", b"A\\", {"vr": "PN", "Value": [{"Alphabetic": "A"}, None]}),
        ("IS", b" +12\\-3 ", {"vr": "IS", "Value": [12, -3]}),
        ("IS", b"1A\\\\1_0", {"vr": "IS", "Value": ["1A", None, "1_0"]}),
        ("IS", b"9" * 30, {"vr": "IS", "Value": ["9" * 30]}),
        ("DS", b"1.50\\ 2 \\1e2", {"vr": "DS", "Value": [1.5, 2, 100.0]}),
        ("DS", b"nan\\inf\\1e999\\0x10", {"vr": "DS", "Value": ["nan", "inf", "1e999", "0x10"]}),
        ("US", pack("<HH", 1, 65535), {"vr": "US", "Value": [1, 65535]}),
        ("SS", pack("<h", -2), {"vr": "SS", "Value": [-2]}),
        ("UV", pack("<Q", 2**64 - 1), {"vr": "UV", "Value": [2**64 - 1]}),
        ("SV", pack("<q", -(2**63)), {"vr": "SV", "Value": [-(2**63)]}),
        ("FL", pack("<f", 0.5), {"vr": "FL", "Value": [0.5]}),
        (
            "FD",
            pack("<ddd", *map(float, ("nan", "inf", "-inf"))),
            {"vr": "FD", "Value": ["NaN", "Infinity", "-Infinity"]},
        ),
        ("AT", pack("<HHHH", 0x10, 0x20, 0x7FE0, 0x10), {"vr": "AT", "Value": ["00100020", "7FE00010"]}),
        ("SQ", b"", {"vr": "SQ"}),
        ("SQ", implicit_element(ITEM, b""), {"vr": "SQ", "Value": [{}]}),
        ("OB", b"\1\2", {"vr": "OB", "InlineBinary": "AQI="}),
        ("OB", b"", {"vr": "OB"}),
    ],
)
def test_value_becomes_json(vr: str, value: bytes, expected: object) -> None:
    assert attribute(vr, value) == expected


def test_group_lengths_and_file_meta_information_are_left_out() -> None:
    content = file_of(element(0x00080000, "UL", bytes(4)) + element(0x00080060, "CS", b"CT"))
    assert orjson.loads(encode_instance_json(content, bulk=DROP)) == {"00080060": {"vr": "CS", "Value": ["CT"]}}


def test_bulk_is_dropped_at_every_level() -> None:
    item = element(0x00420011, "OB", b"\1\2") + element(0x00080060, "CS", b"CT")
    content = file_of(element(0x00091002, "UN", b"x") + element(0x0040A730, "SQ", implicit_element(ITEM, item)))
    told = orjson.loads(encode_instance_json(content, bulk=DROP))
    assert told == {"0040A730": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}]}}


def test_private_element_of_an_implicit_file_is_dropped_with_its_creator_kept() -> None:
    content = file_of(implicit_element(0x00090010, b"ACME") + implicit_element(0x00091001, b"secret"), IMPLICIT)
    assert orjson.loads(encode_instance_json(content, bulk=DROP)) == {"00090010": {"vr": "LO", "Value": ["ACME"]}}


def test_bulk_is_referred_to_by_its_path() -> None:
    waveform = element(0x54001010, "OW", bytes(100)) + element(0x5400100A, "OW", b"\0\1")
    content = file_of(
        element(0x00420011, "OB", bytes(20)) + element(0x54000100, "SQ", implicit_element(ITEM, waveform))
    )
    told = orjson.loads(
        encode_instance_json(content, bulk=BulkPolicy.by_reference("http://x/bulk/", inline_length_max=4))
    )
    assert told["00420011"] == {"vr": "OB", "BulkDataURI": "http://x/bulk/00420011"}
    assert told["54000100"]["Value"] == [
        {
            "54001010": {"vr": "OW", "BulkDataURI": "http://x/bulk/54000100/0/54001010"},
            "5400100A": {"vr": "OW", "InlineBinary": b64encode(b"\0\1").decode()},
        }
    ]


@pytest.mark.parametrize("pixels", [fragments_of(b"\xff\xd8"), element(0x7FE00010, "OB", bytes(4))])
def test_pixel_data_is_always_referred_to_even_where_only_its_header_is_there(pixels: bytes) -> None:
    content = file_of(element(0x00080060, "CS", b"CT") + pixels[:PIXEL_HEADER_LENGTH])
    told = orjson.loads(encode_instance_json(content, bulk=INLINE))
    assert told["7FE00010"] == {"vr": "OB", "BulkDataURI": "/bulkdata/7FE00010"}
    assert "7FE00010" not in orjson.loads(encode_instance_json(content, bulk=DROP))


def test_inline_binary_of_a_big_endian_file_is_little_endian() -> None:
    dataset = Dataset()
    dataset.add_new(0x00281201, "OW", b"\1\2\3\4")
    told = orjson.loads(encode_instance_json(write_file(dataset, BIG_ENDIAN), bulk=INLINE))
    assert told["00281201"]["InlineBinary"] == b64encode(b"\2\1\4\3").decode()


def test_sequence_of_undefined_length_in_vr_un_is_read_as_implicit_little_endian() -> None:
    nested = implicit_element(0x00080100, b"CODE") + implicit_element(0x00090010, b"ACME")
    items = implicit_element(ITEM, nested) + implicit_element(0xFFFEE0DD, b"")
    content = file_of(header(0x0040A043, "UN", UNDEFINED) + items)
    told = orjson.loads(encode_instance_json(content, bulk=DROP))
    assert told["0040A043"]["vr"] == "SQ"
    assert told["0040A043"]["Value"][0]["00080100"] == {"vr": "SH", "Value": ["CODE"]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (implicit_element(ITEM, implicit_element(0x00080100, b"CODE")), {"vr": "SQ"}),
        (b"\1\2\3\4", {"vr": "UN"}),
    ],
)
def test_known_sequence_in_vr_un_is_read_where_it_can_be(value: bytes, expected: dict[str, str]) -> None:
    assert attribute("UN", value, tag=0x0040A043)["vr"] == expected["vr"]


def test_text_of_an_item_follows_the_character_set_of_the_item() -> None:
    inner = element(0x00080005, "CS", b"ISO_IR 192") + element(0x00080104, "LO", "ä".encode())
    content = file_of(
        element(0x00080005, "CS", b"ISO_IR 100")
        + element(0x0040A043, "SQ", implicit_element(ITEM, inner))
        + element(0x00400280, "ST", b"\xe4")
    )
    told = orjson.loads(encode_instance_json(content, bulk=DROP))
    assert told["0040A043"]["Value"][0]["00080104"]["Value"] == ["ä"]
    assert told["00400280"]["Value"] == ["ä"]


@settings(max_examples=150, deadline=None)
@given(
    vr=st.sampled_from(["LO", "LT", "PN", "CS", "DS", "IS", "UI", "UR", "FD", "FL", "AT", "US", "UV", "UN", "SH"]),
    value=st.binary(max_size=60),
    character_set=st.sampled_from(
        ["", "ISO_IR 192", "GB18030", "\\ISO 2022 IR 87", "ISO_IR 13", "\\ISO 2022 IR 149", "?"]
    ),
)
def test_any_value_gives_valid_json(vr: str, value: bytes, character_set: str) -> None:
    content = file_of(element(0x00080005, "CS", character_set.encode()) + element(0x00091001, vr, value))
    assert orjson.loads(encode_instance_json(content, bulk=INLINE))["00091001"]["vr"] in {vr, "UN"}


@settings(max_examples=80, deadline=None)
@given(dataset=datasets(), data=st.data())
def test_damaged_header_gives_json_or_a_refusal(dataset: Dataset, data: st.DataObject) -> None:
    content = bytearray(write_file(dataset, data.draw(st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN]))))
    for place in data.draw(st.lists(st.integers(200, len(content) - 1), max_size=4)) if len(content) > 201 else []:
        content[place] = data.draw(st.integers(0, 255))
    try:
        told = encode_instance_json(bytes(content), bulk=INLINE)
    except InvalidDataset:
        return
    assert isinstance(orjson.loads(told), dict)


@settings(max_examples=60, deadline=None)
@given(
    written=st.lists(
        st.tuples(datasets(), st.sampled_from([IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN])), min_size=1, max_size=3
    ),
    order=st.lists(st.integers(0, 2), min_size=2, max_size=12),
    data=st.data(),
)
def test_an_encoder_says_of_each_instance_what_it_says_of_it_alone(
    written: list[tuple[Dataset, str]], order: list[int], data: st.DataObject
) -> None:
    files = [write_file(dataset, transfer_syntax_uid) for dataset, transfer_syntax_uid in written]
    encoder = InstanceJsonEncoder()
    for number, choice in enumerate(order):
        content = bytearray(files[choice % len(files)])
        if data.draw(st.booleans()):  # another value somewhere, or another structure
            place = data.draw(st.integers(132, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
        bulk = data.draw(st.sampled_from([DROP, INLINE, BulkPolicy.by_reference(f"/{number}/bulkdata/")]))
        assert told(encoder.encode, bytes(content), bulk) == told(encode_instance_json, bytes(content), bulk)


def told(encode: Callable[..., bytes], content: bytes, bulk: BulkPolicy) -> bytes | type[InvalidDataset]:
    try:
        return encode(content, bulk=bulk)
    except InvalidDataset as error:
        return type(error)


def test_an_encoder_gives_all_real_files_as_each_alone() -> None:
    encoder = InstanceJsonEncoder()
    rows = [row for row in manifest_rows() if readable(row)]
    for row in [*rows, *rows]:
        content = read_bytes(row)
        assert encoder.encode(content, bulk=INLINE) == encode_instance_json(content, bulk=INLINE), row.path


@pytest.mark.parametrize(
    ("context", "other_context"),
    [
        (element(0x00080005, "CS", b"ISO_IR 100"), element(0x00080005, "CS", b"ISO_IR 144")),
        (element(0x00080005, "CS", b"ISO_IR 100"), b""),
        (b"", element(0x00080005, "CS", b"ISO_IR 192")),
    ],
)
def test_what_an_encoder_knows_holds_for_the_same_character_set_only(context: bytes, other_context: bytes) -> None:
    encoder = InstanceJsonEncoder()
    name = element(0x00100010, "PN", "Müller".encode("latin-1"))
    for leading in (context, other_context, context):
        content = file_of(leading + name)
        assert encoder.encode(content, bulk=DROP) == encode_instance_json(content, bulk=DROP)


def test_what_an_encoder_knows_holds_for_the_same_pixel_representation_only() -> None:
    encoder = InstanceJsonEncoder()
    smallest = implicit_element(0x00280106, b"\xff\xff")
    seen = []
    for representation in (0, 1, 0, 1):
        content = file_of(implicit_element(0x00280103, bytes([representation, 0])) + smallest, IMPLICIT)
        seen.append(orjson.loads(encoder.encode(content, bulk=DROP))["00280106"])
    assert seen == [{"vr": "US", "Value": [65535]}, {"vr": "SS", "Value": [-1]}] * 2


def test_an_encoder_gives_the_slices_of_a_series_as_each_alone() -> None:
    template = make_workload_template(rows=8, columns=8, frames=1)
    encoder = InstanceJsonEncoder()
    for number in (*range(0, 130, 7), *range(995, 1010), 12_345):
        values = instance_values("T", 1, study=number // 50, series=0, number=number)
        content = bytes(template.filled(values)) + element(0x7FE00010, "OW", bytes(128))
        for bulk in (DROP, BulkPolicy.by_reference(f"/{number}/", inline_length_max=100)):
            head = content[: len(content) - 128]  # all that is read of a file for this
            assert encoder.encode(head, bulk=bulk) == encode_instance_json(head, bulk=bulk)


def test_an_encoder_forgets_before_it_grows_without_bound() -> None:
    encoder = InstanceJsonEncoder()
    for number in range(3 * KEPT_MAX):
        encoder.encode(file_of(element(0x00100020, "LO", b"%-8d" % number)), bulk=DROP)
    assert len(encoder._known) <= 2 * KEPT_MAX


def test_elements_are_taken_out_by_their_paths_where_they_are_there() -> None:
    step = {"00400007": {"vr": "LO", "Value": ["step"]}, "00400009": {"vr": "SH"}}
    dataset: dict[str, dict[str, Any]] = {
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00400275": {"vr": "SQ", "Value": [{}, step]},
    }
    paths = ["00080060", "00400275/1/00400007", "00400275/0/00400007", "00400275/7/00400007", "00991001/0/00991002"]
    assert without_paths(dataset, paths) == {"00400275": {"vr": "SQ", "Value": [{}, {"00400009": {"vr": "SH"}}]}}
