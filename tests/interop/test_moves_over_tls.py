"""Moves to a storescp of DCMTK over TLS, with each profile that it knows and is not retired."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.certificates import Authority, Identity
from tests.support.command_line import CommandLine
from tests.support.dcmtk import DcmtkServer, storescp
from tests.support.peers import require
from tests.support.processes import free_port, serve

pytestmark = pytest.mark.interop

SMALL = WorkloadShape("small", studies=1, series=1, instances=3, rows=16, columns=16)
PROFILES = {"bcp195": "+px", "non-downgrading": "+py", "extended": "+pz"}


@contextmanager
def _moving(
    tmp_path: Path, *, profile: str, subject: str
) -> Iterator[tuple[CommandLine, str, DcmtkServer, list[WorkloadInstance]]]:
    """Run a node with a study and a storescp that it reaches over TLS."""
    authority = Authority(tmp_path / "keys")
    ours, theirs = authority.issue("node"), authority.issue("storescp")
    port, sink_port = free_port(), free_port()
    settings = {
        "dicom.remotes": f"SINK@127.0.0.1:{sink_port}?tls=on&subject={subject}",
        "dicom.unknown_callers": "accept",
        "dicom.tls_certificate": str(ours.certificate),
        "dicom.tls_key": str(ours.key),
        "dicom.tls_authorities": str(authority.certificate),
        "dicom.tls_profile": profile,
    }
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    tls = ("+tls", str(theirs.key), str(theirs.certificate), "+cf", str(authority.certificate), PROFILES[profile])
    instances = write_workload(tmp_path / "sources", SMALL)
    commands, peer = CommandLine(tmp_path / "state"), f"NODE@127.0.0.1:{port}"
    with (
        serve(tmp_path / "data", arguments=("--auth", "off", "--dicom", peer, *sets)),
        storescp(tmp_path / "sink", *tls, ae_title="SINK", port=sink_port) as sink,
    ):
        commands.must("store", tmp_path / "sources" / SMALL.name, "--to", peer)
        yield commands, peer, sink, instances


@pytest.mark.parametrize("profile", PROFILES)
def test_a_study_is_moved_over_tls(tmp_path: Path, profile: str) -> None:
    with _moving(tmp_path, profile=profile, subject="cn:storescp") as (commands, peer, sink, instances):
        said = commands.must("move", instances[0].study, "--from", peer, "--to", "SINK")
        assert f"{SMALL.instances} instances sent to SINK, 0 failed." in said
        assert len(sink.files()) == SMALL.instances


def test_a_channel_takes_instances_over_tls_from_whom_its_authority_knows(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "keys")
    ours, theirs = authority.issue("node"), authority.issue("modality")
    port, instances = free_port(), write_workload(tmp_path / "sources", SMALL)
    channels, given = tmp_path / "channels.toml", tmp_path / "given"
    given.mkdir()
    channels.write_text(
        f"""
