"""Orthanc with its DICOMweb plugin (Debian) sends to us by STOW-RS and reads from us by QIDO-RS and WADO-RS."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pydicom
import pytest

from isocenter.modality.demo_studies import demo_plans
from isocenter.modality.plans import CtSeriesPlan
from isocenter.modality.studies import iter_study
from tests.support.dicomweb import ANY_DICOM, get, parts
from tests.support.processes import Node, Orthanc, orthanc, serve

pytestmark = pytest.mark.interop

INSTANCES = 5
SERVER = "isocenter"


@pytest.fixture(scope="module")
def contents() -> list[bytes]:
    """Return the first instances of a generated CT study."""
    plan = next(plan for plan in demo_plans(datetime(2026, 11, 21)) if isinstance(plan.series[0], CtSeriesPlan))
    found = []
    for content in iter_study(plan, 11):
        found.append(content)
        if len(found) == INSTANCES:
            break
    return found


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Node, Orthanc]]:
    """Return a node, and an Orthanc that knows it as a DICOMweb server."""
    with (
        serve(tmp_path / "node") as node,
        orthanc(tmp_path / "orthanc", dicomweb_servers={SERVER: f"{node.dicomweb_url}/"}) as peer,
    ):
        yield node, peer


def _datasets(contents: list[bytes]) -> dict[str, pydicom.Dataset]:
    read = [pydicom.dcmread(io.BytesIO(content)) for content in contents]
    return {dataset.SOPInstanceUID: dataset for dataset in read}


def test_a_study_that_orthanc_sends_arrives_whole(pair: tuple[Node, Orthanc], contents: list[bytes]) -> None:
    node, peer = pair
    for content in contents:
        assert httpx.post(f"{peer.base_url}/instances", content=content, timeout=60).status_code == httpx.codes.OK
    [study] = httpx.get(f"{peer.base_url}/studies", timeout=60).json()

    answer = httpx.post(
        f"{peer.base_url}/dicom-web/servers/{SERVER}/stow",
        json={"Resources": [study], "Synchronous": True},
        timeout=120,
    )
    assert answer.status_code == httpx.codes.OK, answer.text

    expected = _datasets(contents)
    study_instance_uid = next(iter(expected.values())).StudyInstanceUID
    received = [part.content for part in parts(get(f"{node.dicomweb_url}/studies/{study_instance_uid}", ANY_DICOM))]
    assert _datasets(received) == expected


def test_orthanc_finds_and_fetches_a_study_of_ours(pair: tuple[Node, Orthanc], contents: list[bytes]) -> None:
    node, peer = pair
    for content in contents:
        stored = httpx.post(
            f"{node.dicomweb_url}/studies", content=content, headers={"Content-Type": "application/dicom"}, timeout=60
        )
        assert stored.status_code == httpx.codes.OK
    expected = _datasets(contents)
    first = next(iter(expected.values()))

    found = httpx.post(
        f"{peer.base_url}/dicom-web/servers/{SERVER}/qido",
        json={"Uri": "/studies", "Arguments": {"PatientID": first.PatientID}},
        timeout=60,
    )
    assert found.status_code == httpx.codes.OK, found.text
    assert [item["0020000D"]["Value"] for item in found.json()] == [first.StudyInstanceUID]

    fetched = httpx.post(
        f"{peer.base_url}/dicom-web/servers/{SERVER}/retrieve",
        json={"Resources": [{"Study": first.StudyInstanceUID}], "Synchronous": True},
        timeout=120,
    )
    assert fetched.status_code == httpx.codes.OK, fetched.text
    instances = httpx.get(f"{peer.base_url}/instances", timeout=60).json()
    received = [httpx.get(f"{peer.base_url}/instances/{each}/file", timeout=60).content for each in instances]
    assert _datasets(received) == expected
