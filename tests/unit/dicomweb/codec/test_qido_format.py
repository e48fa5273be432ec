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
from isocenter.domain.key import Key, comparison_of
from isocenter.domain.moments import earliest_time, latest_time
from isocenter.domain.query import (
    Between,
    Comparison,
    DateAndTime,
    Empty,
    InItem,
    Match,
    OneOf,
    PersonName,
    Query,
    Wildcard,
    WordPrefixes,
    fold,
)

TEXT = st.text(st.characters(exclude_characters="*?\\,\0", exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda text: text == text.strip(" ")
)
CODE = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", min_size=1, max_size=16)
UID = st.lists(st.integers(0, 10**6), min_size=1, max_size=8).map(lambda parts: ".".join(map(str, parts)))
DAYS = st.dates(min_value=date(1000, 1, 1)).map(lambda day: day.strftime("%Y%m%d"))
TIMES = st.times().map(lambda moment: moment.strftime("%H%M%S.%f"))
PATTERN = st.tuples(TEXT, st.sampled_from(["*", "?"])).map("".join)


GROUP = st.text("abÄ山*?^", min_size=1, max_size=5).filter(lambda text: bool(text.strip("*^")) and text[-1] != "^")
NAMES = st.lists(GROUP, min_size=1, max_size=3).map(tuple)


def _is_for_any_group(groups: tuple[str, ...]) -> bool:
    return len(groups) == 1 and not fold(groups[0]).isascii()


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
    tag = attribute.tag
    comparison = comparison_of(Key(tag, attribute.vr, "", attribute.keyword))
    several = {"UI": UID, "CS": CODE, "IS": st.integers(0, 9999).map(str), "US": st.integers(0, 65535).map(str)}
    if attribute.vr in several:
        values = st.lists(several[attribute.vr], min_size=1, max_size=4, unique=True).map(tuple)
        return values.map(lambda found: OneOf(tag, found, comparison))
    if attribute.vr == "DA":
        days = DAYS.map(lambda day: OneOf(tag, (day,)))
        return days | ranges(DAYS).map(lambda found: Between(tag, *found))
    if attribute.vr == "TM":
        return ranges(TIMES).map(lambda found: Between(tag, *time_ends(found)))
    if attribute.vr == "PN":
        return NAMES.map(lambda groups: PersonName(tag, groups, in_any_group=_is_for_any_group(groups)))
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


def test_what_was_agreed_on_and_what_is_nested_is_said() -> None:
    query = Query(
        Level.SERIES,
        (
            OneOf(0x00080061, ("CT",), Comparison.CASELESS),
            OneOf(0x00080061, ("PT",), Comparison.CASELESS),
            Empty(0x00080050),
            InItem(0x00400275, (OneOf(0x00401001, ("RP1",)), OneOf(0x00400009, ("SPS1",)))),
            OneOf(0x00080080, ("General Hospital",)),
        ),
    )
    parameters = search_parameters(query)
    assert ("ModalitiesInStudy", "CT\\PT") in parameters
    assert ("RequestAttributesSequence.RequestedProcedureID", "RP1") in parameters
    assert {("multiplevaluematching", "true"), ("emptyvaluematching", "true")} <= set(parameters)
    asked = parse_search(urlencode(parameters), Dialect.STANDARD, level=Level.SERIES)
    assert set(asked.query.matches) == set(query.matches)
    assert asked.warnings == ()


def test_a_date_with_its_time_is_said_as_two() -> None:
    match = DateAndTime(0x00080020, 0x00080030, ("20240101", None), ("100000.000000", None))
    parameters = search_parameters(Query(Level.STUDY, (match,)))
    assert parameters[:2] == [("StudyDate", "20240101-"), ("StudyTime", "100000.000000-")]
