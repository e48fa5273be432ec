"""ImagingStudies: one from all instances of a study, joined with what is on the server (dicom-service 13.2).

A study of which we are the source becomes what the archive says; elements that are not mapped stay. To one of another
source what we have is added, and only what was deleted here is taken away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.fhir.mapping.coding import DCM
from isocenter.fhir.mapping.facts import InstanceFacts
from isocenter.fhir.mapping.resource import Resource, listed, source_of, token, without_none

UID_SYSTEM = "urn:dicom:uid"
ACCESSION_SYSTEM = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACCESSION_CODE = "ACSN"


@dataclass(frozen=True, slots=True)
class CastStudy:
    """The instances of a study that can be cast, and what is written around them."""

    study_instance_uid: str
    instances: tuple[InstanceFacts, ...]
    dicomweb_url: str
    """The service that has them, and the source of what is written."""
    lists_instances: bool = True
    """Whether instances are listed, or counted only: with thousands a study takes megabytes."""
    removed: frozenset[str] = frozenset()
    """SOP instance UIDs that were deleted here, for studies of other sources."""

    @property
    def newest(self) -> InstanceFacts:
        """Return the instance that holds where they differ."""
        return max(self.instances, key=lambda one: one.order)


def study_identifier(study_instance_uid: str) -> dict[str, Any]:
    """Return the Identifier of a study."""
    return {"system": UID_SYSTEM, "value": f"urn:oid:{study_instance_uid}"}


def study_search(study_instance_uid: str) -> dict[str, str]:
    """Return the search for a study."""
    return {"identifier": token(UID_SYSTEM, f"urn:oid:{study_instance_uid}")}


def has_uid(resource: Resource, study_instance_uid: str) -> bool:
    """Tell whether an ImagingStudy is of this study."""
    return study_identifier(study_instance_uid)["value"] in {
        one.get("value") for one in listed(resource, "identifier") if isinstance(one, dict)
    }


def is_ours(resource: Resource, dicomweb_url: str) -> bool:
    """Tell whether an ImagingStudy was begun by us."""
    return source_of(resource) == dicomweb_url


def new_study(study: CastStudy, *, subject: str, endpoint: str) -> Resource:
    """Return an ImagingStudy to create."""
    head: Resource = {"resourceType": "ImagingStudy", "meta": {"source": study.dicomweb_url}, "status": "available"}
    return _ours(head, study, subject=subject, endpoint=endpoint)


def changed_study(resource: Resource, study: CastStudy, *, subject: str, endpoint: str) -> Resource:
    """Return an ImagingStudy of the server as it is to be now."""
    if is_ours(resource, study.dicomweb_url):
        return _ours(resource, study, subject=subject, endpoint=endpoint)
    return _joined(resource, study, endpoint=endpoint)


def reduced_study(resource: Resource, removed: Collection[str]) -> Resource:
    """Return an ImagingStudy of another source without instances that were deleted here, and without empty series."""
    series = [one for each in listed(resource, "series") if (one := _without(each, removed)) is not None]
    changed = {name: value for name, value in resource.items() if name != "series"}
    return changed | _counted(series) | ({"series": series} if series else {})


def _ours(resource: Resource, study: CastStudy, *, subject: str, endpoint: str) -> Resource:
    newest = study.newest.study
    known = {one.get("uid"): one for one in listed(resource, "series") if isinstance(one, dict)}
    mapped = {
        "identifier": _identifiers(resource, study, keeps_accessions=False),
        "subject": {"reference": subject},
        "started": newest.started,
        "endpoint": _with_reference(listed(resource, "endpoint"), endpoint),
        "modality": _modalities(study.instances),
        "procedureCode": [code.concept() for code in newest.procedure_codes] or listed(resource, "procedureCode"),
        "description": newest.description,
        "note": _notes(resource, study),
        "series": _series(study, known),
    }
    others = {name: value for name, value in resource.items() if name not in mapped}
    return without_none(others | mapped | _totals(study))


def _joined(resource: Resource, study: CastStudy, *, endpoint: str) -> Resource:
    """Add what we have to an ImagingStudy of another source."""
    reduced = reduced_study(resource, study.removed)
    known = {one.get("uid"): one for one in listed(reduced, "series") if isinstance(one, dict)}
    own = {one["uid"]: one for one in _series(study, known, keeps_instances=True)}
    series = [own.pop(uid, one) for uid, one in known.items()] + list(own.values())
    codes = {one.get("code") for one in listed(reduced, "modality") if isinstance(one, dict)}
    newest = study.newest.study
    return without_none(
        {"started": newest.started, "description": newest.description}
        | reduced
        | {
            "identifier": _identifiers(reduced, study, keeps_accessions=True),
            "endpoint": _with_reference(listed(reduced, "endpoint"), endpoint),
            "modality": [
                *listed(reduced, "modality"),
                *(one for one in _modalities(study.instances) if one["code"] not in codes),
            ],
            "note": _notes(reduced, study),
            "series": series,
        }
        | _counted(series)
    )


def _identifiers(resource: Resource, study: CastStudy, *, keeps_accessions: bool) -> list[Any]:
    """Return the study's UID, its accession numbers, and what others call it."""
    own = [study_identifier(study.study_instance_uid), *map(accession_identifier, _accessions(study.instances))]
    found = listed(resource, "identifier")
    if keeps_accessions:
        return found + [one for one in own if one not in found]
    return own + [one for one in found if one not in own and not _is_accession(one)]


