"""DCMTK's findscu (Debian) against the node's query service, each answer held against QIDO-RS."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.dicomweb import JSON, post_instance
from tests.support.peers import require
from tests.support.processes import Node, free_port, serve

pytestmark = pytest.mark.interop

AE_TITLE = "NODE"
STUDIES = WorkloadShape("find", studies=6, series=2, instances=2, rows=16, columns=16)
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Listening:
    """A node with studies, and its DICOM port."""

    node: Node
    port: int
    instances: list[WorkloadInstance]

    def find(
        self, folder: Path, model: str, *keys: str, flags: Sequence[str] = ()
    ) -> tuple[list[pydicom.Dataset], str]:
        """Return the identifiers of the responses, and what findscu has to say."""
        folder.mkdir()
        arguments = [argument for key in keys for argument in ("-k", key)]
        command = [require("findscu"), "-v", *flags, model, "-X", "-od", str(folder), "-aec", AE_TITLE, *arguments]
        ended = subprocess.run(
            [*command, "127.0.0.1", str(self.port)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        files = sorted(folder.glob("rsp*.dcm"))
        return [pydicom.dcmread(file, force=True) for file in files], ended.stdout + ended.stderr

    def search(self, path: str) -> list[dict[str, dict[str, list[object]]]]:
        """Return the rows of QIDO-RS."""
        answer = httpx.get(f"{self.node.dicomweb_url}/{path}", headers={"Accept": JSON}, trust_env=False)
        assert answer.status_code in (200, 204), answer.text
        rows: list[dict[str, dict[str, list[object]]]] = answer.json() if answer.status_code == 200 else []
        return rows


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder, port = tmp_path_factory.mktemp("sources"), free_port()
    instances = write_workload(folder, STUDIES)
    arguments = ("--auth", "off", "--dicom", f"{AE_TITLE}@127.0.0.1:{port}")
    with serve(tmp_path_factory.mktemp("node") / "data", arguments=arguments) as node:
        for instance in instances:
            answer = post_instance(node.dicomweb_url, (folder / instance.path).read_bytes())
            assert answer.status_code == httpx.codes.OK
        yield Listening(node, port, instances)


QUESTIONS = [
    ("everything", [], ""),
    ("a wild card", ["PatientID=*1*"], "PatientID=*1*"),
    ("a name", ["PatientName=*a*"], "PatientName=*a*"),
    ("a range of dates", ["StudyDate=19000101-20991231"], "StudyDate=19000101-20991231"),
    ("a modality", ["ModalitiesInStudy=CT"], "ModalitiesInStudy=CT"),
    ("nobody", ["PatientID=NOBODY"], "PatientID=NOBODY"),
]


@pytest.mark.parametrize(("question", "keys", "query"), QUESTIONS, ids=[question for question, *_ in QUESTIONS])
def test_studies_are_found_as_qido_finds_them(
    listening: Listening, tmp_path: Path, question: str, keys: list[str], query: str
) -> None:
    given = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientID", "NumberOfStudyRelatedInstances", *keys]
    found, told = listening.find(tmp_path / "answers", "-S", *given)
    rows = listening.search(f"studies?includefield=00201208&{query}")
    expected = {row["0020000D"]["Value"][0]: row["00201208"]["Value"][0] for row in rows}
    assert {one.StudyInstanceUID: int(one.NumberOfStudyRelatedInstances) for one in found} == expected, told
    assert "Success" in told


@pytest.mark.parametrize("flag", ["-x=", "-xe", "-xb", "-xd", "-xi"])
@pytest.mark.parametrize("model", ["-S", "-P"])
def test_each_proposal_of_transfer_syntaxes_is_accepted_and_answered(
    listening: Listening, tmp_path: Path, model: str, flag: str
) -> None:
    level = {"-S": "STUDY", "-P": "PATIENT"}[model]
    keys = (f"QueryRetrieveLevel={level}", "PatientID=*1*", "PatientName")
    told, usual = (
        listening.find(tmp_path / "answers", model, *keys, flags=[flag]),
        listening.find(tmp_path / "usual", model, *keys),
    )
    assert told[0] == usual[0]
    assert told[0]


def test_a_patient_leads_down_to_an_instance(listening: Listening, tmp_path: Path) -> None:
    instance = listening.instances[0]
    [study], _ = listening.find(
        tmp_path / "study", "-S", "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={instance.study}", "PatientID"
    )
    [patient], _ = listening.find(
        tmp_path / "patient", "-P", "QueryRetrieveLevel=PATIENT", f"PatientID={study.PatientID}", "PatientName"
    )
    assert patient.PatientID == study.PatientID
    above = [f"PatientID={study.PatientID}", f"StudyInstanceUID={instance.study}"]
    series, _ = listening.find(tmp_path / "series", "-P", "QueryRetrieveLevel=SERIES", *above, "SeriesInstanceUID")
    assert instance.series in {one.SeriesInstanceUID for one in series}
    above.append(f"SeriesInstanceUID={instance.series}")
    images, _ = listening.find(tmp_path / "images", "-P", "QueryRetrieveLevel=IMAGE", *above, "SOPInstanceUID")
    assert len(images) == STUDIES.instances
    assert instance.sop in {one.SOPInstanceUID for one in images}


def test_a_query_without_the_keys_above_is_refused_with_a_reason(listening: Listening, tmp_path: Path) -> None:
    found, told = listening.find(tmp_path / "answers", "-S", "QueryRetrieveLevel=SERIES", "SeriesInstanceUID")
    assert found == []
    assert "DataSetDoesNotMatchSOPClass" in told


def test_the_first_answers_are_enough_for_who_cancels(listening: Listening, tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    command = [require("findscu"), "-v", "-S", "--cancel", "2", "-X", "-od", str(folder), "-aec", AE_TITLE]
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]
    ended = subprocess.run(
        [*command, *keys, "127.0.0.1", str(listening.port)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(list(folder.glob("rsp*.dcm"))) >= 2


def test_an_extended_query_tag_changes_nothing_in_what_is_found(listening: Listening, tmp_path: Path) -> None:
    root = f"{listening.node.base_url}/v2"
    keys = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID", "Manufacturer=*e*")
    before, told = listening.find(tmp_path / "before", "-S", *keys)
    assert before, told
    begun = httpx.post(f"{root}/extendedquerytags", json=[{"path": "Manufacturer", "level": "Study"}], trust_env=False)
    assert begun.status_code == httpx.codes.ACCEPTED, begun.text
    deadline = time.monotonic() + TIMEOUT_S
    while httpx.get(begun.json()["href"], trust_env=False).status_code == httpx.codes.ACCEPTED:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    after, _ = listening.find(tmp_path / "after", "-S", *keys)
    assert after == before
    nothing, told = listening.find(tmp_path / "nothing", "-S", *keys[:2], "Manufacturer=*nobody*")
    assert nothing == []
    assert "Success" in told
