from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.fitting import (
    date_and_time_key,
    fits,
    fits_name,
    fits_words,
    name_key,
    parse_date_and_time_key,
)
from isocenter.domain.query import (
    Between,
    Comparison,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Wildcard,
    WordPrefixes,
    fold,
)

VRS = {1: "LO", 2: "CS", 3: "DA", 4: "TM", 5: "DT", 6: "PN", 7: "DS", 8: "IS", 9: "SQ", 0x00080201: "SH"}
TEXT, CODE, DATE, TIME, INSTANT, NAME, DECIMAL, INTEGER, ITEMS, ZONE = VRS


@dataclass(frozen=True)
class Values:
    """Attributes by small numbers for tags."""

    values: Mapping[int, Sequence[str]] = field(default_factory=dict)
    items: Sequence[Values] = ()

    def vr_of(self, tag: int) -> str:
        return VRS[tag]

    def values_of(self, tag: int) -> Sequence[str]:
        return self.values.get(tag, ())

    def items_of(self, tag: int) -> Sequence[Values]:
        return self.items if tag == ITEMS else ()


def holds(tag: int, *values: str) -> Values:
    return Values({tag: values})


@pytest.mark.parametrize(
    ("match", "values", "expected"),
    [
        (OneOf(TEXT, ("a",)), ["a"], True),
        (OneOf(TEXT, ("a",)), ["b", "a"], True),
        (OneOf(TEXT, ("a", "b")), ["b"], True),
        (OneOf(TEXT, ("a",)), ["A"], False),
        (OneOf(TEXT, ("a",)), [], False),
        (OneOf(TEXT, ("",)), [], False),
        (OneOf(CODE, ("a",), Comparison.CASELESS), ["A"], True),
        (OneOf(DECIMAL, ("1.50",)), ["1.5"], True),
        (OneOf(INTEGER, ("3",)), ["003"], True),
        (Wildcard(TEXT, "a*"), ["b", "abc"], True),
        (Wildcard(TEXT, "*"), [], True),
        (Wildcard(TEXT, "?*"), [], False),
        (Between(DATE, "20200101", "20201231"), ["20200601"], True),
        (Between(DATE, "20200101", None), ["20190601"], False),
        (Between(TIME, "10", "10"), ["100000"], True),
        (Between(TIME, "10", None), [], False),
        (Between(INSTANT, "19980128103000", "19980128103000"), ["19980128103000.0000"], True),
        (Between(INSTANT, "19980128103000+0000", "19980128103000+0000"), ["19980128073000-0300"], True),
        (Between(INSTANT, "2020", "2020"), ["20200601"], True),
        (Between(INSTANT, "202006", None), ["2020"], True),
        (Between(INSTANT, "2021", None), ["2020"], False),
        (Between(INSTANT, None, "202005"), ["20200601"], False),
        (Between(INSTANT, None, "20200531235959+0000"), ["20200601003000+0100"], True),
        (Between(INSTANT, "2020", None), ["noon"], False),
        (WordPrefixes(NAME, ("do", "jo")), ["Doe^John"], True),
        (WordPrefixes(NAME, ()), ["Doe^John"], False),
        (PersonName(NAME, ("doe*",)), ["X", "Doe^John"], True),
        (PersonName(NAME, ("doe*",)), [], False),
        (Empty(TEXT), [], True),
        (Empty(TEXT), ["", ""], True),
        (Empty(TEXT), ["", "a"], False),
    ],
)
def test_one_value_that_fits_is_enough(match: Match, values: list[str], expected: bool) -> None:
    assert fits(match, holds(match.tag, *values)) is expected


