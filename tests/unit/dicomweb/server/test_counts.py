from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.counts import OTHER, TAGS_MAX, Form, TransactionCounts
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.domain.principal import LOCAL_OWNER
from tests.support.asgi_call import Answer, ask
from tests.support.catalogue import instance
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive
from tests.support.small_instances import make_instance

JSON = {"accept": "application/dicom+json"}
DICOM = {"content-type": "application/dicom", **JSON}
HERE = make_instance(identify(1))


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as archive, capture_logs():
        yield archive


@pytest.fixture
def service(archive: Archive) -> Iterator[Service]:
    with ThreadPoolExecutor(2) as executor:
        yield Service(archive, executor, lambda headers: LOCAL_OWNER)


def _ask(service: Service, method: str, path: str, *, accept: str = "", body: bytes = b"") -> Answer:
    headers = {"accept": accept} if accept else DICOM
    path, _, query = path.partition("?")
    application = DicomwebApplication(service, root_path="/v2")
    return ask(application, method, f"/v2/{path}", headers=headers, query=query, body=[body])


def test_requests_are_counted_with_their_bytes_refused_ones_too(service: Service) -> None:
    stored = _ask(service, "POST", "studies", body=HERE.content)
    refused = _ask(service, "GET", "studies?Modality=CT")
    _ask(service, "GET", "nothing")
    counts = service.counts
    assert counts.requests == {("store", "200"): 1, ("query", "400"): 1}
    assert counts.received_bytes == {"store": len(HERE.content), "query": 0}
    assert counts.sent_bytes == {"store": len(stored.body), "query": len(refused.body)}


def test_instances_are_counted_by_what_became_of_them(service: Service) -> None:
    for content in (HERE.content, HERE.content, b"no DICOM"):
        _ask(service, "POST", "studies", body=content)
    other = make_instance(identify(1), seed=9).content
    _ask(service, "POST", "studies", body=other)
    _ask(service, "PUT", "studies", body=other)
    assert service.counts.stored == {"stored": 1, "identical": 1, "A900": 1, "B00E": 1, "replaced": 1}
    assert service.counts.stored_bytes == len(HERE.content) + len(other)
    assert sum(service.counts.lengths.values()) == 2


def test_attributes_that_are_objected_to_are_counted_and_their_values_are_not(service: Service) -> None:
    _ask(service, "POST", "studies", body=instance(StudyDate="a secret", PatientSex="male").content)
    _ask(service, "POST", "studies", body=instance(PatientID=None).content)
    assert service.counts.objections == {
        ("(0008,0020)", "kept"): 1,
        ("(0010,0040)", "kept"): 1,
        ("(0010,0020)", "refused"): 1,
    }


def test_tags_that_a_sender_invents_are_one_sum_after_a_limit() -> None:
    counts = TransactionCounts()
    for number in range(TAGS_MAX + 50):
        counts.note_objections([f"(0009,{number:04x})"], is_kept=True)
    counts.note_objections(["(0009,0000)"], is_kept=True)
    assert len(counts.objections) == TAGS_MAX + 1
    assert counts.objections[OTHER, "kept"] == 50
    assert counts.objections["(0009,0000)", "kept"] == 2


def test_instances_are_counted_by_the_form_in_which_they_go_out(service: Service) -> None:
    _ask(service, "POST", "studies", body=HERE.content)
    one = HERE.identifier
    path = f"studies/{one.study_instance_uid}"
    for accept in ("*", "*", "1.2.840.10008.1.2.4.90"):
        wanted = f'multipart/related; type="application/dicom"; transfer-syntax={accept}'
        assert _ask(service, "GET", path, accept=wanted).status == 200
    assert service.counts.retrieved == {Form.STORED: 2, Form.TRANSCODED: 1}
