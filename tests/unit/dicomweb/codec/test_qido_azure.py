"""dicom-service 4.1 to 4.3: the texts word for word, and the table of searchable attributes."""

from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import SearchRequest, parse_search
from isocenter.dicomweb.codec.qido_azure import parse_match
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Between, Comparison, Match, OneOf, WordPrefixes

HINT = (
    "If the parameter is an attribute keyword, check the casing as they are case-sensitive. "
    "The conformance statement has a list of supported query parameters, attributes and the levels."
)
RESOURCES: dict[str, tuple[Level, str | None, str | None]] = {
    "studies": (Level.STUDY, None, None),
    "series": (Level.SERIES, None, None),
    "instances": (Level.INSTANCE, None, None),
    "studies/s/series": (Level.SERIES, "1", None),
    "studies/s/instances": (Level.INSTANCE, "1", None),
    "studies/s/series/x/instances": (Level.INSTANCE, "1", "2"),
}
SEARCHABLE = """
    StudyInstanceUID                x x x . . .
    PatientName                     x x x . . .
    PatientID                       x x x . . .
    PatientBirthDate                x x x . . .
    AccessionNumber                 x x x . . .
    ReferringPhysicianName          x x x . . .
    StudyDate                       x x x . . .
    StudyDescription                x x x . . .
    ModalitiesInStudy               x x x . . .
    SeriesInstanceUID               . x x x x .
    Modality                        . x x x x .
    PerformedProcedureStepStartDate . x x x x .
    ManufacturerModelName           . x x x x .
    SOPInstanceUID                  . . x . x x
    StudyTime                       . . . . . .
    InstanceNumber                  . . . . . .
    TimezoneOffsetFromUTC           . . . . . .
    NumberOfStudyRelatedInstances   . . . . . .
"""
CASES = [
    (keyword, resource, mark == "x")
    for keyword, *marks in (line.split() for line in SEARCHABLE.strip().splitlines())
    for resource, mark in zip(RESOURCES, marks, strict=True)
]


def search(query_string: str, resource: str = "instances") -> SearchRequest:
    level, study, series = RESOURCES[resource]
    return parse_search(
        query_string, Dialect.AZURE_V2, level=level, study_instance_uid=study, series_instance_uid=series
    )


def refusal(query_string: str, resource: str = "instances") -> str:
    with pytest.raises(InvalidRequest) as caught:
        search(query_string, resource)
    return caught.value.message


@pytest.mark.parametrize(("keyword", "resource", "is_searchable"), CASES)
def test_an_attribute_is_searchable_where_the_table_says(keyword: str, resource: str, is_searchable: bool) -> None:
    value = "20200101" if keyword.endswith("Date") else "1"
    if is_searchable:
        assert len(search(f"{keyword}={value}", resource).query.matches) == 1
    elif (keyword, RESOURCES[resource][1]) == ("StudyInstanceUID", "1") or (
        (keyword, RESOURCES[resource][2]) == ("SeriesInstanceUID", "2")
    ):
        assert (
            refusal(f"{keyword}={value}", resource)
            == f"Invalid query: cannot specify attribute '{keyword}' for the given resource. "
        )
    else:
        assert (
            refusal(f"{keyword}={value}", resource) == f"Invalid query: AttributeId {keyword} is not queryable.  {HINT}"
        )


