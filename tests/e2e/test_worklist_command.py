"""The work list by the command line: from every kind of file, beside a running node, listed and removed."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pynetdicom import AE

from isocenter.dimse.codec.performed_step import MODALITY_PERFORMED_PROCEDURE_STEP
from isocenter.dimse.scp.worklist import MODALITY_WORKLIST_FIND
from isocenter.modality.workload import WorkloadShape, write_workload
from tests.support.command_line import CommandLine
from tests.support.dicom_files import EXPLICIT, IMPLICIT, write_file
from tests.support.processes import Node, free_port, serve

AE_TITLE = "NODE"


@dataclass(frozen=True)
class DicomNode:
    """A node that listens for associations."""

    node: Node
    port: int

    @property
    def peer(self) -> str:
        """Return its address as the command line wants it."""
        return f"{AE_TITLE}@127.0.0.1:{self.port}"


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[DicomNode]:
    port = free_port()
    with serve(tmp_path / "node", arguments=("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}")) as started:
        yield DicomNode(started, port)


def _dataset(number: int, **attributes: Any) -> Dataset:
    step = Dataset()
    step.Modality = "CT" if number % 2 else "MR"
    step.ScheduledStationAETitle = "CT1"
    step.ScheduledProcedureStepStartDate = f"202407{number:02}"
    step.ScheduledProcedureStepID = f"S{number}"
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = f"Müller^{number}"
    dataset.PatientID = f"P{number}"
    dataset.StudyInstanceUID = f"1.2.{number}"
    dataset.ScheduledProcedureStepSequence = [step]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def _bare(dataset: Dataset, *, is_implicit: bool) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = is_implicit, True
    write_dataset(out, dataset)
    return out.getvalue()


DUMP = """(0008,0005) CS [ISO_IR 100]
(0010,0010) PN [M\xfcller^5]
(0010,0020) LO [P5]
(0020,000d) UI [1.2.5]
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS [CT]
(0040,0001) AE [CT1]
(0040,0002) DA [20240705]
(0040,0009) SH [S5]
(fffe,e00d) -
(fffe,e0dd) -
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with one item of each kind of file, and files that are none."""
    folder = tmp_path / "items"
    folder.mkdir()
    (folder / "1.wl").write_bytes(write_file(_dataset(1), EXPLICIT))
    (folder / "2.dcm").write_bytes(write_file(_dataset(2), IMPLICIT))
    (folder / "3").write_bytes(_bare(_dataset(3), is_implicit=True))
    (folder / "4").write_bytes(_bare(_dataset(4), is_implicit=False))
    (folder / "5.dump").write_bytes(DUMP.encode("latin-1"))
    (folder / "6.json").write_text(_dataset(6).to_json())
    (folder / "7.json").write_text(json.dumps([_dataset(7).to_json_dict(), _dataset(8).to_json_dict()]))
    (folder / "lockfile").touch()
    (folder / "README.txt").write_text("These are work list items.")
    return folder


def _listed(command_line: CommandLine, data_dir: Path, *keys: str) -> list[str]:
    rows = json.loads(command_line.must("worklist", "list", *keys, "--data-dir", data_dir, "--json"))
    assert all(row["state"] == "SCHEDULED" for row in rows)
    return [row["attributes"]["00100020"]["Value"][0] for row in rows]


def test_items_come_from_every_kind_of_file(command_line: CommandLine, files: Path, tmp_path: Path) -> None:
    out = command_line.must("worklist", "add", files, "--data-dir", tmp_path / "data")
    assert "Added 8 items to the work list" in out
    assert "2 other files left out" in out
    rows = json.loads(command_line.must("worklist", "list", "--data-dir", tmp_path / "data", "--json"))
    names = [row["attributes"]["00100010"]["Value"][0]["Alphabetic"] for row in rows]
    assert names == [f"Müller^{number}" for number in range(1, 9)]


def test_an_item_that_is_added_again_takes_its_place(command_line: CommandLine, files: Path, tmp_path: Path) -> None:
    command_line.must("worklist", "add", files, "--data-dir", tmp_path / "data")
    (files / "1.wl").write_bytes(write_file(_dataset(1, PatientID="corrected"), EXPLICIT))
    out = command_line.must("worklist", "add", files / "1.wl", "--data-dir", tmp_path / "data")
    assert "Added 1 item " in out
    assert "(1 in the place of earlier ones)" in out
    assert _listed(command_line, tmp_path / "data", "Modality=CT") == ["corrected", "P3", "P5", "P7"]


def test_what_is_no_item_is_named_and_the_rest_added(command_line: CommandLine, files: Path, tmp_path: Path) -> None:
    (files / "broken.json").write_text('{"PatientsName": {}}')
    ended = command_line.run("worklist", "add", files, files / "README.txt", "--data-dir", tmp_path / "data")
    assert ended.code == 1
    assert "broken.json: An attribute in DICOM JSON is named by" in ended.err
    assert "README.txt: It is no DICOM file" in ended.err
    assert "Added 8 items" in ended.out


def test_the_list_is_narrowed_by_keys(command_line: CommandLine, files: Path, tmp_path: Path) -> None:
    command_line.must("worklist", "add", files, "--data-dir", tmp_path / "data")
    assert _listed(command_line, tmp_path / "data", "ScheduledProcedureStepStartDate=20240703-20240704") == ["P3", "P4"]
    assert _listed(command_line, tmp_path / "data", "PatientName=MULLER^2") == ["P2"]
    assert _listed(command_line, tmp_path / "data", "Modality=CT", "PatientID=P2") == []
    lines = command_line.must("worklist", "list", "PatientID=P5", "--data-dir", tmp_path / "data").splitlines()
    assert lines[0].split("\t")[:6] == ["item", "state", "date", "time", "modality", "station"]
    assert lines[1].split("\t")[1:8] == ["SCHEDULED", "20240705", "", "CT", "CT1", "Müller^5", "P5"]


def test_items_are_removed_by_number_by_key_and_all(command_line: CommandLine, files: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    command_line.must("worklist", "add", files, "--data-dir", data)
    rows = json.loads(command_line.must("worklist", "list", "--data-dir", data, "--json"))
    number = str(rows[0]["item"])
    stays = command_line.run("worklist", "remove", number, "--data-dir", data, answer="n\n")
    assert (stays.code, stays.out.endswith("They stay.\n")) == (1, True)
    assert "Removed 1 item." in command_line.must("worklist", "remove", number, "--data-dir", data, answer="y\n")
    assert command_line.run("worklist", "remove", number, "--data-dir", data, "--yes").code == 1
    key = "ScheduledProcedureStepStartDate=-20240705"
    assert "Removed 4 items." in command_line.must("worklist", "remove", key, "--data-dir", data, "--yes")
    assert _listed(command_line, data) == ["P6", "P7", "P8"]
    assert "Removed 3 items." in command_line.must("worklist", "remove", "--all", "--data-dir", data, "--yes")
    assert _listed(command_line, data) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["remove"], 2, "Name items by number"),
        (["remove", "1", "Modality=CT"], 2, "Name items by number"),
        (["remove", "1", "--all"], 2, "Name items by number"),
        (["list", "Modality"], 2, "is not KEY=VALUE"),
        (["list", "Modulity=CT"], 2, "is no attribute of the dictionary"),
        (["list", "PatientBirthDate=today"], 2, "not valid for VR DA"),
        (["list"], 1, "There is no archive"),
        (["find", "--from", "RIS@127.0.0.1:1"], 3, "cannot be reached"),
    ],
)
def test_what_goes_wrong_ends_with_its_code_and_a_sentence(
    command_line: CommandLine, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    data_dir = [] if arguments[0] == "find" else ["--data-dir", str(tmp_path / "none")]
    ended = command_line.run("worklist", *arguments, *data_dir)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err


def _found(node: DicomNode, **keys: str) -> list[str]:
    """Return the patient ids that a device is answered."""
    ae = AE("CT1")
    ae.add_requested_context(MODALITY_WORKLIST_FIND)
    identifier = Dataset()
    identifier.PatientID = ""
    step = Dataset()
    for keyword, value in keys.items():
        setattr(step, keyword, value)
    identifier.ScheduledProcedureStepSequence = [step]
    association = ae.associate("127.0.0.1", node.port, ae_title=AE_TITLE)
    answers = list(association.send_c_find(identifier, MODALITY_WORKLIST_FIND))
    association.release()
    assert answers[-1][0].Status == 0x0000
    return [str(found.PatientID) for _, found in answers if found is not None]


def test_a_running_node_answers_with_what_is_added_and_removed_beside_it(
    command_line: CommandLine, node: DicomNode, files: Path
) -> None:
    assert _found(node) == []
    command_line.must("worklist", "add", files, "--data-dir", node.node.data_dir)
    assert _found(node, Modality="CT") == ["P1", "P3", "P5", "P7"]
    command_line.must("worklist", "remove", "PatientID=P3", "--data-dir", node.node.data_dir, "--yes")
    assert _found(node, Modality="CT") == ["P1", "P5", "P7"]


def test_a_peer_is_asked_for_its_list(command_line: CommandLine, node: DicomNode, files: Path) -> None:
    command_line.must("worklist", "add", files, "--data-dir", node.node.data_dir)
    found = json.loads(command_line.must("worklist", "find", "Modality=MR", "--from", node.peer, "--json"))
    assert [row["00100020"]["Value"][0] for row in found] == ["P2", "P4", "P6", "P8"]
    lines = command_line.must("worklist", "find", "PatientID=P4", "--from", node.peer).splitlines()
    assert lines[1].split("\t")[:6] == ["20240704", "", "MR", "CT1", "Müller^4", "P4"]


def test_a_step_that_was_completed_leaves_the_answers_and_shows_in_the_lists(
    command_line: CommandLine, node: DicomNode, files: Path
) -> None:
    command_line.must("worklist", "add", files, "--data-dir", node.node.data_dir)
    _perform(node, "1.2.5", "S5")
    assert _found(node, Modality="CT") == ["P1", "P3", "P7"]
    data_dir = node.node.data_dir
    (row,) = json.loads(command_line.must("worklist", "list", "PatientID=P5", "--data-dir", data_dir, "--json"))
    assert row["state"] == "COMPLETED"
    (step,) = json.loads(command_line.must("worklist", "performed", "--data-dir", data_dir, "--json"))
    assert (step["state"], step["ae_title"], step["sop_instance_uid"]) == ("COMPLETED", "CT1", "1.9.1")
    assert "1.9.1" in command_line.must("worklist", "performed", "--data-dir", data_dir)


def _perform(node: DicomNode, study: str, step_id: str) -> None:
    scheduled = Dataset()
    scheduled.StudyInstanceUID, scheduled.ScheduledProcedureStepID = study, step_id
    step = Dataset()
    step.ScheduledStepAttributesSequence = [scheduled]
    step.PerformedProcedureStepID, step.PerformedStationAETitle, step.Modality = "PPS1", "CT1", "CT"
    step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20240705", "1000"
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    end = Dataset()
    end.PerformedProcedureStepStatus = "COMPLETED"
    ae = AE("CT1")
    ae.add_requested_context(MODALITY_PERFORMED_PROCEDURE_STEP)
    association = ae.associate("127.0.0.1", node.port, ae_title=AE_TITLE)
    created, _ = association.send_n_create(step, MODALITY_PERFORMED_PROCEDURE_STEP, "1.9.1")
    finished, _ = association.send_n_set(end, MODALITY_PERFORMED_PROCEDURE_STEP, "1.9.1")
    association.release()
    assert (created.Status, finished.Status) == (0x0000, 0x0000)


def test_the_list_survives_a_kill_and_a_rebuild_of_the_index(
    command_line: CommandLine, files: Path, tmp_path: Path
) -> None:
    port = free_port()
    arguments = ("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}")
    with serve(tmp_path / "node", arguments=arguments, must_end_cleanly=False) as started:
        command_line.must("worklist", "add", files, "--data-dir", started.data_dir)
        _perform(DicomNode(started, port), "1.2.5", "S5")
        started.process.kill()
    assert len(json.loads(command_line.must("worklist", "list", "--data-dir", started.data_dir, "--json"))) == 8
    command_line.must("reindex", "--data-dir", started.data_dir)
    with serve(tmp_path / "node", arguments=arguments) as again:
        assert _found(DicomNode(again, port), Modality="CT") == ["P1", "P3", "P7"]
        (step,) = json.loads(command_line.must("worklist", "performed", "--data-dir", again.data_dir, "--json"))
        assert step["state"] == "COMPLETED"


def test_instances_are_committed_to_and_transactions_listed(
    command_line: CommandLine, node: DicomNode, tmp_path: Path
) -> None:
    shape = WorkloadShape("small", studies=1, series=1, instances=4, rows=16, columns=16)
    write_workload(tmp_path / "sources", shape)
    folder = tmp_path / "sources" / "small"
    first, *others = sorted(path for path in folder.rglob("*.dcm"))
    command_line.must("store", *others, "--to", node.node.base_url)
    safe = command_line.must("commit", *others, "--to", node.peer)
    assert "commits to 3 instances; 0 failed, 0 unanswered" in safe
    (folder / "notes.txt").write_text("no instance")
    ended = command_line.run("commit", folder, "--to", node.peer, "--json")
    told = json.loads(ended.out)
    assert (ended.code, len(told["committed"]), told["skipped"]) == (1, 3, 1)
    assert [one["reason"] for one in told["failed"]] == ["0112"]
    assert "failed: " in command_line.run("commit", first, "--to", node.peer).err
    rows = json.loads(command_line.must("commitments", "--data-dir", node.node.data_dir, "--json"))
    assert [(row["state"], row["committed"], len(row["failed"])) for row in rows[1:]] == [
        ("reported", 3, 1),
        ("reported", 3, 0),
    ]
    assert "reported" in command_line.must("commitments", "--data-dir", node.node.data_dir)


def test_a_rebuild_and_commands_keep_out_of_each_others_way(
    command_line: CommandLine, files: Path, tmp_path: Path
) -> None:
    command_line.must("worklist", "add", files, "--data-dir", tmp_path / "data")
    with (tmp_path / "data" / "index.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = command_line.run("worklist", "list", "--data-dir", tmp_path / "data")
    assert ended.code == 1
    assert "The index is being rebuilt; try again when that is done." in ended.err
