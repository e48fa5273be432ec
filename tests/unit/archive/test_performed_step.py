"""Performed procedure steps: what is kept of them, and changes that meet."""

from __future__ import annotations

from typing import Any

import pytest

from isocenter.archive.performed_step import (
    attributes_of,
    create_performed_step,
    find_performed_step,
    recent_performed_steps,
    set_performed_step,
)
from isocenter.dicom.dataset import Attribute, Dataset, text_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.domain.errors import (
    Forbidden,
    InstanceExists,
    InvalidRequest,
    NotFound,
    StepFinished,
    TooLarge,
    Unavailable,
)
from isocenter.domain.performed_step import (
    EMPTY_AT_CREATION,
    STEP_SIZE_MAX_BYTES,
    PerformedStep,
    PerformedStepState,
)
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, DataAction, Principal
from isocenter.ports.step_messages import NewStepMessage
from isocenter.storage.memory import MemoryPerformedSteps, MemoryWorklist

UID = "1.9.1"
DESCRIPTION, STATUS, PATIENT_NAME, CHARACTER_SET = 0x00400254, 0x00400252, 0x00100010, 0x00080005
WRITER = Principal("modality", frozenset({DataAction.WRITE}))


def _attributes(**changed: Any) -> Dataset:
    scheduled = {"StudyInstanceUID": {"Value": ["1.2.1"]}, "ScheduledProcedureStepID": {"Value": ["S1"]}}
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": "Müller",
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "CT1",
        "PerformedProcedureStepStartDate": "20240705",
        "PerformedProcedureStepStartTime": "1015",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "Modality": "CT",
        **changed,
    }
    document: dict[str, Any] = {keyword: {"Value": [value]} for keyword, value in values.items()}
    return parse_dicom_json(document | {"ScheduledStepAttributesSequence": {"Value": [scheduled]}})


@pytest.fixture
def steps() -> MemoryPerformedSteps:
    return MemoryPerformedSteps(MemoryWorklist())


def _create(steps: MemoryPerformedSteps, *, uid: str = UID, **changed: Any) -> PerformedStep:
    return create_performed_step(
        steps, WRITER, sop_instance_uid=uid, attributes=_attributes(**changed), ae_title="CT1", now=1000.0
    )


def _set(steps: MemoryPerformedSteps, **changes: str) -> PerformedStep:
    dataset = {
        tag: Attribute("CS" if tag == STATUS else "LO", text.encode("latin-1"))
        for tag, text in ((DESCRIPTION, changes.get("description", "")), (STATUS, changes.get("status", "")))
        if text
    }
    return set_performed_step(steps, WRITER, sop_instance_uid=UID, changes=dataset, now=2000.0)


def test_a_step_is_kept_with_what_it_says(steps: MemoryPerformedSteps) -> None:
    created = _create(steps)
    assert find_performed_step(steps, LOCAL_OWNER, UID) == created
    assert (created.state, created.revision, created.ae_title) == (PerformedStepState.IN_PROGRESS, 1, "CT1")
    assert [one.scheduled_procedure_step_id for one in created.scheduled_steps] == ["S1"]
    kept = attributes_of(created)
    assert set(EMPTY_AT_CREATION) <= set(kept)
    assert text_of(kept, PATIENT_NAME) == "Müller"
    assert list(kept) == sorted(kept)
    assert recent_performed_steps(steps, LOCAL_OWNER, limit=9) == [created]


def test_a_uid_is_one_and_taken_once(steps: MemoryPerformedSteps) -> None:
    _create(steps)
    with pytest.raises(InstanceExists):
        _create(steps)
    with pytest.raises(InvalidRequest):
        _create(steps, uid="no uid")


def test_a_change_takes_the_place_of_what_was_there(steps: MemoryPerformedSteps) -> None:
    _create(steps)
    _set(steps, description="first")
    changed = _set(steps, description="second")
    assert (changed.revision, changed.created_at, changed.changed_at) == (3, 1000.0, 2000.0)
    assert text_of(attributes_of(changed), DESCRIPTION) == "second"
    assert text_of(attributes_of(changed), PATIENT_NAME) == "Müller"


def test_text_without_a_named_set_is_in_the_set_of_the_step(steps: MemoryPerformedSteps) -> None:
    _create(steps)
    changed = _set(steps, description="Schädel")
    assert text_of(attributes_of(changed), DESCRIPTION) == "Schädel"
    assert attributes_of(changed)[CHARACTER_SET].value == b"ISO_IR 100"


def test_a_finished_step_is_not_changed(steps: MemoryPerformedSteps) -> None:
    _create(steps)
    finished = _set(steps, status="COMPLETED")
    assert finished.state is PerformedStepState.COMPLETED
    with pytest.raises(StepFinished):
        _set(steps, description="late")
    assert find_performed_step(steps, LOCAL_OWNER, UID) == finished


def test_an_unknown_step_is_not_found(steps: MemoryPerformedSteps) -> None:
    with pytest.raises(NotFound):
        _set(steps, description="x")
    with pytest.raises(NotFound):
        find_performed_step(steps, LOCAL_OWNER, UID)


def test_named_attributes_come_with_the_set_that_they_need(steps: MemoryPerformedSteps) -> None:
    created = _create(steps)
    assert set(attributes_of(created, [PATIENT_NAME])) == {PATIENT_NAME, CHARACTER_SET}
    assert set(attributes_of(created, [0x00080060, 0x00104000])) == {0x00080060}


class _Contended(MemoryPerformedSteps):
    """Somebody else changes the step whenever it was read, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__(MemoryWorklist())
        self.times = times

    def replace(self, step: PerformedStep, *, revision: int, message: NewStepMessage | None = None) -> bool:
        """Lose the race, or keep the step."""
        if self.times:
            self.times -= 1
            return False
        return super().replace(step, revision=revision, message=message)


def test_changes_that_meet_are_made_one_after_the_other() -> None:
    steps = _Contended(times=3)
    _create(steps)
    assert text_of(attributes_of(_set(steps, description="x")), DESCRIPTION) == "x"


def test_changes_that_meet_for_ever_are_given_up() -> None:
    steps = _Contended(times=1000)
    _create(steps)
    with pytest.raises(Unavailable):
        _set(steps, description="x")


def test_a_step_is_bounded(steps: MemoryPerformedSteps) -> None:
    with pytest.raises(TooLarge):
        _create(steps, CommentsOnThePerformedProcedureStep="x" * STEP_SIZE_MAX_BYTES)


def test_who_may_not_write_changes_nothing(steps: MemoryPerformedSteps) -> None:
    reader = Principal("reader", READER_ACTIONS)
    with pytest.raises(Forbidden):
        create_performed_step(steps, reader, sop_instance_uid=UID, attributes=_attributes(), ae_title="CT1", now=1000.0)
    _create(steps)
    with pytest.raises(Forbidden):
        set_performed_step(steps, reader, sop_instance_uid=UID, changes={}, now=1000.0)
    with pytest.raises(Forbidden):
        find_performed_step(steps, WRITER, UID)
