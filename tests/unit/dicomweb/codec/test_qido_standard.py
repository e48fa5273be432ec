from __future__ import annotations

import pytest

from isocenter.dicomweb.codec.dialect import Dialect
from isocenter.dicomweb.codec.qido import SearchRequest, parse_search
from isocenter.domain.attributes import INDEXED_ATTRIBUTES, IndexedAttribute
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Between, Comparison, Empty, InItem, Match, OneOf, PersonName, Wildcard

VALUES = {"DA": "20200101", "TM": "10", "UI": "1.2", "IS": "1", "US": "1"}
BELOW_PATIENT = (Level.STUDY, Level.SERIES, Level.INSTANCE)


def search(query_string: str, level: Level = Level.STUDY, study: str | None = None) -> SearchRequest:
    return parse_search(query_string, Dialect.STANDARD, level=level, study_instance_uid=study)


@pytest.mark.parametrize("level", BELOW_PATIENT)
@pytest.mark.parametrize("attribute", INDEXED_ATTRIBUTES, ids=lambda attribute: attribute.keyword)
def test_every_attribute_of_the_index_is_matched_at_its_level_and_below(
    attribute: IndexedAttribute, level: Level
) -> None:
    value = VALUES.get(attribute.vr, "x")
    by_keyword = search(f"{attribute.keyword}={value}", level)
    by_tag = search(f"{attribute.tag:08x}={value}", level)
    assert by_keyword.query == by_tag.query
    if attribute.level <= level:
        assert by_keyword.matched_tags == (attribute.tag,)
        assert [match.tag for match in by_keyword.query.matches] == [attribute.tag]
        assert by_keyword.warnings == ()
    elif attribute.keyword != "Modality":
        assert by_keyword.query.matches == ()
        assert len(by_keyword.warnings) == 1


def test_the_modality_of_a_study_means_a_series_of_it() -> None:
    assert search("Modality=CT").query.matches == (OneOf(0x00080061, ("CT",), Comparison.CASELESS),)


def test_the_filter_of_a_viewer_is_understood() -> None:
    matches = search(
        "PatientName=*x*&00100020=*x*&StudyDescription=*x*&ModalitiesInStudy=CT,MR&StudyDate=20040101-20041231"
        "&fuzzymatching=true"
    ).query.matches
    assert matches == (
        PersonName(0x00100010, ("*x*",)),
        Wildcard(0x00100020, "*x*", Comparison.EXACT),
        Wildcard(0x00081030, "*x*", Comparison.CASELESS),
        OneOf(0x00080061, ("CT", "MR"), Comparison.CASELESS),
        Between(0x00080020, "20040101", "20041231"),
    )


@pytest.mark.parametrize("value", ["1.2%5C1.3", "1.2,1.3", "1.2&StudyInstanceUID=1.3"])
def test_several_uids_are_a_list(value: str) -> None:
    assert search(f"StudyInstanceUID={value}").query.matches == (OneOf(0x0020000D, ("1.2", "1.3")),)


def test_a_universal_key_matches_nothing_in_particular_but_is_returned() -> None:
    asked = search("PatientName=&AccessionNumber=*")
    assert asked.query.matches == ()
    assert asked.matched_tags == (0x00100010, 0x00080050)


def test_a_key_that_the_route_has_settled_is_one_more_condition() -> None:
    asked = search("StudyInstanceUID=1.3", Level.SERIES, study="1.2")
    assert asked.query.study_instance_uid == "1.2"
    assert asked.query.matches == (OneOf(0x0020000D, ("1.3",)),)


@pytest.mark.parametrize(
    "name",
    [
        "00091001",
        "NumberOfStudyRelatedInstances",
        "SOPInstanceUID",
        "PixelData",
        "TransferSyntaxUID",
        "RequestAttributesSequence",
        "RequestAttributesSequence.RequestedProcedureCodeSequence",
        "PatientID.RequestedProcedureID",
        "SpecificCharacterSet",
    ],
)
def test_an_attribute_that_is_not_matched_on_is_passed_over_with_a_warning(name: str) -> None:
    asked = search(f"{name}=1&PatientID=2", Level.SERIES)
    assert asked.warnings == (f"The attribute {name} is not supported for matching here and was ignored.",)
    assert asked.matched_tags == (0x00100020,)


