from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.measures import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1kB", 1000),
        ("1K", 1000),
        ("1KiB", 1024),
        ("1.5 MB", 1_500_000),
        ("2TiB", 2 << 40),
    ],
)
def test_a_size_has_a_unit_or_is_in_bytes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "MB", "-1", "1e3", "1 000", "1mb", "١", "9" * 40])
def test_what_is_no_size(text: str) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("60", 60.0), ("500ms", 0.5), ("90 s", 90.0), ("2m", 120.0), ("5min", 300.0), ("1.5h", 5400.0), ("7d", 604_800.0)],
)
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, duration_s: float) -> None:
    assert parse_duration(text) == duration_s


@pytest.mark.parametrize("text", ["", "s", "-1s", "1w", "1e3", "inf", "nan"])
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(0, 10**15 - 1))
def test_a_size_is_written_exactly(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


@given(st.integers(0, 10**9).map(lambda thousandths: thousandths / 1000))
def test_a_duration_is_written_exactly(duration_s: float) -> None:
    assert parse_duration(format_duration(duration_s)) == duration_s


def test_the_largest_unit_that_fits_is_taken() -> None:
    assert [format_size(size) for size in (0, 1000, 1024, 1536, 64 << 20)] == ["0B", "1kB", "1KiB", "1536B", "64MiB"]
    assert [format_duration(duration) for duration in (0.0, 0.5, 90.0, 300.0, 604_800.0)] == [
        "0s",
        "0.5s",
        "90s",
        "5min",
        "7d",
    ]
