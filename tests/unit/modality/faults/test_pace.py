from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.modality.faults.board import FaultBoard
from isocenter.modality.faults.fault import Bandwidth, Direction, Latency
from isocenter.modality.faults.pace import Pace

REQUESTS, ANSWERS = Direction.REQUESTS, Direction.ANSWERS


def test_without_faults_bytes_leave_at_once() -> None:
    assert list(Pace(FaultBoard(), REQUESTS).schedule(b"abc", 7.0)) == [(7.0, b"abc")]


def test_latencies_add_up_and_only_their_direction_waits() -> None:
    board = FaultBoard()
    board.set(Latency(delay_s=0.2))
    board.set(Latency(delay_s=0.5, direction=ANSWERS))
    assert next(Pace(board, REQUESTS).schedule(b"x", 1.0))[0] == pytest.approx(1.2)
    assert next(Pace(board, ANSWERS).schedule(b"x", 1.0))[0] == pytest.approx(1.7)


def test_a_cap_spreads_bytes_over_their_time() -> None:
    board = FaultBoard()
    board.set(Bandwidth(bytes_per_s=10_000))
    pieces = list(Pace(board, REQUESTS).schedule(bytes(5_000), 0.0))
    assert len(pieces) == 10
    assert pieces[-1][0] == pytest.approx(0.5)
    assert sum(len(piece) for _, piece in pieces) == 5_000


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=99), st.floats(0, 0.01)), max_size=30), st.integers(0, 9))
def test_jitter_never_changes_the_order(sent: list[tuple[bytes, float]], seed: int) -> None:
    board = FaultBoard()
    board.set(Latency(delay_s=0.01, jitter_s=0.1, seed=seed))
    pace, now_s, due = Pace(board, REQUESTS), 0.0, []
    for data, pause_s in sent:
        now_s += pause_s
        due += [at_s for at_s, _ in pace.schedule(data, now_s)]
        assert due[-1] >= now_s + 0.01
    assert due == sorted(due)
    assert pace.latest_s(0.0) == (due[-1] if due else 0.0)


def test_a_count_is_of_connections() -> None:
    board = FaultBoard()
    board.set(Latency(delay_s=1.0, count=1))
    first, second = Pace(board, REQUESTS), Pace(board, REQUESTS)
    assert next(first.schedule(b"x", 0.0))[0] == 1.0
    assert next(second.schedule(b"x", 0.0))[0] == 0.0
    assert next(first.schedule(b"x", 5.0))[0] == 6.0
