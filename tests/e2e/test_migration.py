"""Migrations between folders, nodes and data folders: stopped, resumed, refused, verified, signed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest

from isocenter.app.migrating.job import Job
from isocenter.app.migrating.job_database import working_alone
from isocenter.app.migrating.records import State
from isocenter.domain.identifiers import InstanceIdentifier
from tests.support.command_line import PROGRAM, CommandLine
from tests.support.dicom_files import EXPLICIT, IMPLICIT, write_file
from tests.support.migrations import Migration, digests_in, run_here, write_studies
from tests.support.processes import Node, free_port, running, serve
from tests.support.secure_node import SecureNode, serve_securely
from tests.support.small_instances import make_instance


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return Migration(tmp_path / "job")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture(scope="module")
def secure_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    with serve_securely(tmp_path_factory.mktemp("secure")) as node:
        yield node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Return a node that tests share, each with UIDs of its own."""
    with serve(tmp_path_factory.mktemp("node") / "data") as started:
        yield started


def _instances_at(node: Node, root: str) -> list[str]:
    """Return the SOP Instance UIDs below a root that a node has, each as often as it is there."""
    rows = httpx.get(f"{node.dicomweb_url}/instances", params={"limit": 200}, timeout=60)
    uids = [row["00080018"]["Value"][0] for row in rows.json()] if rows.status_code == 200 else []
    return [uid for uid in uids if uid.startswith(root + ".")]


def test_a_run_that_is_killed_goes_on_where_it_ended_and_loses_nothing(
    migration: Migration, source: Path, node: Node, tmp_path: Path
) -> None:
    written = write_studies(source, studies=15, instances=2, root="1.2.826.1")
    before = digests_in(source)
    migration.must("assess", "--from", source, "--to", node.base_url)
    migration.must("plan")
    command = [PROGRAM, "migrate", "move", "--job", str(migration.folder), "--instances-per-s", "6"]
    environment = CommandLine(tmp_path / "state").environment()
    with running(command, log_path=tmp_path / "move.log", environment=environment) as process:
        process.wait_until(lambda: migration.totals().delivered >= 4)
        os.killpg(process.pid, signal.SIGKILL)
        process.popen.wait(30)
    caught = migration.totals()
    assert 4 <= caught.delivered < len(written)
    assert caught.delivered + caught.left == len(written)
    migration.must("move")
    totals = migration.totals()
    assert (totals.delivered, totals.left) == (len(written), 0)
    assert totals.sent_again <= caught.by_state.get(State.SENDING, 0)
    assert sorted(_instances_at(node, "1.2.826.1")) == sorted(one.sop_instance_uid for one in written)
    assert digests_in(source) == before


def test_what_is_odd_about_a_folder_is_told(migration: Migration, source: Path, tmp_path: Path) -> None:
    [first, second] = write_studies(source, studies=2)
    other_patient = InstanceIdentifier(first.study_instance_uid, first.series_instance_uid, "1.2.826.77.1.1.9")
    (source / "other-patient.dcm").write_bytes(make_instance(other_patient, seed=99).content)
    (source / "twice.dcm").write_bytes(make_instance(second, seed=98).content)
    (source / "broken.dcm").write_bytes(make_instance(second).content[:200])
    (source / "readme.txt").write_text("nothing")
    told = migration.told("assess", "--from", source, "--to", tmp_path / "data")
    assert (told["studies"], told["instances"]) == (2, 3)
    kinds = {(one["kind"], Path(one["where"]).name) for one in told["anomalies"]}
    assert {
        ("two-patients", first.study_instance_uid),
        ("two-patients", second.study_instance_uid),
        ("instance-twice", "twice.dcm"),
        ("unreadable-file", "broken.dcm"),
    } <= kinds
    assert len(kinds) == 4


def test_a_folder_moves_into_a_data_folder_and_a_manifest_proves_it(
    migration: Migration, source: Path, tmp_path: Path
) -> None:
    written = write_studies(source, studies=3, instances=2)
    out = migration.must("run", "--from", source, "--to", tmp_path / "data", "--level", "4")
    assert "All 6 instances were checked; 0 differ." in out
    head, *lines, end = migration.manifest()
    assert {line["instance"] for line in lines} == {one.sop_instance_uid for one in written}
    assert {(line["state"], line["attempts"]) for line in lines} == {("delivered", 1)}
    assert head["instances"]["planned"] == 6
    assert "D1" not in json.dumps([head, *lines, end])  # no patient ID
    manifest = migration.folder / "manifest.jsonl"
    assert "6 instances" in run_here("migrate", "check-manifest", manifest).out
    key = migration.folder / "signing-key.public.pem"
    assert run_here("migrate", "check-manifest", manifest, "--public-key", key).code == 0
    manifest.write_bytes(manifest.read_bytes().replace(b'"delivered"', b'"delivereD"', 1))
    refused = run_here("migrate", "check-manifest", manifest)
    assert (refused.code, "changed after it was signed" in refused.err) == (1, True)


