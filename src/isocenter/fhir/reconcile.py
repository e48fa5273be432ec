"""Compare what a FHIR server knows of studies with what the archive has, in counts, from the index alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from isocenter.archive.identify import STUDY_INSTANCE_UID
from isocenter.domain.identifiers import Level, Scope
from isocenter.domain.query import Query
from isocenter.fhir.client import FhirClient
from isocenter.fhir.mapping.endpoint import choose_endpoint, endpoint_search
from isocenter.fhir.mapping.imaging_study import UID_SYSTEM, is_ours, study_search
from isocenter.fhir.mapping.resource import Resource, listed, reference_of
from isocenter.fhir.study_cast import ERRORS_PER_STUDY_MAX, CastOptions
from isocenter.ports.fhir_ledger import ErrorKind, FhirLedger, StudyName
from isocenter.ports.index import InstanceIndex
from isocenter.ports.partitions import Partitions

PAGE = 1000
"""Studies of the archive that are listed at once."""
_OID = "urn:oid:"


@dataclass(frozen=True, slots=True)
class Records:
    """What is known here of studies and of their cast."""

    index: InstanceIndex
    partitions: Partitions
    ledger: FhirLedger


@dataclass(frozen=True, slots=True)
class Count:
    """Series and instances of a study."""

    series: int
    instances: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A study here and on the server."""

    study: StudyName
    here: Count | None
    """What can be cast; None where the archive has nothing of it."""
    there: Count | None
    """None where the server does not know it."""

    @property
    def is_equal(self) -> bool:
        """Tell whether both have the same."""
        return self.here == self.there


def compare_all(records: Records, client: FhirClient, options: CastOptions) -> Iterator[Comparison]:
    """Yield each study of the archive, and each that only the server has from us. Raises Unavailable, FhirRefused."""
    for study in _studies_of(records):
        yield _compare(records, client, options, study)
    for study, resource in _strays(records, client, options):
        yield Comparison(study, None, _count_of(resource))


def strays(records: Records, client: FhirClient, options: CastOptions) -> Iterator[StudyName]:
    """Yield the studies that the server has from us and the archive no longer has."""
    for study, _resource in _strays(records, client, options):
        yield study


def _compare(records: Records, client: FhirClient, options: CastOptions, study: StudyName) -> Comparison:
    rows = records.index.instances(Scope(study.study_instance_uid, partition_name=study.partition_name))
    errors = records.ledger.errors(kind=ErrorKind.DICOM, study=study, limit=ERRORS_PER_STUDY_MAX)
    left_out = {error.sop_instance_uid for error in errors}
    uids: dict[str, set[str]] = {}
    for row in rows:
        one = row.identifier
        if one.sop_instance_uid not in left_out:
            uids.setdefault(one.series_instance_uid, set()).add(one.sop_instance_uid)
    here = Count(len(uids), sum(map(len, uids.values()))) if uids else None
    found = client.search("ImagingStudy", study_search(study.study_instance_uid))
    if not found:
        return Comparison(study, here, None)
    if is_ours(found[0], options.dicomweb_url_of(study.partition_name)):
        return Comparison(study, here, _count_of(found[0]))
    return Comparison(study, here, _count_of_ours(found[0], uids))


def _count_of(resource: Resource) -> Count:
    series, instances = (resource.get(name) for name in ("numberOfSeries", "numberOfInstances"))
    return Count(series if isinstance(series, int) else 0, instances if isinstance(instances, int) else 0)


def _count_of_ours(resource: Resource, uids: dict[str, set[str]]) -> Count | None:
    """Return what an ImagingStudy, in which others have their part, has of what is here."""
    counts = [
        sum(1 for each in listed(one, "instance") if _uid(each) in uids[one["uid"]])
        for one in listed(resource, "series")
        if isinstance(one, dict) and one.get("uid") in uids
    ]
    present = [count for count in counts if count]
    return Count(len(present), sum(present)) if present else None


def _uid(instance: Any) -> Any:
    return instance.get("uid") if isinstance(instance, dict) else None


def _studies_of(records: Records) -> Iterator[StudyName]:
    for partition in records.partitions.all():
        name, cursor = partition.partition_name, None
        while True:
            page = records.index.search_page(Query(Level.STUDY, limit=PAGE, partition_name=name), cursor)
            for row in page.rows:
                yield StudyName(row.attributes[STUDY_INSTANCE_UID], name)
            cursor = page.following
            if cursor is None:
                break


def _strays(records: Records, client: FhirClient, options: CastOptions) -> Iterator[tuple[StudyName, Resource]]:
    for partition in records.partitions.all():
        name = partition.partition_name
        url = options.dicomweb_url_of(name)
        endpoint = choose_endpoint(client.search("Endpoint", endpoint_search(url)), url)
        if endpoint is None:
            continue
        for resource in client.iter_search("ImagingStudy", {"endpoint": reference_of(endpoint)}):
            uid = _study_uid(resource) if is_ours(resource, url) else ""
            if uid and not records.index.instances(Scope(uid, partition_name=name)):
                yield StudyName(uid, name), resource


def _study_uid(resource: Resource) -> str:
    for one in listed(resource, "identifier"):
        if isinstance(one, dict) and one.get("system") == UID_SYSTEM:
            return str(one.get("value")).removeprefix(_OID)
    return ""
