"""Translators with other people's programs: DCMTK before a cloud with tokens, Orthanc before it, Orthanc behind it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.dcmtk import DcmtkServer, storescp
from tests.support.peers import require
from tests.support.processes import Node, Orthanc, free_port, orthanc, serve
from tests.support.secure_node import AUDIENCE, SecureNode, serve_securely
from tests.support.stow import store
from tests.support.translator import TITLE, TranslatorNode, translating

pytestmark = pytest.mark.interop

SHAPE = WorkloadShape("small", studies=2, series=2, instances=6, rows=16, columns=16)
TIMEOUT_S = 120
SECRET_NAME = "cloud-client-secret"


def _call(program: str, port: int, *arguments: str, called: str = TITLE) -> subprocess.CompletedProcess[str]:
    command = [require(program), "-v", "-aec", called, *arguments, "127.0.0.1", str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def _store(port: int, files: list[Path]) -> None:
    command = [require("storescu"), "-aec", TITLE, "127.0.0.1", str(port), *map(str, files)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode == 0, ended.stderr


def _keys(level: str, *keys: str) -> list[str]:
    return [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]


def _datasets(paths: list[Path]) -> dict[str, pydicom.Dataset]:
    read = [pydicom.dcmread(path) for path in paths]
    return {str(dataset.SOPInstanceUID): dataset for dataset in read}


# ---- DCMTK, and a cloud of our own that asks for tokens


@dataclass(frozen=True, slots=True)
class Secured:
    """A cloud that wants tokens, a translator that has them, and a receiver."""

    cloud: SecureNode
    translator: TranslatorNode
    receiver: DcmtkServer
    instances: list[WorkloadInstance]
    sources: Path

    def dcmtk(self, program: str, *arguments: str) -> str:
        """Run a client of DCMTK, which must end well."""
        ended = _call(program, self.translator.port, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    instances = write_workload(folder / "sources", SHAPE)
    with ExitStack() as stack:
        receiver = stack.enter_context(storescp(folder / "received"))
        cloud = stack.enter_context(serve_securely(folder / "cloud"))
        client = cloud.register("router", "--role", "owner")
        destination = (
            f'authority_file = "{cloud.authority}"\n[destinations.cloud.authentication]\nkind = "oauth2"\n'
            f'token_url = "{cloud.base_url}/{client.tenant_id}/oauth2/token"\n'
            f'resource = "{AUDIENCE}"\nclient_id = "{client.client_id}"\nclient_secret = "{SECRET_NAME}"'
        )
        translator = stack.enter_context(
            translating(
                folder / "translator",
                f"{cloud.base_url}/v2",
                remotes=[receiver.peer],
                destination=destination,
                environment={"ISOCENTER_SECRET_CLOUD_CLIENT_SECRET": client.secret},
            )
        )
        yield Secured(cloud, translator, receiver, instances, folder / "sources")


def test_dcmtk_stores_finds_moves_and_gets_through_a_cloud_with_tokens(secured: Secured, tmp_path: Path) -> None:
    secured.dcmtk("echoscu")
    _store(secured.translator.port, [secured.sources / one.path for one in secured.instances])
    study = secured.instances[0].study
    found = secured.dcmtk("findscu", "-S", *_keys("STUDY", "StudyInstanceUID", "NumberOfStudyRelatedInstances"))
    assert found.count("Find Response:") == SHAPE.studies
    assert found.count("(0020,1208) IS [12]") == SHAPE.studies
    secured.dcmtk("movescu", "-S", "-aem", secured.receiver.ae_title, *_keys("STUDY", f"StudyInstanceUID={study}"))
    wanted = _datasets([secured.sources / one.path for one in secured.instances if one.study == study])
    assert _datasets(secured.receiver.files()) == wanted
    secured.dcmtk("getscu", "-S", "-od", str(tmp_path), *_keys("STUDY", f"StudyInstanceUID={study}"))
    assert _datasets(list(tmp_path.iterdir())) == wanted


def test_other_titles_are_not_answered_for(secured: Secured) -> None:
    assert _call("echoscu", secured.translator.port, called="ISOCENTER").returncode != 0


# ---- Orthanc as the cloud


@dataclass(frozen=True, slots=True)
class Behind:
    """An Orthanc behind a translator, and a receiver."""

    cloud: Orthanc
    translator: TranslatorNode
    receiver: DcmtkServer
    instances: list[WorkloadInstance]
    sources: Path


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp("behind")
    instances = write_workload(folder / "sources", SHAPE)
    with (
        storescp(folder / "received") as receiver,
        orthanc(folder / "orthanc") as cloud,
        translating(
            folder / "translator", cloud.dicomweb_url, remotes=[receiver.peer], profile="orthanc"
        ) as translator,
    ):
        _store(translator.port, [folder / "sources" / one.path for one in instances])
        yield Behind(cloud, translator, receiver, instances, folder / "sources")


def test_what_is_stored_lies_in_orthanc(behind: Behind) -> None:
    found = httpx.get(f"{behind.cloud.base_url}/statistics", timeout=TIMEOUT_S).json()
    assert found["CountInstances"] == len(behind.instances)


@pytest.mark.parametrize(
    ("level", "keys", "count"),
    [
        ("STUDY", ("StudyInstanceUID", "PatientName=*", "StudyDescription"), 2),
        ("STUDY", ("StudyInstanceUID", "PatientID=PIDsmall000000?", "StudyDate=20000101-"), 2),
        ("STUDY", ("StudyInstanceUID", "PatientName=nobody*"), 0),
        ("SERIES", ("StudyInstanceUID=STUDY", "SeriesInstanceUID", "Modality", "NumberOfSeriesRelatedInstances"), 2),
        ("IMAGE", ("StudyInstanceUID=STUDY", "SeriesInstanceUID=SERIES", "SOPInstanceUID", "InstanceNumber"), 6),
    ],
)
def test_orthanc_is_searched_by_dimse(behind: Behind, level: str, keys: tuple[str, ...], count: int) -> None:
    first = behind.instances[0]
    named = [key.replace("=STUDY", f"={first.study}").replace("=SERIES", f"={first.series}") for key in keys]
    ended = _call("findscu", behind.translator.port, "-S", *_keys(level, *named))
    told = ended.stdout + ended.stderr
    assert "Received Final Find Response (Success)" in told
    assert told.count("Find Response:") == count


def test_what_lies_in_orthanc_is_moved(behind: Behind) -> None:
    study = behind.instances[0].study
    title = behind.receiver.ae_title
    keys = _keys("STUDY", f"StudyInstanceUID={study}")
    ended = _call("movescu", behind.translator.port, "-S", "-aem", title, *keys)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    wanted = _datasets([behind.sources / one.path for one in behind.instances if one.study == study])
    assert _datasets(behind.receiver.files()) == wanted


# ---- Orthanc as the old PACS


@dataclass(frozen=True, slots=True)
class Before:
    """An Orthanc to which the cloud is one more PACS."""

    pacs: Orthanc
    cloud: Node
    instances: list[WorkloadInstance]
    sources: Path

    def ask(self, path: str, body: object) -> Any:
        answer = httpx.post(f"{self.pacs.base_url}{path}", json=body, timeout=TIMEOUT_S)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return httpx.get(f"{self.pacs.base_url}{path}", timeout=TIMEOUT_S).json()


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Before]:
    instances = write_workload(tmp_path / "sources", SHAPE)
    port = free_port()
    settings = {"DicomModalities": {"cloud": [TITLE, "127.0.0.1", port]}, "DicomAlwaysAllowStore": True}
    with (
        serve(tmp_path / "cloud") as cloud,
        orthanc(tmp_path / "orthanc", configuration=settings) as pacs,
        translating(
            tmp_path / "translator",
            f"{cloud.base_url}/v2",
            remotes=[f"{pacs.ae_title}@127.0.0.1:{pacs.dicom_port}"],
            port=port,
            translator='callers = ["ORTHANC"]',
        ),
    ):
        yield Before(pacs, cloud, instances, tmp_path / "sources")


def test_orthanc_finds_and_retrieves_a_prior_and_sends_and_is_committed_to(before: Before) -> None:
    contents = {one.sop: (before.sources / one.path).read_bytes() for one in before.instances}
    first, second = (sorted({one.study for one in before.instances})[number] for number in (0, 1))
    store(before.cloud.dicomweb_url, [contents[one.sop] for one in before.instances if one.study == first])
    # the prior is found and pulled, as a person does it in Orthanc's pages
    found = before.ask(
        "/modalities/cloud/query", {"Level": "Study", "Query": {"StudyInstanceUID": "", "PatientID": ""}}
    )
    answers = before.get(f"{found['Path']}/answers?expand&simplify")
    assert [answer["StudyInstanceUID"] for answer in answers] == [first]
    before.ask(f"{found['Path']}/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    assert before.get("/statistics")["CountInstances"] == 12
    # its own study goes to the cloud
    for one in before.instances:
        if one.study == second:
            httpx.post(f"{before.pacs.base_url}/instances", content=contents[one.sop], timeout=TIMEOUT_S)
    [own] = before.ask("/tools/find", {"Level": "Study", "Query": {"StudyInstanceUID": second}})
    sent = before.ask("/modalities/cloud/store", {"Resources": [own], "Synchronous": True})
    assert sent["FailedInstancesCount"] == 0
    # and the cloud answers for it, and for nothing that it does not have
    named = [{"SOPClassUID": one.sop_class, "SOPInstanceUID": one.sop} for one in before.instances]
    missing = {"SOPClassUID": named[0]["SOPClassUID"], "SOPInstanceUID": "2.25.1"}
    for asked, status, failed in ((named, "Success", []), ([*named, missing], "Failure", ["2.25.1"])):
        begun = before.ask("/modalities/cloud/storage-commitment", {"DicomInstances": asked})
        report = _reported(before, begun["Path"])
        assert report["Status"] == status, report
        assert len(report["Success"]) == len(named)
        assert [one["SOPInstanceUID"] for one in report["Failures"]] == failed


def _reported(before: Before, path: str) -> dict[str, Any]:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        report: dict[str, Any] = before.get(path)
        if report["Status"] != "Pending" or time.monotonic() > deadline:
            return report
        threading.Event().wait(0.05)
