"""What a device tells of a performed procedure step: that it began, and how it ended (PS3.4 table F.7.2-1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isocenter.dicom.dataset import Dataset
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.domain.performed_step import PerformedStepState
from isocenter.modality.devices.order import Order
from isocenter.modality.devices.outcome import Outcome
from isocenter.modality.devices.profile import DeviceProfile

EQUIPMENT_FAILURE = ("110501", "DCM", "Equipment failure")
"""Why a step was discontinued (PS3.16 CID 9300)."""
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StepToTell:
    """A step as the device knows it."""

    sop_instance_uid: str
    performed_procedure_step_id: str
    study_instance_uid: str
    begun_at: datetime
    ae_title: str


def creation_of(step: StepToTell, order: Order, profile: DeviceProfile) -> Dataset:
    """Return the attributes of the N-CREATE: the step is in progress, and has no images yet."""
    patient = order.patient
    document: Document = {
        "SpecificCharacterSet": _values(*patient.character_set),
        "Modality": _values(profile.modality),
        "ProcedureCodeSequence": {},
        "ReferencedPatientSequence": {},
        "PatientName": _values(patient.name),
        "PatientID": _values(patient.patient_id),
        "PatientBirthDate": _values(f"{patient.birth_date:%Y%m%d}"),
        "PatientSex": _values(patient.sex),
        "StudyID": _values(order.requested_procedure_id),
        "PerformedStationAETitle": _values(step.ae_title),
        "PerformedStationName": _values(profile.station_name),
        "PerformedLocation": {},
        "PerformedProcedureStepStartDate": _values(f"{step.begun_at:%Y%m%d}"),
        "PerformedProcedureStepStartTime": _values(f"{step.begun_at:%H%M%S}"),
        "PerformedProcedureStepEndDate": {},
        "PerformedProcedureStepEndTime": {},
        "PerformedProcedureStepStatus": _values(PerformedStepState.IN_PROGRESS.value),
        "PerformedProcedureStepID": _values(step.performed_procedure_step_id),
        "PerformedProcedureStepDescription": _values(order.scheduled_procedure_step_description),
        "PerformedProcedureTypeDescription": {},
        "PerformedProtocolCodeSequence": {},
        "ScheduledStepAttributesSequence": {"Value": [_scheduled(step, order)]},
        "PerformedSeriesSequence": {},
    }
    return parse_dicom_json(document)


def _scheduled(step: StepToTell, order: Order) -> Document:
    return {
        "AccessionNumber": _values(order.accession_number),
        "ReferencedStudySequence": {},
        "StudyInstanceUID": _values(step.study_instance_uid),
        "RequestedProcedureDescription": _values(order.requested_procedure_description),
        "ScheduledProcedureStepDescription": _values(order.scheduled_procedure_step_description),
        "ScheduledProtocolCodeSequence": {},
        "ScheduledProcedureStepID": _values(order.scheduled_procedure_step_id),
        "RequestedProcedureID": _values(order.requested_procedure_id),
    }


def ending_of(
    state: PerformedStepState, outcomes: Sequence[Outcome], descriptions: Mapping[str, str], *, ended_at: datetime
) -> Dataset:
    """Return the attributes of the last N-SET: the state, and the images by series; descriptions are by series UID."""
    document: Document = {
        "PerformedProcedureStepStatus": _values(state.value),
        "PerformedProcedureStepEndDate": _values(f"{ended_at:%Y%m%d}"),
        "PerformedProcedureStepEndTime": _values(f"{ended_at:%H%M%S}"),
        "PerformedSeriesSequence": {"Value": [_series(uid, outcomes, descriptions) for uid in _series_of(outcomes)]},
    }
    if state is PerformedStepState.DISCONTINUED:
        document["PerformedProcedureStepDiscontinuationReasonCodeSequence"] = {"Value": [_code(*EQUIPMENT_FAILURE)]}
    return parse_dicom_json(document)


def _series_of(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.series_instance_uid for outcome in outcomes))


def _series(uid: str, outcomes: Sequence[Outcome], descriptions: Mapping[str, str]) -> Document:
    references = dict.fromkeys(outcome.reference for outcome in outcomes if outcome.series_instance_uid == uid)
    description = descriptions.get(uid, "")
    return {
        "SeriesDescription": _values(description),
        "PerformingPhysicianName": {},
        "OperatorsName": {},
        "RetrieveAETitle": {},
        "ProtocolName": _values(description or "UNNAMED"),
        "SeriesInstanceUID": _values(uid),
        "ReferencedImageSequence": {
            "Value": [
                {
                    "ReferencedSOPClassUID": _values(reference.sop_class_uid),
                    "ReferencedSOPInstanceUID": _values(reference.sop_instance_uid),
                }
                for reference in references
            ]
        },
        "ReferencedNonImageCompositeSOPInstanceSequence": {},
    }


def _code(value: str, scheme: str, meaning: str) -> Document:
    return {
        "CodeValue": _values(value),
        "CodingSchemeDesignator": _values(scheme),
        "CodeMeaning": _values(meaning),
    }


def _values(*texts: str) -> Document:
    return {"Value": list(texts)} if any(texts) else {}
