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


def test_a_data_set_of_odd_length_keeps_nobody_waiting(
    command_line: CommandLine, pair: tuple[Orthanc, DcmtkServer]
) -> None:
    peer, _destination = pair
    odd = shared_data() / "transfer-syntax" / "other" / "image_dfl.dcm"
    assert "1 stored" in command_line.must("store", odd, "--to", _address(peer), "--timeout", "10")
    assert len(httpx.get(f"{peer.base_url}/instances", timeout=60).json()) == 1
