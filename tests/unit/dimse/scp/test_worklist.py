"""The work list service, asked by pynetdicom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from isocenter.archive.worklist import add_items, make_item_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dimse.scp.worklist import MODALITY_WORKLIST_FIND, WorklistProvider
from isocenter.dimse.shell.service import QUERY_TRANSFER_SYNTAX_UIDS
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.worklist import LeavesWhen, ScheduledStepReference, StepState
from isocenter.storage.memory import MemoryWorklist
from tests.support.dicom_files import quiet_pydicom
from tests.support.dimse_thread import AE_TITLE, HOST, DimseNode, Served, dimse_node

SUCCESS, PENDING, PENDING_WITH_WARNING, CANCEL = 0x0000, 0xFF00, 0xFF01, 0xFE00


def _item(number: int, **attributes: Any) -> dict[str, Any]:
    step = {
        "Modality": {"Value": ["CT" if number % 2 else "MR"]},
        "ScheduledStationAETitle": {"Value": [f"AE{number % 3}"]},
        "ScheduledProcedureStepStartDate": {"Value": [f"202407{number % 28 + 1:02}"]},
        "ScheduledProcedureStepID": {"Value": [f"S{number}"]},
    }
    return {
        "PatientName": {"Value": [f"Doe^{number:03}"]},
        "PatientID": {"Value": [f"P{number}"]},
        "StudyInstanceUID": {"Value": [f"1.2.{number}"]},
        "ScheduledProcedureStepSequence": {"Value": [step]},
        **{keyword: {"Value": [value]} for keyword, value in attributes.items()},
    }


def _keep(worklist: MemoryWorklist, *items: dict[str, Any]) -> None:
    made = [make_item_of(parse_dicom_json(one), source="test") for one in items]
    add_items(worklist, LOCAL_OWNER, made, now=0.0)


@contextmanager
def _serving(worklist: MemoryWorklist, leaves: LeavesWhen = LeavesWhen.COMPLETED) -> Iterator[DimseNode]:
    with dimse_node(lambda _: Served([WorklistProvider(worklist, steps_leave=leaves).service()])) as node:
        yield node


@pytest.fixture
def worklist() -> MemoryWorklist:
    return MemoryWorklist()


@pytest.fixture
def node(worklist: MemoryWorklist) -> Iterator[DimseNode]:
    with _serving(worklist) as started:
        yield started


def _keys(**attributes: Any) -> Dataset:
    keys = Dataset()
    with quiet_pydicom():
        for keyword, value in attributes.items():
            setattr(keys, keyword, value)
    return keys


def _find(node: DimseNode, keys: Dataset, *, syntax: str = ExplicitVRLittleEndian) -> tuple[list[Dataset], list[int]]:
    """Return the identifiers of the answers and all statuses."""
    ae = AE("MODALITY")
    ae.add_requested_context(MODALITY_WORKLIST_FIND, syntax)
    association = ae.associate(HOST, node.port, ae_title=AE_TITLE)
    assert association.is_established
    try:
        answers = list(association.send_c_find(keys, MODALITY_WORKLIST_FIND))
    finally:
        association.release()
    return [identifier for _, identifier in answers if identifier is not None], [one.Status for one, _ in answers]


@pytest.mark.parametrize("syntax", QUERY_TRANSFER_SYNTAX_UIDS)
def test_those_that_fit_answer_with_what_was_asked_for(worklist: MemoryWorklist, node: DimseNode, syntax: str) -> None:
    _keep(worklist, *(_item(number) for number in range(1, 7)))
    step = _keys(Modality="CT", ScheduledProcedureStepStartDate="20240702-20240704", ScheduledProcedureStepID="")
    identifiers, statuses = _find(node, _keys(PatientID="", ScheduledProcedureStepSequence=[step]), syntax=syntax)
    assert statuses == [PENDING, PENDING, SUCCESS]
    assert [one.PatientID for one in identifiers] == ["P1", "P3"]
    found = identifiers[0].ScheduledProcedureStepSequence[0]
    assert (found.Modality, found.ScheduledProcedureStepID) == ("CT", "S1")
    assert len(identifiers[0]) == 2


def test_nothing_that_fits_is_a_success_at_once(worklist: MemoryWorklist, node: DimseNode) -> None:
    _keep(worklist, _item(1))
    assert _find(node, _keys(PatientID="nobody")) == ([], [SUCCESS])


def test_no_keys_match_nothing(worklist: MemoryWorklist, node: DimseNode) -> None:
    _keep(worklist, _item(1))
    assert _find(node, _keys(SpecificCharacterSet="ISO_IR 100")) == ([], [SUCCESS])


def test_a_long_list_comes_whole_and_in_order(worklist: MemoryWorklist, node: DimseNode) -> None:
    _keep(worklist, *(_item(number) for number in range(400)))
    identifiers, statuses = _find(node, _keys(PatientID="", ScheduledProcedureStepSequence=[]))
    assert statuses == [*[PENDING] * 400, SUCCESS]
    days = [one.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate for one in identifiers]
    assert days == sorted(days)
    assert len({one.PatientID for one in identifiers}) == 400


def test_a_key_that_no_value_can_have_is_refused(worklist: MemoryWorklist, node: DimseNode) -> None:
    _keep(worklist, _item(1))
    step = _keys(ScheduledProcedureStepStartDate="tomorrow")
    assert _find(node, _keys(ScheduledProcedureStepSequence=[step])) == ([], [0xA900])


def test_a_key_that_cannot_be_matched_warns(worklist: MemoryWorklist, node: DimseNode) -> None:
    _keep(worklist, _item(1))
    identifiers, statuses = _find(node, _keys(PatientID="P1", EncapsulatedDocument=b"\0\1"))
    assert statuses == [PENDING_WITH_WARNING, SUCCESS]
    assert identifiers[0].EncapsulatedDocument is None


def test_a_search_can_be_cancelled(worklist: MemoryWorklist, node: DimseNode) -> None:
    _keep(worklist, *(_item(number, RequestedProcedureDescription="x" * 60) for number in range(3000)))
    ae = AE("MODALITY")
    ae.add_requested_context(MODALITY_WORKLIST_FIND)
    association = ae.associate(HOST, node.port, ae_title=AE_TITLE)
    statuses = []
    keys = _keys(PatientID="", RequestedProcedureDescription="", ScheduledProcedureStepSequence=[])
    for number, (status, _) in enumerate(association.send_c_find(keys, MODALITY_WORKLIST_FIND, msg_id=7)):
        if number == 5:
            association.send_c_cancel(7, query_model=MODALITY_WORKLIST_FIND)
        statuses.append(status.Status)
    association.release()
    assert statuses[-1] == CANCEL
    assert len(statuses) < 3000


@pytest.mark.parametrize(
    ("leaves", "expected"),
    [
        (LeavesWhen.NEVER, {"P1", "P2", "P3", "P4"}),
        (LeavesWhen.COMPLETED, {"P1", "P2", "P4"}),
        (LeavesWhen.STARTED, {"P1", "P4"}),
    ],
)
def test_steps_leave_the_list_when_the_setting_says(leaves: LeavesWhen, expected: set[str]) -> None:
    worklist = MemoryWorklist()
    _keep(worklist, *(_item(number) for number in range(1, 5)))
    for number, state in ((2, StepState.IN_PROGRESS), (3, StepState.COMPLETED), (4, StepState.DISCONTINUED)):
        worklist.mark([ScheduledStepReference(f"1.2.{number}", f"S{number}")], state)
    with _serving(worklist, leaves) as node:
        identifiers, _ = _find(node, _keys(PatientID=""))
    assert {one.PatientID for one in identifiers} == expected
