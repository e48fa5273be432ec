"""The commands as they talk DIMSE with a node of ours, and where they differ from what they do with a URL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from isocenter.dicom.part10 import read_encoding
from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.certificates import Authority
from tests.support.command_line import CommandLine
from tests.support.processes import Node, free_port, serve

SMALL = WorkloadShape("small", studies=2, series=2, instances=3, rows=16, columns=16)


@dataclass(frozen=True, slots=True)
class Peer:
    """A node that is called by DIMSE."""

    node: Node
    address: str


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@pytest.fixture
def sources(tmp_path: Path) -> list[WorkloadInstance]:
    return write_workload(tmp_path / "sources", SMALL)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with serve(tmp_path / "node", arguments=_dicom(port := free_port())) as node:
        yield Peer(node, f"ISOCENTER@127.0.0.1:{port}")


def _dicom(port: int, *arguments: str) -> tuple[str, ...]:
    return ("--auth", "off", "--dicom", f"ISOCENTER@127.0.0.1:{port}", *arguments)


def _folder(tmp_path: Path) -> Path:
    return tmp_path / "sources" / SMALL.name


def _digests(folder: Path) -> list[str]:
    """Return the digests of data sets: what stands before them is written by whoever writes the file."""
    contents = [path.read_bytes() for path in folder.rglob("*.dcm")]
    return sorted(hashlib.sha256(content[read_encoding(content)[1] :]).hexdigest() for content in contents)


def test_what_is_stored_is_fetched_byte_for_byte(
    command_line: CommandLine, peer: Peer, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    assert "12 stored, 0 identical, 0 refused" in command_line.must("store", _folder(tmp_path), "--to", peer.address)
    studies = sorted({source.study for source in sources})
    fetched = tmp_path / "fetched"
    assert command_line.must("get", *studies, "--from", peer.address, "-o", fetched).startswith("Wrote 12 files,")
    assert _digests(fetched) == _digests(_folder(tmp_path))
    assert command_line.must("get", *studies, "--from", peer.node.base_url, "-o", fetched).startswith("Wrote 0 files,")


def test_other_bytes_under_known_identifiers_are_refused_and_named(
    command_line: CommandLine, peer: Peer, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    command_line.must("store", _folder(tmp_path), "--to", peer.address)
    path = tmp_path / "sources" / sources[0].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)
    ended = command_line.run("store", _folder(tmp_path), "--to", peer.address)
    assert (ended.code, "0 stored, 0 identical, 1 refused, 11 skipped" in ended.out) == (1, True)
    assert f"failed: {path}: {peer.address} answers 0111, another instance with this UID is there" in ended.err


def test_move_to_another_node(command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path) -> None:
    here, there = free_port(), free_port()
    remote = ("--remote", f"OTHER@127.0.0.1:{there}", "--remote", "ISOCENTER@127.0.0.1")
    other = ("--auth", "off", "--dicom", f"OTHER@127.0.0.1:{there}")
    with (
        serve(tmp_path / "one", arguments=_dicom(here, *remote)),
        serve(tmp_path / "two", arguments=other) as second,
    ):
        address, study = f"ISOCENTER@127.0.0.1:{here}", sources[0].study
        command_line.must("store", _folder(tmp_path), "--to", address)
        told = json.loads(command_line.must("move", study, "--from", address, "--to", "OTHER", "--json"))
        assert [(part["status"], part["completed"], part["failed"]) for part in told] == [("0000", 6, 0)]
        found = json.loads(command_line.must("find", "--from", second.base_url, "--json"))
        assert [row["0020000D"]["Value"] for row in found] == [[study]]
        unknown = command_line.run("move", study, "--from", address, "--to", "NOBODY")
        assert (unknown.code, "A801, it does not know the destination" in unknown.err) == (1, True)
        nothing = command_line.run("move", "1.2.3", "--from", address, "--to", "OTHER")
        assert (nothing.code, "has nothing of that name" in nothing.err) == (1, True)


def test_a_caller_that_the_node_does_not_know_is_told_what_to_change(command_line: CommandLine, tmp_path: Path) -> None:
    port = free_port()
    strict = _dicom(port, "--remote", "CT1@127.0.0.1?services=echo", "--set", "dicom.unknown_callers=refuse")
    address = f"ISOCENTER@127.0.0.1:{port}"
    with serve(tmp_path / "node", arguments=strict) as node:
        command_line.must("echo", address, "--as", "CT1")
        unknown = command_line.run("echo", address, "--as", "CT2")
        assert (unknown.code, "it does not know our AE title 'CT2'; have it added there" in unknown.err) == (1, True)
        forbidden = command_line.run("move", "1.2.3", "--from", address, "--to", "CT1", "--as", "CT1")
        assert (forbidden.code, "does not offer this service there" in forbidden.err) == (1, True)
        assert "Add --remote" in node.process.log()


def test_tls_with_a_certificate_that_the_node_asks_for(command_line: CommandLine, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "keys")
    theirs, ours = authority.issue("node"), authority.issue("ct1")
    port = free_port()
    settings = {
        "dicom.tls_listen": f"ISOCENTER@127.0.0.1:{port}",
        "dicom.tls_certificate": theirs.certificate,
        "dicom.tls_key": theirs.key,
        "dicom.tls_authorities": authority.certificate,
        "dicom.remotes": "CT1@127.0.0.1?subject=ct1",
    }
    arguments = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    address = f"ISOCENTER@127.0.0.1:{port}"
    with serve(tmp_path / "node", arguments=("--auth", "off", *arguments)):
        tls = ("--as", "CT1", "--tls", "--ca", authority.certificate)
        told = command_line.must("echo", address, *tls, "--cert", ours.certificate, "--key", ours.key)
        assert "over TLS" in told
        assert command_line.run("echo", address, *tls).code == 3
        other = authority.issue("ct2")
        wrong = command_line.run("echo", address, *tls, "--cert", other.certificate, "--key", other.key)
        assert (wrong.code, "does not know our AE title" in wrong.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["echo", "archive"], "is no address; it is AET@HOST:PORT"),
        (["echo", "PACS@host"], "has no port"),
        (["echo", "PACS@127.0.0.1:1", "--as", "A" * 17], "1 to 16 characters"),
        (["echo", "PACS@127.0.0.1:1", "--tls", "--cert", "{file}"], "--cert and --key belong together"),
        (["find", "--from", "http://127.0.0.1:1", "--as", "CT1"], "not for a URL"),
        (["find", "--from", "http://127.0.0.1:1", "--level", "patient"], "are for a DIMSE peer"),
        (["find", "--from", "PACS@127.0.0.1:1", "offset=3"], "knows no offset"),
        (["find", "--from", "PACS@127.0.0.1:1", "NoSuchThing=3"], "is no attribute"),
        (["find", "--from", "PACS@127.0.0.1:1", "--level", "patient", "--model", "study"], "has no level patient"),
        (["move", "1.2", "--from", "http://127.0.0.1:1", "--to", "X"], "is no address"),
        (["move", "1.2", "--from", "PACS@127.0.0.1:1", "--to", "A" * 17], "1 to 16 characters"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(
    command_line: CommandLine, tmp_path: Path, arguments: list[str], words: str
) -> None:
    file = tmp_path / "file.pem"
    file.touch()
    ended = command_line.run(*(argument.format(file=file) for argument in arguments))
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


@pytest.mark.parametrize("arguments", [["echo"], ["find", "--from"], ["store", "{file}", "--to"]])
def test_a_peer_that_is_not_there_is_exit_code_3(
    command_line: CommandLine, tmp_path: Path, sources: list[WorkloadInstance], arguments: list[str]
) -> None:
    file = tmp_path / "sources" / sources[0].path
    address = f"PACS@127.0.0.1:{free_port()}"
    ended = command_line.run(*(argument.format(file=file) for argument in arguments), address)
    assert (ended.code, "cannot be reached: Connection refused." in ended.err) == (3, True)


def test_find_over_dimse_tells_what_find_by_url_tells(
    command_line: CommandLine, peer: Peer, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    command_line.must("store", _folder(tmp_path), "--to", peer.address)
    first = sources[0]
    for level, key in (("study", f"PatientID={first.pid}"), ("instance", f"StudyInstanceUID={first.study}")):
        by_url, by_dimse = (
            json.loads(command_line.must("find", "--from", address, "--level", level, key, "--json"))
            for address in (peer.node.base_url, peer.address)
        )
        assert len(by_dimse) == (1 if level == "study" else 6)
        uid = {"study": "0020000D", "instance": "00080018"}[level]
        assert sorted(row[uid]["Value"][0] for row in by_dimse) == sorted(row[uid]["Value"][0] for row in by_url)
    patients = json.loads(command_line.must("find", "--from", peer.address, "--level", "patient", "--json"))
    assert sorted(row["00100020"]["Value"][0] for row in patients) == sorted({each.pid for each in sources})
    assert len(json.loads(command_line.must("find", "--from", peer.address, "--limit", "1", "--json"))) == 1


def test_get_fetches_only_what_is_missing(
    command_line: CommandLine, peer: Peer, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    command_line.must("store", _folder(tmp_path), "--to", peer.address)
    first, fetched = sources[0], tmp_path / "fetched"
    get = ("get", first.study, "--from", peer.address, "-o", fetched)
    assert command_line.must(*get).startswith("Wrote 6 files,")
    (fetched / first.study / first.series / f"{first.sop}.dcm").unlink()
    told = json.loads(command_line.must(*get, "--json"))
    assert [(part["written"], part["present"], part["failed"]) for part in told] == [(1, 5, 0)]
    ended = command_line.run("get", "1.2.3", "--from", peer.address, "-o", fetched)
    assert (ended.code, "has no study of that UID" in ended.err) == (1, True)


def test_everything_is_sent_to_a_node_that_was_begun_anew(
    command_line: CommandLine, sources: list[WorkloadInstance], tmp_path: Path
) -> None:
    port = free_port()
    for name in ("one", "other"):
        with serve(tmp_path / name, arguments=_dicom(port)):
            ended = command_line.run("store", _folder(tmp_path), "--to", f"ISOCENTER@127.0.0.1:{port}")
            assert (ended.code, f"{len(sources)} stored" in ended.out) == (0, True)
            assert ("no longer has" in ended.err) is (name == "other")
