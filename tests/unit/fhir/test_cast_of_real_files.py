"""Real files of many makers and SOP classes: what has all that is required is cast, and the strict server takes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.domain.errors import IsocenterError
from isocenter.fhir.cast import FhirCast
from isocenter.fhir.cast_record import CastCounts
from isocenter.fhir.client import FhirClient
from isocenter.fhir.mapping.patient import PatientNaming
from isocenter.fhir.reconcile import Records, compare_all
from isocenter.fhir.study_cast import CastOptions
from isocenter.ports.fhir_ledger import ErrorKind
from tests.support.fhir_peer import FhirPeer
from tests.support.memory_archive import memory_archive, store
from tests.support.peers import missing
from tests.support.shared_data import find_shared_data, manifest_rows, path_of

OPTIONS = CastOptions("http://archive.example/v2", PatientNaming("urn:oid:1.2.3"))


@pytest.fixture
def archive() -> Iterator[Archive]:
    if find_shared_data() is None:
        missing("the shared data is not there")
    with memory_archive() as one, capture_logs():
        for row in manifest_rows():
            try:
                store(one, path_of(row).read_bytes())
            except IsocenterError:
                continue  # broken on purpose, or there already
        yield one


def test_real_studies_are_taken(archive: Archive, peer: FhirPeer) -> None:
    assert archive.index.totals().studies > 10
    counts = CastCounts()
    with closing(FhirClient(peer.url)) as client:
        FhirCast(archive, client, OPTIONS, poll_interval_s=1.0, counts=counts, wait=lambda seconds: True).cast_some()
        records = Records(archive.index, archive.partitions, archive.fhir_ledger)
        assert all(one.is_equal for one in compare_all(records, client, OPTIONS))
    errors = archive.fhir_ledger.errors(limit=999)
    assert {error.kind for error in errors} <= {ErrorKind.TAG, ErrorKind.DICOM}
    assert {error.attribute for error in errors if error.kind is ErrorKind.DICOM} <= {"PatientID", "Modality"}
    assert len(peer.all("ImagingStudy")) > archive.index.totals().studies / 2
