from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.forms import (
    PATTERN_LENGTH_MAX,
    Any,
    Form,
    fits_pattern,
    form_of,
    integer_of,
    is_universal,
    padded_time,
    parse_pattern,
    to_form,
    wildcard_form_of,
)
from isocenter.domain.query import Comparison


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (Form.RAW, " Á ", " Á "),
        (Form.CASELESS, "ÁSTRASSE", "ástrasse"),
        (Form.CASELESS, "Straße", "strasse"),
        (Form.FOLDED, "Ångström", "angstrom"),
        (Form.TIME, "10", "100000.000000"),
        (Form.TIME, "1030", "103000.000000"),
        (Form.TIME, "103000.5", "103000.500000"),
        (Form.TIME, "10:30:00", "103000.000000"),
        (Form.TIME, "noon", "noon"),
        (Form.INTEGER, "003", "3"),
        (Form.INTEGER, " +3 ", "3"),
        (Form.INTEGER, "-0", "0"),
        (Form.INTEGER, "3.0", "3.0"),
        (Form.INTEGER, "9" * 13, "9" * 13),
        (Form.DECIMAL, " 1.50", "1.5"),
        (Form.DECIMAL, "1E2", "1E+2"),
        (Form.DECIMAL, "100", "1E+2"),
        (Form.DECIMAL, "-0.0", "0"),
        (Form.DECIMAL, "NaN", "NaN"),
        (Form.DECIMAL, "one", "one"),
        (Form.DECIMAL, "1" * 40, "1" * 40),
    ],
)
def test_a_form_is_what_is_compared(form: Form, text: str, expected: str) -> None:
    assert to_form(form, text) == expected


@pytest.mark.parametrize(
    ("vr", "equality", "wildcard"),
    [
        ("UI", Form.RAW, Form.RAW),
        ("DA", Form.RAW, Form.RAW),
        ("TM", Form.TIME, Form.RAW),
        ("IS", Form.INTEGER, Form.RAW),
        ("US", Form.INTEGER, Form.RAW),
        ("DS", Form.DECIMAL, Form.RAW),
        ("FD", Form.DECIMAL, Form.RAW),
        ("LO", Form.CASELESS, Form.CASELESS),
        ("PN", Form.CASELESS, Form.CASELESS),
    ],
)
def test_the_vr_decides_the_form(vr: str, equality: Form, wildcard: Form) -> None:
    assert form_of(vr, Comparison.CASELESS) is equality
    assert wildcard_form_of(vr, Comparison.CASELESS) is wildcard


def test_a_pattern_is_literal_texts_and_wild_cards() -> None:
    assert parse_pattern("A?b**C*", Form.CASELESS) == ("a", Any.ONE, "b", Any.RUN, "c", Any.RUN)
    assert parse_pattern("", Form.RAW) == ()


def test_what_folding_makes_of_a_letter_is_no_wild_card() -> None:
    assert parse_pattern("＊", Form.FOLDED) == ("*",)


@pytest.mark.parametrize(("pattern", "expected"), [("*", True), ("***", True), ("?*", False), ("", False)])
def test_only_stars_ask_for_anything(pattern: str, expected: bool) -> None:
    assert is_universal(parse_pattern(pattern, Form.RAW)) is expected


def test_a_pattern_has_a_limit() -> None:
    with pytest.raises(InvalidRequest):
        parse_pattern("x" * (PATTERN_LENGTH_MAX + 1), Form.RAW)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("", "", True),
        ("", "a", False),
        ("a*", "a", True),
        ("a*", "ba", False),
        ("*c", "abc", True),
        ("*b*", "abc", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("?", "", False),
        ("*a*a*", "aa", True),
        ("*a*a*", "a", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "ab", False),
    ],
)
def test_text_fits_a_pattern_from_end_to_end(pattern: str, text: str, expected: bool) -> None:
    assert fits_pattern(parse_pattern(pattern, Form.RAW), text) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("10", "100000.000000"), ("103000.5", "103000.500000"), ("noon", None), ("", None)]
)
def test_a_time_is_padded_where_it_is_one(text: str, expected: str | None) -> None:
    assert padded_time(text) == expected


@pytest.mark.parametrize(("text", "number"), [("7", 7), (" 07 ", 7), ("-1", -1), ("x", None), ("", None), (None, None)])
def test_a_number_is_read_where_there_is_one(text: str | None, number: int | None) -> None:
    assert integer_of(text) == number
