from __future__ import annotations

import pytest

from isocenter.web.pages.system_chart import HEIGHT, POINTS_MAX, WIDTH, draw, show
from isocenter.web.pages.system_samples import BY_KEY, Unit


def test_a_line_goes_from_edge_to_edge_and_from_bottom_to_top() -> None:
    chart = draw(BY_KEY["waiting"], [(0.0, 0.0), (60.0, 5.0), (120.0, 10.0)])
    assert chart.line == f"0.0,{HEIGHT}.0 {WIDTH / 2},{HEIGHT / 2} {WIDTH}.0,0.0"
    assert chart.area.startswith(f"0,{HEIGHT} 0.0,")
    assert (chart.top, chart.bottom, chart.latest, chart.lowest) == ("10", "0", "10", "0")
    assert (chart.begins, chart.ends) == ("00:00", "00:02")


def test_a_level_line_is_drawn_within_the_box() -> None:
    for key in ("waiting", "free_bytes"):
        chart = draw(BY_KEY[key], [(0.0, 7.0), (5.0, 7.0)])
        heights = [float(point.split(",")[1]) for point in chart.line.split()]
        assert all(0 <= height <= HEIGHT for height in heights)


def test_nothing_measured_is_drawn_as_nothing() -> None:
    chart = draw(BY_KEY["waiting"], [])
    assert (chart.line, chart.latest) == ("", "–")


def test_one_value_is_a_number_and_no_line() -> None:
    chart = draw(BY_KEY["waiting"], [(0.0, 3.0)])
    assert (chart.line, chart.latest) == ("", "3")


def test_many_values_are_thinned_and_no_peak_is_lost() -> None:
    course = [(float(at), 100.0 if at == 501 else 1.0) for at in range(1440)]
    chart = draw(BY_KEY["waiting"], course)
    heights = [float(point.split(",")[1]) for point in chart.line.split()]
    assert len(heights) <= POINTS_MAX
    assert min(heights) == 0.0


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, Unit.BYTES, "0 B"),
        (1500, Unit.BYTES, "1.5 kB"),
        (73.04e9, Unit.BYTES, "73.0 GB"),
        (2.5e12, Unit.BYTES, "2.5 TB"),
        (1500, Unit.BYTES_PER_S, "1.5 kB/s"),
        (0.25, Unit.PER_S, "0.2/s"),
        (1234567, Unit.COUNT, "1,234,567"),
    ],
)
def test_values_are_shown_with_their_unit(value: float, unit: Unit, text: str) -> None:
    assert show(value, unit) == text
