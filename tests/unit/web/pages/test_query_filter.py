from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY
from isocenter.domain.query import Between, OneOf, PersonName, Wildcard
from isocenter.web.pages.query_filter import PAGE_MAX, QueryFilter, parse_query_filter


def test_an_address_gives_the_state_back() -> None:
    state = QueryFilter(peer="PACS@h:104", patient="Doe", id="1", modality="CT", since="2026-01-02", page=3)
    assert parse_query_filter(dict(parse_qsl(state.address()))) == state


@pytest.mark.parametrize(
    ("typed", "asked"),
    [("doe", "doe*"), ("Doe, Jane", "Doe^Jane*"), ("Doe,", "Doe^*"), ("D?e", "D?e"), ("*ane", "*ane")],
)
def test_a_name_is_asked_for_by_its_beginning(typed: str, asked: str) -> None:
    state = QueryFilter(patient=typed)
    assert state.keys() == (("PatientName", asked),)
    assert state.query().matches == (PersonName(BY_KEYWORD["PatientName"].tag, (asked,)),)


def test_keys_of_both_ways_mean_the_same() -> None:
    state = QueryFilter(id="P1", description="chest", modality="CT", since="2026-01-01")
    assert dict(state.keys()) == {
        "PatientID": "P1",
        "StudyDescription": "*chest*",
        "ModalitiesInStudy": "CT",
        "StudyDate": "20260101-",
    }
    description = BY_KEYWORD["StudyDescription"].tag
    kinds = {(type(one), one.tag) for one in state.query().matches}
    assert kinds == {
        (OneOf, BY_KEYWORD["PatientID"].tag),
        (Wildcard, description),
        (OneOf, MODALITIES_IN_STUDY),
        (Between, BY_KEYWORD["StudyDate"].tag),
    }


def test_a_patient_id_with_a_wild_card_is_matched_as_one() -> None:
    (match,) = QueryFilter(id="P*").query().matches
    assert isinstance(match, Wildcard)


@pytest.mark.parametrize("since", ["yesterday", "2026-02-30"])
def test_a_date_that_is_none_is_told(since: str) -> None:
    assert "year-month-day" in parse_query_filter({"since": since}).problem


def test_dates_the_wrong_way_round_are_told() -> None:
    assert "later" in parse_query_filter({"since": "2026-02-01", "until": "2026-01-01"}).problem


@pytest.mark.parametrize(("page", "number"), [("0", 1), ("x", 1), ("99999", PAGE_MAX), ("-1", 1), ("1" * 40, 1)])
def test_impossible_pages_are_the_nearest(page: str, number: int) -> None:
    assert parse_query_filter({"page": page}).page == number


def test_values_are_bounded_and_hold_no_separators_of_values() -> None:
    state = parse_query_filter({"patient": "a\\b\x00" + "x" * 500, "id": "1\\2"})
    assert len(state.patient) == 64
    assert state.patient.startswith("abx")
    assert state.id == "12"
