from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.render_request import (
    AZURE_QUALITY,
    DEFAULT_QUALITY,
    THUMBNAIL_SIDE,
    VIEWPORT_MAX,
    Window,
    parse_render_request,
)
from isocenter.domain.errors import InvalidRequest


def test_without_parameters_the_dialect_chooses_the_quality() -> None:
    assert parse_render_request({}, Dialect.STANDARD).quality == DEFAULT_QUALITY
    assert parse_render_request({}, Dialect.AZURE_V2).quality == AZURE_QUALITY


def test_a_thumbnail_is_small_unless_a_size_is_asked_for() -> None:
    assert parse_render_request({}, Dialect.STANDARD, is_thumbnail=True).viewport == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    asked = parse_render_request({"viewport": "10,20"}, Dialect.STANDARD, is_thumbnail=True)
    assert asked.viewport == (10, 20)


@pytest.mark.parametrize(("text", "quality"), [("1", 1), ("100", 100), ("090", 90)])
def test_quality_is_a_number_from_1_to_100(text: str, quality: int) -> None:
    assert parse_render_request({"quality": text}, Dialect.STANDARD).quality == quality


@pytest.mark.parametrize("text", ["", "0", "101", "-1", "1.5", "x", "\u0661", "01009999", "00501234", "9" * 5000])
def test_any_other_quality_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="Image quality must be between 1 and 100 inclusive"):
        parse_render_request({"quality": text}, Dialect.STANDARD)


@pytest.mark.parametrize(
    ("text", "viewport", "source"),
    [
        ("64,32", (64, 32), None),
        ("64,32,1,2,3,4", (64, 32), (1, 2, 3, 4)),
        ("64,32,,,,", (64, 32), (0, 0, 0, 0)),
        (f"{VIEWPORT_MAX},1", (VIEWPORT_MAX, 1), None),
    ],
)
def test_a_viewport_is_a_size_and_perhaps_a_part(
    text: str, viewport: tuple[int, int], source: tuple[int, int, int, int] | None
) -> None:
    request = parse_render_request({"viewport": text}, Dialect.STANDARD)
    assert (request.viewport, request.source) == (viewport, source)


@pytest.mark.parametrize(
    "text", ["", "1", "0,1", "1,2,3", "-1,5", "4097,1", "nan,1", "inf,1", "a,b", "1,1,-1,0,1,1", "1,1,0,0,9999,1"]
)
def test_any_other_viewport_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="viewport"):
        parse_render_request({"viewport": text}, Dialect.STANDARD)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("40,80", Window(40, 80, "linear")),
        ("-600,1500,linear", Window(-600, 1500, "linear")),
        ("0.5,1e3,SIGMOID", Window(0.5, 1000, "sigmoid")),
        ("1,2,linear-exact", Window(1, 2, "linear-exact")),
    ],
)
def test_a_window_is_center_width_and_function(text: str, window: Window) -> None:
    assert parse_render_request({"window": text}, Dialect.STANDARD).window == window


@pytest.mark.parametrize("text", ["", "40", "40,0", "40,-1", "40,80,cubic", "nan,80", "40,inf", "1,2,linear,4"])
def test_any_other_window_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="window"):
        parse_render_request({"window": text}, Dialect.STANDARD)


@given(st.sampled_from(["quality", "viewport", "window"]), st.text(max_size=30))
def test_any_text_is_a_request_within_its_limits_or_refused(name: str, text: str) -> None:
    try:
        request = parse_render_request({name: text}, Dialect.STANDARD)
    except InvalidRequest:
        return
    assert 1 <= request.quality <= 100
    assert request.viewport is None or all(1 <= side <= VIEWPORT_MAX for side in request.viewport)
    assert request.source is None or all(0 <= edge <= VIEWPORT_MAX for edge in request.source)
    assert request.window is None or request.window.width > 0