def _accessions(instances: Iterable[InstanceFacts]) -> list[str]:
    return sorted({one.study.accession_number for one in instances if one.study.accession_number is not None})


def accession_identifier(value: str) -> dict[str, Any]:
    """Return the Identifier of an accession number."""
    return {"type": {"coding": [{"system": ACCESSION_SYSTEM, "code": ACCESSION_CODE}]}, "value": value}


def _is_accession(identifier: Any) -> bool:
    """Tell whether an Identifier is an accession number as it is written here; one with a system is somebody else's."""
    return isinstance(identifier, dict) and identifier == accession_identifier(str(identifier.get("value")))


def _with_reference(references: list[Any], reference: str) -> list[Any]:
    is_there = any(isinstance(one, dict) and one.get("reference") == reference for one in references)
    return references if is_there else [*references, {"reference": reference}]


def _modalities(instances: Iterable[InstanceFacts]) -> list[dict[str, Any]]:
    return [_modality(code) for code in sorted({one.series.modality for one in instances})]


def _modality(code: str) -> dict[str, Any]:
    return {"system": DCM, "code": " ".join(code.split())}


def _notes(resource: Resource, study: CastStudy) -> list[Any]:
    """Return notes with each distinct StudyDescription once; what stands there may be a person's, and stays."""
    found = listed(resource, "note")
    there = {one.get("text") for one in found if isinstance(one, dict)}
    wanted = sorted({one.study.description for one in study.instances if one.study.description is not None})
    return found + [{"text": one} for one in wanted if one not in there]


def _series(study: CastStudy, known: dict[Any, Any], *, keeps_instances: bool = False) -> list[dict[str, Any]]:
    by_uid: dict[str, list[InstanceFacts]] = {}
    for instance in study.instances:
        by_uid.setdefault(instance.identifier.series_instance_uid, []).append(instance)
    rows = [_one_series(uid, by_uid[uid], known.get(uid, {}), study, keeps_instances) for uid in by_uid]
    return sorted(rows, key=lambda one: (one.get("number", -1), one["uid"]))


def _one_series(
    uid: str, instances: Sequence[InstanceFacts], known: dict[str, Any], study: CastStudy, keeps_instances: bool
) -> dict[str, Any]:
    newest = max(instances, key=lambda one: one.order).series
    found = {one.get("uid"): one for one in listed(known, "instance") if isinstance(one, dict)}
    found_some = bool(found)
    listing = [_instance(one, found.pop(one.identifier.sop_instance_uid, {})) for one in instances]
    if keeps_instances:
        listing += found.values()
    listing.sort(key=lambda one: (one.get("number", -1), str(one.get("uid"))))
    return without_none(
        known
        | {
            "uid": uid,
            "number": newest.number,
            "modality": _modality(newest.modality),
            "description": newest.description,
            "started": newest.started,
            "numberOfInstances": len(listing),
            "instance": listing if study.lists_instances or (keeps_instances and found_some) else None,
        }
    )


def _instance(facts: InstanceFacts, known: dict[str, Any]) -> dict[str, Any]:
    return without_none(
        known
        | {
            "uid": facts.identifier.sop_instance_uid,
            "sopClass": {"code": facts.sop_class_uid},
            "number": facts.number,
        }
    )


def _totals(study: CastStudy) -> Resource:
    series = {one.identifier.series_instance_uid for one in study.instances}
    return {"numberOfSeries": len(series), "numberOfInstances": len(study.instances)}


def _counted(series: Sequence[Any]) -> Resource:
    counts = [one.get("numberOfInstances") or len(listed(one, "instance")) for one in series if isinstance(one, dict)]
    return {"numberOfSeries": len(series), "numberOfInstances": sum(counts)}


def _without(series: Any, removed: Collection[str]) -> Any:
    """Return a series without some instances; None where it had some of them and nothing is left."""
    if not isinstance(series, dict):
        return series
    before = listed(series, "instance")
    left = [one for one in before if not (isinstance(one, dict) and one.get("uid") in removed)]
    if len(left) == len(before):
        return series
    return {**series, "instance": left, "numberOfInstances": len(left)} if left else None
