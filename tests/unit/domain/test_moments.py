from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.moments import (
    Moment,
    earliest_time,
    in_zone,
    is_date,
    latest_time,
    parse_moment,
    parse_offset,
)


def padded(time: str) -> str:
    whole, _, fraction = time.partition(".")
    return f"{whole.ljust(6, '0')}.{fraction.ljust(6, '0')}"


@given(st.times(), st.sampled_from(["%H", "%H%M", "%H%M%S", "%H%M%S.%f"]))
def test_a_time_lies_between_its_own_ends_in_any_spelling(moment: time, form: str) -> None:
    text = moment.strftime(form)
    lowest, highest = earliest_time(text), latest_time(text)
    assert lowest is not None
    assert highest is not None
    assert lowest <= text <= highest
    assert padded(lowest) <= padded(text) <= padded(highest)


@pytest.mark.parametrize(("text", "is_valid"), [("20200101", True), ("00000101", False), ("2020010", False)])
def test_a_date_is_a_day_of_the_calendar(text: str, is_valid: bool) -> None:
    assert is_date(text) is is_valid


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+0100", 60), ("-0530", -330), ("+0000", 0), ("+1400", 840), ("+1401", None), ("+0160", None), ("0100", None)],
)
def test_an_offset_is_minutes_from_utc(text: str, minutes: int | None) -> None:
    assert parse_offset(text) == minutes


@pytest.mark.parametrize("text", [None, "", "bad", "+٠١٠٠"])
def test_what_is_no_offset_says_nothing(text: str | None) -> None:
    assert parse_offset(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020", Moment("20200101000000.000000", "20201231235959.999999", None)),
        ("202002", Moment("20200201000000.000000", "20200229235959.999999", None)),
        ("202012+0100", Moment("20201201000000.000000", "20201231235959.999999", 60)),
        ("20200101", Moment("20200101000000.000000", "20200101235959.999999", None)),
        ("2020010110-0530", Moment("20200101100000.000000", "20200101105959.999999", -330)),
        ("20200101101112.5", Moment("20200101101112.500000", "20200101101112.500000", None)),
    ],
)
def test_an_instant_reaches_as_far_as_it_is_told(text: str, expected: Moment) -> None:
    assert parse_moment(text) == expected


@pytest.mark.parametrize(
    "text", ["", "20", "20201", "20201301", "20200230", "2020010124", "2020.5", "20200101+99", "x"]
)
def test_what_is_no_instant_is_none(text: str) -> None:
    assert parse_moment(text) is None


@given(st.integers(1, 9999), st.integers(1, 12))
def test_a_month_ends_with_its_last_day(year: int, month: int) -> None:
    moment = parse_moment(f"{year:04}{month:02}")
    assert moment is not None
    assert int(moment.latest[6:8]) == monthrange(year, month)[1]


ZONES = st.integers(-720, 840)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), ZONES, ZONES)
def test_zones_tell_one_instant_differently(moment: datetime, of: int, to: int) -> None:
    told = in_zone(f"{moment:%Y%m%d%H%M%S.%f}".rjust(21, "0"), of_minutes=of, to_minutes=to)
    there = moment.replace(tzinfo=timezone(timedelta(minutes=of))).astimezone(timezone(timedelta(minutes=to)))
    assert told == f"{there:%Y%m%d%H%M%S.%f}".rjust(21, "0")
    assert there.astimezone(UTC) == moment.replace(tzinfo=timezone(timedelta(minutes=of)))


@pytest.mark.parametrize(("of", "to"), [(None, 60), (60, None), (60, 60)])
def test_an_instant_stays_as_it_is_where_a_zone_is_not_known_or_the_same(of: int | None, to: int | None) -> None:
    assert in_zone("20200101000000.000000", of_minutes=of, to_minutes=to) == "20200101000000.000000"


@pytest.mark.parametrize("instant", ["99991231235959.000000", "00010101000000.000000"])
def test_an_instant_at_the_end_of_the_calendar_stays_there(instant: str) -> None:
    minutes = 60 if instant.startswith("9") else -60
    assert in_zone(instant, of_minutes=0, to_minutes=minutes) == instant


def test_a_leap_second_is_the_last_of_its_minute() -> None:
    assert in_zone("20161231235960.000000", of_minutes=0, to_minutes=60) == "20170101005959.000000"
