"""Telling others of a performed procedure step: our own node, and pynetdicom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset as PydicomDataset
from pynetdicom import AE, evt

from isocenter.dicom.dataset import Dataset, text_of
from isocenter.dicom.json_reader import parse_dicom_json
from isocenter.dimse.codec.performed_step import (
    MODALITY_PERFORMED_PROCEDURE_STEP,
    MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE,
)
from isocenter.dimse.scp.performed_step import PerformedStepProvider
from isocenter.dimse.scu.client import ProposedContext
from isocenter.dimse.scu.errors import ContextRefused, RequestFailed
from isocenter.dimse.scu.performed_step import create_performed_step, get_performed_step, set_performed_step
from isocenter.dimse.shell.connection import Connection
from isocenter.domain.application_entity import RemoteAe
from isocenter.storage.memory import MemoryPerformedSteps, MemoryWorklist
from tests.support.dimse_thread import AE_TITLE, HOST, DimseNode, Served, dimse_node
from tests.support.memory_archive import FakeClock

CONTEXTS = [
    ProposedContext(MODALITY_PERFORMED_PROCEDURE_STEP),
    ProposedContext(MODALITY_PERFORMED_PROCEDURE_STEP_RETRIEVE),
]
STATUS, PATIENT_ID, DESCRIPTION = 0x00400252, 0x00100020, 0x00400254


def _attributes(**values: str) -> Dataset:
    return parse_dicom_json({keyword: {"Value": [value]} for keyword, value in values.items()})


def _step() -> Dataset:
    document: dict[str, Any] = {
        "ScheduledStepAttributesSequence": {"Value": [{"StudyInstanceUID": {"Value": ["1.2.1"]}}]},
        "PatientID": {"Value": ["P1"]},
        "PerformedProcedureStepID": {"Value": ["PPS1"]},
        "PerformedStationAETitle": {"Value": ["CT1"]},
        "PerformedProcedureStepStartDate": {"Value": ["20240705"]},
        "PerformedProcedureStepStartTime": {"Value": ["1015"]},
        "PerformedProcedureStepStatus": {"Value": ["IN PROGRESS"]},
        "Modality": {"Value": ["CT"]},
    }
    return parse_dicom_json(document)


@pytest.fixture
def node() -> Iterator[DimseNode]:
    provider = PerformedStepProvider(MemoryPerformedSteps(MemoryWorklist()), FakeClock(), new_uid=lambda: "2.25.7")
    with dimse_node(lambda _: Served(provider.services())) as started:
        yield started


def _ourselves(node: DimseNode) -> RemoteAe:
    return RemoteAe(AE_TITLE, HOST, node.port)


def test_a_step_is_told_of_from_its_beginning_to_its_end(node: DimseNode) -> None:
    async def tell() -> tuple[str, Dataset, Dataset]:
        async with node.opener.association(_ourselves(node), CONTEXTS) as association:
            uid = await create_performed_step(association, _step())
            changes = _attributes(PerformedProcedureStepStatus="COMPLETED", PerformedProcedureStepDescription="head")
            await set_performed_step(association, uid, changes)
            whole = await get_performed_step(association, uid)
            part = await get_performed_step(association, uid, tags=[PATIENT_ID, 0x00104000])
            return uid, whole, part

    uid, whole, part = node.run(tell())
    assert uid == "2.25.7"
    assert [text_of(whole, tag) for tag in (STATUS, PATIENT_ID, DESCRIPTION)] == ["COMPLETED", "P1", "head"]
    assert set(part) == {PATIENT_ID}


def test_a_refusal_is_told_with_its_status(node: DimseNode) -> None:
    async def tell() -> list[int]:
        statuses = []
        async with node.opener.association(_ourselves(node), CONTEXTS) as association:
            for attempt in (_twice, _unknown, _incomplete):
                with pytest.raises(RequestFailed) as caught:
                    await attempt(association)
                statuses.append(caught.value.status)
        return statuses

    assert node.run(tell()) == [0x0111, 0x0112, 0x0120]


async def _twice(association: Connection) -> None:
    await create_performed_step(association, _step(), sop_instance_uid="1.9.1")
    await create_performed_step(association, _step(), sop_instance_uid="1.9.1")


async def _unknown(association: Connection) -> None:
    await set_performed_step(association, "1.9.9", _attributes(PerformedProcedureStepStatus="COMPLETED"))


async def _incomplete(association: Connection) -> None:
    await create_performed_step(association, _attributes(PatientID="P1"), sop_instance_uid="1.9.2")


@contextmanager
def _ris(taken: list[tuple[str, PydicomDataset]]) -> Iterator[RemoteAe]:
    """Run pynetdicom as an information system that takes steps."""

    def create(event: evt.Event) -> tuple[int, PydicomDataset]:
        taken.append(("create", event.attribute_list))
        return 0x0000, event.attribute_list

    def change(event: evt.Event) -> tuple[int, PydicomDataset]:
        taken.append(("set", event.modification_list))
        return 0x0000, event.modification_list

    ae = AE("RIS")
    ae.add_supported_context(MODALITY_PERFORMED_PROCEDURE_STEP)
    handlers: list[Any] = [(evt.EVT_N_CREATE, create), (evt.EVT_N_SET, change)]
    server: Any = ae.start_server((HOST, 0), block=False, evt_handlers=handlers)
    try:
        yield RemoteAe("RIS", HOST, server.socket.getsockname()[1])
    finally:
        ae.shutdown()


def test_pynetdicom_takes_a_step(node: DimseNode) -> None:
    taken: list[tuple[str, PydicomDataset]] = []

    async def tell(ris: RemoteAe) -> str:
        async with node.opener.association(ris, CONTEXTS) as association:
            uid = await create_performed_step(association, _step(), sop_instance_uid="1.9.1")
            await set_performed_step(association, uid, _attributes(PerformedProcedureStepStatus="DISCONTINUED"))
            with pytest.raises(ContextRefused):
                await get_performed_step(association, uid)
            return uid

    with _ris(taken) as ris:
        assert node.run(tell(ris)) == "1.9.1"
    assert [(kind, str(attributes.PerformedProcedureStepStatus)) for kind, attributes in taken] == [
        ("create", "IN PROGRESS"),
        ("set", "DISCONTINUED"),
    ]
