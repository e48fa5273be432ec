"""An outage as a picture: where the lines, areas and words of its timeline stand. Numbers only; the template draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 44, 30
"""Margins: numbers of instances, nothing, words of what happened, seconds."""
TICKS_MAX = 8
STEPS_S = (1, 2, 5, 10, 20, 30, 60)
"""Seconds between two ticks."""
LABEL_ROWS = 3
LABEL_WIDTH_PER_LETTER = 6.6
LABEL_ROW_HEIGHT = 13
POINTS_MAX = 400
"""Of a curve; a picture of this width shows no more."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How many instances waited for somebody, over time."""

    name: str
    points: tuple[tuple[float, float], ...]
    """Seconds and number."""

    @property
    def highest(self) -> float:
        """Return the highest number."""
        return max((number for _, number in self.points), default=0.0)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A time in which something was broken."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment at which something happened."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class OutageView:
    """An outage as it is shown."""

    name: str
    length_s: float
    curves: tuple[Curve, ...]
    """The one that suffers is first."""
    troubles: tuple[Trouble, ...]
    marks: tuple[Mark, ...]
    verdict: str
    """Empty while it is played."""
    is_met: bool


@dataclass(frozen=True, slots=True)
class Label:
    """Words and the line that they belong to."""

    x: str
    y: str
    text: str
    is_end: bool
    """Whether they stand left of the line, because there is no room to the right of it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the template draws. All lengths are in units of the picture."""

    width: int
    height: int
    top: int
    floor: int
    left: int
    right: int
    lines: tuple[tuple[str, str], ...]
    """The points of each curve, and its name."""
    area: str
    """The first curve down to the floor."""
    troubles: tuple[tuple[str, str], ...]
    """Where each begins, and its width."""
    labels: tuple[Label, ...]
    ticks: tuple[tuple[str, str], ...]
    """Where each stands, and its words."""
    highest: str


def draw(outage: OutageView) -> Drawing:
    """Return the picture of an outage."""
    length_s = max(outage.length_s, 0.001)
    highest = max([1.0, *(curve.highest for curve in outage.curves)])
    curves = [(list(_steps(curve.points, length_s, highest)), curve.name) for curve in outage.curves]
    return Drawing(
        WIDTH,
        HEIGHT,
        TOP,
        HEIGHT - BOTTOM,
        LEFT,
        WIDTH - RIGHT,
        tuple((_path(points), name) for points, name in curves),
        _area(curves[0][0]) if curves else "",
        tuple(_span(one, length_s) for one in outage.troubles),
        tuple(_labels(outage.marks, length_s)),
        tuple(_ticks(length_s)),
        f"{highest:g}",
    )


def _steps(points: Sequence[tuple[float, float]], length_s: float, highest: float) -> Iterator[tuple[float, float]]:
    """Yield the corners of a curve that keeps its value until the next one is known."""
    thinned = points[:: 1 + len(points) // POINTS_MAX]
    last: float | None = None
    for at_s, number in thinned:
        x, y = _x(at_s, length_s), _y(number, highest)
        if last is not None and last != y:
            yield x, last
        yield x, y
        last = y


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _area(points: Sequence[tuple[float, float]]) -> str:
    if not points:
        return ""
    floor = HEIGHT - BOTTOM
    return _path([(points[0][0], floor), *points, (points[-1][0], floor)])


def _span(one: Trouble, length_s: float) -> tuple[str, str]:
    start, end = _x(one.start_s, length_s), _x(one.end_s, length_s)
    return f"{start:.1f}", f"{max(0.0, end - start):.1f}"


def _labels(marks: Sequence[Mark], length_s: float) -> Iterator[Label]:
    """Yield the words of marks, in rows in which none runs into the one before."""
    ends = [float("-inf")] * LABEL_ROWS
    for mark in marks:
        x = _x(mark.at_s, length_s)
        width = len(mark.text) * LABEL_WIDTH_PER_LETTER + 8
        is_end = x + width > WIDTH
        start = x - width if is_end else x
        row = next((row for row in range(LABEL_ROWS) if ends[row] <= start), LABEL_ROWS - 1)
        ends[row] = max(ends[row], start + width)
        yield Label(f"{x:.1f}", f"{TOP - 6 - LABEL_ROW_HEIGHT * (LABEL_ROWS - 1 - row)}", mark.text, is_end)


def _ticks(length_s: float) -> Iterator[tuple[str, str]]:
    step_s = next((one for one in STEPS_S if length_s / one <= TICKS_MAX), max(1, round(length_s / TICKS_MAX)))
    at_s = 0
    while at_s <= length_s:
        yield f"{_x(at_s, length_s):.1f}", f"{at_s} s"
        at_s += step_s


def _x(at_s: float, length_s: float) -> float:
    return LEFT + min(1.0, max(0.0, at_s / length_s)) * (WIDTH - LEFT - RIGHT)


def _y(number: float, highest: float) -> float:
    return TOP + (1 - number / highest) * (HEIGHT - TOP - BOTTOM)
