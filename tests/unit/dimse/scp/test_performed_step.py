"""The performed procedure step services, used by pynetdicom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom import AE
from pynetdicom.association import Association

from isocenter.archive.worklist import add_items, make_item_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dimse.codec.performed_step import (
    MODALITY_PERFORMED_PROCEDURE_STEP,
    MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE,
)
from isocenter.dimse.scp.performed_step import PerformedStepProvider
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.worklist import WorklistQuery
from isocenter.storage.memory import MemoryPerformedSteps, MemoryWorklist
from tests.support.dicom_files import quiet_pydicom
from tests.support.dimse_thread import AE_TITLE, HOST, DimseNode, Served, dimse_node
from tests.support.memory_archive import FakeClock

GENERATED = "2.25.4711"
PERFORMED_STEP = MODALITY_PERFORMED_PROCEDURE_STEP
RETRIEVE = MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE


def _dataset(**attributes: Any) -> Dataset:
    dataset = Dataset()
    with quiet_pydicom():
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
    return dataset


def _step(**changed: Any) -> Dataset:
    """Return the attributes of an N-CREATE as a modality sends them."""
    scheduled = _dataset(StudyInstanceUID="1.2.1", ScheduledProcedureStepID="S1", AccessionNumber="A1")
    scheduled.ReferencedStudySequence = []
    attributes: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "ScheduledStepAttributesSequence": [scheduled],
        "PatientName": "Müller^Änne",
        "PatientID": "P1",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "CT1",
        "PerformedProcedureStepStartDate": "20240705",
        "PerformedProcedureStepStartTime": "1015",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "Modality": "CT",
        "PerformedSeriesSequence": [],
    }
    return _dataset(**{key: value for key, value in (attributes | changed).items() if value is not ...})


@pytest.fixture
def worklist() -> MemoryWorklist:
    kept = MemoryWorklist()
    step = {"ScheduledProcedureStepID": {"Value": ["S1"]}}
    item = {"StudyInstanceUID": {"Value": ["1.2.1"]}, "ScheduledProcedureStepSequence": {"Value": [step]}}
    add_items(kept, LOCAL_OWNER, [make_item_of(parse_dicom_json(item), source="test")], now=0.0)
    return kept


@pytest.fixture
def node(worklist: MemoryWorklist) -> Iterator[DimseNode]:
    steps = MemoryPerformedSteps(worklist)
    provider = PerformedStepProvider(steps, FakeClock(), new_uid=lambda: GENERATED)
    with dimse_node(lambda _: Served(provider.services())) as started:
        yield started


@pytest.fixture
def association(node: DimseNode) -> Iterator[Association]:
    ae = AE("CT1")
    ae.add_requested_context(PERFORMED_STEP)
    ae.add_requested_context(RETRIEVE)
    opened = ae.associate(HOST, node.port, ae_title=AE_TITLE)
    assert opened.is_established
    yield opened
    opened.release()


def _state(worklist: MemoryWorklist) -> str:
    (entry,) = worklist.entries(worklist.find(WorklistQuery()))
    return entry.state.value


def _create(association: Association, attributes: Dataset, uid: str | None = "1.9.1") -> Dataset:
    status, _ = association.send_n_create(attributes, PERFORMED_STEP, uid)
    return status


def _set(association: Association, changes: Dataset, uid: str = "1.9.1") -> Dataset:
    status, _ = association.send_n_set(changes, PERFORMED_STEP, uid)
    return status


def _get(association: Association, tags: list[int], uid: str = "1.9.1") -> tuple[Dataset, Dataset | None]:
    got: tuple[Dataset, Dataset | None] = association.send_n_get([Tag(tag) for tag in tags], RETRIEVE, uid)
    return got


def test_a_step_is_created_changed_and_finished(association: Association, worklist: MemoryWorklist) -> None:
    assert _create(association, _step()).Status == 0x0000
    assert _state(worklist) == "IN PROGRESS"
    assert _set(association, _dataset(PerformedProcedureStepDescription="CT head")).Status == 0x0000
    assert _state(worklist) == "IN PROGRESS"
    series = _dataset(SeriesInstanceUID="1.3.1", ProtocolName="HEAD", ReferencedImageSequence=[])
    finished = _dataset(
        PerformedProcedureStepStatus="COMPLETED",
        PerformedProcedureStepEndDate="20240705",
        PerformedProcedureStepEndTime="1045",
        PerformedSeriesSequence=[series],
    )
    assert _set(association, finished).Status == 0x0000
    assert _state(worklist) == "COMPLETED"
    status, found = _get(association, [])
    assert status.Status == 0x0000
    assert found is not None
    found.decode()
    assert found.PatientName == "Müller^Änne"
    assert found.PerformedProcedureStepDescription == "CT head"
    assert found.PerformedSeriesSequence == [series]
    assert found.PerformedProcedureStepEndTime == "1045"
    assert found.PerformedLocation in ("", None)


def test_a_step_without_a_uid_gets_one(association: Association) -> None:
    status, _ = association.send_n_create(_step(), PERFORMED_STEP, None)
    assert status.Status == 0x0000
    status, found = _get(association, [0x00400252], GENERATED)
    assert status.Status == 0x0000
    assert found == _dataset(PerformedProcedureStepStatus="IN PROGRESS")


def test_a_uid_is_taken_once(association: Association) -> None:
    assert _create(association, _step()).Status == 0x0000
    assert _create(association, _step()).Status == 0x0111


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"PerformedProcedureStepID": ...}, 0x0120),
        ({"Modality": ...}, 0x0120),
        ({"ScheduledStepAttributesSequence": ...}, 0x0120),
        ({"PerformedStationAETitle": ""}, 0x0121),
        ({"ScheduledStepAttributesSequence": []}, 0x0121),
    ],
)
def test_what_a_step_must_have_is_asked_for_by_name(
    association: Association, worklist: MemoryWorklist, changed: dict[str, Any], status: int
) -> None:
    refused = _create(association, _step(**changed))
    assert refused.Status == status
    assert next(iter(changed)) in refused.ErrorComment
    assert _state(worklist) == "SCHEDULED"


def test_a_step_is_created_in_progress_only(association: Association) -> None:
    attributes = _step(PerformedProcedureStepStatus="COMPLETED")
    status, _ = association.send_n_create(attributes, PERFORMED_STEP, "1.9.1")
    assert status.Status == 0x0106
    assert status.ErrorComment
    assert _get(association, [])[0].Status == 0x0112


@pytest.mark.parametrize("last", ["COMPLETED", "DISCONTINUED"])
def test_a_finished_step_may_no_longer_be_updated(association: Association, last: str) -> None:
    _create(association, _step())
    assert _set(association, _dataset(PerformedProcedureStepStatus=last)).Status == 0x0000
    refused = _set(association, _dataset(PerformedProcedureStepStatus="IN PROGRESS"))
    assert refused.Status == 0x0110
    assert refused.ErrorID == 0xA710
    assert refused.ErrorComment == "Performed Procedure Step Object may no longer be updated"


def test_an_unknown_step_is_not_found(association: Association) -> None:
    assert _set(association, _dataset(PerformedProcedureStepDescription="x")).Status == 0x0112
    assert _get(association, [])[0].Status == 0x0112


def test_a_state_that_there_is_not_is_refused(association: Association) -> None:
    _create(association, _step())
    assert _set(association, _dataset(PerformedProcedureStepStatus="PAUSED")).Status == 0x0106
    assert _set(association, _dataset(PerformedProcedureStepEndDate="20241399")).Status == 0x0106


def test_what_may_not_change_stays(association: Association) -> None:
    _create(association, _step())
    changes = _dataset(PatientID="P2", Modality="MR", PerformedProcedureStepDescription="x")
    assert _set(association, changes).Status == 0x0000
    _, found = _get(association, [0x00100020, 0x00080060, 0x00400254])
    assert found == _dataset(PatientID="P1", Modality="CT", PerformedProcedureStepDescription="x")


def test_text_in_another_set_is_joined_with_what_is_there(association: Association) -> None:
    _create(association, _step())
    changes = _dataset(SpecificCharacterSet="ISO_IR 144", PerformedProcedureStepDescription="Голова")
    assert _set(association, changes).Status == 0x0000
    _, found = _get(association, [])
    assert found is not None
    found.decode()
    assert (found.PatientName, found.PerformedProcedureStepDescription) == ("Müller^Änne", "Голова")
    assert found.SpecificCharacterSet == "ISO_IR 192"


def test_what_the_step_lacks_is_a_warning(association: Association) -> None:
    _create(association, _step())
    status, found = _get(association, [0x00100020, 0x00104000])
    assert status.Status == 0x0001
    assert found == _dataset(PatientID="P1")
