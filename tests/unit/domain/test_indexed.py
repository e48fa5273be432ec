from __future__ import annotations

import pytest

from isocenter.domain.attributes import BY_KEYWORD, MODALITIES_IN_STUDY, NUMBER_OF_STUDY_RELATED_SERIES
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.indexed import is_indexed, matched_level, require_searchable, split_matches
from isocenter.domain.query import DateAndTime, Empty, InItem, Match, OneOf, PersonName, Query, WordPrefixes

REQUEST = 0x00400275
PATIENT_ID, MODALITY = BY_KEYWORD["PatientID"].tag, BY_KEYWORD["Modality"].tag
INSTITUTION_NAME = 0x00080080
BY_INSTITUTION = OneOf(INSTITUTION_NAME, ("x",))


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (OneOf(PATIENT_ID, ("x",)), True),
        (Empty(MODALITIES_IN_STUDY), True),
        (OneOf(NUMBER_OF_STUDY_RELATED_SERIES, ("1",)), False),
        (BY_INSTITUTION, False),
        (DateAndTime(0x00080020, 0x00080030, ("20240101", None)), True),
        (DateAndTime(0x00080022, 0x00080032, ("20240101", None)), False),
        (InItem(REQUEST, (OneOf(0x00401001, ("x",)), Empty(0x00080050))), True),
        (InItem(REQUEST, (OneOf(0x00321060, ("x",)),)), False),
        (InItem(REQUEST, (InItem(0x00400008, ()),)), False),
        (InItem(0x00081032, (OneOf(0x00080050, ("x",)),)), False),
    ],
)
def test_the_index_answers_for_what_it_keeps(match: Match, expected: bool) -> None:
    assert is_indexed(match) is expected


def test_matches_are_split_in_their_order() -> None:
    by_id, by_modality = OneOf(PATIENT_ID, ("x",)), OneOf(MODALITY, ("CT",))
    assert split_matches((by_id, BY_INSTITUTION, by_modality)) == ((by_id, by_modality), (BY_INSTITUTION,))


@pytest.mark.parametrize(
    ("match", "level"),
    [
        (OneOf(PATIENT_ID, ("x",)), Level.PATIENT),
        (OneOf(BY_KEYWORD["StudyDate"].tag, ("x",)), Level.STUDY),
        (OneOf(MODALITIES_IN_STUDY, ("CT",)), Level.STUDY),
        (InItem(REQUEST, ()), Level.SERIES),
        (OneOf(BY_KEYWORD["SOPInstanceUID"].tag, ("1",)), Level.INSTANCE),
    ],
)
def test_a_match_belongs_to_the_level_of_its_attribute(match: Match, level: Level) -> None:
    assert matched_level(match) is level


@pytest.mark.parametrize(
    "match", [BY_INSTITUTION, WordPrefixes(PATIENT_ID, ("x",)), PersonName(PATIENT_ID, ("x",))], ids=str
)
def test_what_an_index_cannot_answer_is_refused(match: Match) -> None:
    with pytest.raises(InvalidRequest):
        require_searchable(Query(Level.STUDY, (match,)))
