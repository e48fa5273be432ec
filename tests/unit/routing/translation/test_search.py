from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.domain.identifiers import Level
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
)
from isocenter.routing.configuration.destination import WebProfile
from isocenter.routing.translation.profile import PROFILES
from isocenter.routing.translation.search import (
    REQUESTS_MAX,
    UIDS_PER_REQUEST,
    SearchRequest,
    TranslatedSearch,
    translate_search,
    with_known_fields,
)

NAME, PATIENT_ID, STUDY_DATE, STUDY_TIME, STUDY_UID = 0x00100010, 0x00100020, 0x00080020, 0x00080030, 0x0020000D
DESCRIPTION, MODALITIES, MODALITY, STATION, ACCESSION = 0x00081030, 0x00080061, 0x00080060, 0x00081010, 0x00080050
AZURE, STANDARD, ORTHANC, DCM4CHEE = WebProfile.AZURE, WebProfile.STANDARD, WebProfile.ORTHANC, WebProfile.DCM4CHEE


def _translated(
    profile: WebProfile, *matches: Match, level: Level = Level.STUDY, study: str | None = None
) -> TranslatedSearch:
    return translate_search(Query(level, matches, study_instance_uid=study), PROFILES[profile])


def _asked(profile: WebProfile, match: Match) -> list[str]:
    """Return what the server is asked for one match, without what it is to return."""
    return [
        SearchRequest("", tuple(pair for pair in request.parameters if pair[0] != "includefield")).query_string
        for request in _translated(profile, match).requests
    ]


NAME_WITH_STAR = PersonName(NAME, ("Doe^J*",))


@pytest.mark.parametrize(
    ("profile", "match", "asked", "is_whole"),
    [
        (AZURE, OneOf(PATIENT_ID, ("P1",)), ["PatientID=P1"], False),
        (AZURE, NAME_WITH_STAR, ["PatientName=doe%20j&fuzzymatching=true"], False),
        (AZURE, PersonName(NAME, ("*oe^J*",)), [""], False),
        (AZURE, PersonName(NAME, ("O'Neil^Ann",)), ["PatientName=o&fuzzymatching=true"], False),
        (AZURE, PersonName(NAME, ("Müller",)), ["PatientName=muller&fuzzymatching=true"], False),
        (AZURE, PersonName(NAME, ("", "山田*")), [""], False),
        (AZURE, WordPrefixes(NAME, ("doe", "jan")), ["PatientName=doe%20jan&fuzzymatching=true"], False),
        (AZURE, Wildcard(ACCESSION, "A*"), [""], False),
        (AZURE, Between(STUDY_DATE, "20240101", None), ["StudyDate=20240101-"], True),
        (AZURE, Between(STUDY_TIME, "0800", "0900"), [""], False),
        (AZURE, OneOf(MODALITIES, ("CT", "MR")), ["ModalitiesInStudy=CT", "ModalitiesInStudy=MR"], True),
        (AZURE, OneOf(STUDY_UID, ("1.2", "1.3")), ["StudyInstanceUID=1.2", "StudyInstanceUID=1.3"], True),
        (AZURE, OneOf(STATION, ("CT1",)), [""], False),
        (AZURE, Empty(ACCESSION), [""], False),
        (AZURE, InItem(0x00400275, (OneOf(ACCESSION, ("A",)),)), [""], False),
        (STANDARD, NAME_WITH_STAR, ["PatientName=Doe%5EJ*"], False),
        (STANDARD, PersonName(NAME, ("Doe^Jane",)), ["PatientName=Doe%5EJane*"], False),
        (STANDARD, PersonName(NAME, ("Müller",)), [""], False),
        (STANDARD, Wildcard(ACCESSION, "A?1*"), ["AccessionNumber=A?1*"], False),
        (STANDARD, OneOf(ACCESSION, ("A,1",)), [""], False),
        (STANDARD, OneOf(STUDY_UID, ("1.2", "1.3")), ["StudyInstanceUID=1.2,1.3"], True),
        (STANDARD, Between(STUDY_TIME, "0830", "0915"), ["StudyTime=080000-095959"], False),
        (STANDARD, OneOf(DESCRIPTION, ("Head",), Comparison.CASELESS), [""], False),
        (ORTHANC, OneOf(DESCRIPTION, ("Head",), Comparison.CASELESS), ["StudyDescription=Head"], False),
        (DCM4CHEE, OneOf(DESCRIPTION, ("Head",), Comparison.CASELESS), [""], False),
        (STANDARD, DateAndTime(STUDY_DATE, STUDY_TIME, ("20240101", "20240229"), ("08", "09"), is_combined=True),
         ["StudyDate=20240101-20240229"], False),
        (STANDARD, DateAndTime(STUDY_DATE, STUDY_TIME, ("20240301", None), timezone_minutes=60),
         ["StudyDate=20240229-"], False),
    ],
)  # fmt: skip
def test_a_server_is_asked_what_it_can_do_and_no_less_than_is_meant(
    profile: WebProfile, match: Match, asked: list[str], is_whole: bool
) -> None:
    assert _asked(profile, match) == asked
    assert _translated(profile, match).residual == (() if is_whole else (match,))


