from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.deliveries.pace import BURST_S, at_rate, full_bucket, taken, wait_s


def test_a_burst_goes_at_once_and_then_the_rate_holds() -> None:
    bucket = full_bucket(100.0, now=0.0)
    assert wait_s(bucket, 100.0, now=0.0) == 0.0
    bucket = taken(bucket, 100.0, now=0.0)
    assert wait_s(bucket, 50.0, now=0.0) == 0.5
    assert wait_s(bucket, 50.0, now=0.5) == 0.0


def test_what_is_larger_than_the_bucket_goes_whole_and_the_debt_is_worked_off() -> None:
    bucket = full_bucket(100.0, now=0.0)
    assert wait_s(bucket, 1000.0, now=0.0) == 0.0
    bucket = taken(bucket, 1000.0, now=0.0)
    assert wait_s(bucket, 1.0, now=0.0) == pytest.approx(9.01)


def test_nothing_is_saved_up_beyond_a_burst() -> None:
    bucket = full_bucket(100.0, now=0.0)
    assert wait_s(taken(bucket, 100.0, now=1000.0), 1.0, now=1000.0) == 0.01


def test_another_hour_has_another_rate() -> None:
    bucket = at_rate(taken(full_bucket(100.0, now=0.0), 300.0, now=0.0), 10.0, now=1.0)
    assert wait_s(bucket, 1.0, now=1.0) == pytest.approx(10.1), "a debt of 100 and 1, at 10 a second"


@given(
    rate=st.floats(0.01, 1e9),
    amounts=st.lists(st.floats(0, 1e6), min_size=1, max_size=50),
    pauses=st.lists(st.floats(0, 100), min_size=1, max_size=50),
)
def test_over_any_time_no_more_goes_out_than_rate_and_burst_and_one_instance(
    rate: float, amounts: list[float], pauses: list[float]
) -> None:
    bucket, now, sent = full_bucket(rate, now=0.0), 0.0, 0.0
    for amount, pause in zip(amounts, pauses, strict=False):
        now += pause
        now += wait_s(bucket, amount, now=now)
        bucket = taken(bucket, amount, now=now)
        sent += amount
        allowed = rate * now + max(rate * BURST_S, 1.0) + max(amounts)
        assert sent <= allowed * (1 + 1e-6)
