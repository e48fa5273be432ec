from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.date_time import first_instant, has_offset, last_instant

FORM = "%Y%m%d%H%M%S.%f"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "20260101000000.000000", "20261231235959.999999"),
        ("202602", "20260201000000.000000", "20260228235959.999999"),
        ("202402", "20240201000000.000000", "20240229235959.999999"),
        ("20260315", "20260315000000.000000", "20260315235959.999999"),
        ("2026031509", "20260315090000.000000", "20260315095959.999999"),
        ("202603150930", "20260315093000.000000", "20260315093059.999999"),
        ("20260315093015", "20260315093015.000000", "20260315093015.999999"),
        ("20260315093015.5", "20260315093015.500000", "20260315093015.500000"),
        ("20260315093015.193+0100", "20260315093015.193000", "20260315093015.193000"),
        ("2026-0500", "20260101000000.000000", "20261231235959.999999"),
    ],
)
def test_a_value_has_a_first_and_a_last_instant(text: str, first: str, last: str) -> None:
    assert (first_instant(text), last_instant(text)) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "202613",
        "202600",
        "20260230",
        "20260315 09",
        "2026031524",
        "202603150960",
        "20260315093061",
        "0000",
        "2026.5",
        "20260315093015.",
        "20260315093015.1234567",
        "2026+01",
        "２０２６",
        "20260315093015-",
    ],
)
def test_what_is_no_date_with_time_has_none(text: str) -> None:
    assert first_instant(text) is None
    assert last_instant(text) is None


@pytest.mark.parametrize(
    ("text", "is_there"), [("2026+0100", True), ("2026-2025", False), ("2026", False), ("x+0100", False)]
)
def test_an_offset_is_seen(text: str, is_there: bool) -> None:
    assert has_offset(text) is is_there


@given(st.datetimes(min_value=datetime(1000, 1, 1)), st.datetimes(min_value=datetime(1000, 1, 1)))
def test_instants_compare_as_the_times_do(one: datetime, other: datetime) -> None:
    texts = [first_instant(time.strftime(FORM)) or "" for time in (one, other)]
    assert (texts[0] < texts[1]) is (one < other)


@given(st.datetimes(min_value=datetime(1000, 1, 1)), st.sampled_from([4, 6, 8, 10, 12, 14]))
def test_a_coarse_value_spans_what_it_stands_for(time: datetime, length: int) -> None:
    whole = time.strftime(FORM)
    first, last = first_instant(whole[:length]), last_instant(whole[:length])
    assert first is not None
    assert last is not None
    assert first <= (first_instant(whole) or "") <= last