@pytest.mark.parametrize(
    ("query_string", "text"),
    [
        ("Nonsense=1", f"Invalid query: unknown query parameter 'Nonsense'. {HINT}"),
        ("patientid=1", f"Invalid query: unknown query parameter 'patientid'. {HINT}"),
        ("0010002=1", f"Invalid query: unknown query parameter '0010002'. {HINT}"),
        ("accept=application/json", f"Invalid query: unknown query parameter 'accept'. {HINT}"),
        ("PatientName.PatientID=1", f"Invalid query: unknown query parameter 'PatientName.PatientID'. {HINT}"),
        ("00091001=1", f"Invalid query: AttributeId 00091001 is not queryable.  {HINT}"),
        ("PatientAge=1", f"Invalid query: AttributeId PatientAge is not queryable.  {HINT}"),
        (
            "PatientID=1&PatientID=2",
            "Invalid QIDO-RS query. Duplicate AttributeId 'PatientID'. "
            "Each attribute is only allowed to be specified once.",
        ),
        (
            "PatientID=1&00100020=1",
            "Invalid query: attribute '00100020' has been specified more than once using different ID formats. "
            "Each attribute is only allowed to be specified once.",
        ),
        ("PatientID=", "Invalid query: AttributeId PatientID has empty string value that is not supported."),
        ("00100020=%20", "Invalid query: AttributeId 00100020 has empty string value that is not supported."),
        (
            "StudyDate=NotAValidStudyDate",
            "Invalid query: specified Date value 'NotAValidStudyDate' is invalid for attribute 'StudyDate'. "
            "Date should be valid and formatted as yyyyMMdd.",
        ),
        (
            "StudyDate=20200101-20200230",
            "Invalid query: specified Date value '20200230' is invalid for attribute 'StudyDate'. "
            "Date should be valid and formatted as yyyyMMdd.",
        ),
        (
            "StudyDate=2020-01-01",
            "Invalid query: specified Date value '2020-01-01' is invalid for attribute 'StudyDate'. "
            "Date should be valid and formatted as yyyyMMdd.",
        ),
        ("StudyDate=-", "Invalid query: specified range is invalid."),
        ("StudyDate=%20-%20", "Invalid query: specified range is invalid."),
    ],
)
def test_a_query_is_refused_in_the_words_of_the_service(query_string: str, text: str) -> None:
    assert refusal(query_string) == text


def test_a_range_that_runs_backwards_is_refused() -> None:
    assert refusal("StudyDate=20200102-20200101").startswith("Invalid query: specified range '20200102-20200101'")


def test_a_quote_in_a_fuzzy_name_is_refused() -> None:
    assert refusal('fuzzymatching=true&PatientName="jo').startswith("Invalid query: ")


NAME, ID, DATE, MODALITY, MODALITIES = 0x00100010, 0x00100020, 0x00080020, 0x00080060, 0x00080061


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("PatientID=aB*", OneOf(ID, ("aB*",), Comparison.CASELESS)),
        ("00100020=a%5Cb,c", OneOf(ID, ("a\\b,c",), Comparison.CASELESS)),
        ("PatientName=Hall^Ann", OneOf(NAME, ("Hall^Ann",), Comparison.FOLDED)),
        ("Modality=X", OneOf(MODALITY, ("X",), Comparison.CASELESS)),
        ("Modality=X%00", OneOf(MODALITY, ("X",), Comparison.CASELESS)),
        ("Modality=X%20%20", OneOf(MODALITY, ("X",), Comparison.CASELESS)),
        ("ModalitiesInStudy=CT", OneOf(MODALITIES, ("CT",), Comparison.CASELESS)),
        ("StudyInstanceUID=1.2,1.3", OneOf(0x0020000D, ("1.2,1.3",), Comparison.EXACT)),
        ("StudyDate=20200101", OneOf(DATE, ("20200101",), Comparison.EXACT)),
        ("StudyDate=20200101%20-%2020200102", Between(DATE, "20200101", "20200102")),
        ("StudyDate=20200101-", Between(DATE, "20200101", None)),
        ("StudyDate=-20200102", Between(DATE, None, "20200102")),
        ("PatientName=Jo^DÓ&FuzzyMatching=TRUE", WordPrefixes(NAME, ("jo", "do"))),
        ("PatientID=Jo&fuzzymatching=true", OneOf(ID, ("Jo",), Comparison.CASELESS)),
    ],
)
def test_matching_is_exact_but_for_case_names_and_ranges(query_string: str, expected: Match) -> None:
    assert search(query_string).query.matches == (expected,)


TIME = BY_KEYWORD["StudyTime"].tag


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", Between(TIME, "10", "100000.000000")),
        ("1015-12", Between(TIME, "1015", "120000.000000")),
        ("-101530.5", Between(TIME, None, "101530.500000")),
        ("10 -", Between(TIME, "10", None)),
    ],
)
def test_a_coarse_time_is_its_first_instant(text: str, expected: Match) -> None:
    assert parse_match(BY_KEYWORD["StudyTime"], text, is_fuzzy=False) == expected


@pytest.mark.parametrize("text", ["25", "1", "10:15", "12-10", "-", "10-11-12"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^Invalid query: specified "):
        parse_match(BY_KEYWORD["StudyTime"], text, is_fuzzy=False)
