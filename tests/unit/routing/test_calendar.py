from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.domain.errors import InvalidRequest
from isocenter.routing.calendar import DAY_S, Window, format_window, is_open, next_opening, parse_window
from tests.support.routing_configurations import windows

SATURDAY_10 = datetime.fromisoformat("2026-11-21T10:00:00")


@given(windows())
def test_what_is_written_is_read_again_as_the_same(window: Window) -> None:
    assert parse_window(format_window(window)) == window


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("mon-fri 18:00-07:00", Window(frozenset(range(5)), 18 * 3600, 7 * 3600)),
        ("sat, sun".replace(" ", ""), Window(frozenset({5, 6}))),
        ("FRI-MON 8:00-24:00", Window(frozenset({4, 5, 6, 0}), 8 * 3600, DAY_S)),
        ("22:00 - 06:00", Window(begins_s=22 * 3600, ends_s=6 * 3600)),
    ],
)
def test_hours_are_read(text: str, window: Window) -> None:
    assert parse_window(text) == window


@pytest.mark.parametrize(
    "text", ["", "daily", "mon-", "mon 25:00-26:00", "08:00", "08:00-08:00", "24:00-25:00", "8-9", "mon 08:60-09:00"]
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_window(text)


@pytest.mark.parametrize(
    ("text", "at", "is_within"),
    [
        ("fri 18:00-07:00", "2026-11-20T17:59:59", False),
        ("fri 18:00-07:00", "2026-11-20T18:00:00", True),
        ("fri 18:00-07:00", "2026-11-21T06:59:59", True),
        ("fri 18:00-07:00", "2026-11-21T07:00:00", False),
        ("fri 18:00-07:00", "2026-11-21T18:00:00", False),
        ("sat", "2026-11-21T00:00:00", True),
        ("sat", "2026-11-22T00:00:00", False),
        ("sun 20:00-02:00", "2026-11-23T01:00:00", True),
    ],
)
def test_hours_that_pass_midnight_belong_to_the_day_on_which_they_begin(text: str, at: str, is_within: bool) -> None:
    assert parse_window(text).holds_at(datetime.fromisoformat(at)) is is_within


def test_without_windows_it_is_always_open() -> None:
    assert is_open((), SATURDAY_10)
    assert next_opening((), SATURDAY_10) == SATURDAY_10


@settings(max_examples=200)
@given(
    calendar=st.lists(windows(), min_size=1, max_size=3).map(tuple),
    offset_s=st.integers(0, 7 * DAY_S),
)
def test_it_opens_when_it_says_and_not_before(calendar: tuple[Window, ...], offset_s: int) -> None:
    moment = SATURDAY_10 + timedelta(seconds=offset_s)
    opening = next_opening(calendar, moment)
    assert is_open(calendar, opening)
    assert moment <= opening <= moment + timedelta(days=8)
    step, at = timedelta(minutes=7), moment
    while at < opening:
        assert not is_open(calendar, at)
        at += step
