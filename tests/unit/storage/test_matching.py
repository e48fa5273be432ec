from __future__ import annotations

import pytest

from isocenter.domain.query import Comparison
from isocenter.storage.matching import (
    Any,
    Form,
    fits_words,
    form_of,
    integer_of,
    is_universal,
    parse_pattern,
    to_form,
    wildcard_form_of,
)


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


@pytest.mark.parametrize(
    ("words", "wanted", "expected"),
    [
        ("john doe", ("jo", "do"), True),
        ("john doe", ("do",), True),
        ("john doe", ("do", "jo"), False),
        ("john a doe", ("jo", "do"), False),
        ("john", ("jo", "do"), False),
    ],
)
def test_words_are_prefixes_in_order_and_adjacent(words: str, wanted: tuple[str, ...], expected: bool) -> None:
    assert fits_words(words, wanted) is expected


@pytest.mark.parametrize(("text", "number"), [("7", 7), (" 07 ", 7), ("-1", -1), ("x", None), ("", None), (None, None)])
def test_a_number_is_read_where_there_is_one(text: str | None, number: int | None) -> None:
    assert integer_of(text) == number
