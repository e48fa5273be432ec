"""The supports of the tests hold: the fence, the rule on missing parts, processes that end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import BeyondLoopbackError
from tests.support import peers
from tests.support.described_answers import check_described
from tests.support.processes import is_listening, running
from tests.support.shared_data import REPOSITORY, VARIABLE, find_shared_data

DOCUMENTATION_ADDRESS = "192.0.2.1"
"""RFC 5737: belongs to nobody."""


def test_connecting_beyond_loopback_is_refused() -> None:
    with socket.socket() as outgoing, pytest.raises(BeyondLoopbackError):
        outgoing.connect((DOCUMENTATION_ADDRESS, 80))


def test_resolving_a_foreign_name_is_refused() -> None:
    with pytest.raises(BeyondLoopbackError):
        socket.getaddrinfo("example.org", 80)


def test_connecting_to_loopback_is_let_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert is_listening(server.getsockname()[1])


def test_missing_program_is_a_skip_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        peers.require("no-such-program")


def test_missing_program_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        peers.require("no-such-program")


def test_shared_data_is_found_by_its_variable_only_where_a_manifest_lies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert find_shared_data() is None
    (tmp_path / "manifest.tsv").touch()
    assert find_shared_data() == tmp_path


def test_process_ends_with_its_block_and_takes_its_children_along(tmp_path: Path) -> None:
    held_by_child = tmp_path / "held"
    os.mkfifo(held_by_child)
    reader = os.open(held_by_child, os.O_RDONLY | os.O_NONBLOCK)
    start = "import subprocess, sys; subprocess.Popen(['sleep', '600'], stdout=open(sys.argv[1], 'w'))"
    stay = "print('started', flush=True); import threading; threading.Event().wait()"
    command = [sys.executable, "-c", f"{start}; {stay}", str(held_by_child)]
    with running(command, log_path=tmp_path / "log") as process:
        process.wait_until(lambda: "started" in process.log())
    assert process.popen.poll() is not None
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b"", "the end of the stream comes when the last process that holds it is gone"
    os.close(reader)


def test_process_that_ends_before_it_is_ready_fails_at_once_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no port left'); raise SystemExit(3)"]
    with (
        running(command, log_path=tmp_path / "log") as process,
        pytest.raises(AssertionError, match=r"code 3[^$]*no port left"),
    ):
        process.wait_until(lambda: False)


def test_stage_that_looks_at_nothing_fails() -> None:
    script = "import check; print(check._finding(0, '', count=0, looked_at='0 files', rerun='x').is_ok)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY / "scripts", check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"


def _check(status: int, content_type: str, *, method: str = "GET", path: str = "/v2/studies/1.2/metadata") -> None:
    check_described(method, path, status=status, headers={"content-type": content_type}, has_content=True)


def test_an_answer_that_its_route_is_described_to_give_is_let_through() -> None:
    _check(200, "application/dicom+json")
    _check(404, "text/plain; charset=utf-8")
    _check(404, "text/plain", path="/v2/partitions/north/studies/1.2/metadata")


def test_an_answer_that_its_route_is_not_described_to_give_fails() -> None:
    with pytest.raises(AssertionError, match="answered 418"):
        _check(418, "text/plain")
    with pytest.raises(AssertionError, match="text/html"):
        _check(200, "text/html")
    with pytest.raises(AssertionError, match="answered 201"):
        _check(201, "", method="DELETE", path="/DICOM-WEB/studies/1.2")


def test_answers_beside_the_described_routes_are_passed_over() -> None:
    _check(418, "text/plain", path="/health/live")
    _check(405, "text/plain", method="PATCH")
    _check(404, "text/plain", path="/v2/nothing")
