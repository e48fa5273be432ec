"""Values of extended query tags: what is kept of them, and in which order they compare."""

from __future__ import annotations

import math
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.query_tag import KINDS_BY_VR
from isocenter.domain.query_tag_value import canonical_value, comparable_of, double_of, microseconds_of


@pytest.mark.parametrize(
    ("vr", "text", "kept"),
    [
        ("LO", " Chest CT  ", " Chest CT"),
        ("CS", " AXIAL ", "AXIAL"),
        ("CS", "AXIAL\0", "AXIAL"),
        ("DT", "2026", "20260101000000.000000"),
        ("DT", "20260131120000.5+0100", "20260131120000.500000"),
        ("DT", "2026013", ""),
        ("DA", "20260231", ""),
        ("DA", "20260228", "20260228"),
        ("TM", "noon", ""),
        ("IS", " 03 ", "03"),
        ("IS", "three", ""),
        ("FD", "nan", ""),
        ("FL", "1e300", ""),
        ("PN", "", ""),
    ],
)
def test_what_cannot_be_compared_is_not_kept(vr: str, text: str, kept: str) -> None:
    assert canonical_value(vr, text) == kept


@given(st.sampled_from(sorted(KINDS_BY_VR)), st.text(max_size=80))
def test_whatever_is_kept_compares_and_is_kept_as_it_is(vr: str, text: str) -> None:
    kept = canonical_value(vr, text)
    assert kept == "" or comparable_of(vr, kept) is not None
    assert canonical_value(vr, kept) == kept


@given(st.times(), st.times())
def test_times_compare_as_times_of_day(first: time, second: time) -> None:
    texts = f"{first:%H%M%S.%f}", f"{second:%H%M%S.%f}"
    numbers = [microseconds_of(text) for text in texts]
    assert None not in numbers
    assert (numbers[0] < numbers[1]) == (first < second)  # type: ignore[operator]


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_of_single_precision_is_found_by_its_shortest_spelling(number: float) -> None:
    shortest = f"{number:.9g}"
    assert double_of("FL", shortest) == double_of("FL", repr(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_of_double_precision_is_kept_as_it_is(number: float) -> None:
    found = double_of("FD", repr(number))
    assert found is not None
    assert math.isclose(found, number, rel_tol=0, abs_tol=0)


@pytest.mark.parametrize("text", ["", "1_0", "inf", "1" * 65, "\u0661"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert double_of("FD", text) is None


def test_names_and_texts_compare_as_the_service_has_it() -> None:
    assert comparable_of("PN", "TÁ^B") == comparable_of("PN", "ta^b")
    assert comparable_of("LO", "TÁ") == comparable_of("LO", "tá") != comparable_of("LO", "ta")
