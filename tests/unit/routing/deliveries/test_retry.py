from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.deliveries.retry import RETRY_AFTER_MAX_S, RetryPolicy, next_attempt_at, wait_ceiling_s

POLICY = RetryPolicy()
WEEK_S = 7 * 86_400.0


def _next(
    *, now: float = 0.0, failures: int = 1, drawn: float = 1.0, retry_after_s: float | None = None
) -> float | None:
    return next_attempt_at(
        POLICY, now=now, received_at=0.0, failures=failures, draw=lambda: drawn, retry_after_s=retry_after_s
    )


def test_the_ceiling_doubles_up_to_five_minutes() -> None:
    assert [wait_ceiling_s(POLICY, failures) for failures in range(1, 11)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert wait_ceiling_s(POLICY, 10**9) == 300


def test_the_wait_is_drawn_from_nothing_up_to_the_ceiling() -> None:
    assert _next(failures=3, drawn=0.0) == 0.0
    assert _next(failures=3, drawn=0.5) == 4.0


def test_what_the_destination_asks_for_wins() -> None:
    assert _next(now=10.0, failures=9, drawn=0.0, retry_after_s=120.0) == 130.0
    assert _next(now=10.0, retry_after_s=-5.0) == 10.0
    assert _next(retry_after_s=1e12) == RETRY_AFTER_MAX_S


def test_the_age_ends_it_and_never_the_number_of_failures() -> None:
    assert _next(now=WEEK_S - 1, failures=10**6) == WEEK_S, "the last attempt falls on the end"
    assert _next(now=WEEK_S) is None


@given(
    now=st.floats(0, 2 * WEEK_S),
    failures=st.integers(1, 10**7),
    drawn=st.floats(0, 1, exclude_max=True),
    retry_after_s=st.none() | st.floats(allow_nan=False),
)
def test_an_attempt_is_never_in_the_past_nor_beyond_the_end(
    now: float, failures: int, drawn: float, retry_after_s: float | None
) -> None:
    found = _next(now=now, failures=failures, drawn=drawn, retry_after_s=retry_after_s)
    assert (found is None) is (now >= WEEK_S)
    assert found is None or now <= found <= WEEK_S


def test_what_failed_together_does_not_come_back_together() -> None:
    source = random.Random(7)
    waits = sorted(
        next_attempt_at(POLICY, now=0.0, received_at=0.0, failures=9, draw=source.random) or 0.0 for _ in range(1000)
    )
    assert waits[99] == pytest.approx(30, abs=15)
    assert waits[899] == pytest.approx(270, abs=15)
