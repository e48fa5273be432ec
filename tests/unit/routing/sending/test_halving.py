from __future__ import annotations

from collections.abc import Sequence
from math import log2

from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.sending.halving import send_halving


def _sent(count: int, poisoned: set[int]) -> tuple[list[int], list[int], int]:
    """Return what was taken, what was refused, and how many requests that took."""
    taken: list[int] = []
    refused: list[int] = []
    requests = 0

    def send(part: Sequence[int]) -> str | None:
        nonlocal requests
        requests += 1
        if poisoned & set(part):
            return "refused"
        taken.extend(part)
        return None

    send_halving(range(count), send=send, refuse=lambda item, refusal: refused.append(item))
    return taken, refused, requests


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=n))))
def test_exactly_those_at_fault_are_refused_and_all_others_taken_once(case: tuple[int, set[int]]) -> None:
    count, poisoned = case
    taken, refused, requests = _sent(count, poisoned)
    assert refused == sorted(poisoned)
    assert sorted(taken) == sorted(set(range(count)) - poisoned)
    assert requests <= 2 * len(poisoned) * (log2(count) + 1) + 1
    assert requests <= 2 * count


def test_nothing_is_sent_of_an_empty_batch() -> None:
    assert _sent(0, set()) == ([], [], 0)
