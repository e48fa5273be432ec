from __future__ import annotations

from datetime import date, time
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import STANDARD_LIMIT_MAX, IncludeFields, parse_search
from isocenter.dicomweb.codec.qido_format import search_parameters
from isocenter.domain.attributes import INDEXED_ATTRIBUTES, IndexedAttribute
from isocenter.domain.identifiers import Level
from isocenter.domain.matching import comparison_of, earliest_time, latest_time
from isocenter.domain.query import Between, Match, OneOf, Query, Wildcard, WordPrefixes

TEXT = st.text(st.characters(exclude_characters="*?\\,\0", exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda text: text == text.strip(" ")
)
CODE = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", min_size=1, max_size=16)
UID = st.lists(st.integers(0, 10**6), min_size=1, max_size=8).map(lambda parts: ".".join(map(str, parts)))
DAYS = st.dates(min_value=date(1000, 1, 1)).map(lambda day: day.strftime("%Y%m%d"))
TIMES = st.times().map(lambda moment: moment.strftime("%H%M%S.%f"))
PATTERN = st.tuples(TEXT, st.sampled_from(["*", "?"])).map("".join)


def ends(values: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    lowest, highest = values
    return (highest, lowest) if lowest and highest and lowest > highest else values


def ranges(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str | None, str | None]]:
    return st.tuples(st.none() | values, st.none() | values).filter(any).map(ends)


def time_ends(values: tuple[str | None, str | None]) -> tuple[str | None, str | None]:
    lowest, highest = values
    return lowest and earliest_time(lowest), highest and latest_time(highest)


def matches(attribute: IndexedAttribute) -> st.SearchStrategy[Match]:
    """Return matches on an attribute that a query string can say."""
    tag, comparison = attribute.tag, comparison_of(attribute)
    several = {"UI": UID, "CS": CODE, "IS": st.integers(0, 9999).map(str), "US": st.integers(0, 65535).map(str)}
    if attribute.vr in several:
        values = st.lists(several[attribute.vr], min_size=1, max_size=4, unique=True).map(tuple)
        return values.map(lambda found: OneOf(tag, found, comparison))
    if attribute.vr == "DA":
        days = DAYS.map(lambda day: OneOf(tag, (day,)))
        return days | ranges(DAYS).map(lambda found: Between(tag, *found))
    if attribute.vr == "TM":
        return ranges(TIMES).map(lambda found: Between(tag, *time_ends(found)))
    exact = TEXT.map(lambda text: OneOf(tag, (text,), comparison))
    return exact | PATTERN.map(lambda pattern: Wildcard(tag, pattern, comparison))


@st.composite
def queries(draw: st.DrawFn) -> Query:
    level = draw(st.sampled_from([Level.STUDY, Level.SERIES, Level.INSTANCE]))
    candidates = [attribute for attribute in INDEXED_ATTRIBUTES if attribute.level <= level]
    chosen = draw(st.lists(st.sampled_from(candidates), max_size=5, unique_by=lambda attribute: attribute.tag))
    return Query(
        level,
        tuple(draw(matches(attribute)) for attribute in chosen),
        limit=draw(st.integers(1, STANDARD_LIMIT_MAX)),
        offset=draw(st.integers(0, 10**6)),
    )


@given(
    query=queries(),
    include=st.builds(IncludeFields, st.booleans(), st.lists(st.integers(0, 2**32 - 1), unique=True).map(tuple)),
)
def test_a_query_comes_back_from_its_own_query_string(query: Query, include: IncludeFields) -> None:
    asked = parse_search(urlencode(search_parameters(query, include)), Dialect.STANDARD, level=query.level)
    assert asked.query == query
    assert asked.include == include
    assert asked.warnings == ()


@given(words=st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1), min_size=1, max_size=4).map(tuple))
def test_a_fuzzy_name_comes_back_from_its_own_query_string(words: tuple[str, ...]) -> None:
    query = Query(Level.STUDY, (WordPrefixes(0x00100010, words),), limit=1)
    for dialect in (Dialect.STANDARD, Dialect.AZURE_V2):
        asked = parse_search(urlencode(search_parameters(query)), dialect, level=Level.STUDY)
        assert asked.query == query


def test_midnight_keeps_its_range() -> None:
    assert latest_time(time().strftime("%H%M%S.%f")) == "000000.000000"
