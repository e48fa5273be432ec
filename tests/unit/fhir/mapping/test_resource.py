from __future__ import annotations

from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from isocenter.fhir.mapping import resource


def test_a_resource_names_itself_its_version_and_its_source() -> None:
    one = {
        "resourceType": "Patient",
        "id": "7",
        "meta": {"versionId": "3", "lastUpdated": "x", "source": "http://a/v2#req1"},
    }
    assert resource.reference_of(one) == "Patient/7"
    assert (resource.version_of(one), resource.source_of(one)) == ("3", "http://a/v2")
    assert resource.to_send(one) == {"resourceType": "Patient", "id": "7", "meta": {"source": "http://a/v2#req1"}}


def test_a_resource_that_says_nothing_of_itself_has_none() -> None:
    silent: list[resource.Resource] = [{}, {"meta": None}, {"meta": {}}, {"meta": {"source": 7}}]
    for one in silent:
        assert resource.version_of(one) is None
        assert resource.source_of(one) == ""
    assert [resource.to_send(one) for one in silent[:3]] == [{}, {}, {}]


def test_the_same_name_gives_the_same_reference() -> None:
    assert resource.new_reference("a") == resource.new_reference("a") != resource.new_reference("b")
    assert resource.new_reference("a").startswith("urn:uuid:")


def test_elements_without_a_value_are_left_out() -> None:
    assert resource.without_none({"a": None, "b": [], "c": 0, "d": "x"}) == {"c": 0, "d": "x"}
    assert resource.listed({"a": [1], "b": "x"}, "a") == [1]
    assert resource.listed({"b": "x"}, "b") == []


def test_a_token_without_a_system_says_so() -> None:
    assert resource.token(None, "1") == "|1"


@given(st.dictionaries(st.sampled_from(["identifier", "name:exact"]), st.text(min_size=1), min_size=1))
def test_a_query_reads_back_as_it_was(parameters: dict[str, str]) -> None:
    assert dict(parse_qsl(resource.query_of(parameters), keep_blank_values=True)) == parameters
