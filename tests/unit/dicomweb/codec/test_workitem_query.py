from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.workitem_query import WORKITEMS_MAX, WorkitemSearch, parse_workitem_search
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.query import Between, Comparison, Match, OneOf, Wildcard, WordPrefixes
from isocenter.domain.workitem_search import AZURE_SEARCHABLE, SEARCHABLE

AZURE, STANDARD = Dialect.AZURE_V2, Dialect.STANDARD
FOLDED, CASELESS = Comparison.FOLDED, Comparison.CASELESS
START = "ScheduledProcedureStepStartDateTime"
HINT = (
    "If the parameter is an attribute keyword, check the casing as they are case-sensitive. "
    "The conformance statement has a list of supported query parameters, attributes and the levels."
)
NAME, STATION, ACCESSION = 0x00100010, 0x00404025, 0x0040A370


def _parse(query_string: str, dialect: Dialect = AZURE) -> WorkitemSearch:
    return parse_workitem_search(query_string, dialect, partition_name="north")


def _match(query_string: str, dialect: Dialect = AZURE) -> Match:
    (found,) = _parse(query_string, dialect).query.matches
    return found.match


def _refusal(query_string: str, dialect: Dialect = AZURE) -> str:
    with pytest.raises(InvalidRequest) as caught:
        _parse(query_string, dialect)
    return caught.value.message


def test_a_search_without_keys_asks_for_all_of_its_partition() -> None:
    asked = _parse("")
    assert (asked.query.matches, asked.query.limit, asked.query.offset) == ((), 100, 0)
    assert asked.query.partition_name == "north"
    assert _parse("", STANDARD).query.limit == WORKITEMS_MAX


def test_limit_and_offset_are_as_in_other_searches() -> None:
    asked = _parse("limit=7&offset=3&includefield=00404005,PatientID")
    assert (asked.query.limit, asked.query.offset) == (7, 3)
    assert asked.include.tags == (0x00404005, 0x00100020)
    assert _refusal("limit=500") == "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."
    assert _parse("limit=500", STANDARD).query.limit == WORKITEMS_MAX


@pytest.mark.parametrize("attribute", AZURE_SEARCHABLE, ids=lambda one: one.keyword)
def test_every_key_is_named_by_keyword_by_tag_or_by_both(attribute: object) -> None:
    one = next(known for known in AZURE_SEARCHABLE if known == attribute)
    keywords, tags = one.keyword.split("."), [f"{tag:08X}" for tag in one.path]
    spellings = {one.keyword, ".".join(tags), ".".join(tags).lower(), ".".join([keywords[0], *tags[1:]])}
    for spelling in spellings:
        asked = _parse(f"{spelling}=20260102")
        assert [match.attribute for match in asked.query.matches] == [one]
        assert asked.matched_tags == (one.path[0],)


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("PatientName=Doe%5EJohn", OneOf(NAME, ("Doe^John",), FOLDED)),
        ("PatientName=jo+do&fuzzymatching=true", WordPrefixes(NAME, ("jo", "do"))),
        ("PatientName=Doe*", OneOf(NAME, ("Doe*",), FOLDED)),
        ("ScheduledStationNameCodeSequence.CodeValue=A", OneOf(0x00080100, ("A",), CASELESS)),
        ("ProcedureStepState=IN PROGRESS", OneOf(0x00741000, ("IN PROGRESS",), CASELESS)),
        ("StudyInstanceUID=1.2", OneOf(0x0020000D, ("1.2",))),
        (f"{START}=20260102", OneOf(0x00404005, ("20260102000000.000000",))),
        (f"{START}=20260102-", Between(0x00404005, "20260102000000.000000", None)),
        (f"{START}=-2026", Between(0x00404005, None, "20260101000000.000000")),
        (f"{START}=2025 - 2026", Between(0x00404005, "20250101000000.000000", "20260101000000.000000")),
    ],
)
def test_azure_matches_exactly_fuzzily_and_by_range(query_string: str, expected: Match) -> None:
    assert _match(query_string) == expected


