from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.routing.rules.expression import Path, PathStep
from isocenter.routing.transforms.errors import TransformRefused
from isocenter.routing.transforms.step import Affix, MapOtherwise, MapValues, Replace, Rewrite
from isocenter.routing.transforms.values import RESULT_LENGTH_MAX, ValueAction, match_parts, new_texts

PATH = Path((PathStep(0x00080050),))
TABLE = (("THORAX", "CHEST"), ("KOPF", "HEAD"))


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        (Affix(PATH, prefix="GH-"), ["1", "GH-2", ""], ("GH-1", "GH-2", "")),
        (Affix(PATH, suffix="-X", prefix="A"), ["B"], ("AB-X",)),
        (Replace(PATH, "_", " "), ["a_b_c", "d"], ("a b c", "d")),
        (Rewrite(PATH, "ACC-*", "{1}"), ["ACC-17", "17"], ("17", "17")),
        (Rewrite(PATH, "*-??", "{2}{3}/{1} of {0}"), ["7-ab"], ("ab/7 of 7-ab",)),
        (MapValues(PATH, TABLE), ["THORAX", "KNEE"], ("CHEST", "KNEE")),
        (MapValues(PATH, TABLE, MapOtherwise.REMOVE), ["THORAX", "KNEE"], ("CHEST",)),
        (MapValues(PATH, TABLE, MapOtherwise.REFUSE), ["THORAX", ""], ("CHEST", "")),
    ],
)
def test_values_become(action: ValueAction, before: list[str], after: tuple[str, ...]) -> None:
    assert new_texts(action, before) == after


def test_a_value_that_nobody_thought_of_is_refused_without_being_told() -> None:
    with pytest.raises(TransformRefused) as caught:
        new_texts(MapValues(PATH, TABLE, MapOtherwise.REFUSE), ["SECRET"])
    assert "SECRET" not in caught.value.message


def test_a_value_has_a_limit() -> None:
    with pytest.raises(TransformRefused, match="longer"):
        new_texts(Rewrite(PATH, "*", "{1}{1}"), ["x" * RESULT_LENGTH_MAX])


def test_making_it_longer_twice_changes_nothing_more() -> None:
    action = Affix(PATH, prefix="GH-", suffix="-1")
    once = new_texts(action, ["7"])
    assert new_texts(action, once) == once


_letters = "ab-"


@settings(max_examples=500)
@given(pattern=st.text(_letters + "*?", max_size=8), text=st.text(_letters, max_size=10))
def test_a_text_fits_a_pattern_where_a_regular_expression_says_so(pattern: str, text: str) -> None:
    translated = "".join("(.*?)" if one == "*" else "(.)" if one == "?" else re.escape(one) for one in pattern)
    oracle = re.fullmatch(translated, text, re.DOTALL)
    parts = match_parts(pattern, text)
    assert (parts is None) is (oracle is None)
    if parts is not None:
        filled = iter(parts)
        assert "".join(next(filled) if one in "*?" else one for one in pattern) == text
        assert parts == list(oracle.groups() if oracle else ()), "each takes as little as it can, from left to right"


def test_no_pattern_goes_astray() -> None:
    assert match_parts("*a" * 100 + "*b", "a" * 50_000) is None
