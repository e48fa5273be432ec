"""The cast to a FHIR server that is not ours: what is written is found again, changed in place, and goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.fhir.cast import FhirCast
from isocenter.fhir.cast_record import CastCounts
from isocenter.fhir.client import FhirClient
from isocenter.fhir.errors import FhirConflict
from isocenter.fhir.mapping.patient import PatientNaming
from isocenter.fhir.mapping.plan import Plan, Replace
from isocenter.fhir.mapping.resource import to_send, version_of
from isocenter.fhir.reconcile import Records, compare_all
from isocenter.fhir.study_cast import CastOptions
from tests.support.fhir_peer import instance_uids
from tests.support.fhir_rules import require_valid
from tests.support.fhir_studies import dicom_file
from tests.support.instances import identify, scope_of
from tests.support.medplum import Medplum, medplum
from tests.support.memory_archive import memory_archive, store

pytestmark = pytest.mark.interop
URL = "http://archive.example/v2"
OPTIONS = CastOptions(URL, PatientNaming("urn:oid:1.2.3"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Medplum]:
    folder: Path = tmp_path_factory.mktemp("medplum")
    with medplum(folder) as one:
        yield one


@pytest.fixture
def client(server: Medplum) -> Iterator[FhirClient]:
    with closing(FhirClient(server.url)) as one:
        for kind in ("ImagingStudy", "Endpoint", "Patient"):
            for resource in server.all(kind):
                server.send("DELETE", f"{kind}/{resource['id']}")
        yield one


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as one, capture_logs():
        yield one


def _cast(archive: Archive, client: FhirClient) -> CastCounts:
    counts = CastCounts()
    cast = FhirCast(archive, client, OPTIONS, poll_interval_s=1.0, counts=counts, wait=lambda seconds: True)
    cast.cast_some()
    assert archive.fhir_ledger.errors(limit=9) == []
    return counts


def _only(server: Medplum, kind: str) -> dict[str, Any]:
    [resource] = server.all(kind)
    return resource


def test_a_study_is_written_followed_and_removed(server: Medplum, client: FhirClient, archive: Archive) -> None:
    assert client.check().software == "Medplum"
    for number in (1, 2):
        store(archive, dicom_file(identify(1, 1, number)))
    assert _cast(archive, client).studies["written"] == 1
    study, patient = _only(server, "ImagingStudy"), _only(server, "Patient")
    assert study["subject"]["reference"] == f"Patient/{patient['id']}"
    assert study["endpoint"][0]["reference"] == f"Endpoint/{_only(server, 'Endpoint')['id']}"
    for resource in (study, patient, _only(server, "Endpoint")):
        require_valid(to_send(resource))
    store(archive, dicom_file(identify(1, 1, 1), PatientName="Roe^Jane"), policy=DuplicatePolicy.REPLACE)
    store(archive, dicom_file(identify(1, 2, 1), Modality="SR"))
    _cast(archive, client)
    assert _only(server, "Patient")["name"][0]["family"] == "Doe", "the newest instance holds"
    assert len(instance_uids(_only(server, "ImagingStudy"))) == 3
    delete(archive, LOCAL_OWNER, scope_of(identify(1, 2, 1), depth=2))
    _cast(archive, client)
    assert len(instance_uids(_only(server, "ImagingStudy"))) == 2
    delete(archive, LOCAL_OWNER, scope_of(identify(1), depth=1))
    _cast(archive, client)
    assert server.all("ImagingStudy") == []
    assert _only(server, "Patient")["id"] == patient["id"]


def test_a_second_look_writes_nothing(server: Medplum, client: FhirClient, archive: Archive) -> None:
    store(archive, dicom_file(identify(1)))
    _cast(archive, client)
    before = _only(server, "ImagingStudy")["meta"]["versionId"]
    archive.fhir_ledger.want_rerun(f"fhir:{server.url}", after=0)
    assert _cast(archive, client).studies == {"written": 0, "unchanged": 1, "shelved": 0}
    assert _only(server, "ImagingStudy")["meta"]["versionId"] == before


def test_studies_of_one_patient_share_patient_and_endpoint(
    server: Medplum, client: FhirClient, archive: Archive
) -> None:
    for number in (1, 2, 3):
        store(archive, dicom_file(identify(number)))
    _cast(archive, client)
    assert [len(server.all(kind)) for kind in ("Patient", "Endpoint", "ImagingStudy")] == [1, 1, 3]
    records = Records(archive.index, archive.partitions, archive.fhir_ledger)
    assert all(one.is_equal for one in compare_all(records, client, OPTIONS))


def test_a_version_that_is_no_longer_there_is_not_written_over(
    server: Medplum, client: FhirClient, archive: Archive
) -> None:
    store(archive, dicom_file(identify(1)))
    _cast(archive, client)
    stale = _only(server, "Patient")
    server.send("PUT", f"Patient/{stale['id']}", to_send(stale) | {"gender": "female"})
    with pytest.raises(FhirConflict):
        client.carry_out(Plan((Replace(to_send(stale) | {"gender": "other"}, version_of(stale)),)))
    assert _only(server, "Patient")["gender"] == "female"
