from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.modality.faults.action import Action, Cut, CutKind, Pass
from isocenter.modality.faults.board import FaultBoard
from isocenter.modality.faults.fault import Direction, Fault, HttpAnswer, HttpSilence, HttpToken, HttpTruncate
from isocenter.modality.faults.http_faults import HttpFaults, render_answer

REQUESTS, ANSWERS = Direction.REQUESTS, Direction.ANSWERS
GET = b"GET /v2/studies?limit=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n"
POST = b"POST /v2/studies HTTP/1.1\r\nContent-Length: 4\r\n\r\n"


def _faults(*faults: Fault) -> tuple[HttpFaults, Counter[str]]:
    board, counts = FaultBoard(), Counter[str]()
    for fault in faults:
        board.set(fault)
    return HttpFaults(board, counts), counts


def _passed(actions: list[Action], direction: Direction) -> bytes:
    return b"".join(one.data for one in actions if isinstance(one, Pass) and one.direction is direction)


def test_without_faults_everything_passes_and_is_counted() -> None:
    faults, counts = _faults()
    assert _passed(faults.receive(REQUESTS, GET + POST + b"body"), REQUESTS) == GET + POST + b"body"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert _passed(faults.receive(ANSWERS, answer), ANSWERS) == answer
    assert counts == {"requests": 2, "status 200": 1}


def test_an_answer_waits_for_the_whole_request() -> None:
    faults, _ = _faults(HttpAnswer(status=503, retry_after_s=5))
    assert faults.receive(REQUESTS, POST + b"bo") == []
    actions = faults.receive(REQUESTS, b"dy")
    assert _passed(actions, ANSWERS).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 5\r\n" in _passed(actions, ANSWERS)
    assert actions[-1] == Cut(CutKind.CLOSE, ANSWERS)
    assert faults.receive(REQUESTS, GET) == []


def test_who_asks_first_is_answered_before_the_body() -> None:
    faults, _ = _faults(HttpAnswer(status=401))
    head = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    assert b"401" in _passed(faults.receive(REQUESTS, head), ANSWERS)


def test_the_next_request_of_a_connection_decides_anew() -> None:
    faults, _ = _faults(HttpAnswer(status=503, method="post"), HttpSilence(path="/nowhere"))
    assert _passed(faults.receive(REQUESTS, GET), REQUESTS) == GET
    assert b"503" in _passed(faults.receive(REQUESTS, POST + b"body"), ANSWERS)


def test_a_silenced_request_reaches_nobody() -> None:
    faults, _ = _faults(HttpSilence(count=1))
    assert faults.receive(REQUESTS, POST + b"body") == []
    assert _passed(faults.receive(REQUESTS, GET), REQUESTS) == GET


@pytest.mark.parametrize(("token", "wanted"), [("old", b"Authorization: Bearer old\r\n"), ("", b"Host: a\r\n\r\n")])
def test_a_token_is_replaced_or_taken_away(token: str, wanted: bytes) -> None:
    faults, _ = _faults(HttpToken(token=token))
    passed = _passed(faults.receive(REQUESTS, GET), REQUESTS)
    assert wanted in passed
    assert b"good" not in passed


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_answer_ends_behind_so_many_bytes_of_its_body(size: int) -> None:
    faults, counts = _faults(HttpTruncate(after_bytes=3))
    faults.receive(REQUESTS, GET)
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnine byte"
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
    actions = [action for piece in pieces for action in faults.receive(ANSWERS, piece)]
    assert _passed(actions, ANSWERS) == answer[:-6]
    assert actions[-1] == Cut(CutKind.CLOSE, ANSWERS)
    assert counts["status 200"] == 1


def test_an_answer_of_a_fault_is_one_that_clients_understand() -> None:
    assert b"WWW-Authenticate: Bearer" in render_answer(HttpAnswer(status=401))
    assert b"Location: /there\r\n" in render_answer(HttpAnswer(status=302, location="/there"))
    assert render_answer(HttpAnswer(status=599)).startswith(b"HTTP/1.1 599 Fault\r\n")


@given(
    st.lists(st.binary(max_size=40) | st.sampled_from([GET, POST, b"body", b"HTTP/1.1 200 OK\r\n\r\n"]), max_size=9),
    st.sampled_from([None, HttpAnswer(status=503), HttpSilence(), HttpToken(), HttpTruncate(after_bytes=1)]),
)
def test_whatever_comes_nothing_is_raised_and_without_faults_nothing_changed(
    pieces: list[bytes], fault: Fault | None
) -> None:
    faults, counts = _faults(*([] if fault is None else [fault]))
    for direction in (REQUESTS, ANSWERS):
        passed = b"".join(_passed(faults.receive(direction, piece), direction) for piece in pieces)
        assert fault is not None or b"".join(pieces).startswith(passed)
    assert all(name.partition(" ")[2].isdecimal() or name == "requests" for name in counts)
