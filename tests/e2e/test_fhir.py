"""A started node keeps a strict FHIR server in step: creates, updates, deletes, outages, kills, what is not taken."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.fhir_peer import FhirPeer, ask, fhir_peer, instance_uids
from tests.support.fhir_studies import dicom_file
from tests.support.instances import identify
from tests.support.processes import Node, serve

SYSTEM = "urn:oid:1.2.276.0.76"
SERVICE = "http://archive.example/v2"
DICOM_JSON = "application/dicom+json"
FIRST, SECOND = identify(1), identify(2)
TIMEOUT_S = 30.0


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[FhirPeer]:
    one = fhir_peer(tmp_path / "fhir")
    with one.running():
        yield one


@dataclass(frozen=True, slots=True)
class Pair:
    """A node that casts to a server, for tests that leave both as they should be."""

    node: Node
    peer: FhirPeer
    fhir: Mapping[str, str]

    def wait_in_step(self) -> None:
        """Wait until the whole feed was cast."""
        latest = ask("GET", f"{self.node.base_url}/v2/changefeed/latest").json()["sequence"]
        _wait_in_step(self.node, latest)

    def study(self, study: int) -> dict[str, Any]:
        """Return an ImagingStudy that must be there."""
        found = self.peer.study(identify(study).study_instance_uid)
        assert found is not None
        return found

    def patient(self, study: dict[str, Any]) -> dict[str, Any]:
        """Return the Patient of an ImagingStudy."""
        [found] = [one for one in self.peer.all("Patient") if f"Patient/{one['id']}" == study["subject"]["reference"]]
        return found

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the folder of the node."""
        return _command(self.node.data_dir, *arguments, fhir=self.fhir)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    peer = fhir_peer(folder / "fhir")
    with peer.running():
        peer.set_faults(token="granted")
        credentials = {"token_url": f"{peer.url}/$token", "client_id": "node", "client_secret": "s3cr3t"}
        fhir = _settings(peer, **credentials)
        with serve(folder / "data", environment=fhir) as node:
            yield Pair(node, peer, fhir)


def _settings(peer: FhirPeer, **others: str) -> Mapping[str, str]:
    named = {"url": peer.url, "dicomweb_url": SERVICE, "patient_system": SYSTEM, "poll_interval_s": "100ms", **others}
    return {f"ISOCENTER_FHIR_{name.upper()}": value for name, value in named.items()}


def _store(node: Node, *contents: bytes, method: str = "POST", path: str = "studies") -> None:
    headers = {"Content-Type": "application/dicom", "Accept": DICOM_JSON}
    for content in contents:
        url = f"{node.base_url}/v2/{path}"
        answer = ask(method, url, content=content, headers=headers)
        assert answer.status_code in (200, 202), answer.text


def _delete(node: Node, path: str) -> None:
    ask("DELETE", f"{node.base_url}/v2/{path}").raise_for_status()


def _status(node: Node, *arguments: str, fhir: Mapping[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_command(node.data_dir, "status", "--json", *arguments, fhir=fhir).stdout)
    return document


def _command(folder: Path, *arguments: str, fhir: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("isocenter"))
    command = [program, "fhir", *arguments, "--data-dir", str(folder)]
    environment = {**os.environ, **fhir}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def _metrics(node: Node) -> str:
    return ask("GET", f"{node.base_url}/metrics").text


def _metric(node: Node, name: str) -> float:
    text = _metrics(node)
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"isocenter_{name} ")), -1.0)


def _wait_in_step(node: Node, rows: int) -> None:
    """Wait until so many rows of the feed were cast, and none is left."""
    node.process.wait_until(
        lambda: _metric(node, "fhir_rows_total") >= rows and _metric(node, "fhir_behind") == 0, timeout_s=TIMEOUT_S
    )


