"""The pool of decoding processes: frames end a process, never the pool, and a process never outlives its node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from isocenter.domain.errors import IsocenterError, NotAcceptable, Overloaded, Unavailable
from isocenter.storage.decoding import DecodingPool
from tests.support import treacherous_worker as worker
from tests.support.decoding import GREY_VALUES, HOLDS_CHARLS, SOUND, TREACHEROUS, pixels_of, wait_until_gone
from tests.support.hostile_frames import GREY
from tests.support.shared_data import REPOSITORY

ENDS_ITS_PROCESS = {
    "crash": worker.CRASH,
    "exit": worker.EXIT,
    "wait": worker.WAIT,
    "hold CharLS": HOLDS_CHARLS,
    "lie": worker.LIE,
    "grab memory": worker.GRAB_MEMORY,
}


@pytest.fixture
def pool() -> Iterator[DecodingPool]:
    with DecodingPool(workers_max=2, decode_timeout_s=2.0, command=TREACHEROUS) as opened:
        yield opened


@pytest.mark.parametrize("content", ENDS_ITS_PROCESS.values(), ids=ENDS_ITS_PROCESS)
def test_a_frame_that_ends_its_process_is_refused_and_the_next_is_decoded(pool: DecodingPool, content: bytes) -> None:
    pool.decode(SOUND, GREY_VALUES)
    [pid] = pool.worker_pids
    with pytest.raises(NotAcceptable):
        pool.decode(content, GREY_VALUES)
    wait_until_gone(pid)
    np.testing.assert_array_equal(pixels_of(pool.decode(SOUND, GREY_VALUES)), GREY)
    [another] = pool.worker_pids
    assert another != pid


def test_a_frame_that_is_refused_leaves_its_process_for_the_next(pool: DecodingPool) -> None:
    pool.decode(SOUND, GREY_VALUES)
    pids = pool.worker_pids
    with pytest.raises(NotAcceptable, match="cut off"):
        pool.decode(SOUND[:-1], GREY_VALUES)
    pool.decode(SOUND, GREY_VALUES)
    assert pool.worker_pids == pids


def test_no_process_is_started_before_a_frame_comes_and_never_more_than_allowed(pool: DecodingPool) -> None:
    assert pool.worker_pids == []
    with ThreadPoolExecutor(8) as callers:
        frames = list(callers.map(lambda _: pool.decode(SOUND, GREY_VALUES), range(40)))
    assert all(bytes(frame.content) == GREY.tobytes() for frame in frames)
    assert 1 <= len(pool.worker_pids) <= 2


def test_a_process_can_open_neither_file_nor_socket(pool: DecodingPool) -> None:
    assert not pixels_of(pool.decode(worker.BREAK_OUT, GREY_VALUES)).any()


def test_a_process_that_ended_while_it_was_free_is_replaced_unnoticed(pool: DecodingPool) -> None:
    pool.decode(SOUND, GREY_VALUES)
    [pid] = pool.worker_pids
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    np.testing.assert_array_equal(pixels_of(pool.decode(SOUND, GREY_VALUES)), GREY)


@pytest.mark.parametrize("limits", [{"waiting_max": 0}, {"wait_timeout_s": 0.1}], ids=["queue", "patience"])
def test_who_finds_every_process_held_is_told_to_come_again(limits: dict[str, float]) -> None:
    waiting_max, wait_timeout_s = int(limits.get("waiting_max", 64)), limits.get("wait_timeout_s", 60.0)
    with (
        DecodingPool(
            workers_max=1,
            decode_timeout_s=3.0,
            waiting_max=waiting_max,
            wait_timeout_s=wait_timeout_s,
            command=TREACHEROUS,
        ) as pool,
        ThreadPoolExecutor(3) as callers,
    ):

        def outcome(_: int) -> type[IsocenterError]:
            with pytest.raises(IsocenterError) as raised:
                pool.decode(worker.WAIT, GREY_VALUES)
            return raised.type

        assert Counter(callers.map(outcome, range(3))) == {NotAcceptable: 1, Overloaded: 2}


def test_closing_ends_every_process_and_refuses_what_comes_later() -> None:
    with DecodingPool(command=TREACHEROUS) as pool:
        pool.decode(SOUND, GREY_VALUES)
        pids = pool.worker_pids
    for pid in pids:
        wait_until_gone(pid)
    with pytest.raises(Unavailable):
        pool.decode(SOUND, GREY_VALUES)


def test_a_program_that_does_not_start_is_a_reason_to_come_again() -> None:
    with (
        DecodingPool(command=(sys.executable, "-c", "raise SystemExit(3)")) as pool,
        pytest.raises(Unavailable, match="started"),
    ):
        pool.decode(SOUND, GREY_VALUES)


OWNER = """
import sys, threading
from isocenter.domain.errors import IsocenterError
from isocenter.storage.decoding import DecodingPool
from tests.support.decoding import GREY_VALUES, HOLDS_CHARLS, SOUND, TREACHEROUS
pool = DecodingPool(command=TREACHEROUS, workers_max=1, decode_timeout_s=2.0)
pool.decode(SOUND, GREY_VALUES)
if sys.argv[1] == "busy":
    threading.Thread(target=pool.decode, args=(HOLDS_CHARLS, GREY_VALUES), daemon=True).start()
print(*pool.worker_pids, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["free", "busy"])
def test_no_process_outlives_a_node_that_is_killed(state: str) -> None:
    command = [sys.executable, "-c", OWNER, state]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
        wait_until_gone(pid)
