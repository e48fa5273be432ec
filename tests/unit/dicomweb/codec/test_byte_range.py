from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.byte_range import parse_byte_range

LENGTH = 1000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 1000)),
        ("bytes=10-19", (10, 10)),
        ("bytes=990-5000", (990, 10)),
        ("bytes=-10", (990, 10)),
        ("bytes=-5000", (0, 1000)),
        (" bytes=1-2 ", (1, 2)),
    ],
)
def test_a_range_is_cut_to_what_is_there(header: str, expected: tuple[int, int]) -> None:
    assert parse_byte_range(header, LENGTH) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_behind_the_end_has_no_bytes(header: str) -> None:
    found = parse_byte_range(header, LENGTH)
    assert found is not None
    assert found[1] == 0


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=\u0661-", "bytes=" + "9" * 99],
)
def test_what_cannot_be_read_is_ignored(header: str | None) -> None:
    assert parse_byte_range(header, LENGTH) is None


@given(first=st.integers(0, 3000), last=st.integers(0, 3000), length=st.integers(0, 2000))
def test_a_range_never_leaves_the_body(first: int, last: int, length: int) -> None:
    found = parse_byte_range(f"bytes={first}-{last}", length)
    if found is not None and found[1]:
        start, count = found
        assert (start, start + count) == (first, min(last + 1, length))
