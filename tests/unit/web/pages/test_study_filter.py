from __future__ import annotations

from datetime import date
from urllib.parse import parse_qsl

import pytest

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY
from isocenter.domain.query import Between, Comparison, OneOf, Wildcard, WordPrefixes
from isocenter.web.pages.study_filter import PAGE_MAX, StudyFilter, parse_study_filter, periods

NAME = BY_KEYWORD["PatientName"].tag
PATIENT_ID = BY_KEYWORD["PatientID"].tag
DESCRIPTION = BY_KEYWORD["StudyDescription"].tag
STUDY_DATE = BY_KEYWORD["StudyDate"].tag


def test_an_empty_filter_lets_every_study_through() -> None:
    state = parse_study_filter({})
    assert state.is_empty
    assert state.matches() == ()


def test_each_word_of_a_name_begins_a_word_of_it_in_any_order() -> None:
    matches = parse_study_filter({"patient": "John, Smi"}).matches()
    assert matches == (WordPrefixes(NAME, ("john",)), WordPrefixes(NAME, ("smi",)))


def test_a_name_is_folded_as_the_index_folds_it() -> None:
    assert StudyFilter(patient="GARCÍA").matches() == (WordPrefixes(NAME, ("garcia",)),)


def test_a_wildcard_in_a_name_is_taken_as_written() -> None:
    assert StudyFilter(patient="sm?th*").matches() == (Wildcard(NAME, "sm?th*", Comparison.FOLDED),)


def test_an_id_matches_by_its_beginning_and_a_description_anywhere() -> None:
    matches = StudyFilter(id="ab12", description="head").matches()
    assert matches == (
        Wildcard(PATIENT_ID, "ab12*", Comparison.FOLDED),
        Wildcard(DESCRIPTION, "*head*", Comparison.FOLDED),
    )


def test_modalities_are_a_list() -> None:
    assert StudyFilter(modality="ct, mr").matches() == (OneOf(MODALITIES_IN_STUDY, ("CT", "MR")),)


@pytest.mark.parametrize(
    ("since", "until", "lowest", "highest"),
    [
        ("2026-03-01", "2026-03-31", "20260301", "20260331"),
        ("2026-03-01", "", "20260301", None),
        ("", "2026-03-31", None, "20260331"),
    ],
)
def test_dates_are_a_closed_or_open_range(since: str, until: str, lowest: str | None, highest: str | None) -> None:
    assert StudyFilter(since=since, until=until).matches() == (Between(STUDY_DATE, lowest, highest),)


@pytest.mark.parametrize("since", ["yesterday", "2026-02-30", "20260", "' OR 1=1"])
def test_a_date_that_is_none_is_a_problem_in_words(since: str) -> None:
    assert "year-month-day" in StudyFilter(since=since).problem


def test_a_range_that_ends_before_it_begins_is_a_problem_in_words() -> None:
    assert "later" in StudyFilter(since="2026-03-02", until="2026-03-01").problem


def test_dates_without_hyphens_mean_the_same() -> None:
    state = parse_study_filter({"since": "20260301"})
    assert state.since == "2026-03-01"
    assert state.problem == ""


def test_the_search_asks_for_one_row_more_than_the_page_shows() -> None:
    query = parse_study_filter({"page": "3", "size": "50"}).query()
    assert (query.limit, query.offset) == (51, 100)


@pytest.mark.parametrize("size", ["0", "-1", "1000000", "x", "٣"])
def test_an_impossible_page_size_is_the_default(size: str) -> None:
    assert parse_study_filter({"size": size}).size == 25


@pytest.mark.parametrize(("page", "expected"), [("0", 1), ("-3", 1), ("x", 1), ("99999999999999", 1), ("7", 7)])
def test_an_impossible_page_is_the_first(page: str, expected: int) -> None:
    assert parse_study_filter({"page": page}).page == expected
    assert expected <= PAGE_MAX


def test_an_address_holds_only_what_is_not_at_its_default() -> None:
    state = StudyFilter(patient="Ö & co", page=2)
    assert dict(parse_qsl(state.address(page=3))) == {"patient": "Ö & co", "page": "3"}
    assert StudyFilter().address() == ""


def test_an_address_leads_back_to_its_state() -> None:
    state = StudyFilter(patient="a=b", id="1", modality="CT", since="2026-01-01", size=50, page=4)
    assert parse_study_filter(dict(parse_qsl(state.address()))) == state


def test_control_characters_and_endless_texts_are_cut() -> None:
    state = parse_study_filter({"patient": "a\0b\nc" + "x" * 1000})
    assert state.patient == "abc" + "x" * 61


def test_periods_count_today() -> None:
    by_label = {period.label: period.since for period in periods(date(2026, 3, 7))}
    assert by_label == {"Any date": "", "Today": "2026-03-07", "7 days": "2026-03-01", "30 days": "2026-02-06"}
