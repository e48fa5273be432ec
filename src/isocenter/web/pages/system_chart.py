"""A small drawing of a figure over time: points of a line within a box, and what stands at its axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from isocenter.web.pages.system_samples import Figure, Unit

WIDTH, HEIGHT = 320, 84
"""Of the box in which the line is drawn, in units of the drawing."""
POINTS_MAX = 240
"""More cannot be told apart."""
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing, and the numbers behind it."""

    figure: Figure
    line: str
    """Points of a polyline; empty where there are fewer than two."""
    area: str
    """The same, closed along the lower edge."""
    top: str
    bottom: str
    """The values at the upper and the lower edge."""
    begins: str
    ends: str
    """The times at the left and the right edge, in UTC."""
    latest: str
    lowest: str
    highest: str


def draw(figure: Figure, course: Sequence[tuple[float, float]]) -> Chart:
    """Return the drawing of a figure's course."""
    if not course:
        return Chart(figure, "", "", "", "", "", "", "–", "–", "–")
    values = [value for _, value in course]
    low, high = min(values), max(values)
    bottom, top = _edges(figure, low, high)
    first, last = course[0][0], course[-1][0]
    points = [
        f"{_place(at, first, last, WIDTH):.1f},{HEIGHT - _place(value, bottom, top, HEIGHT):.1f}"
        for at, value in _thinned(course)
    ]
    has_line = len(points) > 1
    return Chart(
        figure,
        line=" ".join(points) if has_line else "",
        area=" ".join([f"0,{HEIGHT}", *points, f"{WIDTH},{HEIGHT}"]) if has_line else "",
        top=show(top, figure.unit),
        bottom=show(bottom, figure.unit),
        begins=_time(first),
        ends=_time(last),
        latest=show(values[-1], figure.unit),
        lowest=show(low, figure.unit),
        highest=show(high, figure.unit),
    )


def show(value: float, unit: Unit) -> str:
    """Return a value for the reader, with its unit."""
    match unit:
        case Unit.BYTES | Unit.BYTES_PER_S:
            size, name = next(((size, name) for size, name in _SIZES if value >= size), (1.0, "B"))
            text = f"{value / size:.1f} {name}" if size > 1 else f"{value:.0f} B"
            return text + ("/s" if unit is Unit.BYTES_PER_S else "")
        case Unit.PER_S:
            return f"{value:.1f}/s"
        case Unit.COUNT:
            return f"{value:,.0f}"


def _edges(figure: Figure, low: float, high: float) -> tuple[float, float]:
    """Return the values at the lower and the upper edge; they are never the same."""
    if figure.starts_at_zero:
        return 0.0, high or 1.0
    room = (high - low) * 0.1 or abs(high) * 0.01 or 1.0
    return max(0.0, low - room), high + room


def _place(value: float, lowest: float, highest: float, length: float) -> float:
    return (value - lowest) / (highest - lowest) * length if highest > lowest else 0.0


def _thinned(course: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most POINTS_MAX points: of each stretch the highest, so that no peak is lost."""
    if len(course) <= POINTS_MAX:
        return list(course)
    stretch = -(-len(course) // POINTS_MAX)
    return [max(course[start : start + stretch], key=lambda one: one[1]) for start in range(0, len(course), stretch)]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")
