"""A node as an operator meets it: how it refuses to start, how it ends, and that no caller holds it up for others."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.dicomweb import ANY_DICOM, JSON, get, parts, post_instance
from tests.support.instances import identify
from tests.support.processes import Node, answers_ok, free_port, is_listening, serve
from tests.support.small_instances import SmallInstance, make_instance

PROGRAM = str(Path(sys.executable).with_name("isocenter"))
WAIT_S = 60
MEGABYTE = 1024**2
SPOOLS_EARLY = {"ISOCENTER_ARCHIVE_SPOOL_THRESHOLD_BYTES": "1MiB"}


def _start(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a node that is expected to refuse, and return what it said."""
    command = [PROGRAM, "serve", "--data-dir", str(data_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)


@contextlib.contextmanager
def _connection(node: Node) -> Iterator[socket.socket]:
    host, port = node.base_url.removeprefix("http://").split(":")
    with socket.socket() as connection:
        connection.settimeout(WAIT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)  # a caller that stands still takes little
        connection.connect((host, int(port)))
        yield connection


def _upload_head(instance: SmallInstance) -> bytes:
    return (
        "POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/dicom\r\n"
        f"Accept: {JSON}\r\nContent-Length: {len(instance.content)}\r\n\r\n"
    ).encode()


def _read_to_end(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def _stored(node: Node, instance: SmallInstance) -> list[bytes]:
    answer = get(f"{node.dicomweb_url}/studies/{instance.identifier.study_instance_uid}", ANY_DICOM)
    return [part.content for part in parts(answer)] if answer.status_code == httpx.codes.OK else []


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1"])
def test_without_authentication_it_listens_to_this_machine_only(tmp_path: Path, host: str) -> None:
    said = _start(tmp_path / "data", "--http", f"{host}:{free_port()}", "--auth", "off")
    assert said.returncode != 0
    assert "without authentication" in said.stderr
    assert "127.0.0.1" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = _start(tmp_path / "data", "--http", f"127.0.0.1:{port}")
    assert said.returncode != 0
    assert f"127.0.0.1:{port}" in said.stderr
    assert "--http" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_second_node_on_the_same_folder_is_refused_and_the_first_serves_on(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as node:
        said = _start(tmp_path / "data", "--http", f"127.0.0.1:{free_port()}")
        assert said.returncode != 0
        assert "Traceback" not in said.stderr
        assert said.stderr.strip()
        assert post_instance(node.dicomweb_url, make_instance(identify(1)).content).status_code == httpx.codes.OK


@pytest.mark.parametrize("size_bytes", [20_000, 4 * MEGABYTE], ids=["small", "large"])
def test_an_upload_that_runs_at_sigterm_is_answered_and_kept(tmp_path: Path, size_bytes: int) -> None:
    instance = make_instance(identify(1), size_bytes=size_bytes)
    half = len(instance.content) // 2
    with serve(tmp_path / "data", environment=SPOOLS_EARLY, must_end_cleanly=False) as node:
        port = int(node.base_url.rsplit(":", 1)[1])
        with _connection(node) as connection:
            connection.sendall(_upload_head(instance) + instance.content[:half])
            assert answers_ok(f"{node.base_url}/health/ready")  # the half is on its way to be read
            ending = threading.Thread(target=node.process.popen.terminate)
            ending.start()
            ending.join()
            node.process.wait_until(lambda: not is_listening(port))
            connection.sendall(instance.content[half:])
            answer = _read_to_end(connection)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        assert node.process.popen.wait(WAIT_S) == 0
        assert "Traceback" not in node.process.log()
    with serve(tmp_path / "data", port=port) as again:
        assert _stored(again, instance) == [instance.content]


@pytest.fixture(scope="module")
def large_study(node: Node) -> str:
    """Return the path of a study that the node has, larger than all buffers on the way to a caller."""
    for number in range(1, 6):
        instance = make_instance(identify(50, 1, number), size_bytes=8 * 1000**2)
        assert post_instance(node.dicomweb_url, instance.content).status_code == httpx.codes.OK
    return f"/dicom-web/studies/{identify(50).study_instance_uid}"


def test_callers_that_stand_still_do_not_hold_others_up(node: Node, large_study: str) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(12):  # more than there are threads that read
            download = stack.enter_context(_connection(node))
            download.sendall(f"GET {large_study} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {ANY_DICOM}\r\n\r\n".encode())
            assert download.recv(100).startswith(b"HTTP/1.1 200")
            upload = stack.enter_context(_connection(node))
            stalled = make_instance(identify(60 + number), size_bytes=100_000)
            upload.sendall(_upload_head(stalled) + stalled.content[:50_000])
        instance = make_instance(identify(51))
        assert post_instance(node.dicomweb_url, instance.content).status_code == httpx.codes.OK
        assert _stored(node, instance) == [instance.content]
        assert answers_ok(f"{node.base_url}/health/ready")
    assert _stored(node, make_instance(identify(60))) == []


def test_64_connections_at_once_store_and_read_what_is_theirs(node: Node) -> None:
    together = threading.Barrier(64)

    def work(number: int) -> bool:
        instance = make_instance(identify(100 + number), size_bytes=30_000)
        with httpx.Client(timeout=WAIT_S, trust_env=False) as own:
            together.wait(WAIT_S)
            answer = own.post(
                f"{node.dicomweb_url}/studies",
                content=instance.content,
                headers={"Content-Type": "application/dicom", "Accept": JSON},
            )
            read = own.get(
                f"{node.dicomweb_url}/studies/{instance.identifier.study_instance_uid}", headers={"Accept": ANY_DICOM}
            )
        return answer.status_code == httpx.codes.OK and [part.content for part in parts(read)] == [instance.content]

    with ThreadPoolExecutor(64) as callers:
        assert all(callers.map(work, range(64)))


@pytest.mark.parametrize("line", [b"X-Filler: " + b"a" * 1000 + b"\r\n", b""], ids=["headers", "request line"])
def test_a_head_without_end_is_refused(node: Node, line: bytes) -> None:
    with _connection(node) as connection:
        connection.sendall(b"GET /health/live" + (b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" if line else b"?"))
        with contextlib.suppress(ConnectionError):  # it hangs up while we are still talking
            for _ in range(1000):
                connection.sendall(line or b"a" * 1000)
            answer = _read_to_end(connection)  # comes to no end unless the node hangs up
            assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert answers_ok(f"{node.base_url}/health/ready")


def test_a_head_in_small_pieces_and_the_next_behind_it_are_answered(node: Node) -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with _connection(node) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            connection.sendall(bytes([byte]))
        connection.sendall(request * 200 + request.replace(b"Host", b"Connection: close\r\nHost"))
        assert _read_to_end(connection).count(b"HTTP/1.1 200") == 202
