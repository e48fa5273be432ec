"""The line of a backlog."""

from __future__ import annotations

from isocenter.web.pages.router_sparkline import HEIGHT, WIDTH, sparkline


def test_the_line_goes_from_edge_to_edge_and_is_highest_where_most_waited() -> None:
    points = [tuple(map(float, point.split(","))) for point in sparkline([0, 5, 10]).points.split()]
    assert [x for x, _ in points] == [0, WIDTH / 2, WIDTH]
    assert min(points, key=lambda point: point[1])[0] == WIDTH
    assert all(0 <= y <= HEIGHT for _, y in points)


def test_nothing_is_drawn_of_fewer_than_two_values() -> None:
    assert (sparkline([]).points, sparkline([3]).points) == ("", "")
    assert sparkline([3]).last == 3
