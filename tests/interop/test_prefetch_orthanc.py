"""Orders over MLLP fetch priors from Orthanc (Debian), by C-MOVE and by WADO-RS, and only those that matter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.command_line import CommandLine
from tests.support.hl7_sender import order, send
from tests.support.prior_studies import PriorStudy
from tests.support.processes import Node, Orthanc, free_port, orthanc, serve

pytestmark = pytest.mark.interop

RULES = """
[destinations.pacs]
kind = "dimse"
remote = "ORTHANC@127.0.0.1:{dicom_port}"

[destinations.cloud]
kind = "dicomweb"
url = "{dicomweb_url}"

[prefetch.orders]
sources = ["pacs"]
on = ["order", "study"]
age_max = "1826d"
count_max = 2

[prefetch.get]
sources = ["pacs"]
on = []
fetch_by = "get"

[prefetch.web]
sources = ["cloud"]
on = []
age_max = "1826d"
"""


@dataclass(frozen=True)
class Hospital:
    """An Orthanc as the archive of priors, and a node that takes orders."""

    archive: Orthanc
    node: Node
    mllp_port: int
    command_line: CommandLine

    def preload(self, *studies: PriorStudy) -> None:
        for study in studies:
            for _, content in study.files():
                httpx.post(f"{self.archive.base_url}/instances", content=content).raise_for_status()

    def prefetch(self, *arguments: str) -> Any:
        answer = self.command_line.run("prefetch", "--data-dir", self.node.data_dir, "--json", *arguments)
        assert answer.code == 0, answer.err
        return json.loads(answer.out)

    def runs(self, patient_id: str) -> list[dict[str, Any]]:
        listed = httpx.get(f"{self.node.base_url}/api/prefetch?limit=1000").json()["runs"]
        return [run for run in listed if run["trigger"]["patient_id"] == patient_id]

    def wait_for_runs(self, patient_id: str, states: list[str]) -> list[dict[str, Any]]:
        self.node.process.wait_until(lambda: sorted(run["state"] for run in self.runs(patient_id)) == sorted(states))
        return self.runs(patient_id)

    def instances_here(self, patient_id: str) -> set[str]:
        """Return the UIDs of studies and how many instances of each are here."""
        url = f"{self.node.dicomweb_url}/instances?PatientID={patient_id}&includefield=StudyInstanceUID"
        answer = httpx.get(url)
        rows = answer.json() if answer.status_code == 200 else []
        return {row["0020000D"]["Value"][0] for row in rows}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("prefetch")
    dicom_port, mllp_port = free_port(), free_port()
    modalities = {"DicomModalities": {"node": ["NODE", "127.0.0.1", dicom_port]}}
    with orthanc(folder / "orthanc", configuration=modalities) as archive:
        rules = RULES.format(dicom_port=archive.dicom_port, dicomweb_url=archive.dicomweb_url)
        (folder / "node").mkdir()
        (folder / "routing.toml").write_text(rules)
        settings = [
            f'routing.configuration = "{folder / "routing.toml"}"',
            f'mllp.listen = "127.0.0.1:{mllp_port}"',
            f'dicom.listen = "NODE@127.0.0.1:{dicom_port}"',
        ]
        (folder / "node" / "isocenter.toml").write_text("\n".join(settings))
        with serve(folder / "node") as node:
            yield Hospital(archive, node, mllp_port, CommandLine(folder / "state"))


def test_an_order_fetches_the_priors_that_matter_and_tells_why_others_stay(hospital: Hospital) -> None:
    patient = "ORDER1"
    wanted = PriorStudy(patient, "20250301", series=2)
    others = [
        PriorStudy(patient, "20100301"),
        PriorStudy(patient, "20250401", "MR", "MR knee"),
        PriorStudy(patient, "20250402", "SR", "Report chest"),
    ]
    hospital.preload(wanted, *others)
    first, second = send(hospital.mllp_port, order(patient), order(patient))
    assert "MSA|AA|42" in first
    assert "MSA|AA|42" in second
    runs = hospital.wait_for_runs(patient, ["done", "suppressed"])
    assert hospital.instances_here(patient) == {wanted.study_instance_uid}
    url = f"{hospital.node.base_url}/api/completeness/{wanted.study_instance_uid}"
    hospital.node.process.wait_until(lambda: httpx.get(url).json().get("evidence") == "count")
    (report,) = (run["report"] for run in runs if run["state"] == "done")
    assert [(one["instances"], len(one["series"])) for one in report["fetched"]] == [(4, 2)]
    reasons = {one["study_instance_uid"]: one["reason"] for one in report["judgements"]}
    assert reasons[wanted.study_instance_uid].startswith("chosen: score")
    assert hospital.prefetch("--list")["runs"], "the command tells of them too"
    assert [reasons[study.study_instance_uid] for study in others] == [
        "skipped: 17 years old; limit 5 years",
        "skipped: region leg; wanted chest",
        "skipped: no images, only SR",
    ]


def test_only_the_series_that_are_missing_are_fetched_by_wado(hospital: Hospital) -> None:
    patient = "WEB1"
    study = PriorStudy(patient, "20250301", series=2)
    hospital.preload(study)
    for series, content in study.files():
        if series == 0:
            headers = {"Content-Type": "application/dicom"}
            stored = httpx.post(f"{hospital.node.dicomweb_url}/studies", content=content, headers=headers)
            assert stored.status_code == 200
    arguments = ("--patient", patient, "--modality", "CT", "--description", "CT chest", "--rule", "web")
    (explained,) = hospital.prefetch(*arguments, "--dry-run")
    (judgement,) = explained["judgements"]
    assert [series["series_instance_uid"] for series in judgement["missing_series"]] == [study.series_instance_uid(1)]
    hospital.prefetch(*arguments)
    runs = [run for run in hospital.wait_for_runs(patient, ["done", "done"]) if run["rule"] == "web"]
    (fetched,) = runs[0]["report"]["fetched"]
    assert (fetched["series"], fetched["instances"]) == ([study.series_instance_uid(1)], 2)


def test_series_come_by_c_get_too_from_a_source_that_does_not_know_us(hospital: Hospital) -> None:
    patient = "GET1"
    study = PriorStudy(patient, "20260301", series=2)
    hospital.preload(study)
    hospital.prefetch("--patient", patient, "--modality", "CT", "--description", "chest", "--rule", "get")
    (run,) = hospital.wait_for_runs(patient, ["done"])
    assert [one["instances"] for one in run["report"]["fetched"]] == [4]


def test_a_new_study_fetches_its_priors_and_they_fetch_nothing_more(hospital: Hospital) -> None:
    patient = "ARRIVAL1"
    prior, older = PriorStudy(patient, "20250301"), PriorStudy(patient, "20220101")
    new = PriorStudy(patient, "20261101", description="CT thorax")
    hospital.preload(prior, older)
    (_, content), *_ = new.files()
    headers = {"Content-Type": "application/dicom"}
    httpx.post(f"{hospital.node.dicomweb_url}/studies", content=content, headers=headers).raise_for_status()
    (run,) = hospital.wait_for_runs(patient, ["done"])
    assert run["kind"] == "study"
    uids = {study.study_instance_uid for study in (new, prior, older)}
    assert hospital.instances_here(patient) == uids
    # The priors have gone by in the feed before the study of this patient that follows them.
    other = PriorStudy("ARRIVAL2", "20261101")
    (_, content), *_ = other.files()
    httpx.post(f"{hospital.node.dicomweb_url}/studies", content=content, headers=headers).raise_for_status()
    hospital.wait_for_runs("ARRIVAL2", ["done"])
    assert len(hospital.runs(patient)) == 1


def test_a_dry_run_fetches_and_keeps_nothing(hospital: Hospital) -> None:
    patient = "DRY1"
    hospital.preload(PriorStudy(patient, "20100301"), PriorStudy(patient, "20260301"))
    answer = hospital.command_line.must(
        *("prefetch", "--data-dir", str(hospital.node.data_dir), "--patient", patient, "--modality", "ct"),
        *("--description", "CT chest", "--rule", "orders", "--dry-run"),
    )
    assert "17 years old; limit 5 years" in answer
    assert "chosen: score" in answer
    assert "1 series to fetch" in answer
    assert hospital.runs(patient) == []
    assert hospital.instances_here(patient) == set()


def test_a_fetched_study_that_somebody_opens_is_a_hit(hospital: Hospital) -> None:
    patient = "HIT1"
    study = PriorStudy(patient, "20260301")
    hospital.preload(study)
    url = f"{hospital.node.base_url}/api/prefetch"
    body = {"patient_id": patient, "modality": "CT", "description": "chest", "rule": "orders"}
    assert httpx.post(url, json=body).status_code == 202
    hospital.wait_for_runs(patient, ["done"])
    before = httpx.get(url).json()
    assert before["fetched_studies"] > before["opened_studies"]
    headers = {"Accept": "multipart/related; type=application/dicom"}
    retrieved = httpx.get(f"{hospital.node.dicomweb_url}/studies/{study.study_instance_uid}", headers=headers)
    assert retrieved.status_code == 200
    hospital.node.process.wait_until(lambda: bool(httpx.get(url).json()["opened_studies"] > before["opened_studies"]))


def test_what_cannot_be_asked_for_is_refused(hospital: Hospital) -> None:
    url = f"{hospital.node.base_url}/api/prefetch"
    assert httpx.post(url, json={"modality": "CT"}).json() == {"error": "patient_id is missing."}
    assert httpx.post(url, json={"patient_id": "1", "rule": "nobody"}).status_code == 404
    assert httpx.post(url, content=b"[").status_code == 400
    assert httpx.post(url, json={"patient": "1"}).status_code == 400
    assert httpx.get(url + "?limit=0").status_code == 400
