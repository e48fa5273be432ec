"""A backlog over time as a small line: values into points of an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 160, 32
EDGE = 2
"""So that the line is whole at its highest and lowest."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The points of a line, and what it says in words."""

    points: str
    highest: int
    last: int

    @property
    def area(self) -> str:
        """Return the points of what lies below the line."""
        return f"0,{HEIGHT} {self.points} {WIDTH},{HEIGHT}" if self.points else ""


def sparkline(values: Sequence[int]) -> Sparkline:
    """Return the line of some values, the latest at the right; without points where there are fewer than two."""
    highest, last = max(values, default=0), values[-1] if values else 0
    if len(values) < 2:
        return Sparkline("", highest, last)
    step, scale = WIDTH / (len(values) - 1), (HEIGHT - 2 * EDGE) / max(highest, 1)
    points = (f"{number * step:.1f},{HEIGHT - EDGE - value * scale:.1f}" for number, value in enumerate(values))
    return Sparkline(" ".join(points), highest, last)
