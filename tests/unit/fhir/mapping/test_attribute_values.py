"""Values of DICOM JSON as data types of FHIR: each what it can be, or refused without its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.fhir.mapping import attribute_values as values
from tests.support.fhir_rules import DATE, DATE_TIME, STRING, Invalid

TAG = "00100010"


def _of(value: object) -> dict[str, Any]:
    return {TAG: {"vr": "LO", "Value": [value]}}


@pytest.mark.parametrize("metadata", [{}, {TAG: {"vr": "LO"}}, {TAG: {"vr": "LO", "Value": []}}, {TAG: None}])
def test_what_is_absent_or_empty_is_none(metadata: dict[str, Any]) -> None:
    reads: list[Callable[[values.Metadata, str], object]] = [
        values.first_value,
        values.text,
        values.person_name,
        values.day,
        values.time_of_day,
        values.offset_from_utc,
        values.unsigned_int,
    ]
    assert [read(metadata, TAG) for read in reads] == [None] * len(reads)
    assert values.items(metadata, TAG) == []


def test_items_are_objects() -> None:
    assert values.items({TAG: {"vr": "SQ", "Value": [{"a": 1}, None, "x", {}]}}, TAG) == [{"a": 1}, {}]


def test_texts_lose_what_fhir_does_not_take() -> None:
    assert values.text(_of(" a\x00b\r\nc "), TAG) == "a b c"
    assert values.text(_of(12), TAG) == "12"
    assert values.text(_of(" \x07 "), TAG) is None
    with pytest.raises(ValueError, match="is not a text"):
        values.text(_of({"a": 1}), TAG)


@pytest.mark.parametrize(
    ("groups", "name"),
    [
        ({"Alphabetic": "Doe^John"}, "Doe^John"),
        ({"Alphabetic": "^^", "Ideographic": "山田^太郎"}, "山田^太郎"),
        ({"Phonetic": "やまだ"}, "やまだ"),
        ({"Alphabetic": 7}, None),
        ("Doe^John", None),
    ],
)
def test_a_name_is_its_first_group_that_says_something(groups: object, name: str | None) -> None:
    assert values.person_name(_of(groups), TAG) == name


def test_dates_are_days_of_the_calendar() -> None:
    assert values.day(_of("20240229"), TAG) == "2024-02-29"
    for wrong, reason in (("20230229", "calendar"), ("2024", "YYYYMMDD"), ("2024.02.29", "YYYYMMDD")):
        with pytest.raises(ValueError, match=reason) as caught:
            values.day(_of(wrong), TAG)
        assert wrong not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("03", "03:00:00"),
        ("0304", "03:04:00"),
        ("030405", "03:04:05"),
        ("235960.123456", "23:59:60.123456"),
        ("030405.1", "03:04:05.1"),
    ],
)
def test_what_a_time_leaves_out_is_zero(text: str, time: str) -> None:
    assert values.time_of_day(_of(text), TAG) == time


@pytest.mark.parametrize("text", ["24", "0360", "3", "03:04", "030405.", "030461"])
def test_other_times_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        values.time_of_day(_of(text), TAG)


@pytest.mark.parametrize(
    ("text", "offset"), [("+0100", "+01:00"), ("-0930", "-09:30"), ("+1400", "+14:00"), ("+05:45", "+05:45")]
)
def test_offsets_get_a_colon(text: str, offset: str) -> None:
    assert values.offset_from_utc(_of(text), TAG) == offset


@pytest.mark.parametrize("text", ["0100", "+1401", "+1500", "+0160", "CET", "+01"])
def test_other_offsets_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not an offset"):
        values.parse_offset(text)


def test_a_time_without_an_offset_is_left_out() -> None:
    assert values.moment("2026-01-02", "03:04:05", "+01:00") == "2026-01-02T03:04:05+01:00"
    assert values.moment("2026-01-02", "03:04:05", None) == "2026-01-02"
    assert values.moment("2026-01-02", None, "+01:00") == "2026-01-02"
    assert values.moment(None, "03:04:05", "+01:00") is None


@pytest.mark.parametrize(("value", "number"), [("12", 12), (12, 12), ("+7", 7), ("2147483647", 2**31 - 1)])
def test_numbers_are_whole_and_not_negative(value: object, number: int) -> None:
    assert values.unsigned_int(_of(value), TAG) == number


@pytest.mark.parametrize("value", ["-1", "1.5", "2147483648", "9" * 13, "a", 1.5])
def test_other_numbers_are_none(value: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        values.unsigned_int(_of(value), TAG)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=10))
def test_whatever_stands_there_is_valid_in_fhir_or_refused(date: str, time: str, offset: str) -> None:
    found: list[str | None] = []
    for read, text in ((values.day, date), (values.time_of_day, time), (values.offset_from_utc, offset)):
        try:
            found.append(read(_of(text), TAG))
        except ValueError:
            found.append(None)
    moment = values.moment(found[0], found[1], found[2])
    if moment is not None:
        DATE_TIME(moment, "started")
    if found[0] is not None:
        DATE(found[0], "birthDate")
    description = values.text(_of(date), TAG)
    if description is not None:
        STRING(description, "description")


@given(st.from_regex(r"[0-9]{8}", fullmatch=True), st.from_regex(r"[0-9]{2,6}(\.[0-9]{1,6})?", fullmatch=True))
def test_what_looks_like_a_date_and_a_time_is_one_or_refused(date: str, time: str) -> None:
    try:
        moment = values.moment(values.day(_of(date), TAG), values.time_of_day(_of(time), TAG), "+01:00")
    except ValueError:
        return
    try:
        DATE_TIME(moment, "started")
    except Invalid:
        pytest.fail("not a dateTime")
