from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.routing.completeness.quiet import (
    GAPS_MAX,
    GAPS_MIN,
    QUIET_MAX_S,
    QUIET_MIN_S,
    QUIET_UNKNOWN_S,
    quiet_time_s,
    with_gaps,
)


@pytest.mark.parametrize(
    ("gaps", "quiet_s"),
    [
        ([], QUIET_UNKNOWN_S),
        ([1.0] * (GAPS_MIN - 1), QUIET_UNKNOWN_S),
        ([0.01] * 100, QUIET_MIN_S),
        ([20.0] * 100, 40.0),
        ([1.0] * 90 + [50.0] * 10, 100.0),
        ([1.0] * 96 + [50.0] * 4, QUIET_MIN_S),
        ([800.0] * 30, QUIET_MAX_S),
    ],
)
def test_the_quiet_time_is_twice_what_nearly_all_gaps_stay_below(gaps: list[float], quiet_s: float) -> None:
    assert quiet_time_s(gaps) == quiet_s


@given(st.lists(st.floats(0, 1e6), max_size=700))
def test_the_quiet_time_stays_within_its_bounds(gaps: list[float]) -> None:
    kept = with_gaps((), gaps)
    assert len(kept) <= GAPS_MAX
    assert QUIET_MIN_S <= quiet_time_s(kept) <= QUIET_MAX_S


def test_gaps_between_studies_and_clocks_that_went_back_are_not_learned_from() -> None:
    assert with_gaps((1.0,), [QUIET_MAX_S + 1, -1.0, 2.0]) == (1.0, 2.0)


def test_the_oldest_gaps_are_forgotten() -> None:
    assert with_gaps([1.0] * GAPS_MAX, [2.0])[-2:] == (1.0, 2.0)
    assert len(with_gaps([1.0] * GAPS_MAX, [2.0])) == GAPS_MAX