def test_a_study_appears_with_its_patient_and_endpoint(pair: Pair) -> None:
    first, patient_id = identify(11), {"PatientID": "P11"}
    other_series = dicom_file(identify(11, 2, 1), **patient_id, Modality="SR", SeriesNumber="2", SeriesDescription=None)
    _store(pair.node, dicom_file(first, **patient_id), dicom_file(identify(11, 1, 2), **patient_id), other_series)
    pair.wait_in_step()
    study = pair.study(11)
    patient, [endpoint] = pair.patient(study), pair.peer.all("Endpoint")
    assert patient["identifier"] == [{"system": SYSTEM, "value": "P11"}]
    assert patient["name"] == [
        {"use": "usual", "family": "Doe", "given": ["John", "Paul", "M"], "prefix": ["Dr"], "suffix": ["Jr"]}
    ]
    assert (patient["gender"], patient["birthDate"]) == ("male", "1970-01-02")
    assert (endpoint["name"], endpoint["address"]) == (f"DICOM WADO-RS endpoint {SERVICE}", SERVICE)
    assert study["endpoint"] == [{"reference": f"Endpoint/{endpoint['id']}"}]
    assert (study["started"], study["status"]) == ("2026-01-02T03:04:05+01:00", "available")
    assert study["identifier"][0] == {"system": "urn:dicom:uid", "value": f"urn:oid:{first.study_instance_uid}"}
    assert study["identifier"][1]["value"] == "A1"
    assert [one["code"] for one in study["modality"]] == ["CT", "SR"]
    assert study["note"] == [{"text": "CT head"}]
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 3)
    assert [one["numberOfInstances"] for one in study["series"]] == [2, 1]
    assert study["meta"]["source"] == SERVICE
    assert f"TOKEN {pair.peer.url}/.default" in pair.peer.requests("TOKEN")
    assert "s3cr3t" not in pair.node.process.log()


def test_updates_are_followed_and_what_others_wrote_stays(pair: Pair) -> None:
    first, patient_id = identify(12), {"PatientID": "P12"}
    _store(pair.node, dicom_file(first, **patient_id))
    pair.wait_in_step()
    study = pair.study(12)
    for one, more in (
        (pair.patient(study), {"telecom": [{"system": "phone", "value": "1"}], "birthDate": "1970-01-03"}),
        (study, {"note": [*study["note"], {"text": "seen"}]}),
    ):
        assert pair.peer.write_over(one, more).status_code == 200
    corrected = dicom_file(first, **patient_id, PatientName="Roe^Jane", PatientSex="F", AccessionNumber="A2")
    _store(pair.node, corrected, method="PUT")
    pair.wait_in_step()
    study = pair.study(12)
    patient = pair.patient(study)
    assert patient["name"] == [{"use": "usual", "family": "Roe", "given": ["Jane"]}]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1970-01-03")
    assert patient["telecom"] == [{"system": "phone", "value": "1"}]
    assert [one["value"] for one in study["identifier"][1:]] == ["A2"]
    assert {"text": "seen"} in study["note"]


def test_deletes_are_followed_to_the_last_instance(pair: Pair) -> None:
    first = identify(13)
    _store(pair.node, dicom_file(first), dicom_file(identify(13, 1, 2)), dicom_file(identify(13, 2, 1)))
    pair.wait_in_step()
    series = f"studies/{first.study_instance_uid}/series/{first.series_instance_uid}"
    _delete(pair.node, f"{series}/instances/{first.sop_instance_uid}")
    pair.wait_in_step()
    assert first.sop_instance_uid not in instance_uids(pair.study(13))
    _delete(pair.node, series)
    pair.wait_in_step()
    assert instance_uids(pair.study(13)) == [identify(13, 2, 1).sop_instance_uid]
    _delete(pair.node, f"studies/{first.study_instance_uid}")
    pair.wait_in_step()
    assert pair.peer.study(first.study_instance_uid) is None
    _store(pair.node, dicom_file(first))
    pair.wait_in_step()
    assert instance_uids(pair.study(13)) == [first.sop_instance_uid]