def test_a_target_that_does_not_let_us_in_stops_the_run_and_costs_nothing(
    migration: Migration, source: Path, secure_node: SecureNode
) -> None:
    write_studies(source, studies=2)
    reader = secure_node.token(secure_node.register("only-reads", "--role", "reader"))
    owner = secure_node.token(secure_node.register("migrates", "--role", "owner"))
    ends = ("--from", source, "--to", secure_node.base_url, "--ca", secure_node.authority)
    refused = migration.run("run", *ends, "--to-token", reader)
    assert refused.code == 1
    assert "the caller may not do this" in refused.err
    assert "Have the role given there" in refused.err
    assert migration.totals().left == 2
    migration.must("run", "--ca", secure_node.authority, "--to-token", owner)
    assert migration.totals().delivered == 2
    document = (migration.folder / "job.sqlite3").read_bytes() + (migration.folder / "report.txt").read_bytes()
    assert owner.encode() not in document


def test_what_the_target_has_already_is_compared(migration: Migration, source: Path, node: Node) -> None:
    same, other, _ = write_studies(source, studies=3, root="1.2.826.2")
    known = source.parent / "known"
    known.mkdir()
    (known / "same.dcm").write_bytes((source / "1-1-1.dcm").read_bytes())
    (known / "other.dcm").write_bytes(make_instance(other, seed=77).content)
    assert run_here("store", known, "--to", node.base_url, "--journal", source.parent / "journal").code == 0
    migration.must("assess", "--from", source, "--to", node.base_url)
    migration.must("plan")
    moved = migration.run("move")
    assert moved.code == 1
    assert "another instance under the same UID" in moved.err
    with Job(migration.folder) as job:
        assert [(uid, code) for _, _, uid, code, _ in job.shelf()] == [(other.sop_instance_uid, "delivery:different")]
    assert migration.totals().delivered == 2
    assert _instances_at(node, "1.2.826.2").count(same.sop_instance_uid) == 1


def _damage(node: Node, content: bytes) -> None:
    """Change one byte of the pixels of an instance in the packs of a node."""
    needle = content[-64:]
    for path in (node.data_dir / "packs").rglob("*"):
        if path.is_file() and needle in (held := path.read_bytes()):
            with path.open("r+b") as pack:
                pack.seek(held.index(needle))
                pack.write(bytes([needle[0] ^ 0xFF]))
            return
    raise AssertionError("the packs do not hold it")


def test_damage_at_either_end_costs_one_instance_and_is_healed_at_the_target(
    migration: Migration, source: Path, node: Node, tmp_path: Path
) -> None:
    damaged, other, *_ = written = write_studies(source, studies=1, instances=4, root="1.2.826.3")
    with serve(tmp_path / "old", must_end_cleanly=False) as old:
        stored = run_here("store", source, "--to", old.base_url, "--journal", tmp_path / "journal")
        assert stored.code == 0
        _damage(old, (source / "1-1-1.dcm").read_bytes())
        assert migration.run("run", "--from", old.base_url, "--to", node.base_url).code == 1
        with Job(migration.folder) as job:
            assert [(uid, code) for _, _, uid, code, _ in job.shelf()] == [
                (damaged.sop_instance_uid, "source:not-sent")
            ]
        assert migration.totals().delivered == len(written) - 1
        _damage(node, (source / "1-1-2.dcm").read_bytes())
        assert migration.told("verify", "--level", "4")["findings"] == {"unreadable": 1}
        [found] = migration.told("reconcile")
        assert found["instance"] == other.sop_instance_uid
        assert migration.told("reconcile", "--heal") == {"healed": 1, "left": []}
        assert migration.told("verify", "--level", "4")["sound"]


def test_patients_of_a_list_come_first_and_a_wave_moves_alone(
    migration: Migration, source: Path, tmp_path: Path
) -> None:
    write_studies(source, studies=4)
    (tmp_path / "patients.csv").write_text("PatientID,Comes\nD3,tomorrow\n")
    migration.must("assess", "--from", source, "--to", tmp_path / "data")
    plan = migration.told("plan", "--patients", tmp_path / "patients.csv")
    assert [(wave["studies"], wave["listed"]) for wave in plan["waves"]] == [(1, 1), (3, 3)]
    assert plan["outlook"]["instances_left"] == 4
    migration.run("move", "--wave", "1")
    with Job(migration.folder) as job:
        assert job.moved_studies() == ["1.2.826.77.3"]
    migration.must("plan", "--patients", tmp_path / "patients.csv", "--only-patients")
    assert "1 planned = 1 delivered" in migration.must("move")


