from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidKey
from isocenter.domain.key import Key, KeyRules
from isocenter.domain.matching import DATES_WITH_TIMES, parse_keys
from isocenter.domain.query import Between, DateAndTime, Empty, Match, OneOf

DATE, TIME = 0x00080020, 0x00080030
COMBINED = KeyRules(combines_dates_and_times=True)
ZONED = KeyRules(timezone_minutes=60)
BOTH = KeyRules(combines_dates_and_times=True, timezone_minutes=60)


def keys(date: str, time: str, *more: Key) -> tuple[Key, ...]:
    return (Key(DATE, "DA", date, "StudyDate"), Key(TIME, "TM", time, "StudyTime"), *more)


def span(
    dates: tuple[str | None, str | None],
    times: tuple[str | None, str | None] = (None, None),
    *,
    is_combined: bool = False,
    zone: int | None = None,
) -> DateAndTime:
    return DateAndTime(DATE, TIME, dates, times, is_combined=is_combined, timezone_minutes=zone)


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        (
            "20060705-20060707",
            "1000-1800",
            span(("20060705", "20060707"), ("100000.000000", "180059.999999"), is_combined=True),
        ),
        ("20060705-", "10-", span(("20060705", None), ("100000.000000", None), is_combined=True)),
        ("-20060707", "-18", span((None, "20060707"), (None, "185959.999999"), is_combined=True)),
        (
            "20060705-20060707",
            "18-10",
            span(("20060705", "20060707"), ("180000.000000", "105959.999999"), is_combined=True),
        ),
    ],
)
def test_ranges_of_one_form_are_combined_where_that_was_agreed_on(date: str, time: str, expected: Match) -> None:
    assert parse_keys(keys(date, time), COMBINED) == (expected,)


@pytest.mark.parametrize(("date", "time"), [("20060705-20060707", "10-"), ("20060705", "10-11"), ("20060705", "10")])
def test_other_forms_are_matched_each_by_itself(date: str, time: str) -> None:
    assert parse_keys(keys(date, time), COMBINED) == parse_keys(keys(date, time))


def test_without_agreement_a_date_and_its_time_are_matched_each_by_itself() -> None:
    assert parse_keys(keys("20060705-20060707", "10-11")) == (
        Between(DATE, "20060705", "20060707"),
        Between(TIME, "10", "115959.999999"),
    )


@pytest.mark.parametrize(
    ("date", "time", "rules", "expected"),
    [
        ("20060705", "", ZONED, span(("20060705", "20060705"), zone=60)),
        ("20060705", "10-11", ZONED, span(("20060705", "20060705"), ("100000.000000", "115959.999999"), zone=60)),
        ("20060705-", "10-", BOTH, span(("20060705", None), ("100000.000000", None), is_combined=True, zone=60)),
        ("20060705-", "10-", ZONED, span(("20060705", None), ("100000.000000", None), zone=60)),
        ("", "10-", ZONED, Between(TIME, "10", None)),
    ],
)
def test_a_time_zone_makes_a_date_one_with_its_time(date: str, time: str, rules: KeyRules, expected: Match) -> None:
    assert parse_keys(keys(date, time), rules) == (expected,)


def test_keys_beside_a_pair_are_matched_as_ever() -> None:
    more = Key(0x00100020, "LO", "a", "PatientID")
    found = parse_keys(keys("20060705-", "10-", more), COMBINED)
    assert found == (
        span(("20060705", None), ("100000.000000", None), is_combined=True),
        OneOf(0x00100020, ("a",)),
    )


def test_an_absent_date_is_asked_for_by_itself() -> None:
    rules = KeyRules(has_empty_values=True, timezone_minutes=60)
    assert parse_keys(keys('""', "10-"), rules) == (Empty(DATE), Between(TIME, "10", None))


@pytest.mark.parametrize(
    ("date", "time", "tag"), [("20060705", "11-10", TIME), ("20060705", "25", TIME), ("2006", "10", DATE)]
)
def test_a_pair_with_a_value_that_is_none_is_refused(date: str, time: str, tag: int) -> None:
    with pytest.raises(InvalidKey) as refusal:
        parse_keys(keys(date, time), ZONED)
    assert refusal.value.tags == (tag,)


def test_every_date_has_a_time_of_its_own() -> None:
    assert len(set(DATES_WITH_TIMES.values())) == len(DATES_WITH_TIMES)
