"""What is to be written so that a FHIR server knows a study as the archive does: a transaction, a delete, or nothing.

It is worked out from the study as it is now, never from what happened to it: however often that is done, and wherever
it was cut off, the same comes out (reliability 3.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.fhir.errors import FhirRefused
from isocenter.fhir.mapping.endpoint import choose_endpoint, endpoint_name, endpoint_search, new_endpoint
from isocenter.fhir.mapping.imaging_study import (
    CastStudy,
    changed_study,
    has_uid,
    is_ours,
    new_study,
    reduced_study,
    study_search,
)
from isocenter.fhir.mapping.observation import dose_search, doses_in, observation, of_dose, ours
from isocenter.fhir.mapping.patient import PatientIdentifier, changed_patient, new_patient
from isocenter.fhir.mapping.resource import Resource, new_reference, query_of, reference_of, to_send, version_of


@dataclass(frozen=True, slots=True)
class Found:
    """What searches for a study, its patient and its endpoint found on the server."""

    patients: Sequence[Resource] = ()
    endpoints: Sequence[Resource] = ()
    studies: Sequence[Resource] = ()
    observations: Sequence[Resource] = ()
    """Of the study."""


@dataclass(frozen=True, slots=True)
class Create:
    """A resource to create, unless a search finds it by then."""

    full_url: str
    resource: Resource
    if_none_exist: str

    def entry(self) -> dict[str, Any]:
        """Return it as an entry of a transaction."""
        request = {"method": "POST", "url": self.resource["resourceType"], "ifNoneExist": self.if_none_exist}
        return {"fullUrl": self.full_url, "resource": self.resource, "request": request}


@dataclass(frozen=True, slots=True)
class Replace:
    """A resource to write in the place of one version, and of no other."""

    resource: Resource
    version: str | None

    def entry(self) -> dict[str, Any]:
        """Return it as an entry of a transaction."""
        request = {"method": "PUT", "url": reference_of(self.resource)}
        return {"resource": self.resource, "request": _with_version(request, self.version)}


@dataclass(frozen=True, slots=True)
class Remove:
    """A resource to delete."""

    resource: Resource

    def entry(self) -> dict[str, Any]:
        """Return it as an entry of a transaction."""
        return {
            "request": _with_version(
                {"method": "DELETE", "url": reference_of(self.resource)}, version_of(self.resource)
            )
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written."""

    entries: tuple[Create | Replace | Remove, ...] = ()
    """In one transaction, in the order of the names of their resources."""
    deletion: Resource | None = None
    """Of the study, behind what refers to it."""

    @property
    def is_empty(self) -> bool:
        """Tell whether everything is as it is to be."""
        return not self.entries and self.deletion is None

    def bundle(self) -> Resource:
        """Return the transaction."""
        return {"resourceType": "Bundle", "type": "transaction", "entry": [one.entry() for one in self.entries]}


def plan_study(study: CastStudy, identifier: PatientIdentifier, found: Found) -> Plan:
    """Return what is to be written of a study that is there.

    Raises FhirRefused where the server knows several of what must be one, FhirNotUsable for an endpoint at fault.
    """
    patient, patient_reference = _patient(study, identifier, found.patients)
    endpoint, endpoint_reference = _endpoint(study, found.endpoints)
    resource = find_study(study.study_instance_uid, found.studies)
    entries: list[Create | Replace | Remove | None] = [endpoint]
    if resource is None:
        search = study_search(study.study_instance_uid)
        made = new_study(study, subject=patient_reference, endpoint=endpoint_reference)
        study_reference = new_reference(str(search))
        entries.append(Create(study_reference, made, query_of(search)))
    else:
        study_reference = reference_of(resource)
        changed = changed_study(resource, study, subject=patient_reference, endpoint=endpoint_reference)
        entries.append(_replaced(resource, changed))
    entries += _doses(study, found.observations, subject=patient_reference, imaging_study=study_reference)
    entries.append(patient)
    return Plan(tuple(one for one in entries if one is not None))


