"""Migrations from and to Orthanc and DCMTK: cut answers, C-GET, C-MOVE, STOW, damage that is found and healed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.migrating.job import Job
from isocenter.app.migrating.peer_end import PeerSource
from isocenter.app.migrating.records import State
from isocenter.domain.application_entity import parse_remote_ae
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.routing.migration.slices import EVERYTHING
from isocenter.storage.decoding.pool import DecodingPool
from tests.support.command_line import PROGRAM, CommandLine
from tests.support.dcmtk import storescp
from tests.support.migrations import Migration, run_here, write_studies
from tests.support.peers import require_module
from tests.support.processes import Orthanc, free_port, orthanc, running, serve
from tests.support.secure_node import SecureNode, serve_securely
from tests.support.small_instances import make_instance

pytestmark = pytest.mark.interop

STUDIES = 8
LIMIT = 3
OURS_PORT = free_port()
"""Where Orthanc moves to, which it must know before it starts."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[InstanceIdentifier]]:
    folder = tmp_path_factory.mktemp("written")
    return folder, write_studies(folder, studies=STUDIES, series=2, instances=2)


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory, written: tuple[Path, list[InstanceIdentifier]]) -> Iterator[Orthanc]:
    """Return a PACS that answers with three studies at most."""
    limits = {
        "LimitFindResults": LIMIT,
        "DicomModalities": {"us": {"AET": "MIGRATION", "Host": "127.0.0.1", "Port": OURS_PORT}},
    }
    folder = tmp_path_factory.mktemp("pacs")
    with orthanc(folder, configuration=limits) as peer:
        sent = run_here("store", written[0], "--to", peer.dicomweb_url, "--journal", folder / "journal")
        assert sent.code == 0, sent.err
        yield peer


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Return an archive that takes what is sent again, and does not notice damage by itself."""
    careless = {"OverwriteInstances": True, "StoreMD5ForAttachments": False, "MaximumStorageCacheSize": 0}
    with orthanc(tmp_path_factory.mktemp("cloud"), ae_title="CLOUD", configuration=careless) as peer:
        yield peer


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    """Return our node as the cloud: over https, with tokens."""
    with serve_securely(tmp_path_factory.mktemp("node")) as started:
        yield started


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return Migration(tmp_path / "job")


def _address(peer: Orthanc) -> str:
    return f"{peer.ae_title}@127.0.0.1:{peer.dicom_port}"


def _held(peer: Orthanc) -> set[str]:
    rows = httpx.get(f"{peer.base_url}/instances?expand", timeout=60).json()
    return {row["MainDicomTags"]["SOPInstanceUID"] for row in rows}


def _deleted(peer: Orthanc) -> list[Any]:
    changes = httpx.get(f"{peer.base_url}/changes?limit=1000", timeout=60).json()["Changes"]
    return [change for change in changes if change["ChangeType"] == "Deleted"]


def _uids(written: list[InstanceIdentifier]) -> set[str]:
    return {one.sop_instance_uid for one in written}


def test_a_pacs_that_cuts_off_its_answers_moves_wholly_and_keeps_everything(
    migration: Migration, pacs: Orthanc, node: SecureNode, written: tuple[Path, list[InstanceIdentifier]]
) -> None:
    shown = ("--ca", node.authority, "--to-token", node.token(node.register("migration", "--role", "owner")))
    ends = ("--from", _address(pacs), "--to", node.base_url)
    out = migration.must("run", *ends, *shown, "--level", "4", "--workers", "2")
    assert f"All {len(written[1])} instances were checked; 0 differ." in out
    with Job(migration.folder) as job:
        assert job.get("limit") == LIMIT
        assert set(job.moved_studies()) == {one.study_instance_uid for one in written[1]}
    assert _held(pacs) == _uids(written[1])
    assert _deleted(pacs) == []


def test_a_pacs_that_only_moves_is_listened_to(
    migration: Migration, pacs: Orthanc, tmp_path: Path, written: tuple[Path, list[InstanceIdentifier]]
) -> None:
    listens = ("--as", "MIGRATION", "--listen", f"127.0.0.1:{OURS_PORT}")
    migration.must("run", "--from", _address(pacs), "--to", tmp_path / "data", *listens)
    totals = migration.totals()
    assert (totals.instances, totals.delivered) == (len(written[1]), len(written[1]))
    assert not any((migration.folder / "spool").rglob("*.dcm"))


def test_a_folder_moves_to_a_pacs_by_c_store_and_comes_back_by_c_get_as_it_was(
    migration: Migration, cloud: Orthanc, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    written = write_studies(source, studies=2, instances=2, root="1.2.826.78")
    out = migration.must("run", "--from", source, "--to", _address(cloud), "--level", "4")
    assert f"All {len(written)} instances were checked; 0 differ." in out
    assert _uids(written) <= _held(cloud)
    with Job(migration.folder) as job:
        families = {one.digest.family for study in job.moved_studies() for one in job.moved_instances(study)}
    assert families == {"native-le"}


def test_damage_at_the_target_is_found_and_healed(
    migration: Migration, cloud: Orthanc, tmp_path: Path, written: tuple[Path, list[InstanceIdentifier]]
) -> None:
    with serve(tmp_path / "data") as source:
        assert run_here("store", written[0], "--to", source.base_url, "--journal", tmp_path / "journal").code == 0
        migration.must("run", "--from", source.base_url, "--to", cloud.dicomweb_url)
        damaged, lost = written[1][0], written[1][-1]
        _damage(cloud, damaged)
        [found] = httpx.post(f"{cloud.base_url}/tools/lookup", content=lost.sop_instance_uid, timeout=60).json()
        httpx.delete(f"{cloud.base_url}{found['Path']}", timeout=60).raise_for_status()
        verified = migration.told("verify", "--level", "4")
        assert verified["findings"] == {"different": 1, "missing": 1}
        assert not verified["sound"]
        listed = {(one["finding"], one["instance"]) for one in migration.told("reconcile")}
        assert listed == {("different", damaged.sop_instance_uid), ("missing", lost.sop_instance_uid)}
        assert migration.run("report").code == 1
        assert migration.told("reconcile", "--heal") == {"healed": 2, "left": []}
        assert migration.told("verify", "--level", "4")["sound"]
        assert migration.run("report").code == 0
        listing = httpx.get(f"{source.dicomweb_url}/instances", params={"limit": 200}, timeout=60).json()
        assert len(listing) == len(written[1])


def _damage(peer: Orthanc, identifier: InstanceIdentifier) -> None:
    """Change one byte of the pixels of an instance on Orthanc's disk."""
    study = int(identifier.study_instance_uid.rpartition(".")[2])
    needle = make_instance(identifier, seed=study).content[-64:]
    storage = Path(peer.process.log_path).parent / "storage"
    for path in storage.rglob("*"):
        if path.is_file() and needle in (held := path.read_bytes()):
            at = held.index(needle)
            path.write_bytes(held[:at] + bytes([held[at] ^ 0xFF]) + held[at + 1 :])
            return
    raise AssertionError("Orthanc keeps it in another form")


