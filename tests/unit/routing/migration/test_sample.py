"""What a sample proves, against figures that are known and against counting."""

from __future__ import annotations

from math import comb

import pytest

from isocenter.routing.migration.sample import draw, rate_bound, sample_size, state


def test_three_thousand_sound_instances_exclude_one_fault_in_a_thousand() -> None:
    assert sample_size(defect_rate=0.001, confidence=0.95) == 2995
    assert rate_bound(3000, 0, confidence=0.95) < 0.001


@pytest.mark.parametrize(("checked", "defects"), [(100, 1), (100, 3), (2995, 2), (20, 0)])
def test_at_the_bound_so_few_faults_are_as_rare_as_the_confidence_says(checked: int, defects: int) -> None:
    bound = rate_bound(checked, defects, confidence=0.95)
    likely = sum(comb(checked, each) * bound**each * (1 - bound) ** (checked - each) for each in range(defects + 1))
    assert likely == pytest.approx(0.05, abs=1e-6)


def test_a_sample_of_faults_alone_proves_nothing_good() -> None:
    assert rate_bound(10, 10, confidence=0.95) == 1.0
    assert rate_bound(0, 0, confidence=0.95) == 1.0


def test_the_same_seed_draws_the_same_instances() -> None:
    drawn = draw(1000, 50, seed=7)
    assert len(drawn) == 50
    assert drawn < set(range(1000))
    assert draw(1000, 50, seed=7) == drawn
    assert draw(1000, 50, seed=8) != drawn
    assert draw(10, 5000, seed=7) == set(range(10))


def test_a_statement_says_what_was_checked_and_with_what_certainty() -> None:
    told = state(population=1_000_000, checked=2995, defects=0, seed=7).describe()
    assert "2,995 of 1,000,000 instances" in told
    assert "95% confidence" in told
    assert "0.100%" in told
    assert "seed 7" in told


def test_where_all_were_checked_nothing_is_left_to_chance() -> None:
    whole = state(population=10, checked=10, defects=1, seed=0)
    assert whole.describe() == "All 10 instances were checked; 1 differ."
    assert whole.defect_rate_max == pytest.approx(0.1)
    assert state(population=0, checked=0, defects=0, seed=0).describe() == "There was nothing to check."