def test_what_is_matched_here_is_asked_to_be_returned() -> None:
    (request,) = _translated(AZURE, OneOf(STATION, ("CT1",)), OneOf(MODALITIES, ("CT",))).requests
    assert request.parameters == (("ModalitiesInStudy", "CT"), ("includefield", "00081010"))
    (request,) = translate_search(Query(Level.STUDY), PROFILES[AZURE], return_tags=[PATIENT_ID, NAME]).requests
    assert request.parameters == (("includefield", "00100020"), ("includefield", "00100010"))


@pytest.mark.parametrize(
    ("level", "study", "series", "path"),
    [
        (Level.PATIENT, None, None, "/studies"),
        (Level.STUDY, None, None, "/studies"),
        (Level.SERIES, None, None, "/series"),
        (Level.SERIES, "1.2", None, "/studies/1.2/series"),
        (Level.INSTANCE, None, None, "/instances"),
        (Level.INSTANCE, "1.2", None, "/studies/1.2/instances"),
        (Level.INSTANCE, "1.2", "1.2.3", "/studies/1.2/series/1.2.3/instances"),
    ],
)
def test_the_path_goes_through_what_is_named_above(
    level: Level, study: str | None, series: str | None, path: str
) -> None:
    query = Query(level, study_instance_uid=study, series_instance_uid=series)
    translated = translate_search(query, PROFILES[AZURE])
    assert [request.path for request in translated.requests] == [path]
    assert translated.is_by_patient is (level is Level.PATIENT)


def test_a_uid_that_no_path_holds_is_a_parameter() -> None:
    query = Query(Level.INSTANCE, series_instance_uid="1.2.3")
    (request,) = translate_search(query, PROFILES[STANDARD]).requests
    assert (request.path, request.query_string) == ("/instances", "SeriesInstanceUID=1.2.3")
    (request,) = translate_search(Query(Level.STUDY, study_instance_uid="1.2"), PROFILES[STANDARD]).requests
    assert (request.path, request.query_string) == ("/studies", "StudyInstanceUID=1.2")


def test_a_uid_that_is_named_above_is_not_asked_for_twice() -> None:
    match = OneOf(STUDY_UID, ("1.2", "1.3"))
    translated = translate_search(Query(Level.STUDY, (match,), study_instance_uid="1.2"), PROFILES[STANDARD])
    assert [request.query_string for request in translated.requests] == ["StudyInstanceUID=1.2&includefield=0020000D"]
    assert translated.residual == (match,)


def test_below_a_study_azure_is_not_asked_for_attributes_of_the_study() -> None:
    match = OneOf(PATIENT_ID, ("P1",))
    translated = _translated(AZURE, match, OneOf(MODALITY, ("CT",)), level=Level.SERIES, study="1.2")
    assert translated.residual[0] == match
    assert translated.requests[0].parameters[0] == ("Modality", "CT")
    assert not translated.is_too_wide


