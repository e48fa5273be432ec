"""How a migration is held up: by rates, by hours, by being stopped; the clock is the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from isocenter.app.migrating.throttle import Stopped, Throttle
from isocenter.routing.calendar import parse_window
from isocenter.routing.migration.estimate import Limits

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class StoppedClock(threading.Event):
    """Time that goes on only while somebody waits for the stop, and at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return self.is_set()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def _throttle(
    clock: StoppedClock, limits: Limits, *hours: str, on_wait: Callable[[datetime], None] = lambda until: None
) -> Throttle:
    return Throttle(
        limits,
        tuple(map(parse_window, hours)),
        stop=clock,
        on_wait=on_wait,
        monotonic_s=lambda: clock.now_s,
        local_now=lambda: NOON + timedelta(seconds=clock.now_s),
    )


def test_bytes_go_out_at_the_rate_that_is_told(clock: StoppedClock) -> None:
    throttle = _throttle(clock, Limits(bytes_per_s=1000))
    for _ in range(10):
        throttle.take(size_bytes=1000, instances=1)
    assert clock.now_s == pytest.approx(9, abs=0.01)  # the first second is free


def test_the_slower_of_two_limits_holds(clock: StoppedClock) -> None:
    throttle = _throttle(clock, Limits(bytes_per_s=1000, instances_per_s=1))
    for _ in range(10):
        throttle.take(size_bytes=10, instances=1)
    assert clock.now_s == pytest.approx(9, abs=0.01)


def test_without_limits_nothing_waits(clock: StoppedClock) -> None:
    _throttle(clock, Limits()).take(size_bytes=10**12, instances=10**6)
    assert clock.now_s == 0


def test_work_waits_for_its_hours_and_says_until_when(clock: StoppedClock) -> None:
    told: list[datetime] = []
    _throttle(clock, Limits(), "mon-fri 19:00-06:00", on_wait=told.append).wait_until_open()
    assert clock.now_s >= 7 * 3600
    assert set(told) == {NOON.replace(hour=19)}


def test_a_stop_ends_every_wait(clock: StoppedClock) -> None:
    throttle = _throttle(clock, Limits(bytes_per_s=1), "mon-fri 19:00-06:00")
    throttle.stop()
    with pytest.raises(Stopped):
        throttle.wait_until_open()
    with pytest.raises(Stopped):
        throttle.take(size_bytes=1, instances=1)
