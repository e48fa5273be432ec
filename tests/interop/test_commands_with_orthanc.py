"""The commands echo, store, find, get and move against Orthanc (Debian)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.command_line import CommandLine
from tests.support.dcmtk import DcmtkServer, storescp
from tests.support.peers import require_file
from tests.support.processes import Orthanc, free_port, orthanc
from tests.support.shared_data import shared_data

pytestmark = pytest.mark.interop

SMALL = WorkloadShape("small", studies=2, series=2, instances=3, rows=16, columns=16)


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@pytest.fixture
def sources(tmp_path: Path) -> list[WorkloadInstance]:
    return write_workload(tmp_path / "sources", SMALL)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Orthanc, DcmtkServer]]:
    """Return an Orthanc, and a storescp that it may move to."""
    port = free_port()
    modalities = {"DicomModalities": {"destination": ["DEST", "127.0.0.1", port]}}
    with (
        storescp(tmp_path / "destination", ae_title="DEST", port=port) as destination,
        orthanc(tmp_path / "orthanc", configuration=modalities) as peer,
    ):
        yield peer, destination


def _address(peer: Orthanc) -> str:
    return f"{peer.ae_title}@127.0.0.1:{peer.dicom_port}"


def _instances(folder: Path) -> dict[str, pydicom.Dataset]:
    read = [pydicom.dcmread(path) for path in folder.rglob("*") if path.is_file()]
    return {str(dataset.SOPInstanceUID): dataset for dataset in read}


def test_a_folder_is_stored_found_fetched_and_moved(
    command_line: CommandLine, pair: tuple[Orthanc, DcmtkServer], sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    peer, destination = pair
    folder, first = tmp_path / "sources" / SMALL.name, sources[0]
    command_line.must("echo", _address(peer))
    assert "12 stored, 0 identical, 0 refused" in command_line.must("store", folder, "--to", _address(peer))
    [study] = json.loads(command_line.must("find", f"PatientID={first.pid}", "--from", _address(peer), "--json"))
    assert study["0020000D"]["Value"] == [first.study]
    patients = command_line.must("find", "--level", "patient", "--from", _address(peer))
    assert len(patients.splitlines()) == 1 + SMALL.studies
    fetched = tmp_path / "fetched"
    studies = sorted({source.study for source in sources})
    assert command_line.must("get", *studies, "--from", _address(peer), "-o", fetched).startswith("Wrote 12 files,")
    assert _instances(fetched) == _instances(folder)
    out = command_line.must("move", first.study, "--from", _address(peer), "--to", "DEST")
    assert "6 instances sent to DEST, 0 failed." in out
    assert len(destination.files()) == 6


def test_a_compressed_instance_comes_back_in_its_own_transfer_syntax(
    command_line: CommandLine, pair: tuple[Orthanc, DcmtkServer], tmp_path: Path
) -> None:
    peer, _destination = pair
    sent = pydicom.dcmread(_jpeg_2000(), stop_before_pixels=True)
    command_line.must("store", _jpeg_2000(), "--to", _address(peer))
    command_line.must("get", str(sent.StudyInstanceUID), "--from", _address(peer), "-o", tmp_path / "fetched")
    [fetched] = _instances(tmp_path / "fetched").values()
    assert fetched.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    assert fetched.PixelData == pydicom.dcmread(_jpeg_2000()).PixelData  # Orthanc writes the elements anew


def _jpeg_2000() -> Path:
    return shared_data() / "transfer-syntax" / "mr-small" / "MR_small_jp2klossless.dcm"


def test_it_commits_to_what_it_has(command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path) -> None:
    port, paths = free_port(), [tmp_path / "sources" / source.path for source in sources]
    us = {"DicomModalities": {"us": ["ISOCENTER", "127.0.0.1", port]}}
    listen = ("--listen", f"127.0.0.1:{port}")
    with orthanc(tmp_path / "orthanc", configuration=us) as peer:
        command_line.must("store", *paths[:-1], "--to", _address(peer))
        safe = command_line.must("commit", *paths[:-1], "--to", _address(peer), *listen)
        assert f"commits to {len(paths) - 1} instances; 0 failed, 0 unanswered" in safe
        study = command_line.must("commit", "--study", sources[0].study, "--to", _address(peer), *listen)
        assert "commits to 6 instances; 0 failed, 0 unanswered" in study
        ended = command_line.run("commit", *paths, "--to", _address(peer), *listen, "--json")
    told = json.loads(ended.out)
    assert (ended.code, len(told["committed"])) == (1, len(paths) - 1)
    assert [(one["sop_instance_uid"], one["reason"]) for one in told["failed"]] == [(sources[-1].sop, "0112")]


def test_its_work_list_is_read(command_line: CommandLine, tmp_path: Path) -> None:
    plugin = require_file("/usr/share/orthanc/plugins/libModalityWorklists.so")
    database = tmp_path / "worklists"
    database.mkdir()
    for number, modality in enumerate(("CT", "MR"), 1):
        _work_list_item(number, modality).save_as(
            database / f"{number}.wl", implicit_vr=False, little_endian=True, enforce_file_format=True
        )
    configuration = {
        "Plugins": [plugin],
        "Worklists": {"Enable": True, "Database": str(database)},
        "DicomModalities": {"us": ["ISOCENTER", "127.0.0.1", free_port()]},
    }
    with orthanc(tmp_path / "orthanc", configuration=configuration) as peer:
        rows = json.loads(command_line.must("worklist", "find", "Modality=CT", "--from", _address(peer), "--json"))
        assert [row["00100020"]["Value"] for row in rows] == [["P1"]]
        assert len(json.loads(command_line.must("worklist", "find", "--from", _address(peer), "--json"))) == 2


def _work_list_item(number: int, modality: str) -> pydicom.Dataset:
    step, item = pydicom.Dataset(), pydicom.Dataset()
    step.Modality, step.ScheduledStationAETitle = modality, "DEVICE"
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = "20240705", "1000"
    step.ScheduledProcedureStepID = f"S{number}"
    item.PatientName, item.PatientID, item.AccessionNumber = "HAYDN^JOSEPH", f"P{number}", f"A{number}"
    item.StudyInstanceUID, item.ScheduledProcedureStepSequence = f"1.2.{number}", [step]
    item.file_meta = pydicom.dataset.FileMetaDataset()
    item.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    item.file_meta.MediaStorageSOPClassUID = pydicom.uid.UID("1.2.276.0.7230010.3.1.0.1")
    item.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"1.2.3.{number}")
    return item


def test_a_data_set_of_odd_length_keeps_nobody_waiting(
    command_line: CommandLine, pair: tuple[Orthanc, DcmtkServer]
) -> None:
    peer, _destination = pair
    odd = shared_data() / "transfer-syntax" / "other" / "image_dfl.dcm"
    assert "1 stored" in command_line.must("store", odd, "--to", _address(peer), "--timeout", "10")
    assert len(httpx.get(f"{peer.base_url}/instances", timeout=60).json()) == 1
