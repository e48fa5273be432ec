from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.fhir.mapping.attribute_values import clean
from isocenter.fhir.mapping.facts import PatientFacts
from isocenter.fhir.mapping.patient import (
    PatientIdentifier,
    PatientNaming,
    changed_patient,
    human_name,
    identifier_of,
    new_patient,
)
from tests.support.fhir_rules import require_valid

SYSTEM = "urn:oid:1.2.3"
FACTS = PatientFacts("4711", "HOSPITAL A", "Doe^John", "male", "1970-01-02")
IDENTIFIER = PatientIdentifier(SYSTEM, "4711")


@pytest.mark.parametrize(
    ("naming", "issuer", "system"),
    [
        (PatientNaming(SYSTEM), "HOSPITAL", SYSTEM),
        (PatientNaming(SYSTEM, uses_issuer=True), "HOSPITAL", "HOSPITAL"),
        (PatientNaming(SYSTEM, uses_issuer=True), None, SYSTEM),
        (PatientNaming(None, uses_issuer=True), "HOSPITAL  A", "HOSPITAL%20A"),
        (PatientNaming(None, uses_issuer=True), None, None),
    ],
)
def test_the_system_is_that_of_the_settings_or_the_issuer(
    naming: PatientNaming, issuer: str | None, system: str | None
) -> None:
    found = identifier_of(PatientFacts("4711", issuer), naming)
    assert found == (None if system is None else PatientIdentifier(system, "4711"))


def test_a_patient_is_searched_by_its_identifier_whatever_it_holds() -> None:
    assert PatientIdentifier(SYSTEM, r"a,b|c$d\e").search() == {"identifier": rf"{SYSTEM}|a\,b\|c\$d\\e"}


def test_only_the_same_system_and_value_are_the_same_patient() -> None:
    assert IDENTIFIER.is_of({"identifier": [{"system": "x", "value": "4711"}, IDENTIFIER.element()]})
    for identifiers in ([], [{"system": "x", "value": "4711"}], [{"value": "4711"}], ["4711"], None):
        assert not IDENTIFIER.is_of({"identifier": identifiers})


def test_a_new_patient_has_what_is_known() -> None:
    made = new_patient(FACTS, IDENTIFIER)
    assert made == {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": "4711"}],
        "name": [{"use": "usual", "family": "Doe", "given": ["John"]}],
        "gender": "male",
        "birthDate": "1970-01-02",
    }
    assert set(new_patient(PatientFacts("4711"), IDENTIFIER)) == {"resourceType", "identifier"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Doe", {"family": "Doe"}),
        ("Van der Berg^Anna Maria^Eva^Prof. Dr.^MD PhD", {"family": "Van der Berg"}),
        ("^John", {"given": ["John"]}),
        ("Doe^^M", {"family": "Doe", "given": ["M"]}),
        ("Doe^J^M^P^S^more", {"family": "Doe", "suffix": ["S", "more"]}),
    ],
)
def test_a_name_is_split(name: str, parts: dict[str, Any]) -> None:
    made = human_name(name)
    assert made["use"] == "usual"
    assert {part: made.get(part) for part in parts} == parts


def test_each_part_of_a_name_is_split_at_blanks() -> None:
    made = human_name("Van der Berg^Anna Maria^Eva^Prof. Dr.^MD PhD")
    assert made["given"] == ["Anna", "Maria", "Eva"]
    assert (made["prefix"], made["suffix"]) == (["Prof.", "Dr."], ["MD", "PhD"])


def test_the_usual_name_and_the_gender_change_and_nothing_else() -> None:
    old = {"use": "old", "family": "Smith"}
    patient = {
        "resourceType": "Patient",
        "name": [old, {"use": "usual", "family": "X"}, "odd"],
        "gender": "female",
        "birthDate": "1960-01-01",
        "telecom": [1],
    }
    changed = changed_patient(patient, FACTS)
    assert changed["name"] == [old, {"use": "usual", "family": "Doe", "given": ["John"]}, "odd"]
    assert (changed["gender"], changed["birthDate"], changed["telecom"]) == ("male", "1960-01-01", [1])
    assert changed_patient(patient, PatientFacts("4711")) == patient


def test_a_patient_without_a_usual_name_gets_one() -> None:
    assert changed_patient({"name": []}, FACTS)["name"] == [human_name("Doe^John")]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60))
def test_whatever_the_name_the_patient_is_valid(name: str) -> None:
    require_valid(new_patient(PatientFacts("4711", name=clean(name)), IDENTIFIER))
