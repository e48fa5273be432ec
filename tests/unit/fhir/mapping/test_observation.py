from __future__ import annotations

from dataclasses import replace

import pytest

from isocenter.fhir.mapping.coding import Code
from isocenter.fhir.mapping.dose_report import Component, DoseFacts, Quantity, Sort, doses_of
from isocenter.fhir.mapping.facts import InstanceFacts, PatientFacts, SeriesFacts, StudyFacts
from isocenter.fhir.mapping.observation import (
    dose_search,
    doses_in,
    observation,
    observation_search,
    of_dose,
    ours,
)
from isocenter.fhir.mapping.resource import Resource
from tests.support.dose_reports import code, dose_report, event, item
from tests.support.fhir_rules import require_valid
from tests.support.instances import identify

URL = "https://archive.example/v2"
UID = identify(1).study_instance_uid
TREE = dose_report(
    item(code("113812"), number=1),
    item(code("89457008", "SCT"), text="18F"),
    event("1.2.1", ctdi=40),
    event("1.2.2", ctdi=20),
)


def _instance(number: int = 1, *, accession_number: str | None = None, order: int = 1) -> InstanceFacts:
    one = identify(1, 1, number)
    return InstanceFacts(
        one,
        "1.2.840.10008.5.1.4.1.1.88.67",
        order,
        1,
        PatientFacts("4711"),
        StudyFacts(accession_number),
        SeriesFacts("SR"),
        doses_of(TREE, one.sop_instance_uid),
    )


def _made(instance: InstanceFacts, facts: DoseFacts) -> Resource:
    made = observation(instance, facts, subject="Patient/1", imaging_study="ImagingStudy/2", source=URL)
    require_valid(made)
    return made


def test_a_report_and_its_events_become_observations_of_their_study() -> None:
    instance = _instance(accession_number="A1")
    summary, first, _ = (_made(instance, dose) for dose in instance.doses)
    for one in (summary, first):
        assert one["partOf"] == [{"reference": "ImagingStudy/2"}]
        assert (one["status"], one["subject"], one["meta"]) == (
            "preliminary",
            {"reference": "Patient/1"},
            {"source": URL},
        )
        assert one["identifier"][0]["value"] == f"urn:oid:{UID}"
        assert one["identifier"][2]["value"] == "A1"
    assert summary["code"]["coding"] == [{"system": "http://loinc.org", "code": "73569-6"}]
    assert first["code"]["coding"][0]["code"] == "113852"
    assert summary["identifier"][1]["value"] == f"urn:oid:{instance.identifier.sop_instance_uid}"
    assert first["identifier"][1]["value"] == "urn:oid:1.2.1"
    assert first["bodySite"]["coding"][0]["display"] == "Head"
    assert [one["valueInteger"] for one in summary["component"] if "valueInteger" in one] == [1]
    assert [one["valueString"] for one in summary["component"] if "valueString" in one] == ["18F"]
    quantity = {"value": 40.0, "system": "http://unitsofmeasure.org", "code": "mGy", "unit": "meaning of mGy"}
    assert quantity in [one.get("valueQuantity") for one in first["component"]]
    assert "113690" in [
        one["valueCodeableConcept"]["coding"][0]["code"] for one in first["component"] if "valueCodeableConcept" in one
    ]


def test_the_accession_number_of_a_report_comes_first() -> None:
    instance = _instance(accession_number="A1")
    told = replace(instance.doses[0], accession_number="A2")
    assert _made(instance, told)["identifier"][2]["value"] == "A2"
    assert len(_made(_instance(), _instance().doses[0])["identifier"]) == 2


@pytest.mark.parametrize(
    ("unit", "parts"),
    [
        (None, {}),
        (Code("mGy", None, None), {"unit": "mGy"}),
        (Code("mGy", "urn:u", None), {"unit": "mGy", "system": "urn:u", "code": "mGy"}),
    ],
)
def test_a_unit_is_given_as_far_as_it_is_known(unit: Code | None, parts: dict[str, str]) -> None:
    component = Component(Code("1", None, None), Sort.QUANTITY, Quantity(1.0, unit))
    made = _made(_instance(), DoseFacts("1.2", is_event=True, components=(component,)))
    assert made["component"][0]["valueQuantity"] == {"value": 1.0, **parts}


def test_an_event_in_several_reports_is_one_and_the_newest_holds() -> None:
    older, newer = _instance(1, order=1), _instance(2, order=2)
    doses = doses_in([newer, older])
    assert {dose.uid: instance.order for instance, dose in doses} == {
        older.identifier.sop_instance_uid: 1,
        newer.identifier.sop_instance_uid: 2,
        "1.2.1": 2,
        "1.2.2": 2,
    }


def test_observations_are_known_by_their_uid_and_source() -> None:
    instance = _instance()
    made = [_made(instance, dose) for dose in instance.doses]
    theirs = made[1] | {"meta": {"source": "http://other"}}
    assert ours([theirs, *made], URL) == made
    assert of_dose([theirs, *made], instance.doses[1], URL) is made[1]
    assert of_dose([theirs], instance.doses[1], URL) is None
    assert observation_search(UID) == {"identifier": f"urn:dicom:uid|urn:oid:{UID}"}
    assert dose_search(instance.doses[1]) == {"identifier": "urn:dicom:uid|urn:oid:1.2.1"}