def test_one_item_fits_all_matches_on_it() -> None:
    values = Values(items=[Values({TEXT: ["a"], CODE: ["X"]}), Values({TEXT: ["b"], CODE: ["Y"]})])
    assert fits(InItem(ITEMS, (OneOf(TEXT, ("b",)), OneOf(CODE, ("Y",)))), values)
    assert not fits(InItem(ITEMS, (OneOf(TEXT, ("a",)), OneOf(CODE, ("Y",)))), values)
    assert fits(InItem(ITEMS, ()), values)
    assert not fits(InItem(ITEMS, ()), Values())
    assert fits(Empty(ITEMS), Values())
    assert not fits(Empty(ITEMS), values)


def test_items_within_items_are_looked_at() -> None:
    inner = Values(items=[holds(TEXT, "a")])
    assert fits(InItem(ITEMS, (InItem(ITEMS, (OneOf(TEXT, ("a",)),)),)), Values(items=[inner]))


@pytest.mark.parametrize(
    ("time", "expected"), [("1000", True), ("095959", False), ("", True), ("noon", True), ("10:00:00", True)]
)
def test_a_date_without_time_is_the_whole_day(time: str, expected: bool) -> None:
    match = DateAndTime(DATE, TIME, ("20240101", None), ("100000.000000", None), is_combined=True)
    assert fits(match, Values({DATE: ["20240101"], TIME: [time] if time else []})) is expected


def test_without_a_date_no_moment_fits() -> None:
    match = DateAndTime(DATE, TIME, (None, "20240101"))
    assert not fits(match, Values({TIME: ["10"]}))
    assert not fits(match, Values({DATE: ["2024.01.01"], TIME: ["10"]}))


@pytest.mark.parametrize(("zone", "expected"), [("+0100", False), ("-0100", True), ("", True), ("bad", True)])
def test_values_are_brought_into_the_zone_of_the_search(zone: str, expected: bool) -> None:
    match = DateAndTime(DATE, TIME, ("20240102", "20240102"), timezone_minutes=0)
    assert fits(match, Values({DATE: ["20240102"], TIME: ["003000"], ZONE: [zone]})) is expected


DAYS = st.none() | st.sampled_from(["20240101", "20240102"])
TIMES = st.none() | st.sampled_from(["100000.000000", "105959.999999"])


@given(
    st.builds(
        DateAndTime,
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.tuples(DAYS, DAYS),
        st.tuples(TIMES, TIMES),
        st.booleans(),
        st.none() | st.integers(-720, 840),
    )
)
def test_a_match_of_date_and_time_comes_back_from_its_text(match: DateAndTime) -> None:
    assert parse_date_and_time_key(date_and_time_key(match)) == match


@pytest.mark.parametrize(
    ("name", "groups", "expected"),
    [
        ("Doe^John", ("doe^john",), True),
        ("Doe^John^^^", ("doe^john",), True),
        ("Doe^John ", ("doe^john",), True),
        ("Doe^John^M", ("doe^john",), False),
        ("Doe^John", ("d?e*",), True),
        ("Yamada^Tarou=山田^太郎", ("yamada^tarou",), True),
        ("Yamada^Tarou=山田^太郎", ("", "山田^*"), True),
        ("Yamada^Tarou", ("", "*"), True),
        ("Yamada^Tarou", ("", "?*"), False),
        ("=山田^太郎", ("yamada*",), False),
    ],
)
def test_component_groups_fit_each_their_own(name: str, groups: tuple[str, ...], expected: bool) -> None:
    assert fits_name(fold(name), name_key(PersonName(NAME, groups))) is expected


def _matches_by_regex(group: str, pattern: str) -> bool:
    parts = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.fullmatch("".join(parts), group, re.DOTALL) is not None


LETTERS = st.text("ab^ *?", max_size=6)


@given(st.lists(st.text("ab^ ", max_size=5), min_size=1, max_size=3), LETTERS)
def test_any_group_may_fit_where_that_is_meant(groups: list[str], pattern: str) -> None:
    bare = pattern.strip(" ").rstrip("^ ")
    expected = any(_matches_by_regex(group.rstrip("^ "), bare) for group in groups)
    assert fits_name("=".join(groups), name_key(PersonName(NAME, (pattern,), in_any_group=True))) is expected


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
