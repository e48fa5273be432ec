from __future__ import annotations

from isocenter.routing.sending.recent import Rate, RecentDeliveries


def test_nothing_delivered_is_no_rate() -> None:
    assert RecentDeliveries().rate(now=5.0) == Rate()


def test_the_rate_is_that_of_the_time_since_the_first_of_the_minute() -> None:
    recent = RecentDeliveries()
    for second in range(10):
        recent.note(count=4, size_bytes=400, now=100.0 + second)
    assert recent.rate(now=110.0) == Rate(4.0, 400.0)


def test_what_is_older_than_a_minute_does_not_count() -> None:
    recent = RecentDeliveries()
    recent.note(count=100, size_bytes=1, now=0.0)
    assert recent.rate(now=61.0) == Rate()


def test_the_rate_of_the_last_deliveries_is_remembered() -> None:
    recent = RecentDeliveries()
    recent.note(count=7, size_bytes=70, now=0.0)
    recent.note(count=7, size_bytes=70, now=0.5)
    recent.rate(now=500.0)
    assert recent.last_rate == Rate(14.0, 140.0)
