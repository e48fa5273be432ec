"""How long a migration takes: by what was measured, within its limits and hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from isocenter.routing.calendar import parse_window
from isocenter.routing.migration.estimate import Limits, Measured, ends_at, estimate

MONDAY_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NIGHTS = (parse_window("mon-fri 19:00-06:00"),)


def test_before_anything_moved_the_band_is_wide_and_says_that_it_is_assumed() -> None:
    found = estimate(1000, [], Limits())
    assert found.measured_series == 0
    assert found.low_s < found.likely_s < found.high_s


def test_series_that_took_alike_make_a_narrow_band() -> None:
    alike = estimate(1000, [Measured(10, 1000, 1.0)] * 10, Limits())
    varied = estimate(1000, [Measured(10, 1000, 1.0), Measured(10, 1000, 3.0)] * 5, Limits())
    assert (alike.low_s, alike.likely_s, alike.high_s) == pytest.approx((100, 100, 100))
    assert varied.high_s - varied.low_s > 50
    assert varied.low_s < varied.likely_s < varied.high_s
    assert varied.measured_series == 10


def test_no_estimate_is_faster_than_the_limits() -> None:
    measured = [Measured(10, 10_000, 0.1)] * 5
    assert estimate(1000, measured, Limits(bytes_per_s=1000)).low_s == pytest.approx(1000)
    assert estimate(1000, measured, Limits(instances_per_s=2)).likely_s == pytest.approx(500)


def test_work_rests_outside_its_hours() -> None:
    assert ends_at(MONDAY_NOON, 3600, ()) == MONDAY_NOON + timedelta(hours=1)
    assert ends_at(MONDAY_NOON, 3600, NIGHTS) == datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    assert ends_at(MONDAY_NOON, 12 * 3600, NIGHTS) == datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


def test_weeks_of_work_are_counted_by_open_hours() -> None:
    open_s = 5 * 11 * 3600
    assert ends_at(MONDAY_NOON, 3 * open_s, NIGHTS) == MONDAY_NOON + timedelta(weeks=3)


def test_work_beyond_a_lifetime_has_no_end() -> None:
    assert ends_at(MONDAY_NOON, 1e12, ()) is None
    assert ends_at(MONDAY_NOON, 3e9, NIGHTS) is None