def test_a_search_of_which_a_server_can_be_asked_nothing_is_told() -> None:
    assert _translated(AZURE, Wildcard(ACCESSION, "A*")).is_too_wide
    assert not _translated(AZURE, Wildcard(ACCESSION, "A*"), OneOf(PATIENT_ID, ("P",))).is_too_wide
    assert not _translated(AZURE).is_too_wide, "who asks for everything is to get it, page by page"


def test_long_lists_are_asked_in_parts_and_too_long_ones_are_matched_here() -> None:
    uids = tuple(f"1.{number}" for number in range(1, 2 * UIDS_PER_REQUEST + 1))
    assert len(_translated(STANDARD, OneOf(STUDY_UID, uids)).requests) == 2
    modalities = OneOf(MODALITIES, ("CT", "MR", "US"))
    translated = _translated(AZURE, OneOf(STUDY_UID, uids), modalities)
    assert len(translated.requests) == len(uids)
    assert translated.residual == (modalities,)


_values = st.text("AbÄ山*?,^'1 ", min_size=1, max_size=6)
_tags = st.sampled_from(
    [NAME, PATIENT_ID, STUDY_DATE, STUDY_TIME, DESCRIPTION, MODALITIES, MODALITY, STATION, ACCESSION]
)
_days = st.none() | st.dates().map(lambda day: f"{day.year:04d}{day.month:02d}{day.day:02d}")
_matches: st.SearchStrategy[Match] = st.one_of(
    st.builds(OneOf, _tags, st.lists(_values, min_size=1, max_size=20).map(tuple), st.sampled_from(Comparison)),
    st.builds(Wildcard, _tags, _values, st.sampled_from(Comparison)),
    st.builds(Between, st.sampled_from([STUDY_DATE, 0x00100030]), _days, _days),
    st.builds(WordPrefixes, st.just(NAME), st.lists(_values, min_size=1).map(tuple)),
    st.builds(PersonName, st.just(NAME), st.lists(st.just("") | _values, min_size=1, max_size=3).map(tuple)),
    st.builds(
        DateAndTime,
        st.just(STUDY_DATE),
        st.just(STUDY_TIME),
        st.tuples(_days, _days),
        timezone_minutes=st.none() | st.integers(-840, 840),
    ),
    st.builds(Empty, _tags),
)


@given(
    matches=st.lists(_matches, max_size=4).map(tuple), level=st.sampled_from(Level), profile=st.sampled_from(WebProfile)
)
def test_every_search_has_requests_in_bounds_that_name_only_what_the_server_matches(
    matches: tuple[Match, ...], level: Level, profile: WebProfile
) -> None:
    translated = _translated(profile, *matches, level=level)
    assert 1 <= len(translated.requests) <= REQUESTS_MAX
    assert len(set(translated.requests)) == len(translated.requests) or any(
        isinstance(match, OneOf) and len(set(match.values)) < len(match.values) for match in matches
    )
    assert set(translated.residual) <= set(matches)
    for request in translated.requests:
        assert request.query_string.isascii()
        if not PROFILES[profile].has_wildcards:
            assert not any("*" in value or "?" in value for _, value in request.parameters)


def test_a_request_that_was_refused_for_its_fields_can_ask_for_fewer() -> None:
    query = Query(Level.STUDY, (OneOf(PATIENT_ID, ("P1",)),))
    (request,) = translate_search(query, PROFILES[AZURE], return_tags=[STATION, ACCESSION]).requests
    fewer = with_known_fields(request, PROFILES[AZURE])
    assert (request.has_fields, fewer.has_fields) == (True, True)
    assert [value for name, value in fewer.parameters if name == "includefield"] == ["00080050", "00100020"]
    assert [pair for pair in fewer.parameters if pair[0] != "includefield"] == [("PatientID", "P1")]
    assert fewer.path == request.path
    assert not SearchRequest("/studies", (("PatientID", "P1"),)).has_fields
