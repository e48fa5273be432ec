"""Connection tests against DCMTK's storescp and Orthanc."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from isocenter.app.connection_testing.destination import Circumstances, check_dimse, check_web_archive
from isocenter.app.dimse_peer import DimsePeer, TlsFiles
from isocenter.app.web_archive import WebArchive
from isocenter.domain.application_entity import parse_remote_ae
from isocenter.modality.workload import WorkloadShape, write_workload
from isocenter.routing.connection_test.report import ConnectionReport, Outcome, Step, StepName
from tests.support.certificates import Authority
from tests.support.command_line import CommandLine
from tests.support.dcmtk import storescp
from tests.support.processes import Orthanc, orthanc

pytestmark = pytest.mark.interop

CIRCUMSTANCES = Circumstances(datetime.now(UTC))


def _check(address: str) -> ConnectionReport:
    return check_dimse(DimsePeer(parse_remote_ae(address)), CIRCUMSTANCES, name="peer")


def _step(report: ConnectionReport, name: StepName) -> Step:
    return next(step for step in report.steps if step.name is name)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    checks = {
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowFind": False,
        "DicomModalities": {"us": {"AET": "ISOCENTER", "Host": "127.0.0.1", "Port": 104, "AllowMove": False}},
    }
    with orthanc(tmp_path_factory.mktemp("orthanc"), configuration=checks) as started:
        yield started


def test_a_peer_that_only_stores_is_sound_and_tells_what_it_takes(tmp_path: Path) -> None:
    with storescp(tmp_path / "storescp", "+xa") as server:
        report = _check(server.peer)
        assert server.files() == []
    assert report.is_sound
    assert [_step(report, name).outcome for name in (StepName.ECHO, StepName.FIND, StepName.MOVE)] == [
        Outcome.PASSED,
        Outcome.SKIPPED,
        Outcome.SKIPPED,
    ]
    taken = dict(_step(report, StepName.CONTEXTS).facts)["CT Image Storage"]
    assert "JPEG 2000" in taken
    assert "RLE Lossless" in taken


def test_a_peer_over_tls_says_whose_certificate_is_wanting(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path / "ca"), Authority(tmp_path / "other", name="Stranger")
    theirs, ours, strange = authority.issue("theirs"), authority.issue("ours"), stranger.issue("strange")
    listens = ("+tls", str(theirs.key), str(theirs.certificate), "+cf", str(authority.certificate))
    shown = {
        "nothing": TlsFiles(authorities=authority.certificate),
        "a stranger's": TlsFiles(strange.certificate, strange.key, authority.certificate),
        "ours": TlsFiles(ours.certificate, ours.key, authority.certificate),
        "ours, and trusting nobody": TlsFiles(ours.certificate, ours.key),
    }
    with storescp(tmp_path / "storescp", *listens) as server:
        peer = DimsePeer(parse_remote_ae(f"{server.peer}?tls=on"))
        reports = {
            what: check_dimse(peer, replace(CIRCUMSTANCES, tls_files=files), name="peer")
            for what, files in shown.items()
        }
        plain = _check(server.peer)
    codes = {what: _step(report, StepName.TLS).code for what, report in reports.items()}
    assert codes == {
        "nothing": "transport:tls-refused",
        "a stranger's": "transport:tls-refused",
        "ours": "",
        "ours, and trusting nobody": "transport:tls-untrusted",
    }
    assert reports["ours"].is_sound
    assert "it wants a certificate of ours" in _step(reports["nothing"], StepName.TLS).happened
    assert _step(plain, StepName.ASSOCIATION).happened.startswith("The other side speaks TLS on this port")


def test_a_peer_that_checks_the_called_title_is_told_apart(peer: Orthanc) -> None:
    right, wrong = _check(f"ORTHANC@127.0.0.1:{peer.dicom_port}"), _check(f"OTHER@127.0.0.1:{peer.dicom_port}")
    assert _step(right, StepName.ASSOCIATION).outcome is Outcome.PASSED
    assert _step(right, StepName.FIND).outcome is Outcome.PASSED
    refused = _step(wrong, StepName.ASSOCIATION)
    assert (refused.outcome, refused.code) == (Outcome.FAILED, "reject:1.7")
    assert _step(wrong, StepName.ECHO).outcome is Outcome.SKIPPED


def test_a_service_gives_metadata_and_takes_an_image_that_it_cannot_delete(peer: Orthanc, tmp_path: Path) -> None:
    write_workload(tmp_path, WorkloadShape("one", studies=1, series=1, instances=1, rows=16, columns=16))
    CommandLine(tmp_path / "state").must("store", tmp_path / "one", "--to", peer.dicomweb_url)
    stores = Circumstances(datetime(2026, 11, 21, tzinfo=UTC), stores=True)
    report = check_web_archive(WebArchive(peer.dicomweb_url), stores)
    assert report.is_sound
    assert _step(report, StepName.WADO).outcome is Outcome.PASSED
    stored = _step(report, StepName.STORE)
    study = dict(stored.facts)["study"]
    assert stored.outcome is Outcome.WARNED  # Orthanc's DICOMweb deletes nothing: the operator is told what to delete
    assert study in stored.advice
    rows = httpx.get(f"{peer.dicomweb_url}/studies", params={"StudyInstanceUID": study}, timeout=60).json()
    assert [row["00100020"]["Value"] for row in rows] == [["CONNECTION-TEST"]]
