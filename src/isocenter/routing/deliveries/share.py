"""Which class of traffic is sent next: each gets its share, migration holds nothing urgent up, and never starves.

Each class walks on by a step with each delivery, shorter the more urgent it is, and the one that is farthest behind is
next (stride scheduling). A class that had nothing to send begins where the others are: it saves nothing up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from isocenter.domain.delivery import Priority

WEIGHTS: Mapping[Priority, int] = {
    Priority.STAT: 64,
    Priority.ROUTINE: 16,
    Priority.PRIOR: 4,
    Priority.MIGRATION: 1,
}
"""Deliveries of each class out of 85 where all of them wait."""
_STEP = 64.0
"""Whole for the heaviest class; a float counts steps exactly for longer than any node runs."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How far each class has walked."""

    walked: Mapping[Priority, float] = field(default_factory=dict)
    """Of the classes that were waiting when the last one was chosen."""


def choose(shares: Shares, waiting: Collection[Priority]) -> tuple[Priority, Shares] | None:
    """Return which of the classes that wait is next, and how far they are then; None where none waits."""
    if not waiting:
        return None
    front = min(shares.walked.values(), default=0.0)
    at = {one: max(shares.walked.get(one, front), front) for one in Priority if one in waiting}
    chosen = min(at, key=lambda one: (at[one], -WEIGHTS[one]))
    base = at[chosen]  # counted from the one that is chosen, so that the numbers stay small
    walked = {one: distance - base for one, distance in at.items()}
    walked[chosen] += _STEP / WEIGHTS[chosen]
    return chosen, Shares(walked)
