from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.attributes import BY_KEYWORD, INDEXED_ATTRIBUTES, IndexedAttribute
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.matching import LIST_VALUES_MAX, earliest_time, is_date, latest_time, parse_match
from isocenter.domain.query import Between, Comparison, Match, OneOf, Wildcard, WordPrefixes

EXACT, CASELESS, FOLDED = Comparison.EXACT, Comparison.CASELESS, Comparison.FOLDED


def tag(keyword: str) -> int:
    return BY_KEYWORD[keyword].tag


@pytest.mark.parametrize(
    ("keyword", "text", "expected"),
    [
        ("PatientID", "aB1", OneOf(tag("PatientID"), ("aB1",), EXACT)),
        ("PatientID", " aB1\0", OneOf(tag("PatientID"), ("aB1",), EXACT)),
        ("PatientID", "a,b", OneOf(tag("PatientID"), ("a,b",), EXACT)),
        ("PatientID", "a*", Wildcard(tag("PatientID"), "a*", EXACT)),
        ("PatientName", "Doe^J", OneOf(tag("PatientName"), ("Doe^J",), FOLDED)),
        ("PatientName", "*oe?", Wildcard(tag("PatientName"), "*oe?", FOLDED)),
        ("StudyDescription", "*chest*", Wildcard(tag("StudyDescription"), "*chest*", CASELESS)),
        ("Modality", "CT\\MR", OneOf(tag("Modality"), ("CT", "MR"), CASELESS)),
        ("Modality", "CT\\\\CT", OneOf(tag("Modality"), ("CT",), CASELESS)),
        ("StudyInstanceUID", "1.2\\1.3 ", OneOf(tag("StudyInstanceUID"), ("1.2", "1.3"), EXACT)),
        ("SeriesNumber", "003", OneOf(tag("SeriesNumber"), ("3",), EXACT)),
        ("Rows", "+512\\0256", OneOf(tag("Rows"), ("512", "256"), EXACT)),
        ("StudyDate", "20200229", OneOf(tag("StudyDate"), ("20200229",), EXACT)),
        ("StudyDate", "20200101-20201231", Between(tag("StudyDate"), "20200101", "20201231")),
        ("StudyDate", "20200101 - 20201231", Between(tag("StudyDate"), "20200101", "20201231")),
        ("StudyDate", "-20201231", Between(tag("StudyDate"), None, "20201231")),
        ("StudyDate", "20200101-", Between(tag("StudyDate"), "20200101", None)),
        ("StudyTime", "10", Between(tag("StudyTime"), "10", "105959.999999")),
        ("StudyTime", "1015-12", Between(tag("StudyTime"), "1015", "125959.999999")),
        ("StudyTime", "-101530.5", Between(tag("StudyTime"), None, "101530.500000")),
        ("StudyTime", "100000.000-", Between(tag("StudyTime"), "10", None)),
    ],
)
def test_a_key_asks_for_what_its_vr_means(keyword: str, text: str, expected: Match) -> None:
    assert parse_match(BY_KEYWORD[keyword], text) == expected


@pytest.mark.parametrize("text", ["", " ", "*", "**", "\0"])
@pytest.mark.parametrize("attribute", INDEXED_ATTRIBUTES, ids=lambda attribute: attribute.keyword)
def test_an_empty_key_matches_everything(attribute: IndexedAttribute, text: str) -> None:
    assert parse_match(attribute, text) is None


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("StudyDate", "2020"),
        ("StudyDate", "20200230"),
        ("StudyDate", "-"),
        ("StudyDate", "20200101-20200102-20200103"),
        ("StudyDate", "20200102-20200101"),
        ("StudyDate", "٢٠٢٠٠١٠١"),
        ("StudyTime", "25"),
        ("StudyTime", "1060"),
        ("StudyTime", "1"),
        ("StudyTime", "12-10"),
        ("StudyTime", "10:15"),
        ("SeriesNumber", "one"),
        ("SeriesNumber", "1.5"),
        ("StudyInstanceUID", "1.2.x"),
        ("StudyInstanceUID", "1.2*"),
        ("Modality", "C*\\MR"),
        ("StudyInstanceUID", "\\".join(f"1.{number}" for number in range(LIST_VALUES_MAX + 1))),
    ],
)
def test_a_key_that_its_vr_does_not_allow_is_refused(keyword: str, text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_match(BY_KEYWORD[keyword], text)


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_match(BY_KEYWORD["PatientBirthDate"], "19500231")
    assert "1950" not in refusal.value.message


def test_more_separators_make_lists_of_codes_and_uids_only() -> None:
    assert parse_match(BY_KEYWORD["Modality"], "CT,MR\\US", list_separators="\\,") == OneOf(
        tag("Modality"), ("CT", "MR", "US"), CASELESS
    )
    assert parse_match(BY_KEYWORD["PatientID"], "a,b", list_separators="\\,") == OneOf(tag("PatientID"), ("a,b",))


def test_a_fuzzy_name_is_words_and_other_attributes_stay_exact() -> None:
    assert parse_match(BY_KEYWORD["PatientName"], "Jó^DO", is_fuzzy=True) == WordPrefixes(
        tag("PatientName"), ("jo", "do")
    )
    assert parse_match(BY_KEYWORD["PatientName"], "*jo*", is_fuzzy=True) == Wildcard(tag("PatientName"), "*jo*", FOLDED)
    assert parse_match(BY_KEYWORD["PatientName"], "^", is_fuzzy=True) is None
    assert parse_match(BY_KEYWORD["PatientID"], "jo", is_fuzzy=True) == OneOf(tag("PatientID"), ("jo",))


def padded(time: str) -> str:
    whole, _, fraction = time.partition(".")
    return f"{whole.ljust(6, '0')}.{fraction.ljust(6, '0')}"


@given(st.times(), st.sampled_from(["%H", "%H%M", "%H%M%S", "%H%M%S.%f"]))
def test_a_time_lies_between_its_own_ends_in_any_spelling(moment: time, form: str) -> None:
    text = moment.strftime(form)
    lowest, highest = earliest_time(text), latest_time(text)
    assert lowest is not None
    assert highest is not None
    assert lowest <= text <= highest
    assert padded(lowest) <= padded(text) <= padded(highest)


@pytest.mark.parametrize(("text", "is_valid"), [("20200101", True), ("00000101", False), ("2020010", False)])
def test_a_date_is_a_day_of_the_calendar(text: str, is_valid: bool) -> None:
    assert is_date(text) is is_valid
