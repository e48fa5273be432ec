"""How long a study must be quiet before that counts as its end: learned from the gaps between instances of a device."""

from __future__ import annotations

from collections.abc import Sequence

QUIET_MIN_S, QUIET_MAX_S = 10.0, 900.0
"""No shorter, for a network that hiccups; no longer, because somebody waits for the study (routing-and-gateway 3.5)."""
QUIET_UNKNOWN_S = 60.0
"""For a device that has not been seen often enough."""
GAPS_MIN, GAPS_MAX = 20, 500
"""Fewer tell nothing; more are forgotten, the oldest first, so that a device that changed is learned anew."""
PERCENTILE, FACTOR = 0.95, 2.0


def quiet_time_s(gaps: Sequence[float]) -> float:
    """Return twice the 95th percentile of the gaps, within bounds; a minute where there are too few."""
    if len(gaps) < GAPS_MIN:
        return QUIET_UNKNOWN_S
    ordered = sorted(gaps)
    at = min(len(ordered) - 1, int(PERCENTILE * len(ordered)))
    return min(QUIET_MAX_S, max(QUIET_MIN_S, FACTOR * ordered[at]))


def with_gaps(known: Sequence[float], new: Sequence[float]) -> tuple[float, ...]:
    """Return gaps with new ones behind them; a gap beyond the longest quiet time lies between two studies' worth."""
    return tuple([*known, *(gap for gap in new if 0.0 <= gap <= QUIET_MAX_S)][-GAPS_MAX:])
