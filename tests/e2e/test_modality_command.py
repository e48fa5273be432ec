"""`isocenter modality` against a node: the whole life of an order, what devices do wrong, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from isocenter.app.hospital.folder_lock import holding
from isocenter.app.hospital.reach import (
    Application,
    PacsKind,
    PacsReach,
    Person,
    Reach,
    RouterReach,
    Supervisor,
    announced,
)
from isocenter.domain.application_entity import parse_ae_address
from isocenter.modality.devices.misbehaviour import SWITCHES
from isocenter.modality.devices.profile import PROFILES
from tests.support.command_line import Answer, CommandLine, must_here, run_here
from tests.support.processes import Node, free_port, serve

SMALL = ("--coarse", "16", "--slices", "3")
ORDER: dict[str, Any] = {
    "00100010": {"Value": ["Müller^Eva"]},
    "00100020": {"Value": ["P77"]},
    "00100030": {"Value": ["19500102"]},
    "00100040": {"Value": ["F"]},
    "00321060": {"Value": ["HEAD"]},
    "00080090": {"Value": ["Quill^Ada"]},
}


@dataclass(frozen=True)
class Hospital:
    """A node, its address, and a person at a console."""

    node: Node
    peer: str
    commands: CommandLine
    folder: Path

    def schedule(self, number: str, *, station: str = "CT01", day: str = "20221122", time: str = "0930") -> None:
        """Put an item for CT into the work list."""
        step = {
            "00080060": {"Value": ["CT"]},
            "00400001": {"Value": [station]},
            "00400002": {"Value": [day]},
            "00400003": {"Value": [time]},
            "00400009": {"Value": [f"S{number}"]},
        }
        item = {
            **ORDER,
            "00080050": {"Value": [f"A{number}"]},
            "0020000D": {"Value": [f"1.2.3.{number}"]},
            "00401001": {"Value": [f"RP{number}"]},
            "00400100": {"Value": [step]},
        }
        path = self.folder / f"item{number}.json"
        path.write_text(json.dumps(item))
        must_here("worklist", "add", path, "--data-dir", self.node.data_dir)

    def scan(self, *arguments: str | Path, profile: str = "CT") -> Answer:
        """Run a scan to its end."""
        return run_here("modality", "scan", "--profile", profile, "--to", self.peer, *SMALL, *arguments)

    def told(self, *arguments: str | Path, code: int = 0, profile: str = "CT") -> dict[str, Any]:
        """Run a scan and return its report."""
        ended = self.scan(*arguments, "--json", profile=profile)
        assert ended.code == code, ended.out + ended.err
        report: dict[str, Any] = json.loads(ended.out)
        return report

    def found(self, study: str, *, level: str = "instance") -> list[dict[str, Any]]:
        """Return what the node has of a study, as DICOM JSON."""
        key = f"StudyInstanceUID={study}"
        out = must_here("find", key, "--level", level, "--from", self.node.base_url, "--json")
        rows: list[dict[str, Any]] = json.loads(out)
        return rows


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("modality")
    port = free_port()
    with serve(folder / "node", arguments=("--auth", "off", "--dicom", f"NODE@127.0.0.1:{port}")) as node:
        yield Hospital(node, f"NODE@127.0.0.1:{port}", CommandLine(folder / "state"), folder)


def _checks(report: dict[str, Any]) -> dict[str, bool]:
    return {check["name"]: check["held"] for check in report["checks"]}


def test_an_order_lives_from_the_work_list_to_the_storage_commitment(hospital: Hospital) -> None:
    hospital.schedule("100")
    report = hospital.told("--worklist", hospital.peer, "--accession", "A100", "--seed", "100")
    assert report["is_scheduled"]
    assert (report["study_instance_uid"], report["accession_number"]) == ("1.2.3.100", "A100")
    assert _checks(report) == {"images": True, "performed step": True, "commitment": True}
    assert len(report["commitment"]["committed"]) == report["acknowledged"] == report["expected"] == 3
    stored = {row["00080018"]["Value"][0] for row in hospital.found("1.2.3.100")}
    assert stored == {instance["sop_instance_uid"] for instance in report["instances"]}
    rows = json.loads(must_here("worklist", "performed", "--data-dir", hospital.node.data_dir, "--json"))
    step = next(row for row in rows if row["sop_instance_uid"] == report["performed_step"]["sop_instance_uid"])
    assert (step["state"], step["ae_title"]) == ("COMPLETED", "CT01")
    listed = step["attributes"]["00400340"]["Value"][0]["00081140"]["Value"]
    assert {image["00081155"]["Value"][0] for image in listed} == stored


def test_the_next_item_of_the_station_is_taken_and_others_only_where_asked_for(hospital: Hospital) -> None:
    hospital.schedule("201", station="CT09", time="0700")
    hospital.schedule("202", station="CT07", day="20221123", time="0700")
    hospital.schedule("203", station="CT07", time="1100")
    hospital.schedule("204", station="CT07", time="0800")
    ask = ("--worklist", hospital.peer, "--as", "CT07", "--at", "2022-11-22", "--no-commit")
    assert hospital.told(*ask)["accession_number"] == "A204"
    assert hospital.told(*ask)["accession_number"] == "A203"
    ended = hospital.scan(*ask)
    assert ended.code == 1
    assert "has no item that fits" in ended.err
    assert "--any-station or --any-day" in ended.err
    assert hospital.told(*ask, "--any-day")["accession_number"] == "A202"
    assert hospital.told(*ask, "--any-station", "--any-day")["accession_number"] == "A201"


def test_text_tells_each_thing_that_had_to_hold(hospital: Hospital) -> None:
    arguments = ("--profile", "CT", "--to", hospital.peer, *SMALL, "--seed", "301")
    ended = hospital.commands.run("modality", "scan", *arguments)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert "unscheduled, accession number U000000301, seed 301." in lines[0]
    assert lines[1:] == [
        f"ok      images: {hospital.peer} acknowledged 3 of 3.",
        f"ok      performed step: {hospital.peer} took IN PROGRESS, COMPLETED.",
        f"ok      commitment: {hospital.peer} commits to 3 of 3; 0 failed, 0 unanswered.",
        "All held.",
    ]


def test_a_seed_that_was_used_before_ends_with_what_did_not_hold(hospital: Hospital) -> None:
    hospital.told("--seed", "310")
    again = hospital.scan("--seed", "310")
    assert again.code == 1
    assert "FAILED  performed step" in again.err
    assert "1 of 3 did not hold: performed step." in again.err


@pytest.mark.parametrize(
    ("seed", "arguments", "acknowledged", "stored", "states"),
    [
        ("401", ("--no-mpps", "--no-commit"), 3, 3, []),
        ("402", ("--duplicates", "2"), 5, 3, ["IN PROGRESS", "COMPLETED"]),
        ("403", ("--late-series", "30"), 6, 6, ["IN PROGRESS", "COMPLETED"]),
        ("404", ("--abort-after", "1"), 1, 1, ["IN PROGRESS", "DISCONTINUED"]),
        ("408", ("--abort-after", "0"), 0, 0, ["IN PROGRESS", "DISCONTINUED"]),
        ("405", ("--implicit-vr", "--private-tags", "--burned-in-text"), 3, 3, ["IN PROGRESS", "COMPLETED"]),
        ("406", ("--contexts", "300"), 3, 3, ["IN PROGRESS", "COMPLETED"]),
        ("407", ("--huge-multiframe", "2000"), 1, 1, ["IN PROGRESS", "COMPLETED"]),
    ],
)
def test_a_misbehaviour_is_carried_out_and_reported(
    hospital: Hospital, seed: str, arguments: tuple[str, ...], acknowledged: int, stored: int, states: list[str]
) -> None:
    report = hospital.told("--seed", seed, *arguments)
    assert report["held"]
    assert report["acknowledged"] == acknowledged
    assert len(hospital.found(report["study_instance_uid"])) == stored
    assert report["performed_step"]["states"] == states


def test_the_wrong_patient_has_the_ordered_study(hospital: Hospital) -> None:
    hospital.schedule("501")
    hospital.told("--worklist", hospital.peer, "--accession", "A501", "--wrong-patient", "--no-commit")
    (study,) = hospital.found("1.2.3.501", level="study")
    assert study["00080050"]["Value"] == ["A501"]
    assert study["00100020"]["Value"] != ["P77"]


def test_a_peer_that_refuses_what_is_asked_is_told_of_and_the_images_are_sent_all_the_same(hospital: Hospital) -> None:
    nobody = f"RIS@127.0.0.1:{free_port()}"
    ended = hospital.scan("--seed", "601", "--mpps", nobody, "--commit", nobody, "--wait", "1")
    assert ended.code == 1
    assert f"images: {hospital.peer} acknowledged 3 of 3." in ended.out
    assert ended.err.count("Connection refused") == 2
    assert "2 of 3 did not hold: performed step, commitment." in ended.err


def test_an_archive_that_cannot_be_reached_is_exit_code_3_and_the_step_is_discontinued(hospital: Hospital) -> None:
    nobody = f"PACS@127.0.0.1:{free_port()}"
    arguments = ("--profile", "CT", "--to", nobody, "--mpps", hospital.peer, "--seed", "701", *SMALL)
    ended = run_here("modality", "scan", *arguments, "--json")
    assert ended.code == 3
    report = json.loads(ended.out)
    assert "Connection refused" in report["stopped"]
    assert report["performed_step"]["states"] == ["IN PROGRESS", "DISCONTINUED"]
    assert report["commitment"] is None
    assert _checks(report) == {"images": False, "performed step": False, "commitment": False}


@pytest.mark.parametrize("profile", ["CT", "CR"])
def test_two_runs_with_one_seed_write_the_same_files(hospital: Hospital, tmp_path: Path, profile: str) -> None:
    def written(name: str) -> list[bytes]:
        small = ("--coarse", "16", "--slices", "1", "--seed", "9")
        must_here("modality", "write", tmp_path / name, "--profile", profile, *small)
        return [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]

    first = written("first")
    assert first == written("second")
    assert all(dcmread(path).Modality == profile for path in (tmp_path / "first").iterdir())


def test_writing_leaves_a_folder_alone_that_holds_something(hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    ended = run_here("modality", "write", tmp_path, "--profile", "CR", "--coarse", "16")
    assert ended.code == 1
    assert "is not empty; name a folder that is new" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_everything_there_is_stands_in_the_list_and_every_misbehaviour_in_the_help(hospital: Hospital) -> None:
    listed = json.loads(must_here("modality", "list", "--json"))
    assert [profile["name"] for profile in listed["profiles"]] == list(PROFILES)
    assert len(listed["misbehaviours"]) == len(SWITCHES)
    assert [script["name"][0] for script in listed["scripts"]] == ["1", "2", "3", "4", "5"]
    help_text = " ".join(must_here("modality", "scan", "--help").split())
    assert [switch.flag for switch in SWITCHES if switch.line not in help_text] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scan", "--profile", "PET", "--to", "A@127.0.0.1:1"), "'--profile'"),
        (("scan", "--profile", "CT", "--to", "A@127.0.0.1:1", "--pace", "slow"), "A pace is real, fast"),
        (("scan", "--profile", "CT", "--to", "A@127.0.0.1:1", "--any-day"), "are for a --worklist"),
        (("scan", "--profile", "CT", "--to", "A@127.0.0.1:1", "--mpps", "RIS"), "'--mpps'"),
        (("scan", "--profile", "CT", "--to", "A@127.0.0.1:1", "--listen", "1"), "is not HOST:PORT"),
        (("scan", "--profile", "CT", "--to", "A@127.0.0.1:1", "--contexts", "5000"), "'--contexts'"),
        (("script", "9"), "1-preload-orthanc"),
        (("script", "1", "--orthanc", "ORTHANC"), "'--orthanc'"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_called(
    hospital: Hospital, arguments: tuple[str, ...], said: str
) -> None:
    ended = run_here("modality", *arguments)
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_scripts_are_played_by_number_and_told_of(hospital: Hospital) -> None:
    address = hospital.peer
    played = run_here("modality", "script", "2", "4", "--orthanc", address, "--qierouter", address, "--coarse", "16")
    assert played.code == 0, played.err
    assert played.out.splitlines() == [
        f"2-modality-pushing-to-orthanc: {address} acknowledged 3 of 3 images.",
        f"4-modality-pushing-to-qie-extra: {address} acknowledged 2 of 2 images.",
    ]


def test_a_script_takes_its_addresses_from_a_running_hospital(hospital: Hospital, tmp_path: Path) -> None:
    pacs = parse_ae_address(hospital.peer)
    nowhere = "http://127.0.0.1:1"
    reach = Reach(
        tmp_path,
        PacsReach(PacsKind.ISOCENTER, pacs, nowhere),
        RouterReach(pacs, pacs, nowhere),
        nowhere,
        Person("anna", "secret"),
        Application(nowhere, "id", tmp_path / "secret", "scope"),
        Supervisor(1, nowhere, "token"),
    )
    with holding(tmp_path), announced(reach):
        ended = run_here("modality", "script", "4", "--hospital", tmp_path, "--coarse", "16")
    assert ended.code == 0, ended.err
    assert f"{hospital.peer} acknowledged 2 of 2 images" in ended.out


def test_a_script_whose_peer_is_away_is_exit_code_3(hospital: Hospital, tmp_path: Path) -> None:
    nobody = f"ORTHANC@127.0.0.1:{free_port()}"
    ended = run_here("modality", "script", "2", "--orthanc", nobody, "--coarse", "16")
    assert ended.code == 3
    assert "cannot be reached: Connection refused" in ended.err
    assert "acknowledged 0 of 3 images" in ended.out
    unknown = run_here("modality", "script", "2", "--hospital", tmp_path)
    assert unknown.code == 3
    assert "No demo runs in" in unknown.err
