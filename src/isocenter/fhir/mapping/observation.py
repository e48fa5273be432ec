"""Observations of doses: one for each report, one for each irradiation event (dicom-service 13.2).

Each is known by a UID of its own, beside that of its study: whoever casts again finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from isocenter.fhir.mapping.coding import DCM, LOINC, Code
from isocenter.fhir.mapping.dose_report import Component, DoseFacts, Quantity, Sort
from isocenter.fhir.mapping.facts import InstanceFacts
from isocenter.fhir.mapping.imaging_study import (
    UID_SYSTEM,
    accession_identifier,
    is_ours,
    study_identifier,
    study_search,
)
from isocenter.fhir.mapping.resource import Resource, listed, token, without_none

SUMMARY = Code("73569-6", LOINC, None)
"""Radiation exposure and protection information."""
EVENT = Code("113852", DCM, "Irradiation Event")


def observation_search(study_instance_uid: str) -> dict[str, str]:
    """Return the search for all observations of a study."""
    return study_search(study_instance_uid)


def dose_search(facts: DoseFacts) -> dict[str, str]:
    """Return the search for one."""
    return {"identifier": token(UID_SYSTEM, f"urn:oid:{facts.uid}")}


def doses_in(instances: Iterable[InstanceFacts]) -> tuple[tuple[InstanceFacts, DoseFacts], ...]:
    """Return the doses of a study, each once: the newest report of an event holds."""
    found = {
        dose.uid: (one, dose) for one in sorted(instances, key=lambda instance: instance.order) for dose in one.doses
    }
    return tuple(found.values())


def observation(
    instance: InstanceFacts, facts: DoseFacts, *, subject: str, imaging_study: str, source: str
) -> Resource:
    """Return an Observation to create."""
    accession_number = facts.accession_number or instance.study.accession_number
    return without_none(
        {
            "resourceType": "Observation",
            "meta": {"source": source},
            "identifier": [
                study_identifier(instance.identifier.study_instance_uid),
                study_identifier(facts.uid),
                *([accession_identifier(accession_number)] if accession_number is not None else []),
            ],
            "partOf": [{"reference": imaging_study}],
            "status": "preliminary",
            "code": (EVENT if facts.is_event else SUMMARY).concept(),
            "subject": {"reference": subject},
            "bodySite": None if facts.body_site is None else facts.body_site.concept(),
            "component": [_component(one) for one in facts.components],
        }
    )


def of_dose(found: Sequence[Resource], facts: DoseFacts, source: str) -> Resource | None:
    """Return the Observation of a dose among those of its study that are ours."""
    wanted = study_identifier(facts.uid)
    return next((one for one in ours(found, source) if wanted in listed(one, "identifier")), None)


def ours(found: Sequence[Resource], source: str) -> list[Resource]:
    """Return the Observations that we wrote."""
    return [one for one in found if is_ours(one, source)]


def _component(component: Component) -> dict[str, Any]:
    return {"code": component.code.concept(), component.sort.value: _value(component)}


def _value(component: Component) -> Any:
    value = component.value
    if isinstance(value, Code):
        return value.concept()
    if isinstance(value, Quantity):
        unit = value.unit
        parts = {"system": unit.system, "code": unit.value, "unit": unit.meaning or unit.value} if unit else {}
        if parts.get("system") is None:
            parts.pop("code", None)  # a code means nothing without its system (qty-3)
        return without_none({"value": value.value, **parts})
    assert component.sort in (Sort.INTEGER, Sort.TEXT)
    return value
