"""Prefetching while things fail: sources away, a node that is killed, senders that speak nonsense."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.command_line import CommandLine
from tests.support.hl7_sender import order, send
from tests.support.prior_studies import PriorStudy
from tests.support.processes import Node, free_port, serve

RULES = """
[destinations.archive]
kind = "dicomweb"
url = "http://127.0.0.1:{port}/v2"
profile = "azure"

[prefetch.priors]
sources = ["archive"]
"""


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "state")


@contextmanager
def _router(folder: Path, *, source_port: int, mllp_port: int) -> Iterator[Node]:
    folder.mkdir(exist_ok=True)
    rules = folder / "routing.toml"
    rules.write_text(RULES.format(port=source_port))
    arguments = (
        "--auth",
        "off",
        "--set",
        f"routing.configuration={rules}",
        "--set",
        f"mllp.listen=127.0.0.1:{mllp_port}",
    )
    with serve(folder, arguments=arguments, must_end_cleanly=False) as node:
        yield node


def _runs(command_line: CommandLine, data_dir: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(command_line.must("prefetch", "--data-dir", data_dir, "--list", "--json"))[
        "runs"
    ]
    return runs


def test_an_acknowledged_order_is_carried_out_though_the_node_is_killed_and_the_source_comes_late(
    tmp_path: Path, command_line: CommandLine
) -> None:
    source_port, mllp_port, folder = free_port(), free_port(), tmp_path / "router"
    with _router(folder, source_port=source_port, mllp_port=mllp_port) as node:
        (answer,) = send(mllp_port, order("KILL1"))
        assert "MSA|AA|42" in answer
        node.process.kill()
    (run,) = _runs(command_line, folder)
    assert run["state"] == "waiting"
    study = PriorStudy("KILL1", "20250301")
    with serve(tmp_path / "source", port=source_port) as source:
        for _, content in study.files():
            headers = {"Content-Type": "application/dicom"}
            httpx.post(f"{source.dicomweb_url}/studies", content=content, headers=headers).raise_for_status()
        with _router(folder, source_port=source_port, mllp_port=mllp_port) as node:
            url = f"{node.base_url}/api/prefetch"
            node.process.wait_until(lambda: httpx.get(url).json()["runs"][0]["state"] == "done")
            answer = httpx.get(f"{node.dicomweb_url}/studies?PatientID=KILL1").json()
    assert [row["0020000D"]["Value"] for row in answer] == [[study.study_instance_uid]]


def test_a_sender_of_nonsense_is_told_so_and_holds_up_nobody(tmp_path: Path, command_line: CommandLine) -> None:
    mllp_port, folder = free_port(), tmp_path / "router"
    with _router(folder, source_port=free_port(), mllp_port=mllp_port) as node:
        (rejected, *others) = send(
            *(mllp_port, b"\xff\x00 nothing that can be read", order("SANE1"), order("SANE1", control="CA")),
            *("MSH|^~\\&|A|B|C|D|||ORU^R01|7|P|2.3\rPID|||X", b"MSH|^~\\&|" + b"x" * 2_000_000),
        )
        assert "MSA|AR" in rejected
        assert [answer.split("MSA|")[1][:2] for answer in others] == ["AA", "AA", "AA", "AR"]
        with socket.create_connection(("127.0.0.1", mllp_port)) as half:
            half.sendall(b"\x0bMSH|^~\\&|half of a mess")
        with socket.create_connection(("127.0.0.1", mllp_port)) as other:
            other.sendall(b"GET / HTTP/1.1\r\n" * 8192)
            assert other.recv(1) == b"", "who speaks something else is let go"
        (answer,) = send(mllp_port, order("SANE2"))
        assert "MSA|AA" in answer
        patients = [run["trigger"]["patient_id"] for run in _runs(command_line, folder)]
        assert sorted(patients) == ["SANE1", "SANE2"]
        assert "Prüfung" not in node.process.log()
        assert node.process.terminate() == 0


def test_requests_come_by_csv_and_what_is_wrong_is_told_by_line(tmp_path: Path, command_line: CommandLine) -> None:
    mllp_port, folder = free_port(), tmp_path / "router"
    with _router(folder, source_port=free_port(), mllp_port=mllp_port):
        settings = ("--data-dir", folder, "--set", f"routing.configuration={folder / 'routing.toml'}")
        table = tmp_path / "patients.csv"
        table.write_text("patient_id,modality,appointment\nC1,CT,2030-01-02T08:30\nC2,MR,\n")
        runs = json.loads(command_line.must("prefetch", *settings, "--csv", table, "--json"))
        assert [(run["trigger"]["patient_id"], run["state"]) for run in runs] == [("C1", "waiting"), ("C2", "waiting")]
        assert runs[0]["deadline"] is not None
        table.write_text("patient_id,appointment\nC1,tomorrow\n")
        refused = command_line.run("prefetch", *settings, "--csv", table)
        assert refused.code != 0
        assert "line 2: 'tomorrow' is no time" in refused.err
        unreachable = command_line.run("prefetch", *settings, "--patient", "C3", "--dry-run")
        assert unreachable.code == 1
        assert "Nothing answers" in unreachable.err