def test_an_outage_loses_nothing(tmp_path: Path) -> None:
    peer = fhir_peer(tmp_path / "fhir")
    fhir = _settings(peer)
    with serve(tmp_path / "data", environment=fhir) as node:
        _store(node, dicom_file(FIRST))
        node.process.wait_until(lambda: "fhir.not_taken" in node.process.log())
        standing = _status(node, fhir=fhir)
        assert standing["behind"] == 1
        assert "cannot be reached" in standing["failure"]
        with peer.running():
            _wait_in_step(node, 1)
        for number in range(2, 12):
            _store(node, dicom_file(identify(number % 3 + 1, 1, number)))
        with peer.running():
            _wait_in_step(node, 11)
            found = [peer.study(identify(number).study_instance_uid) for number in (1, 2, 3)]
            assert sum(len(instance_uids(study)) for study in found) == 11
            assert [len(peer.all(kind)) for kind in ("Patient", "Endpoint", "ImagingStudy")] == [1, 1, 3]


def test_answers_that_are_lost_and_competitors_double_nothing(pair: Pair) -> None:
    pair.peer.set_faults(lost_answers=2, statuses=[503, 403, 429], headers={"Retry-After": "0"}, competitors=2)
    patient_id = {"PatientID": "P14"}
    _store(pair.node, dicom_file(identify(14), **patient_id), dicom_file(identify(14, 1, 2), **patient_id))
    pair.wait_in_step()
    pair.peer.set_faults(lost_answers=1, competitors=1)
    _store(pair.node, dicom_file(identify(14, 1, 3), **patient_id))
    pair.wait_in_step()
    assert len(instance_uids(pair.study(14))) == 3
    identifier = [{"system": SYSTEM, "value": "P14"}]
    assert len([one for one in pair.peer.all("Patient") if one["identifier"] == identifier]) == 1
    assert len(pair.peer.all("Endpoint")) == 1


