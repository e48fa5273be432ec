from __future__ import annotations

import pytest

from isocenter.web.light.geometry import Edges, ScaleBar, edges_of_cosines, edges_of_directions, scale_bar


@pytest.mark.parametrize(
    ("cosines", "edges"),
    [
        ((1, 0, 0, 0, 1, 0), Edges("R", "L", "A", "P")),
        ((0, 1, 0, 0, 0, -1), Edges("A", "P", "H", "F")),
        ((1, 0, 0, 0, 0, -1), Edges("R", "L", "H", "F")),
        ((-1, 0, 0, 0, -1, 0), Edges("L", "R", "P", "A")),
        ((0.8, 0.6, 0, 0, 0, -1), Edges("RA", "LP", "H", "F")),
        ((0.999, 0.03, 0, 0, 1, 0), Edges("R", "L", "A", "P")),
    ],
)
def test_letters_say_where_the_edges_of_a_slice_lie(cosines: tuple[float, ...], edges: Edges) -> None:
    assert edges_of_cosines(cosines) == edges


@pytest.mark.parametrize("cosines", [(), (1, 0, 0), (0, 0, 0, 0, 1, 0)])
def test_without_directions_there_are_no_letters(cosines: tuple[float, ...]) -> None:
    assert edges_of_cosines(cosines) == Edges()


def test_a_radiograph_says_its_directions_in_letters() -> None:
    assert edges_of_directions(["L", "F"]) == Edges("R", "L", "H", "F")
    assert edges_of_directions(["AF", "P"]) == Edges("PH", "AF", "A", "P")


@pytest.mark.parametrize("directions", [[], ["L"], ["<b>", "F"]])
def test_directions_of_another_kind_give_no_letter(directions: list[str]) -> None:
    assert edges_of_directions(directions).left == ""


@pytest.mark.parametrize(
    ("spacing_mm", "columns", "bar"),
    [
        (0.5, 512, ScaleBar(200, "10 cm")),
        (0.47, 512, ScaleBar(106.38, "5 cm")),
        (0.01, 512, ScaleBar(200, "2 mm")),
        (None, 512, None),
        (0.0, 512, None),
        (1e-9, 10, None),
    ],
)
def test_the_bar_has_a_round_length_that_fits(spacing_mm: float | None, columns: int, bar: ScaleBar | None) -> None:
    assert scale_bar(spacing_mm, columns) == bar
