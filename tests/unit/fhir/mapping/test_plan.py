"""Plans: what is written for each state of the server, in which order and under which conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isocenter.fhir.errors import FhirNotUsable, FhirRefused
from isocenter.fhir.mapping.dose_report import doses_of
from isocenter.fhir.mapping.endpoint import new_endpoint
from isocenter.fhir.mapping.facts import InstanceFacts, PatientFacts, SeriesFacts, StudyFacts
from isocenter.fhir.mapping.imaging_study import CastStudy
from isocenter.fhir.mapping.patient import PatientIdentifier
from isocenter.fhir.mapping.plan import Create, Found, Plan, Replace, plan_removal, plan_study
from tests.support.dose_reports import dose_report, event
from tests.support.fhir_rules import references_of
from tests.support.instances import CT_IMAGE_STORAGE, identify

URL, OTHER = "https://archive.example/v2", "https://pacs.example/v2"
UID = identify(1).study_instance_uid
PATIENT = PatientIdentifier("urn:oid:1.2.3", "4711")
FACTS = InstanceFacts(
    identify(1), CT_IMAGE_STORAGE, 1, 1, PatientFacts("4711", name="Doe"), StudyFacts(), SeriesFacts("CT")
)
STUDY = CastStudy(UID, (FACTS,), URL)


def _on_server() -> Found:
    """Return what the server has after the first plan was carried out."""
    resources: dict[str, dict[str, Any]] = {}
    entries = plan_study(STUDY, PATIENT, Found()).entries
    names = {one.full_url: f"{one.resource['resourceType']}/1" for one in entries if isinstance(one, Create)}
    for one in entries:
        text = one.resource | {"id": "1", "meta": {**one.resource.get("meta", {}), "versionId": "4"}}
        resources[one.resource["resourceType"]] = _renamed(text, names)
    return Found([resources["Patient"]], [resources["Endpoint"]], [resources["ImagingStudy"]])


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _renamed(one, names) for name, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def test_on_an_empty_server_all_three_are_created_unless_somebody_does() -> None:
    bundle = plan_study(STUDY, PATIENT, Found()).bundle()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
    assert [one["resource"]["resourceType"] for one in bundle["entry"]] == ["Endpoint", "ImagingStudy", "Patient"]
    assert {one["request"]["method"] for one in bundle["entry"]} == {"POST"}
    assert [one["request"]["url"] for one in bundle["entry"]] == ["Endpoint", "ImagingStudy", "Patient"]
    conditions = [one["request"]["ifNoneExist"] for one in bundle["entry"]]
    assert conditions[2] == "identifier=urn%3Aoid%3A1.2.3%7C4711"
    assert conditions[1] == f"identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A{UID}"
    assert conditions[0].startswith("name:exact=DICOM%20WADO-RS%20endpoint%20")
    urls = {one["fullUrl"] for one in bundle["entry"]}
    assert len(urls) == 3
    assert set(references_of(bundle)) <= urls


def test_what_is_as_it_is_to_be_is_left_alone() -> None:
    assert plan_study(STUDY, PATIENT, _on_server()).is_empty


def test_what_differs_is_written_in_the_place_of_that_version_alone() -> None:
    found = _on_server()
    found.patients[0]["name"] = [{"use": "usual", "family": "X"}]
    found.studies[0]["modality"] = []
    plan = plan_study(STUDY, PATIENT, found)
    assert [one.resource["resourceType"] for one in plan.entries] == ["ImagingStudy", "Patient"]
    requests = [one["request"] for one in plan.bundle()["entry"]]
    assert requests == [
        {"method": "PUT", "url": "ImagingStudy/1", "ifMatch": 'W/"4"'},
        {"method": "PUT", "url": "Patient/1", "ifMatch": 'W/"4"'},
    ]
    assert "versionId" not in str(plan.bundle())


def test_a_server_without_versions_is_written_to_without_a_condition() -> None:
    found = _on_server()
    found.patients[0]["name"] = []
    del found.patients[0]["meta"]
    [entry] = plan_study(STUDY, PATIENT, found).entries
    assert isinstance(entry, Replace)
    assert entry.entry()["request"] == {"method": "PUT", "url": "Patient/1"}


def test_several_of_one_are_refused() -> None:
    found = _on_server()
    for twice in (
        Found([*found.patients, *found.patients], found.endpoints, found.studies),
        Found(found.patients, found.endpoints, [*found.studies, *found.studies]),
    ):
        with pytest.raises(FhirRefused, match="has 2"):
            plan_study(STUDY, PATIENT, twice)
    with pytest.raises(FhirNotUsable):
        plan_study(STUDY, PATIENT, Found(endpoints=[new_endpoint(URL) | {"address": OTHER, "id": "1"}]))


def test_a_server_that_does_not_search_by_identifier_is_not_believed() -> None:
    stranger = {"resourceType": "Patient", "id": "8", "identifier": [{"system": "x", "value": "4711"}]}
    with pytest.raises(FhirRefused, match="a Patient with another identifier"):
        plan_study(STUDY, PATIENT, Found(patients=[stranger]))
    other = {"resourceType": "ImagingStudy", "id": "8", "identifier": [{"value": "urn:oid:1.2"}]}
    with pytest.raises(FhirRefused, match="an ImagingStudy with another identifier"):
        plan_removal(UID, URL, frozenset(), Found(studies=[other]))


def test_a_study_that_is_gone_goes_where_we_are_its_source() -> None:
    found = _on_server()
    plan = plan_removal(UID, URL, frozenset(), found)
    assert plan == Plan(deletion=found.studies[0])
    assert not plan.is_empty
    assert plan_removal(UID, URL, frozenset(), Found()).is_empty


def test_a_study_of_others_loses_what_was_deleted_here() -> None:
    found = _on_server()
    gone = frozenset({FACTS.identifier.sop_instance_uid})
    [entry] = plan_removal(UID, OTHER, gone, found).entries
    assert "series" not in entry.resource
    assert plan_removal(UID, OTHER, frozenset(), found).is_empty
    assert plan_removal(UID, OTHER, frozenset({"1.2.3"}), found).is_empty


def _with_doses() -> tuple[CastStudy, Found]:
    """Return a study with a report of doses, and a server that has it."""
    report = replace(FACTS, doses=doses_of(dose_report(event("1.2.1", ctdi=40)), FACTS.identifier.sop_instance_uid))
    study = replace(STUDY, instances=(report,))
    found, made = _on_server(), plan_study(study, PATIENT, _on_server()).entries
    observations = [
        one.resource | {"id": str(number), "meta": {"source": URL, "versionId": "2"}}
        for number, one in enumerate(made)
        if one.resource["resourceType"] == "Observation"
    ]
    return study, replace(found, observations=observations)


def test_doses_are_created_changed_and_removed_with_their_report() -> None:
    study, found = _with_doses()
    created = plan_study(study, PATIENT, Found()).bundle()["entry"]
    assert [one["request"]["url"] for one in created] == [
        "Endpoint",
        "ImagingStudy",
        "Observation",
        "Observation",
        "Patient",
    ]
    assert created[3]["request"]["ifNoneExist"] == "identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A1.2.1"
    assert plan_study(study, PATIENT, found).is_empty
    found.observations[0]["status"] = "final"
    [changed] = plan_study(study, PATIENT, found).bundle()["entry"]
    assert changed["request"] == {"method": "PUT", "url": "Observation/0", "ifMatch": 'W/"2"'}
    gone = plan_study(STUDY, PATIENT, found).bundle()["entry"]
    assert [one["request"] for one in gone] == [
        {"method": "DELETE", "url": f"Observation/{number}", "ifMatch": 'W/"2"'} for number in (0, 1)
    ]


def test_doses_go_before_their_study() -> None:
    _, found = _with_doses()
    plan = plan_removal(UID, URL, frozenset(), found)
    assert [one.entry()["request"]["method"] for one in plan.entries] == ["DELETE", "DELETE"]
    assert plan.deletion == found.studies[0]
    left = plan_removal(UID, URL, frozenset(), replace(found, studies=[]))
    assert (len(left.entries), left.deletion) == (2, None)
    stranger = {"resourceType": "Observation", "id": "9", "meta": {"source": URL}, "identifier": []}
    with pytest.raises(FhirRefused, match="an Observation with another identifier"):
        plan_removal(UID, URL, frozenset(), replace(found, observations=[stranger]))