def plan_removal(study_instance_uid: str, dicomweb_url: str, removed: frozenset[str], found: Found) -> Plan:
    """Return what is to be written of a study of which nothing is left. Raises FhirRefused."""
    resource = find_study(study_instance_uid, found.studies)
    gone = tuple(map(Remove, _observations_of(study_instance_uid, dicomweb_url, found.observations)))
    if resource is None:
        return Plan(gone)
    if is_ours(resource, dicomweb_url):
        return Plan(gone, deletion=resource)
    entry = _replaced(resource, reduced_study(resource, removed)) if removed else None
    return Plan(gone if entry is None else (*gone, entry))


def find_study(study_instance_uid: str, found: Sequence[Resource]) -> Resource | None:
    """Return the one ImagingStudy of a study; raises FhirRefused where there are several, or others were found."""
    _require_answers(all(has_uid(one, study_instance_uid) for one in found), "an ImagingStudy")
    return _only(found, "ImagingStudies of this study")


def _with_version(request: dict[str, str], version: str | None) -> dict[str, str]:
    """Return a request for one version alone, where the server keeps versions."""
    return request if version is None else request | {"ifMatch": f'W/"{version}"'}


def _doses(
    study: CastStudy, found: Sequence[Resource], *, subject: str, imaging_study: str
) -> Iterator[Create | Replace | Remove | None]:
    """Yield what is to become of the observations of a study: those of reports that are gone go."""
    left = _observations_of(study.study_instance_uid, study.dicomweb_url, found)
    for instance, dose in doses_in(study.instances):
        made = observation(instance, dose, subject=subject, imaging_study=imaging_study, source=study.dicomweb_url)
        known = of_dose(left, dose, study.dicomweb_url)
        if known is None:
            search = dose_search(dose)
            yield Create(new_reference(str(search)), made, query_of(search))
        else:
            left.remove(known)
            meta = {**(known.get("meta") or {}), **made["meta"]}
            yield _replaced(known, made | {"id": known["id"], "meta": meta})
    yield from map(Remove, left)


def _observations_of(study_instance_uid: str, dicomweb_url: str, found: Sequence[Resource]) -> list[Resource]:
    _require_answers(all(has_uid(one, study_instance_uid) for one in found), "an Observation")
    return ours(found, dicomweb_url)


def _patient(
    study: CastStudy, identifier: PatientIdentifier, found: Sequence[Resource]
) -> tuple[Create | Replace | None, str]:
    _require_answers(all(identifier.is_of(one) for one in found), "a Patient")
    facts = study.newest.patient
    patient = _only(found, "Patients of this identifier")
    if patient is None:
        search = identifier.search()
        reference = new_reference(str(search))
        return Create(reference, new_patient(facts, identifier), query_of(search)), reference
    return _replaced(patient, changed_patient(patient, facts)), reference_of(patient)


def _endpoint(study: CastStudy, found: Sequence[Resource]) -> tuple[Create | None, str]:
    endpoint = choose_endpoint(found, study.dicomweb_url)
    if endpoint is not None:
        return None, reference_of(endpoint)
    reference = new_reference(endpoint_name(study.dicomweb_url))
    search = endpoint_search(study.dicomweb_url)
    return Create(reference, new_endpoint(study.dicomweb_url), query_of(search)), reference


def _replaced(resource: Resource, changed: Resource) -> Replace | None:
    if to_send(resource) == to_send(changed):
        return None
    return Replace(to_send(changed), version_of(resource))


def _only(found: Sequence[Resource], what: str) -> Resource | None:
    if len(found) > 1:
        raise FhirRefused(f"The FHIR server has {len(found)} {what}; join them there, then let it be tried again.")
    return found[0] if found else None


def _require_answers(is_right: bool, what: str) -> None:
    if not is_right:
        raise FhirRefused(
            f"The FHIR server found {what} with another identifier than the one that was searched for; "
            "it must support searches by identifier."
        )