@pytest.mark.parametrize("name", ["Nonsense", "patientid", "0010", "PatientName.Nonsense", ".".join(["00400275"] * 9)])
def test_a_name_that_is_no_attribute_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="neither known nor"):
        search(f"{name}=1")


@pytest.mark.parametrize("name", ["accept", "charset", "token"])
def test_parameters_of_the_standard_that_are_no_attributes_are_let_pass(name: str) -> None:
    assert search(f"{name}=x") == search("")


@pytest.mark.parametrize(
    ("query_string", "match"),
    [
        ("InstitutionName=x", OneOf(0x00080080, ("x",))),
        ("00080080=x*", Wildcard(0x00080080, "x*")),
        ("PatientWeight=75.0", OneOf(0x00101030, ("75.0",))),
        ("OtherPatientNames=a%5Cb", PersonName(0x00101001, ("a\\b",))),
        ("RequestAttributesSequence.RequestedProcedureID=RP1", InItem(0x00400275, (OneOf(0x00401001, ("RP1",)),))),
        ("00400275.00401001=RP1", InItem(0x00400275, (OneOf(0x00401001, ("RP1",)),))),
        (
            "RequestAttributesSequence.RequestedProcedureCodeSequence.CodeValue=x",
            InItem(0x00400275, (InItem(0x00321064, (OneOf(0x00080100, ("x",)),)),)),
        ),
    ],
)
def test_what_the_index_does_not_keep_is_matched_as_well(query_string: str, match: Match) -> None:
    asked = search(query_string, Level.SERIES)
    assert asked.query.matches == (match,)
    assert asked.matched_tags == (match.tag,)
    assert asked.warnings == ()


def test_paths_into_one_sequence_mean_one_item() -> None:
    asked = search(
        "00400275.00400009=S&PatientID=1&RequestAttributesSequence.RequestedProcedureID=R&00400275.00080050=",
        Level.SERIES,
    )
    assert asked.query.matches == (
        OneOf(0x00100020, ("1",)),
        InItem(0x00400275, (OneOf(0x00400009, ("S",)), OneOf(0x00401001, ("R",)))),
    )
    assert asked.matched_tags == (0x00100020, 0x00400275)


def test_a_universal_key_in_a_sequence_asks_for_nothing_but_the_sequence() -> None:
    asked = search("RequestAttributesSequence.RequestedProcedureID=*", Level.SERIES)
    assert (asked.query.matches, asked.matched_tags) == ((), (0x00400275,))


def test_empty_values_are_asked_for_by_two_quotation_marks() -> None:
    assert search("AccessionNumber=%22%22&emptyvaluematching=true").query.matches == (Empty(0x00080050),)
    assert search("AccessionNumber=%22%22").query.matches == (OneOf(0x00080050, ('""',)),)


def test_several_values_are_all_meant_where_the_client_says_so() -> None:
    both = tuple(OneOf(0x00080061, (one,), Comparison.CASELESS) for one in ("CT", "PT"))
    assert search("ModalitiesInStudy=CT,PT&multiplevaluematching=true").query.matches == both
    assert len(search("ModalitiesInStudy=CT,PT").query.matches) == 1


@pytest.mark.parametrize("name", ["EmptyValueMatching", "MultipleValueMatching"])
def test_a_switch_is_true_or_false(name: str) -> None:
    assert search(f"{name}=false") == search("")
    with pytest.raises(InvalidRequest, match=name):
        search(f"{name}=x")


def test_a_text_attribute_named_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="PatientID is specified more than once"):
        search("PatientID=1&00100020=2")
