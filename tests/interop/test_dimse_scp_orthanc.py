"""Orthanc (Debian) and the node by DIMSE: it verifies, stores, queries, retrieves, and receives what we move to it."""

from __future__ import annotations

import io
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.dicomweb import ANY_DICOM, get, parts, post_instance
from tests.support.peers import require
from tests.support.processes import Node, Orthanc, free_port, orthanc, serve

pytestmark = pytest.mark.interop

AE_TITLE = "NODE"
SMALL = WorkloadShape("small", studies=1, series=2, instances=4, rows=16, columns=16)
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Pair:
    """A node and an Orthanc that know each other."""

    node: Node
    port: int
    peer: Orthanc

    def ask(self, operation: str, body: object) -> httpx.Response:
        """Have Orthanc do something with the node."""
        return httpx.post(f"{self.peer.base_url}/modalities/node/{operation}", json=body, timeout=TIMEOUT_S)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    port = free_port()
    modalities = {"DicomModalities": {"node": [AE_TITLE, "127.0.0.1", port]}, "DicomAlwaysAllowStore": True}
    with orthanc(tmp_path / "orthanc", configuration=modalities) as peer:
        remote = f"{peer.ae_title}@127.0.0.1:{peer.dicom_port}"
        arguments = ("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}", "--remote", remote)
        with serve(tmp_path / "data", arguments=arguments) as node:
            yield Pair(node, port, peer)


@pytest.fixture
def instances(tmp_path: Path) -> list[WorkloadInstance]:
    return write_workload(tmp_path / "sources", SMALL)


def _by_uid(contents: list[bytes]) -> dict[str, pydicom.Dataset]:
    read = [pydicom.dcmread(io.BytesIO(content)) for content in contents]
    return {str(dataset.SOPInstanceUID): dataset for dataset in read}


def _sources(tmp_path: Path, instances: list[WorkloadInstance]) -> list[bytes]:
    return [(tmp_path / "sources" / instance.path).read_bytes() for instance in instances]


def test_it_verifies_and_stores_a_study(pair: Pair, instances: list[WorkloadInstance], tmp_path: Path) -> None:
    sources = _sources(tmp_path, instances)
    for content in sources:
        answer = httpx.post(f"{pair.peer.base_url}/instances", content=content, timeout=TIMEOUT_S)
        assert answer.status_code == httpx.codes.OK
    assert pair.ask("echo", {}).status_code == httpx.codes.OK
    [study] = httpx.get(f"{pair.peer.base_url}/studies", timeout=TIMEOUT_S).json()
    sent = pair.ask("store", {"Resources": [study], "Synchronous": True})
    assert sent.status_code == httpx.codes.OK, sent.text
    assert sent.json()["FailedInstancesCount"] == 0
    stored = parts(get(f"{pair.node.dicomweb_url}/studies/{instances[0].study}", ANY_DICOM))
    assert _by_uid([part.content for part in stored]) == _by_uid(sources)


def test_what_is_moved_to_it_arrives(pair: Pair, instances: list[WorkloadInstance], tmp_path: Path) -> None:
    sources = _sources(tmp_path, instances)
    for content in sources:
        assert post_instance(pair.node.dicomweb_url, content).status_code == httpx.codes.OK
    command = [require("movescu"), "-S", "-aec", AE_TITLE, "-aem", pair.peer.ae_title]
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={instances[0].study}"]
    ended = subprocess.run(
        [*command, *keys, "127.0.0.1", str(pair.port)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert ended.returncode == 0, ended.stderr
    found = httpx.get(f"{pair.peer.base_url}/instances", timeout=TIMEOUT_S).json()
    received = [httpx.get(f"{pair.peer.base_url}/instances/{each}/file", timeout=TIMEOUT_S).content for each in found]
    assert _by_uid(received) == _by_uid(sources)


def test_it_is_committed_to_what_is_there(pair: Pair, instances: list[WorkloadInstance], tmp_path: Path) -> None:
    sources = _sources(tmp_path, instances)
    for content in sources[:-1]:
        assert post_instance(pair.node.dicomweb_url, content).status_code == httpx.codes.OK
    classes = {uid: str(dataset.SOPClassUID) for uid, dataset in _by_uid(sources).items()}
    named = [{"SOPClassUID": classes[each.sop], "SOPInstanceUID": each.sop} for each in instances]
    for asked, status, failed in ((named[:-1], "Success", []), (named, "Failure", [instances[-1].sop])):
        begun = pair.ask("storage-commitment", {"DicomInstances": asked})
        assert begun.status_code == httpx.codes.OK, begun.text
        report = _reported(f"{pair.peer.base_url}{begun.json()['Path']}")
        assert report["Status"] == status, report
        assert len(report["Success"]) == len(instances) - 1
        assert [one["SOPInstanceUID"] for one in report["Failures"]] == failed


def _reported(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        report: dict[str, Any] = httpx.get(url, timeout=TIMEOUT_S).json()
        if report["Status"] != "Pending" or time.monotonic() > deadline:
            return report
        threading.Event().wait(0.05)


def test_it_finds_a_study_and_has_it_sent(pair: Pair, instances: list[WorkloadInstance], tmp_path: Path) -> None:
    sources = _sources(tmp_path, instances)
    for content in sources:
        assert post_instance(pair.node.dicomweb_url, content).status_code == httpx.codes.OK
    query = {"PatientID": _by_uid(sources)[instances[0].sop].PatientID, "StudyDate": "", "ModalitiesInStudy": ""}
    asked = pair.ask("query", {"Level": "Study", "Query": query})
    assert asked.status_code == httpx.codes.OK, asked.text
    answers = f"{pair.peer.base_url}{asked.json()['Path']}/answers"
    assert httpx.get(answers, timeout=TIMEOUT_S).json() == ["0"]
    found = httpx.get(f"{answers}/0/content?simplify", timeout=TIMEOUT_S).json()
    assert found["StudyInstanceUID"] == instances[0].study
    retrieved = httpx.post(f"{answers}/0/retrieve", json={"Synchronous": True}, timeout=TIMEOUT_S)
    assert retrieved.status_code == httpx.codes.OK, retrieved.text
    stored = httpx.get(f"{pair.peer.base_url}/instances", timeout=TIMEOUT_S).json()
    received = [httpx.get(f"{pair.peer.base_url}/instances/{each}/file", timeout=TIMEOUT_S).content for each in stored]
    assert _by_uid(received) == _by_uid(sources)