def test_what_was_on_its_way_when_the_run_was_killed_is_marked_as_sent_again(
    migration: Migration, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    written = write_studies(source, studies=1, instances=3)
    with storescp(tmp_path / "slow", "--sleep-during", "60") as slow:
        migration.must("assess", "--from", source, "--to", slow.peer)
        migration.must("plan")
        command = [PROGRAM, "migrate", "move", "--job", str(migration.folder)]
        environment = CommandLine(tmp_path / "state").environment()
        with running(command, log_path=tmp_path / "move.log", environment=environment) as process:
            process.wait_until(lambda: migration.totals().by_state.get(State.SENDING) == 3)
            os.killpg(process.pid, signal.SIGKILL)
            process.popen.wait(30)
        slow.process.kill()
    assert migration.totals().left == 3
    with storescp(tmp_path / "quick", port=slow.port) as quick:
        migration.must("move")
        assert len(quick.files()) == len(written)
    totals = migration.totals()
    assert (totals.delivered, totals.sent_again) == (3, 3)


def test_an_instance_that_the_target_does_not_take_waits_for_a_person_and_the_others_go_on(
    migration: Migration, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    written = write_studies(source, studies=1, instances=2)
    private = (source / "1-1-1.dcm").read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.826.0.1.99.99.99.99.99")
    (source / "1-1-1.dcm").write_bytes(private)
    with storescp(tmp_path / "target") as target:
        migration.must("assess", "--from", source, "--to", target.peer)
        migration.must("plan")
        moved = migration.run("move")
        assert len(target.files()) == 1
        assert moved.code == 1
        with Job(migration.folder) as job:
            assert [(uid, code) for _, _, uid, code, _ in job.shelf()] == [(written[0].sop_instance_uid, "context:3")]
        assert "context:3" in moved.err
        verified = migration.told("verify")
    assert verified["unlisted_studies"] == 1  # storescp cannot be asked what it has
    assert not verified["sound"]


def test_a_peer_that_cuts_off_without_a_word_is_found_out(migration: Migration, tmp_path: Path) -> None:
    require_module("pynetdicom")
    from datetime import date
    from threading import Event

    from isocenter.app.migrating.inventory import AssessSettings, assess
    from isocenter.app.migrating.throttle import Throttle
    from isocenter.routing.deliveries.retry import RetryPolicy
    from isocenter.routing.migration.estimate import Limits

    with _silent_limit(studies=100, limit=20) as port, DecodingPool() as decoder:
        source = PeerSource(DimsePeer(parse_remote_ae(f"SILENT@127.0.0.1:{port}")), decoder)
        answer, _ = source.ask(EVERYTHING)
        assert (answer.count, answer.is_cut) == (20, False)
        settings = AssessSettings(date(2026, 11, 21), RetryPolicy(age_max_s=0), lists_instances=False)
        with Job(migration.folder, may_create=True) as job:
            assess(job, source, throttle=Throttle(Limits(), (), stop=Event()), settings=settings)
            assert job.study_counts()[0] == 100
            assert job.get("limit") == 20
            assert [one.kind for one in job.anomalies()] == ["undated-unknown"]


def _silent_limit(*, studies: int, limit: int) -> Any:
    """Run an AE that answers searches for studies with so many at most, and never says so."""
    from contextlib import contextmanager
    from datetime import date, timedelta

    import pydicom
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

    days = {f"1.2.77.{number}": date(2020, 1, 1) + timedelta(days=11 * number) for number in range(studies)}

    def find(event: Any) -> Iterator[tuple[int, Any]]:
        wanted = str(event.identifier.StudyDate)
        first, dash, last = wanted.partition("-")
        last = last if dash else first
        sent = 0
        for uid, day in days.items():
            text = day.strftime("%Y%m%d")
            if sent < limit and (not first or text >= first) and (not last or text <= last):
                row = pydicom.Dataset()
                row.QueryRetrieveLevel, row.StudyInstanceUID = "STUDY", uid
                row.StudyDate, row.PatientID = text, "P"
                sent += 1
                yield 0xFF00, row

    @contextmanager
    def served() -> Iterator[int]:
        entity = AE("SILENT")
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        port = free_port()
        server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_FIND, find)])
        assert server is not None
        try:
            yield port
        finally:
            server.shutdown()

    return served()
