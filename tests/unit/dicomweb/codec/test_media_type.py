from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.media_type import MEMBERS_MAX, parse_accept, parse_media_type


@pytest.mark.parametrize(
    ("text", "essence", "parameters", "quality"),
    [
        ("application/dicom", "application/dicom", {}, 1.0),
        (" Application/DICOM ; Q=0.5", "application/dicom", {}, 0.5),
        ("a/b;c=d", "a/b", {"c": "d"}, 1.0),
        ('a/b; type="application/dicom"; X=y', "a/b", {"type": "application/dicom", "x": "y"}, 1.0),
        ("a/b; type=application/octet-stream; transfer-syntax=*", "a/b",
         {"type": "application/octet-stream", "transfer-syntax": "*"}, 1.0),
        (r'a/b; n="semi;colon, comma and \"quotes\" and \\"', "a/b",
         {"n": 'semi;colon, comma and "quotes" and \\'}, 1.0),
        ("a/b;;", "a/b", {}, 1.0),
        ("*/*;q=0", "*/*", {}, 0.0),
    ],
)  # fmt: skip
def test_a_media_type_is_read_quoted_or_not(
    text: str, essence: str, parameters: dict[str, str], quality: float
) -> None:
    found = parse_media_type(text)
    assert found is not None
    assert (found.essence, dict(found.parameters), found.quality) == (essence, parameters, quality)


@pytest.mark.parametrize(
    "text", ["", "application", "a/", "/b", "a b/c", "a/b; c", "a/b; q=2", "a/b; q=x", "a/b; q=0.1234", "a/b; c d=e"]
)
def test_what_is_no_media_type_is_none(text: str) -> None:
    assert parse_media_type(text) is None


def test_members_that_cannot_be_read_are_left_out() -> None:
    assert [each.essence for each in parse_accept('nonsense, a/b; c="d, e/f", , x/y;q=9, */*')] == ["a/b", "*/*"]


def test_no_more_members_than_the_limit_are_read() -> None:
    assert len(parse_accept(",".join(["a/b"] * (MEMBERS_MAX + 10)))) == MEMBERS_MAX


@pytest.mark.parametrize(
    ("media_range", "media_type", "is_covered"),
    [
        ("*/*", "image/png", True),
        ("image/*", "image/png", True),
        ("image/png", "image/png", True),
        ("image/*", "imagery/png", False),
        ("image/jpeg", "image/png", False),
        ("video/h265", "video/H265", True),
    ],
)
def test_a_range_covers_types_below_it(media_range: str, media_type: str, is_covered: bool) -> None:
    found = parse_media_type(media_range)
    assert found is not None
    assert found.covers(media_type) is is_covered


@given(st.text())
def test_any_text_gives_media_ranges_and_no_error(text: str) -> None:
    for media_range in parse_accept(text):
        assert 0 <= media_range.quality <= 1
