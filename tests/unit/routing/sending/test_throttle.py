from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.calendar import parse_window
from isocenter.routing.configuration.destination import RateLimit
from isocenter.routing.sending.throttle import (
    Allowance,
    Throttle,
    adjusted,
    allowance,
    charged,
    limit_at,
    wait_before_s,
)

BY_DAY = RateLimit(parse_window("mon-fri 07:00-19:00"), bytes_per_s=1_000_000)
ALWAYS = RateLimit(bytes_per_s=10_000_000, instances_per_s=50.0)
MONDAY_NOON, SUNDAY_NOON = datetime(2026, 11, 23, 12), datetime(2026, 11, 22, 12)


def test_the_first_limit_whose_hours_it_is_counts() -> None:
    assert limit_at((BY_DAY, ALWAYS), MONDAY_NOON) is BY_DAY
    assert limit_at((BY_DAY, ALWAYS), SUNDAY_NOON) is ALWAYS
    assert limit_at((BY_DAY,), SUNDAY_NOON) is None


def test_without_a_limit_nothing_waits() -> None:
    throttle = adjusted(Throttle(), None, now=0.0)
    assert wait_before_s(throttle, now=0.0) == 0.0
    assert allowance(throttle, now=0.0) == Allowance()


def test_a_second_of_the_rate_may_go_at_once_and_no_more() -> None:
    throttle = adjusted(Throttle(), ALWAYS, now=0.0)
    assert allowance(throttle, now=0.0) == Allowance(10_000_000, 50)
    throttle = charged(throttle, count=50, size_bytes=1000, now=0.0)
    assert wait_before_s(throttle, now=0.0) > 0.0


def test_something_larger_than_that_is_paid_for_afterwards() -> None:
    throttle = adjusted(Throttle(), BY_DAY, now=0.0)
    throttle = charged(throttle, count=1, size_bytes=11_000_000, now=0.0)
    assert wait_before_s(throttle, now=0.0) == 10.25  # and a quarter of a second's worth again


def test_a_debt_stays_when_the_hour_changes() -> None:
    throttle = charged(adjusted(Throttle(), BY_DAY, now=0.0), count=1, size_bytes=11_000_000, now=0.0)
    faster = adjusted(throttle, ALWAYS, now=0.0)
    assert 0.0 < wait_before_s(faster, now=0.0) < 10.25


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.floats(1.0, 200.0))
def test_over_time_no_more_goes_out_than_the_rate(sizes: list[int], rate: float) -> None:
    limit = RateLimit(instances_per_s=rate)
    throttle, now, sent = adjusted(Throttle(), limit, now=0.0), 0.0, 0
    for size in sizes:
        now += wait_before_s(throttle, now=now)
        allowed = allowance(throttle, now=now).count
        assert allowed is not None
        count = min(size, allowed)
        throttle = charged(throttle, count=count, size_bytes=0, now=now)
        sent += count
        assert sent <= rate * (now + 1.0) + 1.0
