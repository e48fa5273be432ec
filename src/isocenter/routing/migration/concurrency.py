"""How many series are fetched at a time: one more while the source answers as quickly as ever, half where it does not.

The time that counts is that of a small question (what is in this series?), which depends on how busy the source is and
not on how large the series is. So clinical work, which slows the source, slows the migration first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SLOWER = 2.0
"""Twice the usual time: the source is busy with us, or with others."""
NOISE_S = 0.02
"""Answers that are quicker than this differ by chance."""
RECENT_SHARE = 0.3
"""Of a new answer in what counts as recent: about the last three."""
FORGETTING = 1.02
"""The usual time grows by so much with each answer, so that one lucky answer is not the measure for ever."""
GOOD_PER_WORKER = 2
"""Answers of each worker that must be quick before one is added."""


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many may work, and what it is founded on."""

    workers: int = 1
    usual_s: float | None = None
    recent_s: float | None = None
    good: int = 0
    backed_off: int = 0
    """How often it was halved."""


def after_answer(state: Concurrency, seconds: float, *, workers_max: int) -> Concurrency:
    """Return how many may work after the source took so long to answer."""
    taken = max(seconds, NOISE_S)
    usual = taken if state.usual_s is None else min(taken, state.usual_s * FORGETTING)
    recent = taken if state.recent_s is None else state.recent_s + RECENT_SHARE * (taken - state.recent_s)
    if recent > SLOWER * usual:
        workers = max(1, state.workers // 2)
        return Concurrency(workers, usual, usual, 0, state.backed_off + 1)
    good = state.good + 1
    if good >= GOOD_PER_WORKER * state.workers and state.workers < workers_max:
        return replace(state, workers=state.workers + 1, usual_s=usual, recent_s=recent, good=0)
    return replace(state, usual_s=usual, recent_s=recent, good=good)


def after_failure(state: Concurrency) -> Concurrency:
    """Return how many may work after the source did not answer at all."""
    return replace(state, workers=max(1, state.workers // 2), good=0, backed_off=state.backed_off + 1)
