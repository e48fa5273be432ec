"""Identifiers of C-FIND from what a person typed, and answers as DICOM JSON."""

from __future__ import annotations

import io

import pydicom
import pytest

from isocenter.app.finding import FindRequest, build_identifier, row_of
from isocenter.dicom.dataset import encode_dataset
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.scu.find import Match
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level


def _read(request: FindRequest, transfer_syntax_uid: str = IMPLICIT_VR_LITTLE_ENDIAN) -> pydicom.Dataset:
    """Return the identifier as pydicom reads it."""
    content = encode_dataset(build_identifier(request), encoding_of(transfer_syntax_uid))
    is_implicit = transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
    return pydicom.filereader.read_dataset(io.BytesIO(content), is_implicit_VR=is_implicit, is_little_endian=True)


@pytest.mark.parametrize(
    ("level", "by_patient", "name", "keys"),
    [
        (Level.STUDY, False, "STUDY", {"StudyInstanceUID"}),
        (Level.SERIES, False, "SERIES", {"StudyInstanceUID", "SeriesInstanceUID"}),
        (Level.INSTANCE, False, "IMAGE", {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}),
        (Level.PATIENT, True, "PATIENT", {"PatientID"}),
        (Level.STUDY, True, "STUDY", {"PatientID", "StudyInstanceUID"}),
    ],
)
def test_identifier_names_the_level_and_the_unique_keys_down_to_it(
    level: Level, by_patient: bool, name: str, keys: set[str]
) -> None:
    identifier = _read(FindRequest(level, by_patient=by_patient))
    assert identifier.QueryRetrieveLevel == name
    assert {element.keyword for element in identifier} == keys | {"QueryRetrieveLevel"}
    assert all(not identifier[key].value for key in keys)


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN])
def test_values_are_matched_and_others_asked_for(transfer_syntax_uid: str) -> None:
    request = FindRequest(
        Level.STUDY,
        keys=(("PatientID", "558"), ("00080020", "20240101-20241231"), ("StudyInstanceUID", "1.2,1.3")),
        returned=("PatientName", "PatientID"),
    )
    identifier = _read(request, transfer_syntax_uid)
    assert (identifier.PatientID, identifier.StudyDate, identifier.PatientName) == ("558", "20240101-20241231", "")
    assert list(identifier.StudyInstanceUID) == ["1.2", "1.3"]


def test_keys_go_down_sequences_and_share_one_item() -> None:
    request = FindRequest(
        Level.SERIES,
        keys=(
            ("RequestAttributesSequence.ScheduledProcedureStepID", "S1"),
            ("RequestAttributesSequence.RequestedProcedureID", "R1"),
        ),
        returned=("RequestAttributesSequence",),
    )
    [item] = _read(request).RequestAttributesSequence
    assert (item.ScheduledProcedureStepID, item.RequestedProcedureID) == ("S1", "R1")


def test_text_beyond_ascii_goes_out_as_utf_8() -> None:
    identifier = _read(FindRequest(Level.STUDY, keys=(("PatientName", "Müller*"),)))
    assert (identifier.SpecificCharacterSet, str(identifier.PatientName)) == ("ISO_IR 192", "Müller*")


def test_numbers_are_encoded_as_such() -> None:
    assert _read(FindRequest(Level.INSTANCE, keys=(("Rows", "512"),))).Rows == 512


@pytest.mark.parametrize("key", [("NoSuchThing", "1"), ("Rows", "many"), ("a.b.c", "")])
def test_what_cannot_be_asked_for_is_refused(key: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        build_identifier(FindRequest(Level.STUDY, keys=(key,)))


def test_answer_becomes_dicom_json_in_its_own_character_set() -> None:
    answer = pydicom.Dataset()
    answer.SpecificCharacterSet = "ISO_IR 100"
    answer.PatientName = "Müller^Jörg"
    answer.NumberOfStudyRelatedInstances = 12
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    pydicom.filewriter.write_dataset(buffer, answer)
    row = row_of(Match(buffer.getvalue(), EXPLICIT_VR_LITTLE_ENDIAN))
    assert row["00100010"]["Value"] == [{"Alphabetic": "Müller^Jörg"}]
    assert row["00201208"]["Value"] == [12]
