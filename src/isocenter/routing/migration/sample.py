"""What a random sample proves: so many instances without a fault, so few faults in all of them, with what certainty."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil, comb, exp, log

CONFIDENCE = 0.95
DEFECT_RATE = 0.001
"""2,995 instances without a fault prove fewer than one faulty instance in a thousand, 95 times out of 100."""
_HALVINGS = 60
"""Of an interval from 0 to 1: as fine as a float is."""
_EXACT_MAX = 1000
"""Faults up to which the bound is worked out; with more nobody asks for a bound."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What was checked and what follows."""

    population: int
    checked: int
    defects: int
    confidence: float
    defect_rate_max: float
    """The true share of faulty instances is below this, with that confidence; exact where all were checked."""
    seed: int

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing was left to chance."""
        return self.checked >= self.population

    def describe(self) -> str:
        """Return it for people."""
        if not self.population:
            return "There was nothing to check."
        if self.is_complete:
            return f"All {self.population:,} instances were checked; {self.defects:,} differ."
        return (
            f"{self.checked:,} of {self.population:,} instances were drawn at random (seed {self.seed}) and checked; "
            f"{self.defects:,} differ. With {self.confidence:.0%} confidence fewer than "
            f"{self.defect_rate_max:.3%} of all instances differ."
        )


def sample_size(*, defect_rate: float = DEFECT_RATE, confidence: float = CONFIDENCE) -> int:
    """Return how many instances without a fault prove that fewer than a share of all is faulty."""
    return ceil(log(1 - confidence) / log(1 - defect_rate))


def draw(population: int, size: int, *, seed: int) -> frozenset[int]:
    """Return the places of so many instances drawn at random, counted from 0; the same seed gives the same."""
    if size >= population:
        return frozenset(range(population))
    return frozenset(random.Random(seed).sample(range(population), size))


def state(*, population: int, checked: int, defects: int, seed: int, confidence: float = CONFIDENCE) -> Statement:
    """Return what a check proves."""
    if checked >= population:
        rate = defects / population if population else 0.0
    else:
        rate = rate_bound(checked, defects, confidence=confidence)
    return Statement(population, checked, defects, confidence, rate, seed)


def rate_bound(checked: int, defects: int, *, confidence: float) -> float:
    """Return the share that is not exceeded with that confidence (Clopper and Pearson's upper bound)."""
    if checked == 0 or defects >= checked or defects > _EXACT_MAX:
        return 1.0
    if defects == 0:
        return float(1 - (1 - confidence) ** (1 / checked))
    low, high = defects / checked, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(defects, checked, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(defects: int, checked: int, rate: float) -> float:
    """Return how likely so few faults are at a rate."""
    return sum(_exactly(each, checked, rate) for each in range(defects + 1))


def _exactly(defects: int, checked: int, rate: float) -> float:
    # By logarithms: the binomial coefficient of thousands is beyond what a float holds.
    if rate in (0.0, 1.0):
        return float(defects == rate * checked)
    exponent = log(comb(checked, defects)) + defects * log(rate) + (checked - defects) * log(1 - rate)
    return exp(exponent)
