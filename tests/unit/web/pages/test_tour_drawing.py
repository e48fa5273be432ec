from __future__ import annotations

import pytest

from isocenter.web.pages.tour_drawing import (
    BOTTOM,
    HEIGHT,
    LEFT,
    POINTS_MAX,
    RIGHT,
    TICKS_MAX,
    TOP,
    WIDTH,
    Curve,
    Mark,
    OutageView,
    Trouble,
    draw,
)

FLOOR = HEIGHT - BOTTOM


def _view(
    *curves: Curve, length_s: float = 10.0, troubles: tuple[Trouble, ...] = (), marks: tuple[Mark, ...] = ()
) -> OutageView:
    return OutageView("an outage", length_s, curves, troubles, marks, "", is_met=False)


def _points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in text.split())]


def test_a_curve_keeps_its_value_until_the_next_one_is_known() -> None:
    drawing = draw(_view(Curve("waiting", ((0.0, 0.0), (5.0, 4.0), (10.0, 0.0)))))
    middle, end = (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT
    assert _points(drawing.lines[0][0]) == [
        (LEFT, FLOOR),
        (middle, FLOOR),
        (middle, TOP),
        (end, TOP),
        (end, FLOOR),
    ]
    assert drawing.highest == "4"


def test_the_first_curve_is_filled_down_to_the_floor() -> None:
    drawing = draw(_view(Curve("waiting", ((0.0, 2.0), (10.0, 2.0))), Curve("other", ((0.0, 1.0),))))
    points = _points(drawing.area)
    assert (points[0], points[-1]) == ((LEFT, FLOOR), (WIDTH - RIGHT, FLOOR))
    assert [name for _, name in drawing.lines] == ["waiting", "other"]


def test_trouble_is_as_wide_as_it_was_long() -> None:
    drawing = draw(_view(troubles=(Trouble(2.5, 5.0),)))
    assert drawing.troubles == (
        (f"{LEFT + 0.25 * (WIDTH - LEFT - RIGHT):.1f}", f"{0.25 * (WIDTH - LEFT - RIGHT):.1f}"),
    )


def test_what_never_began_is_drawn_too() -> None:
    drawing = draw(_view(length_s=0.0))
    assert (drawing.lines, drawing.area, drawing.troubles) == ((), "", ())
    assert draw(_view(Curve("waiting", ()), length_s=0.0)).area == ""


def test_words_that_would_run_into_each_other_stand_in_rows_of_their_own() -> None:
    drawing = draw(_view(marks=(Mark(1.0, "killed"), Mark(1.2, "started"), Mark(8.0, "drained"))))
    killed, started, drained = drawing.labels
    assert killed.y != started.y
    assert killed.y == drained.y


def test_words_at_the_right_edge_stand_left_of_their_line() -> None:
    at_the_edge = draw(_view(marks=(Mark(9.9, "backlog gone"),))).labels[0]
    assert at_the_edge.is_end
    assert not draw(_view(marks=(Mark(1.0, "backlog gone"),))).labels[0].is_end


@pytest.mark.parametrize("length_s", [0.5, 1.0, 9.0, 61.0, 3600.0])
def test_there_are_a_few_ticks_whatever_the_length(length_s: float) -> None:
    ticks = draw(_view(length_s=length_s)).ticks
    assert 1 <= len(ticks) <= TICKS_MAX + 2
    assert ticks[0][1] == "0 s"


def test_a_long_curve_is_thinned_out() -> None:
    points = tuple((float(second), float(second % 7)) for second in range(10 * POINTS_MAX))
    drawing = draw(_view(Curve("waiting", points), length_s=10.0 * POINTS_MAX))
    assert len(_points(drawing.lines[0][0])) <= 2 * POINTS_MAX