@pytest.mark.parametrize(
    ("query_string", "message"),
    [
        ("WorklistLabel=x", f"Invalid query: AttributeId WorklistLabel is not queryable.  {HINT}"),
        ("CodeValue=x", f"Invalid query: AttributeId CodeValue is not queryable.  {HINT}"),
        ("TransactionUID=1.2", f"Invalid query: AttributeId TransactionUID is not queryable.  {HINT}"),
        ("patientname=x", f"Invalid query: unknown query parameter 'patientname'. {HINT}"),
        ("a.b=x", f"Invalid query: unknown query parameter 'a.b'. {HINT}"),
        ("0040A370.00404025.00080100=x", "Nested Dicom sequence tags are currently not supported."),
        ("PatientID=", "Invalid query: AttributeId 'PatientID' has empty string value that is not supported."),
        (
            "PatientID=a&PatientID=b",
            "Invalid QIDO-RS query. Duplicate AttributeId 'PatientID'. "
            "Each attribute is only allowed to be specified once.",
        ),
        (
            "PatientID=a&00100020=b",
            "Invalid query: attribute '00100020' has been specified more than once using different ID formats. "
            "Each attribute is only allowed to be specified once.",
        ),
        (f"{START}=-", "Invalid query: specified range is invalid."),
        (
            f"{START}=2026-2025",
            "Invalid query: specified range '2026-2025' is invalid. "
            "The first part 2026 should be lesser than or equal to the second part 2025.",
        ),
        (
            f"{START}=20261301",
            f"Invalid query: specified DateTime value '20261301' is invalid for attribute '{START}'. "
            "DateTime should be valid and formatted as yyyyMMddHHmmss.FFFFFF.",
        ),
        (
            f"{START}=20260101103000%2B0100",
            f"Invalid query: specified DateTime value '20260101103000+0100' is invalid for attribute '{START}'. "
            "DateTime should be valid and formatted as yyyyMMddHHmmss.FFFFFF.",
        ),
        ("includefield=0040A370.00080050", "Invalid query: IncludeField has unknown attribute '0040A370.00080050'."),
    ],
)
def test_azure_refuses_in_its_own_words(query_string: str, message: str) -> None:
    assert _refusal(query_string) == message


@pytest.mark.parametrize("query_string", [f"{START}=1-2-3", f"{START}=x", 'PatientName="a&fuzzymatching=true'])
def test_azure_refuses_what_means_nothing(query_string: str) -> None:
    assert _refusal(query_string)


# the standard


@pytest.mark.parametrize("attribute", SEARCHABLE, ids=lambda one: one.keyword)
def test_the_standard_matches_on_every_key_of_the_table(attribute: object) -> None:
    one = next(known for known in SEARCHABLE if known == attribute)
    asked = _parse(f"{one.keyword}=20260102", STANDARD)
    assert [match.attribute for match in asked.query.matches] == [one]


@pytest.mark.parametrize(
    ("query_string", "expected"),
    [
        ("PatientName=doe*", Wildcard(NAME, "doe*", FOLDED)),
        ("PatientID=P1", OneOf(0x00100020, ("P1",))),
        ("ProcedureStepState=SCHEDULED,COMPLETED", OneOf(0x00741000, ("SCHEDULED", "COMPLETED"), CASELESS)),
        (
            "ProcedureStepState=SCHEDULED&ProcedureStepState=COMPLETED",
            OneOf(0x00741000, ("SCHEDULED", "COMPLETED"), CASELESS),
        ),
        (f"{START}=20260102", Between(0x00404005, "20260102000000.000000", "20260102235959.999999")),
        (f"{START}=20260102-2026", Between(0x00404005, "20260102000000.000000", "20261231235959.999999")),
        (f"{START}=-20260102", Between(0x00404005, None, "20260102235959.999999")),
        (f"{START}=20260102-", Between(0x00404005, "20260102000000.000000", None)),
        (
            f"{START}=20260102103000-0500-20260102113000-0500",
            Between(0x00404005, "20260102103000.000000", "20260102113000.999999"),
        ),
        (f"{START}=20260102103000-0500", Between(0x00404005, "20260102103000.000000", "20260102103000.999999")),
    ],
)
def test_the_standard_knows_patterns_lists_and_periods(query_string: str, expected: Match) -> None:
    assert _match(query_string, STANDARD) == expected


@pytest.mark.parametrize("query_string", ["PatientName=", "PatientName=*", f"{START}=", f"{START}=*"])
def test_a_key_that_matches_everything_only_says_what_to_return(query_string: str) -> None:
    asked = _parse(query_string, STANDARD)
    assert asked.query.matches == ()
    assert len(asked.matched_tags) == 1


def test_what_is_not_matched_on_is_passed_over_with_a_warning() -> None:
    asked = _parse("PregnancyStatus=1&0040A370.00404025.00080100=x&limit=5", STANDARD)
    assert asked.query.matches == ()
    assert len(asked.warnings) == 2


@pytest.mark.parametrize(
    "query_string", ["nonsense=1", "PatientID=a&PatientID=b", f"{START}=tomorrow", f"{START}=2026-2025", f"{START}=-"]
)
def test_the_standard_refuses_what_means_nothing(query_string: str) -> None:
    assert _refusal(query_string, STANDARD)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*(one.keyword for one in SEARCHABLE), "limit", "includefield", "fuzzymatching"])
            | st.text(max_size=5),
            st.text(max_size=8),
        ),
        max_size=4,
    ),
    st.sampled_from(Dialect),
)
def test_whatever_is_asked_is_a_search_or_refused(pairs: list[tuple[str, str]], dialect: Dialect) -> None:
    query_string = "&".join(f"{name}={value}" for name, value in pairs)
    try:
        asked = _parse(query_string, dialect)
    except InvalidRequest:
        return
    assert 1 <= asked.query.limit <= WORKITEMS_MAX
