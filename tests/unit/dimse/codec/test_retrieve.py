"""Identifiers of C-MOVE and C-GET."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import pydicom
import pytest
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.retrieve import (
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    STUDY_ROOT,
    RetrieveModel,
    decode_retrieve_identifier,
    encode_failed_list,
)
from isocenter.domain.errors import InvalidAttributes, InvalidDataset
from isocenter.domain.identifiers import Level
from isocenter.domain.selection import Selection

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


def _identifier(values: Mapping[str, str | list[str]], syntax: str = IMPLICIT) -> bytes:
    dataset = Dataset()
    for keyword, value in values.items():
        vr = dictionary_VR(keyword)
        dataset.add(DataElement(keyword, vr, value, validation_mode=IGNORE))
    buffer = DicomBytesIO()
    buffer.is_little_endian = syntax != BIG_ENDIAN
    buffer.is_implicit_VR = syntax == IMPLICIT
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def _decode(content: bytes, model: RetrieveModel = STUDY_ROOT, *, is_relational: bool = False) -> Selection:
    return decode_retrieve_identifier(content, encoding_of(IMPLICIT), model, is_relational=is_relational)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_it_is_read_in_the_syntax_of_its_context(syntax: str) -> None:
    content = _identifier({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.3"}, syntax)
    selection = decode_retrieve_identifier(content, encoding_of(syntax), STUDY_ROOT)
    assert selection == Selection(Level.STUDY, study_instance_uids=("1.2.3",))


@pytest.mark.parametrize(
    ("values", "model", "selection"),
    [
        (
            {"QueryRetrieveLevel": "PATIENT", "PatientID": "P 1"},
            PATIENT_ROOT,
            Selection(Level.PATIENT, patient_id="P 1"),
        ),
        (
            {"QueryRetrieveLevel": "STUDY", "PatientID": "P1", "StudyInstanceUID": ["1.1", "1.2"]},
            PATIENT_STUDY_ONLY,
            Selection(Level.STUDY, "P1", ("1.1", "1.2")),
        ),
        (
            {"QueryRetrieveLevel": "STUDY", "PatientID": "P1", "StudyInstanceUID": "1.1"},
            STUDY_ROOT,
            Selection(Level.STUDY, None, ("1.1",)),
        ),
        (
            {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": "1.1", "SeriesInstanceUID": ["2.1", "2.2"]},
            STUDY_ROOT,
            Selection(Level.SERIES, None, ("1.1",), ("2.1", "2.2")),
        ),
        (
            {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": "1.1",
                "SeriesInstanceUID": "2.1",
                "SOPInstanceUID": ["3.1", "3.2"],
                "Modality": "CT",
            },
            STUDY_ROOT,
            Selection(Level.INSTANCE, None, ("1.1",), ("2.1",), ("3.1", "3.2")),
        ),
    ],
    ids=["patient", "studies of a patient", "a study", "series", "instances"],
)
def test_unique_keys_become_a_selection(
    values: dict[str, str | list[str]], model: RetrieveModel, selection: Selection
) -> None:
    assert _decode(_identifier(values), model) == selection


@pytest.mark.parametrize(
    ("values", "model", "tag"),
    [
        ({"StudyInstanceUID": "1.1"}, STUDY_ROOT, 0x00080052),
        ({"QueryRetrieveLevel": "FRAME", "StudyInstanceUID": "1.1"}, STUDY_ROOT, 0x00080052),
        ({"QueryRetrieveLevel": "PATIENT", "PatientID": "P1"}, STUDY_ROOT, 0x00080052),
        ({"QueryRetrieveLevel": "SERIES", "PatientID": "P1"}, PATIENT_STUDY_ONLY, 0x00080052),
        ({"QueryRetrieveLevel": "STUDY"}, STUDY_ROOT, 0x0020000D),
        ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}, STUDY_ROOT, 0x0020000D),
        ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2a"}, STUDY_ROOT, 0x0020000D),
        ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.1"}, PATIENT_ROOT, 0x00100020),
        ({"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": "2.1"}, STUDY_ROOT, 0x0020000D),
        (
            {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": ["1.1", "1.2"], "SeriesInstanceUID": "2.1"},
            STUDY_ROOT,
            0x0020000D,
        ),
        ({"QueryRetrieveLevel": "PATIENT", "PatientID": ["P1", "P2"]}, PATIENT_ROOT, 0x00100020),
    ],
)
def test_what_does_not_fit_the_model_is_refused_with_the_element(
    values: dict[str, str | list[str]], model: RetrieveModel, tag: int
) -> None:
    with pytest.raises(InvalidAttributes) as refusal:
        _decode(_identifier(values), model)
    assert refusal.value.tags == (tag,)


def test_a_relational_retrieval_may_leave_out_what_is_above() -> None:
    content = _identifier({"QueryRetrieveLevel": "IMAGE", "SOPInstanceUID": "3.1"})
    assert _decode(content, PATIENT_ROOT, is_relational=True) == Selection(Level.INSTANCE, sop_instance_uids=("3.1",))


def test_what_is_no_data_set_is_refused() -> None:
    with pytest.raises(InvalidDataset):
        _decode(b"\x08\0\x52\0\xff\xff\0\0STUDY")


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("count", [1, 3, 2000])
def test_the_list_of_failures_is_read_by_pydicom(syntax: str, count: int) -> None:
    uids = [f"1.2.826.0.1.3680043.8.498.{number}" for number in range(count)]
    content = encode_failed_list(uids, encoding_of(syntax))
    dataset = pydicom.filereader.read_dataset(
        BytesIO(content), syntax == IMPLICIT, syntax != BIG_ENDIAN, bytelength=len(content)
    )
    found = dataset.FailedSOPInstanceUIDList
    assert ([found] if count == 1 else list(found)) == uids
