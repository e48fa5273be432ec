from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag

from isocenter.domain.values import Values
from isocenter.domain.workitem_search import (
    AZURE_SEARCHABLE,
    SEARCHABLE,
    TEXT_LENGTH_MAX,
    TEXTS_MAX,
    SearchableAttribute,
    searchable_texts,
    texts_of,
)

BY_KEYWORD = {one.keyword: one for one in SEARCHABLE}


def _found(values: Values, keyword: str) -> list[str]:
    return texts_of(searchable_texts(values), BY_KEYWORD[keyword])


@pytest.mark.parametrize("attribute", SEARCHABLE, ids=lambda one: one.keyword)
def test_every_path_leads_through_sequences_to_the_attribute_of_its_name(attribute: SearchableAttribute) -> None:
    assert ".".join(keyword_for_tag(tag) for tag in attribute.path) == attribute.keyword
    assert dictionary_VR(attribute.tag) == attribute.vr
    assert all(dictionary_VR(tag) == "SQ" for tag in attribute.path[:-1])


def test_every_attribute_stands_in_the_table_once() -> None:
    assert len({one.path for one in SEARCHABLE}) == len(SEARCHABLE)
    assert SEARCHABLE[: len(AZURE_SEARCHABLE)] == AZURE_SEARCHABLE


def test_texts_come_from_every_item_and_each_once() -> None:
    values: Values = {
        "00100020": ["P1"],
        "00404025": [{"00080100": ["A"]}, {"00080100": ["B", "A"]}, {}],
        "00404034": [{"00404009": [{"00080100": ["H"]}]}],
    }
    assert _found(values, "PatientID") == ["P1"]
    assert _found(values, "ScheduledStationNameCodeSequence.CodeValue") == ["A", "B"]
    assert _found(values, "ScheduledHumanPerformersSequence.HumanPerformerCodeSequence.CodeValue") == ["H"]
    assert _found(values, "PatientName") == []


def test_a_time_is_kept_as_its_first_instant_and_what_is_none_not_at_all() -> None:
    assert _found({"00404005": ["20260102", "next week", ""]}, "ScheduledProcedureStepStartDateTime") == [
        "20260102000000.000000"
    ]


def test_texts_are_bounded_in_length_and_number() -> None:
    assert _found({"00100020": ["x" * (TEXT_LENGTH_MAX + 1), "y"]}, "PatientID") == ["y"]
    assert len(searchable_texts({"00100020": [str(number) for number in range(2 * TEXTS_MAX)]})) == TEXTS_MAX
