from __future__ import annotations

from urllib.parse import quote

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import PARAMETERS_MAX, STANDARD_LIMIT_MAX, AzureSearch, IncludeFields, parse_search
from isocenter.domain.attributes import BY_KEYWORD
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Query

AZURE = Dialect.AZURE_V2
STANDARD = Dialect.STANDARD


def limits(query_string: str, dialect: Dialect) -> tuple[int, int]:
    query = parse_search(query_string, dialect, level=Level.STUDY).query
    return query.limit, query.offset


@pytest.mark.parametrize(
    ("query_string", "dialect", "expected"),
    [
        ("", AZURE, (100, 0)),
        ("limit=1&offset=7", AZURE, (1, 7)),
        ("Limit=200&OFFSET=0", AZURE, (200, 0)),
        ("", STANDARD, (STANDARD_LIMIT_MAX, 0)),
        ("limit=101&offset=25", STANDARD, (101, 25)),
        ("limit=100000000", STANDARD, (STANDARD_LIMIT_MAX, 0)),
    ],
)
def test_limit_and_offset_have_defaults_and_bounds(
    query_string: str, dialect: Dialect, expected: tuple[int, int]
) -> None:
    assert limits(query_string, dialect) == expected


@pytest.mark.parametrize(
    ("query_string", "name", "reason"),
    [
        ("limit=0", "Limit", "The field Limit must be between 1 and 200."),
        ("limit=201", "Limit", "The field Limit must be between 1 and 200."),
        ("limit=-1", "Limit", "The field Limit must be between 1 and 200."),
        ("limit=many", "Limit", "The value is not valid for Limit."),
        ("limit=", "Limit", "The value is not valid for Limit."),
        ("limit=1&limit=2", "Limit", "Cannot specify parameter more than once."),
        ("offset=-1", "Offset", "The field Offset must be between 0 and 2147483647."),
        ("offset=1.5", "Offset", "The value is not valid for Offset."),
        ("fuzzymatching=1", "FuzzyMatching", "The value must be 'true' or 'false'."),
        ("fuzzymatching=true&FuzzyMatching=true", "FuzzyMatching", "Cannot specify parameter more than once."),
    ],
)
def test_a_bad_parameter_is_refused_by_name(query_string: str, name: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_search(query_string, AZURE, level=Level.STUDY)
    assert refusal.value.message == f"The query parameter '{name}' is invalid. {reason}"


@pytest.mark.parametrize(
    "query_string", ["limit=0", "limit=x", "offset=-1", "fuzzymatching=perhaps", "offset=9999999999"]
)
def test_the_standard_refuses_numbers_that_mean_nothing(query_string: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_search(query_string, STANDARD, level=Level.STUDY)


@pytest.mark.parametrize("query_string", ["PatientName=<script>", "PatientName=%3Cscript", "PatientID=%3c"])
def test_azure_refuses_angle_brackets(query_string: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^The query string included invalid characters\.$"):
        parse_search(query_string, AZURE, level=Level.STUDY)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="invalid characters"):
        parse_search("PatientName=%ff", STANDARD, level=Level.STUDY)


def test_more_parameters_than_the_limit_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_search("&".join(["includefield=all"] * (PARAMETERS_MAX + 1)), STANDARD, level=Level.STUDY)


@pytest.mark.parametrize("dialect", [AZURE, STANDARD])
def test_include_fields_are_repeated_comma_separated_keywords_or_tags(dialect: Dialect) -> None:
    search = parse_search(
        "includefield=00081030%2C00080060&includefield=PatientAge,00091001&includefield=PatientAge",
        dialect,
        level=Level.STUDY,
    )
    assert search.include == IncludeFields(False, (0x00081030, 0x00080060, 0x00101010, 0x00091001))


@pytest.mark.parametrize("dialect", [AZURE, STANDARD])
def test_all_may_stand_beside_attributes(dialect: Dialect) -> None:
    search = parse_search("IncludeField=all,PatientAge", dialect, level=Level.STUDY)
    assert search.include == IncludeFields(True, (0x00101010,))


@pytest.mark.parametrize("name", ["Nonsense", "patientage", "0010101", "RequestAttributesSequence.StudyInstanceUID"])
def test_azure_refuses_an_unknown_include_field(name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_search(f"includefield={name}", AZURE, level=Level.STUDY)
    assert refusal.value.message == f"Invalid query: IncludeField has unknown attribute '{name}'."


def test_the_standard_passes_over_an_unknown_include_field_with_a_warning() -> None:
    search = parse_search("includefield=Nonsense,PatientAge", STANDARD, level=Level.STUDY)
    assert search.include.tags == (0x00101010,)
    assert search.warnings == ("An includefield that is no attribute was ignored.",)


def test_the_standard_takes_the_outermost_attribute_of_a_path() -> None:
    search = parse_search(
        "includefield=RequestAttributesSequence.ScheduledProcedureStepID,00400275.00400009",
        STANDARD,
        level=Level.SERIES,
    )
    assert search.include.tags == (0x00400275,)


def test_the_route_is_the_scope_of_the_query() -> None:
    search = parse_search(
        "",
        STANDARD,
        level=Level.INSTANCE,
        study_instance_uid="1.2",
        series_instance_uid="1.3",
        partition_name="P",
    )
    assert search.query == Query(
        Level.INSTANCE,
        study_instance_uid="1.2",
        series_instance_uid="1.3",
        limit=STANDARD_LIMIT_MAX,
        partition_name="P",
    )


def test_the_request_of_a_viewer_is_understood() -> None:
    search = parse_search(
        "limit=25&offset=0&includefield=00081030%2C00080060&StudyDate=19521125-20210507", AZURE, level=Level.STUDY
    )
    assert search.query.limit == 25
    assert search.matched_tags == (BY_KEYWORD["StudyDate"].tag,)


def test_values_are_percent_decoded_as_utf_8() -> None:
    search = parse_search(f"PatientName={quote('Müller^山田')}", STANDARD, level=Level.STUDY)
    (match,) = search.query.matches
    assert "Müller^山田" in str(match)


@pytest.mark.parametrize("query_string", ["includefield=all,PatientAge", "includefield=PatientAge&includefield=all"])
def test_all_wins_over_other_fields_unless_that_is_refused(query_string: str) -> None:
    assert parse_search(query_string, AZURE, level=Level.STUDY).include.is_all
    with pytest.raises(InvalidRequest, match="cannot specify included fields in addition to 'all'"):
        parse_search(query_string, AZURE, level=Level.STUDY, azure=AzureSearch(refuses_all_with_others=True))
    assert parse_search(
        "includefield=all", AZURE, level=Level.STUDY, azure=AzureSearch(refuses_all_with_others=True)
    ).include.is_all


def test_the_total_is_told_on_request_by_the_standard() -> None:
    assert parse_search("includetotal=true", STANDARD, level=Level.STUDY).wants_total
    assert not parse_search("", STANDARD, level=Level.STUDY).wants_total
    with pytest.raises(InvalidRequest, match="unknown query parameter 'includetotal'"):
        parse_search("includetotal=true", AZURE, level=Level.STUDY)
