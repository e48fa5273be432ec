"""More work while the source answers quickly, half of it when its answers take twice as long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.migration.concurrency import Concurrency, after_answer, after_failure


def _after(seconds: list[float], *, workers_max: int = 8) -> Concurrency:
    state = Concurrency()
    for one in seconds:
        state = after_answer(state, one, workers_max=workers_max)
    return state


def test_workers_are_added_while_the_source_is_quick() -> None:
    assert _after([0.1] * 100).workers == 8
    assert _after([0.1] * 3).workers == 2


def test_half_of_the_workers_go_when_answers_take_twice_as_long() -> None:
    quick = _after([0.1] * 100)
    slow = quick
    answers = 0
    while slow.workers == 8 and answers < 20:
        slow = after_answer(slow, 0.3, workers_max=8)
        answers += 1
    assert (slow.workers, slow.backed_off) == (4, 1)
    assert answers <= 5


def test_one_slow_answer_among_quick_ones_changes_nothing() -> None:
    state = after_answer(_after([0.1] * 100), 0.3, workers_max=8)
    assert state.workers == 8


def test_answers_within_the_noise_are_alike() -> None:
    assert _after([0.001, 0.015] * 50).backed_off == 0


def test_a_failure_halves_the_workers() -> None:
    assert after_failure(_after([0.1] * 100)).workers == 4
    assert after_failure(Concurrency()).workers == 1


@given(st.lists(st.floats(0, 1000), max_size=200), st.integers(1, 16))
def test_there_is_always_at_least_one_worker_and_never_too_many(seconds: list[float], workers_max: int) -> None:
    state = Concurrency()
    for one in seconds:
        state = after_answer(state, one, workers_max=workers_max)
        assert 1 <= state.workers <= workers_max