[channels.secure]
source = {{ kind = "dimse", listen = "SECURE@127.0.0.1:{port}", tls = true }}
[[channels.secure.rules]]
name = "all"
to = ["folder"]
[destinations.folder]
kind = "folder"
path = "{given}"
"""
    )
    settings = {
        "routing.configuration": str(channels),
        "dicom.tls_certificate": str(ours.certificate),
        "dicom.tls_key": str(ours.key),
        "dicom.tls_authorities": str(authority.certificate),
    }
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    files = [str(tmp_path / "sources" / one.path) for one in instances]
    secure = ("+tls", str(theirs.key), str(theirs.certificate), "+cf", str(authority.certificate), "-ic")
    call = [require("storescu"), "-aet", "CT1", "-aec", "SECURE"]
    with serve(tmp_path / "data", arguments=("--auth", "off", *sets)) as node:
        in_the_clear = subprocess.run([*call, "127.0.0.1", str(port), *files], capture_output=True, check=False)
        done = subprocess.run([*call, *secure, "127.0.0.1", str(port), *files], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        node.process.wait_until(lambda: sum(path.is_file() for path in given.rglob("*")) == SMALL.instances)
    assert in_the_clear.returncode != 0


@contextmanager
def _archive_over_tls(tmp_path: Path, authority: Authority) -> Iterator[tuple[str, list[WorkloadInstance]]]:
    """Run a node with a study that takes associations over TLS; yield how it is a remote of others."""
    theirs, port, instances = authority.issue("archive"), free_port(), write_workload(tmp_path / "sources", SMALL)
    arguments = ("--auth", "off", "--set", f"dicom.tls_listen=PACS@127.0.0.1:{port}")
    with serve(tmp_path / "archive", arguments=(*arguments, *_identity(theirs, authority))) as archive:
        CommandLine(tmp_path / "state").must("store", tmp_path / "sources" / SMALL.name, "--to", archive.base_url)
        yield f"PACS@127.0.0.1:{port}?tls=on&subject=cn:archive", instances


def _identity(issued: Identity, authority: Authority) -> list[str]:
    settings = {
        "dicom.tls_certificate": str(issued.certificate),
        "dicom.tls_key": str(issued.key),
        "dicom.tls_authorities": str(authority.certificate),
        "dicom.unknown_callers": "accept",
    }
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def test_a_gateway_stands_in_front_of_an_archive_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "keys")
    with _archive_over_tls(tmp_path, authority) as (remote, instances):
        routing = tmp_path / "routing.toml"
        routing.write_text(
            f'[destinations.pacs]\nkind = "dimse"\nremote = "{remote}"\n[gateways.old]\nupstream = "pacs"\n'
        )
        own = _identity(authority.issue("gateway"), authority)
        arguments = ("--auth", "off", "--set", f"routing.configuration={routing}", *own)
        with serve(tmp_path / "gateway", arguments=arguments) as node:
            study = f"{node.base_url}/gateways/old/studies/{instances[0].study}"
            found = httpx.get(f"{study}/instances", trust_env=False, timeout=60)
            fetched = httpx.get(f"{study}/metadata", trust_env=False, timeout=60)
    assert len(found.json()) == SMALL.instances
    assert len(fetched.json()) == SMALL.instances


def test_a_translator_takes_queries_over_tls_and_none_in_the_clear(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "keys")
    theirs, port = authority.issue("workstation"), free_port()
    instances = write_workload(tmp_path / "sources", SMALL)
    with serve(tmp_path / "cloud") as cloud:
        CommandLine(tmp_path / "state").must("store", tmp_path / "sources" / SMALL.name, "--to", cloud.base_url)
        routing = tmp_path / "routing.toml"
        routing.write_text(
            f'[destinations.cloud]\nkind = "dicomweb"\nurl = "{cloud.dicomweb_url}"\n'
            f'[translators.cloud]\nlisten = "CLOUD@127.0.0.1:{port}"\ntls = true\nupstream = "cloud"\n'
        )
        own = _identity(authority.issue("router"), authority)
        arguments = ("--auth", "off", "--set", f"routing.configuration={routing}", *own)
        ask = [require("findscu"), "-S", "-aec", "CLOUD", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]
        secure = ("+tls", str(theirs.key), str(theirs.certificate), "+cf", str(authority.certificate), "-ic")
        with serve(tmp_path / "router", arguments=arguments):
            place = ("127.0.0.1", str(port))
            clear = subprocess.run([*ask, *place], capture_output=True, check=False)
            found = subprocess.run([*ask, "-v", *secure, *place], capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
    assert instances[0].study.encode() in found.stdout + found.stderr
    assert clear.returncode != 0


def test_nothing_is_moved_to_whom_shows_another_certificate(tmp_path: Path) -> None:
    with _moving(tmp_path, profile="bcp195", subject="dns:elsewhere.example") as (commands, peer, sink, instances):
        ended = commands.run("move", instances[0].study, "--from", peer, "--to", "SINK")
        assert ended.code == 1
        assert "did not show a certificate for" in ended.err
        assert sink.files() == []
