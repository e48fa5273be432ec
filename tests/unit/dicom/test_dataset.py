from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from pydicom.dataset import Dataset as PydicomDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from isocenter.dicom.dataset import (
    Attribute,
    Dataset,
    character_set_of,
    decode_dataset,
    encode_dataset,
    presence_of,
    text_of,
    texts_of,
    values_of,
)
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.domain.errors import InvalidDataset
from tests.support.dicom_datasets import datasets
from tests.support.dicom_files import quiet_pydicom

NATIVE = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)


def _written(dataset: PydicomDataset, transfer_syntax_uid: str) -> bytes:
    encoding = encoding_of(transfer_syntax_uid)
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = encoding.is_implicit_vr, encoding.is_little_endian
    with quiet_pydicom():
        write_dataset(out, dataset)
    return out.getvalue()


def _read(content: bytes, transfer_syntax_uid: str) -> PydicomDataset:
    encoding = encoding_of(transfer_syntax_uid)
    return read_dataset(BytesIO(content), encoding.is_implicit_vr, encoding.is_little_endian)


@pytest.mark.parametrize("transfer_syntax_uid", [*NATIVE, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN])
@settings(max_examples=25)
@given(source=datasets())
def test_a_data_set_is_the_same_after_it_was_written_and_read(transfer_syntax_uid: str, source: PydicomDataset) -> None:
    dataset = decode_dataset(_written(source, EXPLICIT_VR_LITTLE_ENDIAN), encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
    encoding = encoding_of(transfer_syntax_uid)
    again = decode_dataset(encode_dataset(dataset, encoding), encoding)
    if encoding.is_implicit_vr:  # private elements lose their VR there
        assert _standard(again) == _standard(dataset)
    else:
        assert again == dataset


def _standard(dataset: Dataset) -> dict[int, object]:
    return {
        tag: [_standard(item) for item in one.items] or one.value for tag, one in dataset.items() if not tag >> 16 & 1
    }


@pytest.mark.parametrize("transfer_syntax_uid", NATIVE)
@settings(max_examples=25)
@given(source=datasets())
def test_another_library_reads_what_was_written(transfer_syntax_uid: str, source: PydicomDataset) -> None:
    content = _written(source, transfer_syntax_uid)
    encoding = encoding_of(transfer_syntax_uid)
    written = encode_dataset(decode_dataset(content, encoding), encoding)
    assert _read(written, transfer_syntax_uid) == _read(content, transfer_syntax_uid)


def test_values_are_texts_by_tag_with_items_nested_in_the_set_of_their_parent() -> None:
    step = PydicomDataset()
    step.ScheduledStationAETitle = ["CT1", "CT2"]
    step.ScheduledPerformingPhysicianName = "Jörg^^^"
    source = PydicomDataset()
    source.SpecificCharacterSet = "ISO_IR 100"
    source.PatientName = "Müller^Änne=="
    source.PatientID = ""
    source.PregnancyStatus = 4
    source.AdditionalPatientHistory = "a\\b"
    source.EncapsulatedDocument = b"\0\1"
    source.ScheduledProcedureStepSequence = [step]
    dataset = decode_dataset(_written(source, EXPLICIT_VR_BIG_ENDIAN), encoding_of(EXPLICIT_VR_BIG_ENDIAN))
    values = values_of(dataset)
    assert values["00100010"] == ["Müller^Änne"]
    assert values["001021C0"] == ["4"]
    assert values["001021B0"] == ["a\\b"]
    assert values["00400100"] == [{"00400001": ["CT1", "CT2"], "00400006": ["Jörg"]}]
    assert "00100020" not in values
    assert "00420011" not in values
    present = presence_of(dataset)
    assert present["00100020"] == present["00420011"] == []
    assert {key: value for key, value in present.items() if value} == values
    assert text_of(dataset, 0x00100010) == "Müller^Änne"
    assert text_of(dataset, 0x00100020) == text_of(dataset, 0x00080050) == ""


def test_a_sequence_of_unknown_vr_is_a_sequence() -> None:
    item = b"\xfe\xff\x00\xe0\x0c\x00\x00\x00" + b"\x10\x00\x20\x00\x04\x00\x00\x00ABCD"
    end = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    content = b"\x40\x00\x00\x01UN\x00\x00\xff\xff\xff\xff" + item + end
    dataset = decode_dataset(content, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
    assert dataset[0x00400100].items == ({0x00100020: Attribute("LO", b"ABCD")},)


def test_group_lengths_and_meta_information_are_left_out() -> None:
    lengths = b"\x08\x00\x00\x00UL\x04\x00\x0c\x00\x00\x00" + b"\x02\x00\x10\x00UI\x02\x001\x00"
    content = lengths + b"\x08\x00\x60\x00CS\x02\x00CT"
    assert list(decode_dataset(content, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))) == [0x00080060]


def test_an_encapsulated_value_is_refused() -> None:
    content = b"\x42\x00\x11\x00OB\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    with pytest.raises(InvalidDataset, match="encapsulated"):
        decode_dataset(content, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))


def test_a_value_too_long_for_its_vr_becomes_unknown() -> None:
    written = encode_dataset({0x00104000: Attribute("LT", b"x" * 70_000)}, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
    assert written[4:6] == b"UN"
    assert decode_dataset(written, encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))[0x00104000].vr == "LT"


def test_an_attribute_of_padding_alone_is_empty() -> None:
    assert Attribute("LO", b"  ").is_empty
    assert Attribute("SQ").is_empty
    assert not Attribute("SQ", items=({},)).is_empty
    assert texts_of(Attribute("SQ", items=({},)), character_set_of({})) == ()
