from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from isocenter.modality.device_output import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    VENDOR_BLOCKS,
    PerformedStep,
    RequestedStep,
    Writing,
)
from isocenter.modality.part10 import MODALITY_PERFORMED_PROCEDURE_STEP
from isocenter.modality.patients import STORY_PATIENTS, UNICODE_PATIENT
from isocenter.modality.plans import MrSeriesPlan, MrWeighting, StudyPlan
from isocenter.modality.studies import iter_study

BEGUN = datetime(2026, 3, 2, 10, 15)
SERIES = MrSeriesPlan(MrWeighting.T2, "T2", 2, 5.0, -5.0, edge=64)
PLAN = StudyPlan(STORY_PATIENTS[0], BEGUN, "ACC1", "Test", (SERIES,))
STEP_UID = "2.25.7"


def _read(plan: StudyPlan) -> list[FileDataset]:
    return [dcmread(BytesIO(part10)) for part10 in iter_study(plan, 7)]


def test_the_study_of_a_work_list_keeps_its_uid_in_every_instance() -> None:
    instances = _read(replace(PLAN, study_instance_uid="2.25.4711"))
    assert {i.StudyInstanceUID for i in instances} == {"2.25.4711"}


def test_two_studies_of_a_work_list_share_no_other_uid() -> None:
    first, second = (_read(replace(PLAN, study_instance_uid=uid)) for uid in ("2.25.1", "2.25.2"))
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert {i[keyword].value for i in first}.isdisjoint({i[keyword].value for i in second})


def test_what_was_asked_for_stands_in_every_instance() -> None:
    requested = (RequestedStep("RP1", "SPS1", "CT of the chest", "Chest routine"), RequestedStep("RP2", "SPS2"))
    plan = replace(PLAN, requested=requested, study_instance_uid="2.25.4711")
    for instance in _read(plan):
        first, second = instance.RequestAttributesSequence
        assert (first.RequestedProcedureID, first.ScheduledProcedureStepID) == ("RP1", "SPS1")
        assert first.RequestedProcedureDescription == "CT of the chest"
        assert (first.StudyInstanceUID, first.AccessionNumber) == ("2.25.4711", "ACC1")
        assert (second.RequestedProcedureID, second.ScheduledProcedureStepID) == ("RP2", "SPS2")


def test_what_was_performed_stands_in_every_instance() -> None:
    for instance in _read(replace(PLAN, performed=PerformedStep("PPS1", BEGUN, "Brain", STEP_UID))):
        assert (instance.PerformedProcedureStepID, instance.PerformedProcedureStepStartDate) == ("PPS1", "20260302")
        (reference,) = instance.ReferencedPerformedProcedureStepSequence
        assert reference.ReferencedSOPClassUID == MODALITY_PERFORMED_PROCEDURE_STEP
        assert reference.ReferencedSOPInstanceUID == STEP_UID


def test_a_step_that_was_never_announced_is_not_referenced() -> None:
    (first, _) = _read(replace(PLAN, performed=PerformedStep("PPS1", BEGUN)))
    assert "ReferencedPerformedProcedureStepSequence" not in first


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_a_device_chooses_how_vrs_are_written(transfer_syntax_uid: str) -> None:
    plain = _read(PLAN)
    written = _read(replace(PLAN, writing=Writing(transfer_syntax_uid)))
    assert {i.file_meta.TransferSyntaxUID for i in written} == {transfer_syntax_uid}
    assert [i.to_json_dict() for i in written] == [i.to_json_dict() for i in plain]


def test_private_blocks_come_with_their_creators() -> None:
    for instance in _read(replace(PLAN, writing=Writing(private_blocks=VENDOR_BLOCKS))):
        block = instance.private_block(0x0019, "ISOCENTER ACQUISITION")
        assert block[0x11].value == 1.25
        assert len(instance.private_block(0x0029, "ISOCENTER RAW HEADER")[0x10].value) == 512


def test_texts_are_written_in_the_character_set_of_the_device() -> None:
    plan = replace(PLAN, patient=UNICODE_PATIENT, writing=Writing(character_set=("GB18030",)))
    for instance in _read(plan):
        assert instance.SpecificCharacterSet == "GB18030"
        assert str(instance.PatientName) == UNICODE_PATIENT.name


@pytest.mark.parametrize("transfer_syntax_uid", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_a_device_that_lies_about_its_character_set_writes_the_same_bytes_of_text(transfer_syntax_uid: str) -> None:
    writing = Writing(transfer_syntax_uid, declared_character_set=("ISO_IR 100",))
    for part10 in iter_study(replace(PLAN, patient=UNICODE_PATIENT, writing=writing), 7):
        assert dcmread(BytesIO(part10)).SpecificCharacterSet == "ISO_IR 100"
        assert UNICODE_PATIENT.name.encode("utf-8") in part10


def test_more_attributes_win_over_what_a_series_would_vary() -> None:
    assert [i.InstanceNumber for i in _read(replace(PLAN, extra={"InstanceNumber": "9"}))] == [9, 9]


@pytest.mark.parametrize("burned_in", [None, False])
def test_slices_have_no_text_unless_asked_for(burned_in: bool | None) -> None:
    assert {i.BurnedInAnnotation for i in _read(replace(PLAN, writing=Writing(burned_in_text=burned_in)))} == {"NO"}


def test_burned_in_text_changes_the_pixels_and_says_so() -> None:
    plain, lettered = _read(PLAN), _read(replace(PLAN, writing=Writing(burned_in_text=True)))
    assert {i.BurnedInAnnotation for i in lettered} == {"YES"}
    assert all(a.PixelData != b.PixelData for a, b in zip(plain, lettered, strict=True))
