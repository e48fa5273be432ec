"""Moves to a storescp of DCMTK over TLS, with each profile that it knows and is not retired."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.certificates import Authority
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


def test_nothing_is_moved_to_whom_shows_another_certificate(tmp_path: Path) -> None:
    with _moving(tmp_path, profile="bcp195", subject="dns:elsewhere.example") as (commands, peer, sink, instances):
        ended = commands.run("move", instances[0].study, "--from", peer, "--to", "SINK")
        assert ended.code == 1
        assert "did not show a certificate for" in ended.err
        assert sink.files() == []