def test_implicit_vr_goes_out_as_explicit_vr_where_that_is_asked_for(
    migration: Migration, source: Path, node: Node, tmp_path: Path
) -> None:
    [identifier] = write_studies(source, studies=1, root="1.2.826.4")
    content = write_file(pydicom.dcmread(source / "1-1-1.dcm"), IMPLICIT)
    (source / "1-1-1.dcm").write_bytes(content)
    migration.must("run", "--from", source, "--to", node.base_url, "--level", "4", "--explicit-vr")
    assert run_here("get", identifier.study_instance_uid, "--from", node.base_url, "-o", tmp_path / "there").code == 0
    [there] = (tmp_path / "there").rglob("*.dcm")
    assert pydicom.dcmread(there).file_meta.TransferSyntaxUID == EXPLICIT
    assert pydicom.dcmread(there).PixelData == pydicom.dcmread(source / "1-1-1.dcm").PixelData
    assert migration.manifest()[0]["re_encoded_as_explicit_vr"]
    assert [path.read_bytes() for path in source.iterdir()] == [content]


def test_what_came_to_the_source_since_is_added_and_nothing_moves_twice(
    migration: Migration, source: Path, tmp_path: Path
) -> None:
    write_studies(source, studies=1)
    migration.must("run", "--from", source, "--to", tmp_path / "data")
    write_studies(source, studies=2, instances=2)
    told = migration.told("assess", "--again", "--from", source, "--to", tmp_path / "data")
    assert (told["studies"], told["instances"]) == (2, 4)
    assert migration.run("report").code == 1
    migration.must("plan")
    migration.must("move")
    totals = migration.totals()
    assert (totals.delivered, totals.sent_again) == (4, 0)
    assert migration.run("report").code == 1  # the verification was of less
    migration.must("verify")
    assert migration.run("report").code == 0


def test_evidence_can_stand_in_the_environment(
    migration: Migration, source: Path, secure_node: SecureNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_studies(source, studies=1)
    application = secure_node.register("environment", "--role", "owner")
    monkeypatch.setenv("ISOCENTER_TO_CLIENT_ID", application.client_id)
    monkeypatch.setenv("ISOCENTER_TO_CLIENT_SECRET", application.secret)
    migration.must("assess", "--from", source, "--to", secure_node.base_url)
    migration.must("plan")
    migration.must("move", "--ca", secure_node.authority)
    assert application.secret.encode() not in (migration.folder / "job.sqlite3").read_bytes()
    assert run_here("config", "show", "--data-dir", tmp_path / "other").code == 0


def test_a_source_that_stays_away_ends_the_run_as_unreachable(migration: Migration, tmp_path: Path) -> None:
    address = f"PACS@127.0.0.1:{free_port()}"
    away = migration.run("assess", "--from", address, "--to", tmp_path / "data", "--give-up-after", "0s")
    assert away.code == 3
    assert "nobody listens on that port" in away.err
    assert "Give the same command again to go on." in away.err


def test_a_job_is_worked_on_by_one_run_and_for_one_pair_of_ends(
    migration: Migration, source: Path, tmp_path: Path
) -> None:
    write_studies(source, studies=1)
    migration.must("assess", "--from", source, "--to", tmp_path / "data")
    with working_alone(migration.folder):
        busy = migration.run("move")
    assert (busy.code, "Another run is at work" in busy.err) == (1, True)
    other = migration.run("assess", "--from", source, "--to", tmp_path / "other")
    assert (other.code, "name another --job folder" in other.err) == (1, True)
    assert "run `isocenter migrate plan` first" in migration.run("move").err
    assert "Nothing has moved yet" in migration.run("verify").err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("move", "--rate", "fast"), "20MB/s"),
        (("move", "--during", "at night"), "mon-fri"),
        (("move", "--give-up-after", "soon"), "10min"),
        (("assess", "--from", "PACS@host", "--to", "here"), "has no port"),
        (("assess", "--from", "https://me:secret@host/x", "--to", "here"), "holds no user name"),
        (("assess", "--from", "nowhere", "--to", "here"), "is no folder"),
        (("reconcile", "--replace"), "--heal"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_form_that_can(
    migration: Migration, source: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    if arguments[0] == "move":
        write_studies(source, studies=1)
        with Job(migration.folder, may_create=True) as job:
            job.put("source", str(source))
            job.put("target", str(tmp_path / "data"))
            job.put("planned", True)
    refused = migration.run(*arguments)
    assert refused.code in (1, 2)
    assert told in refused.err
