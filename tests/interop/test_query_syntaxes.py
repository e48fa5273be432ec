"""Queries in big endian and deflated: pynetdicom proposes nothing else, and gets the answers of the usual syntaxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian

from tests.support.command_line import CommandLine
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.peers import require_module
from tests.support.processes import free_port, serve
from tests.support.small_instances import make_instance

pytestmark = pytest.mark.interop

AE_TITLE = "NODE"
COUNT = 4
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
WORKLIST = "1.2.840.10008.5.1.4.31"
UNUSUAL = [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def _item() -> Dataset:
    step, item = Dataset(), Dataset()
    step.Modality, step.ScheduledStationAETitle, step.ScheduledProcedureStepID = "CT", "CT1", "S1"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20240705", "1000"
    item.AccessionNumber, item.PatientName, item.PatientID = "A1", "HAYDN^FRANZ^JOSEPH", "HF2"
    item.StudyInstanceUID, item.ScheduledProcedureStepSequence = "1.2.3", [step]
    return item


@dataclass(frozen=True, slots=True)
class Listening:
    port: int
    commands: CommandLine

    def associate(self, *contexts: tuple[str, str], **options: Any) -> Any:
        entity = require_module("pynetdicom").AE("OLD")
        for abstract_syntax, transfer_syntax in contexts:
            entity.add_requested_context(abstract_syntax, transfer_syntax)
        association = entity.associate("127.0.0.1", self.port, ae_title=AE_TITLE, **options)
        assert association.is_established
        accepted = {context.abstract_syntax: context.transfer_syntax[0] for context in association.accepted_contexts}
        assert accepted == dict(contexts)
        return association


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder, port = tmp_path_factory.mktemp("syntaxes"), free_port()
    commands = CommandLine(folder / "state")
    with serve(folder / "data", arguments=("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}")):
        sources = folder / "sources"
        sources.mkdir()
        for number in range(1, COUNT + 1):
            (sources / f"{number}.dcm").write_bytes(make_instance(identify(1, 1, number)).content)
        commands.must("store", sources, "--to", f"{AE_TITLE}@127.0.0.1:{port}")
        item = folder / "item.json"
        item.write_text(_item().to_json())
        commands.must("worklist", "add", item, "--data-dir", folder / "data")
        yield Listening(port, commands)


def _asked(level: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    identifier.StudyInstanceUID = identify(1).study_instance_uid
    return identifier


def _found(listening: Listening, model: str, syntax: str, keys: Dataset) -> list[Dataset]:
    association = listening.associate((model, syntax))
    answers = list(association.send_c_find(keys, model))
    association.release()
    assert answers[-1][0].Status == 0
    return [identifier for _, identifier in answers[:-1]]


@pytest.mark.parametrize("syntax", UNUSUAL)
@pytest.mark.parametrize("level", ["STUDY", "SERIES"])
def test_a_query_finds_what_it_finds_in_the_usual_syntax(listening: Listening, syntax: str, level: str) -> None:
    keys = _asked(level)
    keys.PatientName = keys.PatientID = keys.ModalitiesInStudy = ""
    keys.Rows = keys.SmallestImagePixelValue = keys.NumberOfStudyRelatedInstances = None
    found = _found(listening, STUDY_FIND, syntax, keys)
    assert found == _found(listening, STUDY_FIND, ExplicitVRLittleEndian, keys)
    assert len(found) == 1


@pytest.mark.parametrize("syntax", UNUSUAL)
def test_a_work_list_is_read(listening: Listening, syntax: str) -> None:
    step, keys = Dataset(), Dataset()
    step.Modality, step.ScheduledStationAETitle, step.ScheduledProcedureStepID = "CT", "", ""
    keys.PatientName, keys.AccessionNumber, keys.ScheduledProcedureStepSequence = "HAYDN*", "", [step]
    [found] = _found(listening, WORKLIST, syntax, keys)
    assert [found] == _found(listening, WORKLIST, ExplicitVRLittleEndian, keys)
    assert found.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT1"


@pytest.mark.parametrize("syntax", UNUSUAL)
def test_a_study_is_retrieved(listening: Listening, syntax: str) -> None:
    pynetdicom = require_module("pynetdicom")
    received: list[Dataset] = []

    def take(event: Any) -> int:
        received.append(event.dataset)
        return 0

    association = listening.associate(
        (STUDY_GET, syntax),
        (CT_IMAGE_STORAGE, ExplicitVRLittleEndian),
        ext_neg=[pynetdicom.build_role(CT_IMAGE_STORAGE, scp_role=True)],
        evt_handlers=[(pynetdicom.evt.EVT_C_STORE, take)],
    )
    final = list(association.send_c_get(_asked("STUDY"), STUDY_GET))[-1][0]
    association.release()
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, COUNT)
    stored = [pydicom.dcmread(BytesIO(make_instance(identify(1, 1, at)).content)) for at in range(1, COUNT + 1)]
    assert sorted(received, key=_uid) == sorted(stored, key=_uid)


def _uid(dataset: Dataset) -> str:
    return str(dataset.SOPInstanceUID)


@pytest.mark.parametrize("syntax", UNUSUAL)
def test_a_move_is_asked_for_and_a_failure_is_told(listening: Listening, syntax: str) -> None:
    association = listening.associate((STUDY_MOVE, syntax))
    [(status, _)] = association.send_c_move(_asked("STUDY"), "NOBODY", STUDY_MOVE)
    association.release()
    assert status.Status == 0xA801
