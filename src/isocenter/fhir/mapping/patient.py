"""Patients: who is meant, and what is written of one (dicom-service 13.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from isocenter.fhir.mapping.facts import PatientFacts
from isocenter.fhir.mapping.resource import Resource, listed, token, without_none

USUAL = "usual"


@dataclass(frozen=True, slots=True)
class PatientNaming:
    """By which system patients are known."""

    system: str | None
    """The system of all patients, or of those without an issuer; None where there is none."""
    uses_issuer: bool = False
    """Whether IssuerOfPatientID is the system."""


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """Which patient is meant."""

    system: str
    value: str

    def search(self) -> dict[str, str]:
        """Return the search for this patient."""
        return {"identifier": token(self.system, self.value)}

    def element(self) -> dict[str, Any]:
        """Return it as an Identifier."""
        return {"system": self.system, "value": self.value}

    def is_of(self, patient: Resource) -> bool:
        """Tell whether a Patient has this identifier."""
        return any(
            isinstance(one, dict) and one.get("system") == self.system and one.get("value") == self.value
            for one in listed(patient, "identifier")
        )


def identifier_of(facts: PatientFacts, naming: PatientNaming) -> PatientIdentifier | None:
    """Return which patient is meant; None where nothing says whose number the PatientID is."""
    issuer = facts.issuer if naming.uses_issuer else None
    system = quote(re.sub(r"\s+", " ", issuer), safe=":/?#[]@!$&'()*+,;=%") if issuer else naming.system
    return PatientIdentifier(system, facts.patient_id) if system else None


def new_patient(facts: PatientFacts, identifier: PatientIdentifier) -> Resource:
    """Return a Patient to create."""
    return without_none(
        {
            "resourceType": "Patient",
            "identifier": [identifier.element()],
            "name": None if facts.name is None else [human_name(facts.name)],
            "gender": facts.gender,
            "birthDate": facts.birth_date,
        }
    )


def changed_patient(patient: Resource, facts: PatientFacts) -> Resource:
    """Return a Patient with its usual name and gender as they are now: other names and the date of birth stay."""
    changed = dict(patient)
    if facts.name is not None:
        changed["name"] = _with_usual(listed(patient, "name"), human_name(facts.name))
    if facts.gender is not None:
        changed["gender"] = facts.gender
    return changed


def _with_usual(names: list[Any], usual: dict[str, Any]) -> list[Any]:
    for number, name in enumerate(names):
        if isinstance(name, dict) and name.get("use") == USUAL:
            return [*names[:number], usual, *names[number + 1 :]]
    return [*names, usual]


def human_name(name: str) -> dict[str, Any]:
    """Return a person name (family^given^middle^prefix^suffix) as the usual HumanName."""
    family, given, middle, prefix, suffix = (*name.split("^", 4), "", "", "", "", "")[:5]
    parts = {"given": f"{given} {middle}", "prefix": prefix, "suffix": suffix.replace("^", " ")}
    lists = {part: words for part, text in parts.items() if (words := text.split())}
    family = family.strip()
    return {"use": USUAL, **({"family": family} if family else {}), **lists}