def test_kills_lose_and_double_nothing(peer: FhirPeer, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    moments, number = random.Random(seed), 0
    fhir = _settings(peer)
    peer.set_faults(delay_s=0.03)
    for _ in range(2):
        with serve(tmp_path / "data", environment=fhir, must_end_cleanly=False) as node:
            for _ in range(12):
                number += 1
                _store(node, dicom_file(identify(number % 4 + 1, number % 2 + 1, number)))
            if number == 24:
                _delete(node, f"studies/{identify(1).study_instance_uid}")
            time.sleep(moments.uniform(0, 0.4))
            node.process.kill()
    with serve(tmp_path / "data", environment=fhir) as node:
        node.process.wait_until(lambda: _metric(node, "fhir_behind") == 0 and bool(peer.all("ImagingStudy")))
        done = _command(node.data_dir, "reconcile", "--json", fhir=fhir)
        answer = ask("GET", f"{node.base_url}/v2/instances", params={"limit": 200}).json()
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    stored = sorted(one["00080018"]["Value"][0] for one in answer)
    cast = sorted(uid for study in peer.all("ImagingStudy") for uid in instance_uids(study))
    assert cast == stored
    assert [len(peer.all(kind)) for kind in ("Patient", "Endpoint")] == [1, 1]


def test_what_the_server_does_not_take_is_shelved_the_feed_goes_on_and_it_is_tried_again(pair: Pair) -> None:
    poisonous, other = identify(15).study_instance_uid, identify(16)
    pair.peer.set_faults(poison=[poisonous])
    _store(pair.node, dicom_file(identify(15)), dicom_file(other))
    pair.wait_in_step()
    assert pair.peer.study(poisonous) is None
    assert instance_uids(pair.study(16)) == [other.sop_instance_uid]
    shown = pair.command("status")
    assert (shown.returncode, "1 shelved" in shown.stdout, "in step" in shown.stdout) == (1, True, True)
    [error] = json.loads(pair.command("errors", "--kind", "fhir", "--json").stdout)
    assert (error["kind"], error["study_instance_uid"]) == ("fhir", poisonous)
    assert "422 (business-rule ImagingStudy.series)" in error["reason"]
    table = pair.command("errors", "--kind", "fhir").stdout.splitlines()
    assert (table[0].split("\t")[0], poisonous in table[1]) == ("kind", True)
    assert "Doe" not in error["reason"] + pair.node.process.log()
    pair.peer.set_faults(poison=[])
    done = pair.command("retry", poisonous)
    assert (done.returncode, done.stdout) == (0, "1 study will be cast again.\n")
    pair.node.process.wait_until(lambda: pair.peer.study(poisonous) is not None)
    pair.node.process.wait_until(lambda: 'isocenter_fhir_errors{kind="fhir"} 0.0' in _metrics(pair.node))


def test_attributes_and_instances_that_cannot_be_mapped_are_told_apart(pair: Pair) -> None:
    bad_time = dicom_file(identify(17), StudyTime="99", PatientSex="W")
    no_patient, fine = dicom_file(identify(17, 1, 2), PatientID=""), dicom_file(identify(17, 1, 3))
    _store(pair.node, bad_time, no_patient, fine)
    pair.wait_in_step()
    errors = json.loads(pair.command("errors", "--json").stdout)
    found = {
        (one["kind"], one["attribute"], one["sop_instance_uid"][-1])
        for one in errors
        if one["study_instance_uid"] == identify(17).study_instance_uid
    }
    assert found == {("tag", "StudyTime", "1"), ("tag", "PatientSex", "1"), ("dicom", "PatientID", "2")}
    assert [uid[-1] for uid in instance_uids(pair.study(17))] == ["1", "3"]


def test_the_feed_is_cast_anew_from_a_row_and_what_differs_is_healed(peer: FhirPeer, tmp_path: Path) -> None:
    fhir = _settings(peer)
    with serve(tmp_path / "data", environment=fhir) as node:
        _store(node, dicom_file(FIRST), dicom_file(SECOND))
        _wait_in_step(node, 2)
        for study in peer.all("ImagingStudy"):
            assert peer.send("DELETE", f"ImagingStudy/{study['id']}").status_code == 204
        compared = _command(node.data_dir, "reconcile", "--json", fhir=fhir)
        assert compared.returncode == 1
        assert {one["study_instance_uid"] for one in json.loads(compared.stdout)} == {
            FIRST.study_instance_uid,
            SECOND.study_instance_uid,
        }
        done = _command(node.data_dir, "rerun", "--from", "2", fhir=fhir)
        assert (done.returncode, done.stdout) == (0, "1 row of the change feed will be cast anew.\n")
        node.process.wait_until(lambda: peer.study(SECOND.study_instance_uid) is not None)
        assert peer.study(FIRST.study_instance_uid) is None
        assert _command(node.data_dir, "reconcile", "--heal", fhir=fhir).returncode == 1
        node.process.wait_until(lambda: peer.study(FIRST.study_instance_uid) is not None)


def test_after_a_rebuild_of_the_index_what_is_gone_goes_and_what_is_new_comes(tmp_path: Path) -> None:
    peer, folder = fhir_peer(tmp_path / "fhir"), tmp_path / "data"
    fhir = {**_settings(peer), "ISOCENTER_ARCHIVE_ERASE_AFTER_S": "0s"}
    with serve(folder, environment=fhir) as node:
        with peer.running():
            _store(node, dicom_file(FIRST), dicom_file(SECOND))
            _wait_in_step(node, 2)
        _delete(node, f"studies/{FIRST.study_instance_uid}")
        _store(node, dicom_file(identify(3)))
    program = str(Path(sys.executable).with_name("isocenter"))
    subprocess.run([program, "reindex", "--data-dir", str(folder)], check=True, capture_output=True)
    with peer.running(), serve(folder, environment=fhir) as node:
        node.process.wait_until(lambda: peer.study(identify(3).study_instance_uid) is not None)
        node.process.wait_until(lambda: peer.study(FIRST.study_instance_uid) is None)
        assert instance_uids(peer.study(SECOND.study_instance_uid)) == [SECOND.sop_instance_uid]


def test_a_server_that_never_answers_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    peer = fhir_peer(tmp_path / "fhir")
    with socket.create_server(("127.0.0.1", peer.port)) as silent:
        with serve(tmp_path / "data", environment=_settings(peer)) as node:
            _store(node, dicom_file(FIRST))
            connection, _ = silent.accept()
        connection.close()
