"""Compare what a FHIR server knows of studies with what the archive has, in counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isocenter.archive.archive import Archive
from isocenter.archive.identify import STUDY_INSTANCE_UID
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.query import Query
from isocenter.fhir.client import FhirClient
from isocenter.fhir.mapping.endpoint import choose_endpoint, endpoint_search
from isocenter.fhir.mapping.imaging_study import UID_SYSTEM, is_ours, study_search
from isocenter.fhir.mapping.resource import Resource, listed, reference_of
from isocenter.fhir.study_cast import CastOptions, StudyCaster
from isocenter.ports.fhir_ledger import StudyName

PAGE = 1000
"""Studies of the archive that are listed at once."""
_OID = "urn:oid:"


@dataclass(frozen=True, slots=True)
class Difference:
    """A study that the server does not know as the archive does."""

    study: StudyName
    archive_series: int
    archive_instances: int
    """Those that can be cast."""
    server_series: int | None
    """None where the server does not know the study."""
    server_instances: int | None


def differences(archive: Archive, client: FhirClient, options: CastOptions) -> Iterator[Difference | None]:
    """Yield for each study of the archive, and each that only the server has, None or how it differs.

    Raises Unavailable, FhirRefused.
    """
    caster = StudyCaster(archive, client, options)
    for study in studies_of(archive):
        yield _compare(caster, client, options, study)
    for study in strays(archive, client, options):
        [resource] = client.search("ImagingStudy", study_search(study.study_instance_uid))[:1] or [{}]
        yield Difference(study, 0, 0, *_counts(resource))


def _compare(caster: StudyCaster, client: FhirClient, options: CastOptions, study: StudyName) -> Difference | None:
    instances = caster.read(study).instances
    url = options.dicomweb_url_of(study.partition_name)
    found = client.search("ImagingStudy", study_search(study.study_instance_uid))
    own_series = {one.identifier.series_instance_uid for one in instances}
    own = (len(own_series), len(instances))
    if not found:
        return Difference(study, *own, None, None) if instances else None
    if is_ours(found[0], url) and len(found) == 1:
        there = _counts(found[0])
    else:  # others have their part in it: count what is ours
        series = [one for one in listed(found[0], "series") if isinstance(one, dict) and one.get("uid") in own_series]
        uids = {one.identifier.sop_instance_uid for one in instances}
        there = (len(series), sum(1 for one in series for each in listed(one, "instance") if _uid(each) in uids))
    return None if there == own else Difference(study, *own, *there)


def studies_of(archive: Archive) -> Iterator[StudyName]:
    """Yield the studies of all partitions."""
    for partition in archive.partitions.all():
        name, cursor = partition.partition_name, None
        while True:
            page = archive.index.search_page(Query(Level.STUDY, limit=PAGE, partition_name=name), cursor)
            for row in page.rows:
                yield StudyName(row.attributes[STUDY_INSTANCE_UID], name)
            cursor = page.following
            if cursor is None:
                break


def strays(archive: Archive, client: FhirClient, options: CastOptions) -> Iterator[StudyName]:
    """Yield the studies that the server has from us and the archive no longer has."""
    for partition in archive.partitions.all():
        name = partition.partition_name
        url = options.dicomweb_url_of(name)
        endpoint = choose_endpoint(client.search("Endpoint", endpoint_search(url)), url)
        if endpoint is None:
            continue
        for resource in client.iter_search("ImagingStudy", {"endpoint": reference_of(endpoint)}):
            uid = _study_uid(resource) if is_ours(resource, url) else ""
            if uid and not archive.index.instances(Scope(uid, partition_name=name)):
                yield StudyName(uid, name)


def _study_uid(resource: Resource) -> str:
    for one in listed(resource, "identifier"):
        if isinstance(one, dict) and one.get("system") == UID_SYSTEM:
            return str(one.get("value")).removeprefix(_OID)
    return ""


def _counts(resource: Resource) -> tuple[int, int]:
    return int(resource.get("numberOfSeries") or 0), int(resource.get("numberOfInstances") or 0)


def _uid(instance: Any) -> Any:
    return instance.get("uid") if isinstance(instance, dict) else None
