"""Faults of HTTP before a node of ours: httpx sees what each says, and our own sender loses nothing and tells why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from isocenter.modality.faults.fault import (
    Direction,
    Garble,
    HttpAnswer,
    HttpSilence,
    HttpToken,
    HttpTruncate,
    Refuse,
    Reset,
)
from isocenter.modality.workload import WorkloadInstance, WorkloadShape, write_workload
from tests.support.command_line import Answer, CommandLine
from tests.support.fault_plane import FaultLink, fault_link
from tests.support.processes import Node

SHORT_S = 0.3


@pytest.fixture
def link(node: Node) -> Iterator[FaultLink]:
    with fault_link(int(node.base_url.rpartition(":")[2]), protocol="http") as running:
        yield running


@pytest.fixture
def client(link: FaultLink) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=link.url, timeout=20) as opened:
        yield opened


def test_without_faults_requests_pass_on_one_connection(client: httpx.Client, link: FaultLink) -> None:
    for _ in range(3):
        assert client.get("/health/live").status_code == 200
    assert client.post("/v2/studies", content=iter([b"in ", b"chunks"])).status_code in (400, 415)
    counts = link.state()["counts"]
    assert (counts["connections"], counts["requests"], counts["status 200"]) == (1, 4, 3)


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503, 504])
def test_a_request_is_answered_in_the_place_of_the_node(client: httpx.Client, link: FaultLink, status: int) -> None:
    link.set(HttpAnswer(status=status, count=1))
    assert client.get("/health/live").status_code == status
    assert client.get("/health/live").status_code == 200
    assert ("status 200" in link.state()["counts"]) is True


def test_an_answer_says_when_to_come_again_and_where(client: httpx.Client, link: FaultLink) -> None:
    link.set(HttpAnswer(status=429, retry_after_s=7, count=1))
    link.set(HttpAnswer(status=307, location="/elsewhere", count=1))
    assert client.post("/v2/studies", content=bytes(100_000)).headers["Retry-After"] == "7"
    assert client.get("/health/live").headers["Location"] == "/elsewhere"


def test_only_the_requests_that_fit_are_struck(client: httpx.Client, link: FaultLink) -> None:
    link.set(HttpAnswer(status=503, method="POST", path="/*/studies"))
    assert client.get("/health/live").status_code == 200
    assert client.post("/v2/studies", content=b"x").status_code == 503
    assert client.post("/v2/workitems", content=b"x").status_code != 503


def test_a_body_that_is_cut_ends_too_early(client: httpx.Client, link: FaultLink) -> None:
    link.set(HttpTruncate(after_bytes=3, path="/health/*"))
    with pytest.raises(httpx.RemoteProtocolError, match="3 bytes"):
        client.get("/health/live")


def test_a_request_that_is_never_answered_runs_into_the_clients_timeout(client: httpx.Client, link: FaultLink) -> None:
    link.set(HttpSilence(count=1))
    with pytest.raises(httpx.ReadTimeout):
        client.get("/health/live", timeout=SHORT_S)
    assert client.get("/health/live").status_code == 200


def test_a_token_is_taken_away_or_replaced(client: httpx.Client, link: FaultLink) -> None:
    headers = {"Authorization": "Bearer good"}
    link.set(HttpToken(token="expired", count=1))
    for _ in range(2):
        assert client.get("/health/live", headers=headers).status_code == 200
    assert link.state()["faults"][0]["struck"] == 1


def test_garbage_is_no_answer(client: httpx.Client, link: FaultLink) -> None:
    link.set(Garble())
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadTimeout)):
        client.get("/health/live", timeout=1)


def test_what_is_not_http_passes(link: FaultLink, node: Node) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", link.port), 20) as raw:
        raw.sendall(b"\x16\x03\x01 no request\r\n\r\n")
        assert raw.recv(12).startswith(b"HTTP/1.1 400")


# Our own sender


def _write_sources(folder: Path, *, seed: int) -> list[WorkloadInstance]:
    """Write instances that no other test has sent."""
    return write_workload(folder, SMALL, seed=seed)


SMALL = WorkloadShape("small", studies=2, series=1, instances=4, rows=64, columns=64)


def _store(tmp_path: Path, link: FaultLink) -> Answer:
    line = CommandLine(tmp_path / "state")
    return line.run("store", tmp_path / "sources" / SMALL.name, "--to", f"{link.url}/v2")


def _stored(node: Node, sources: list[WorkloadInstance]) -> int:
    studies = {one.study for one in sources}
    found = [
        row
        for study in studies
        for row in _rows(httpx.get(f"{node.base_url}/v2/studies/{study}/instances", timeout=20, verify=False))  # noqa: S501
    ]
    return len({row["00080018"]["Value"][0] for row in found})


def _rows(answer: httpx.Response) -> list[dict[str, dict[str, list[str]]]]:
    return answer.json() if answer.status_code == 200 else []


@pytest.mark.parametrize(
    "fault",
    [
        Reset(after_bytes=20_000, direction=Direction.REQUESTS, count=1),
        HttpAnswer(status=503, method="POST", count=1),
        HttpTruncate(method="POST", count=1),
    ],
    ids=["reset", "503", "lost-answer"],
)
def test_our_sender_tries_again_by_itself_and_loses_nothing(
    tmp_path: Path, link: FaultLink, node: Node, fault: Reset | HttpAnswer | HttpTruncate
) -> None:
    sources = _write_sources(tmp_path / "sources", seed=1000 + len(type(fault).__name__))
    link.set(fault)
    done = _store(tmp_path, link)
    assert done.code == 0, done.out + done.err
    assert link.state()["faults"][0]["struck"] == 1
    assert _stored(node, sources) == len(sources)


@pytest.mark.parametrize(
    ("fault", "told"), [(HttpAnswer(status=401), "answered 401"), (Refuse(), "Nothing answers")], ids=["401", "refused"]
)
def test_our_sender_says_what_is_wrong_and_goes_on_the_next_time(
    tmp_path: Path, link: FaultLink, node: Node, fault: HttpAnswer | Refuse, told: str
) -> None:
    sources = _write_sources(tmp_path / "sources", seed=2000 + len(told))
    link.set(fault)
    failed = _store(tmp_path, link)
    assert failed.code != 0
    assert told in failed.err
    assert _stored(node, sources) == 0
    link.clear()
    assert _store(tmp_path, link).code == 0
    assert _stored(node, sources) == len(sources)


@pytest.mark.parametrize(
    "fault",
    [
        HttpTruncate(path="*/studies/*", after_bytes=20_000),
        Garble(after_bytes=20_000),
    ],
    ids=["truncated", "garbled"],
)
def test_what_breaks_off_while_it_is_fetched_leaves_no_torn_file(
    tmp_path: Path, link: FaultLink, node: Node, fault: HttpTruncate | Garble
) -> None:
    sources = _write_sources(tmp_path / "sources", seed=3000)
    line = CommandLine(tmp_path / "state")
    line.must("store", tmp_path / "sources" / SMALL.name, "--to", f"{node.base_url}/v2")
    study, out = sources[0].study, tmp_path / "out"
    number = link.set(fault)
    broken = line.run("get", study, "--from", f"{link.url}/v2", "-o", out)
    assert broken.code != 0, broken.out
    digests = {(tmp_path / "sources" / one.path).read_bytes() for one in sources}
    assert all(path.read_bytes() in digests for path in out.rglob("*.dcm"))
    link.clear(number)
    line.must("get", study, "--from", f"{link.url}/v2", "-o", out)
    assert {path.read_bytes() for path in out.rglob("*.dcm")} == {
        (tmp_path / "sources" / one.path).read_bytes() for one in sources if one.study == study
    }
