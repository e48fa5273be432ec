"""The commands store, find, get, move, worklist and commit against an archive made of pynetdicom."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.command_line import CommandLine
from tests.support.dcmtk import DcmtkServer, storescp
from tests.support.peers import require_module
from tests.support.processes import free_port

pytestmark = [
    pytest.mark.interop,
    # As an acceptor it now and then leaves a socket open that the other end has closed.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SMALL = WorkloadShape("small", studies=2, series=1, instances=3, rows=16, columns=16)
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
WORKLIST, COMMITMENT = "1.2.840.10008.5.1.4.31", "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
VERIFICATION, CT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.1.2"
WAIT_S = 20
KEYS = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass
class Archive:
    """What it keeps, and how it answers; it knows one destination, and where a committer listens."""

    destination: int
    committer: int = 0
    kept: dict[str, Dataset] = field(default_factory=dict)
    reporters: list[threading.Thread] = field(default_factory=list)
    port: int = 0

    @property
    def peer(self) -> str:
        return f"PACS@127.0.0.1:{self.port}"

    def store(self, event: Any) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        self.kept[str(dataset.SOPInstanceUID)] = dataset
        return 0x0000

    def _chosen(self, identifier: Dataset) -> list[Dataset]:
        def fits(dataset: Dataset) -> bool:
            return all(
                keyword not in identifier
                or not identifier.get(keyword)
                or dataset.get(keyword) in _several(identifier.get(keyword))
                for keyword in KEYS.values()
            )

        return [dataset for dataset in self.kept.values() if fits(dataset)]

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        identifier = event.identifier
        key = KEYS[identifier.QueryRetrieveLevel]
        for dataset in {dataset.get(key): dataset for dataset in self._chosen(identifier)}.values():
            answer = Dataset()
            answer.QueryRetrieveLevel = identifier.QueryRetrieveLevel
            for element in identifier:
                if element.keyword in dataset:
                    answer[element.tag] = dataset[element.tag]
            yield 0xFF00, answer

    def get(self, event: Any) -> Iterator[Any]:
        chosen = self._chosen(event.identifier)
        yield len(chosen)
        yield from ((0xFF00, dataset) for dataset in chosen)

    def move(self, event: Any) -> Iterator[Any]:
        if event.move_destination != "DEST":
            yield None, None
            return
        chosen = self._chosen(event.identifier)
        yield "127.0.0.1", self.destination
        yield len(chosen)
        yield from ((0xFF00, dataset) for dataset in chosen)

    def worklist(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        step, answer = Dataset(), Dataset()
        step.Modality, step.ScheduledProcedureStepStartDate = "CT", "20240705"
        step.ScheduledStationAETitle, step.ScheduledProcedureStepID = "CT1", "S1"
        answer.PatientName, answer.PatientID, answer.AccessionNumber = "HAYDN^JOSEPH", "HF2", "A1"
        answer.ScheduledProcedureStepSequence = [step]
        yield 0xFF00, answer

    def find_either(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield from self.worklist(event) if event.context.abstract_syntax == WORKLIST else self.find(event)

    def commit(self, event: Any) -> tuple[int, None]:
        information = event.action_information
        reporter = threading.Thread(target=self._report, args=(information,))
        self.reporters.append(reporter)
        reporter.start()
        return 0x0000, None

    def _report(self, information: Dataset) -> None:
        report = Dataset()
        report.TransactionUID = information.TransactionUID
        named = list(information.ReferencedSOPSequence)
        report.ReferencedSOPSequence = [one for one in named if one.ReferencedSOPInstanceUID in self.kept]
        missing = [one for one in named if one.ReferencedSOPInstanceUID not in self.kept]
        for one in missing:
            one.FailureReason = 0x0112
        if missing:
            report.FailedSOPSequence = missing
        pynetdicom = require_module("pynetdicom")
        entity = pynetdicom.AE("PACS")
        entity.add_requested_context(COMMITMENT)
        role = pynetdicom.build_role(COMMITMENT, scu_role=False, scp_role=True)
        association = entity.associate("127.0.0.1", self.committer, ae_title="ISOCENTER", ext_neg=[role])
        assert association.is_established
        association.send_n_event_report(report, 2 if missing else 1, COMMITMENT, COMMITMENT_INSTANCE)
        association.release()


def _several(value: Any) -> list[str]:
    return list(value) if isinstance(value, list | pydicom.multival.MultiValue) else [value]


@contextmanager
def _serving(archive: Archive) -> Iterator[None]:
    pynetdicom = require_module("pynetdicom")
    entity = pynetdicom.AE("PACS")
    for uid in (VERIFICATION, STUDY_FIND, STUDY_MOVE, STUDY_GET, WORKLIST, COMMITMENT):
        entity.add_supported_context(uid)
    entity.add_supported_context(CT, scu_role=True, scp_role=True)
    entity.add_requested_context(CT)  # of the associations that its moves open
    evt = pynetdicom.evt
    handlers = [
        (evt.EVT_C_STORE, archive.store),
        (evt.EVT_C_FIND, archive.find_either),
        (evt.EVT_C_GET, archive.get),
        (evt.EVT_C_MOVE, archive.move),
        (evt.EVT_N_ACTION, archive.commit),
    ]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    archive.port = server.server_address[1]
    try:
        yield
    finally:
        for reporter in archive.reporters:
            reporter.join(WAIT_S)
        server.shutdown()


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[DcmtkServer]:
    with storescp(tmp_path / "destination", ae_title="DEST") as server:
        yield server


@pytest.fixture
def archive(destination: DcmtkServer) -> Iterator[Archive]:
    archive = Archive(destination.port)
    with _serving(archive):
        yield archive


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@pytest.fixture
def sources(tmp_path: Path) -> list[WorkloadInstance]:
    return write_workload(tmp_path / "sources", SMALL)


def _instances(folder: Path) -> dict[str, Dataset]:
    read = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    return {str(dataset.SOPInstanceUID): dataset for dataset in read}


def test_a_folder_is_stored_found_fetched_and_moved(
    command_line: CommandLine,
    archive: Archive,
    destination: DcmtkServer,
    sources: list[WorkloadInstance],
    tmp_path: Path,
) -> None:
    folder, study = tmp_path / "sources" / SMALL.name, sources[0].study
    command_line.must("echo", archive.peer)
    assert "6 stored, 0 identical, 0 refused" in command_line.must("store", folder, "--to", archive.peer)
    assert archive.kept == _instances(folder)
    rows = json.loads(command_line.must("find", "--from", archive.peer, "--json"))
    assert {row["0020000D"]["Value"][0] for row in rows} == {source.study for source in sources}
    fetched = tmp_path / "fetched"
    command_line.must("get", study, "--from", archive.peer, "-o", fetched)
    expected = {uid: dataset for uid, dataset in _instances(folder).items() if study == dataset.StudyInstanceUID}
    assert _instances(fetched) == expected
    assert "3 instances sent to DEST, 0 failed." in command_line.must(
        "move", study, "--from", archive.peer, "--to", "DEST"
    )
    assert len(destination.files()) == 3
    unknown = command_line.run("move", study, "--from", archive.peer, "--to", "NOBODY")
    assert (unknown.code, "A801" in unknown.err) == (1, True), unknown.err


def test_its_work_list_is_read(command_line: CommandLine, archive: Archive) -> None:
    [row] = json.loads(command_line.must("worklist", "find", "--from", archive.peer, "--json"))
    assert row["00100020"]["Value"] == ["HF2"]


def test_it_commits_to_what_it_has_by_an_association_of_its_own(
    command_line: CommandLine, archive: Archive, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    folder, paths = tmp_path / "sources" / SMALL.name, [tmp_path / "sources" / source.path for source in sources]
    archive.committer = free_port()
    command_line.must("store", *paths[:-1], "--to", archive.peer)
    listen = ("--listen", f"127.0.0.1:{archive.committer}")
    safe = command_line.must("commit", *paths[:-1], "--to", archive.peer, *listen)
    assert "commits to 5 instances; 0 failed, 0 unanswered" in safe
    ended = command_line.run("commit", folder, "--to", archive.peer, *listen, "--json")
    told = json.loads(ended.out)
    assert (ended.code, len(told["committed"])) == (1, 5)
    assert [(one["sop_instance_uid"], one["reason"]) for one in told["failed"]] == [(sources[-1].sop, "0112")]
