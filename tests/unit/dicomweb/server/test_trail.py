"""What a caller may have recorded, and what the records say (dicom-service 12.4)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.dicomweb.server.trail import CUSTOM_HEADERS_MAX, CUSTOM_LENGTH_MAX
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import Overloaded
from isocenter.domain.principal import LOCAL_OWNER
from tests.support.asgi_call import Answer, ask
from tests.support.memory_archive import memory_archive

JSON = {"accept": "application/dicom+json"}
PREFIX = "X-MS-AZUREDICOM-AUDIT-"


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    with memory_archive() as opened, capture_logs():
        yield opened


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as opened:
        yield opened


@pytest.fixture
def records() -> list[AuditRecord]:
    return []


@pytest.fixture
def service(archive: Archive, executor: ThreadPoolExecutor, records: list[AuditRecord]) -> Service:
    return Service(archive, executor, lambda headers: LOCAL_OWNER, audit=records.append)


def _get(
    service: Service, path: str = "/v2/studies", *, query: str = "", headers: dict[str, str] | None = None
) -> Answer:
    return ask(
        DicomwebApplication(service, root_path="/v2"), "GET", path, headers={**JSON, **(headers or {})}, query=query
    )


def test_a_search_is_recorded_with_what_was_asked_even_where_it_finds_nothing(
    service: Service, records: list[AuditRecord]
) -> None:
    assert _get(service, query="PatientID=558").status == 204
    before, after = records
    assert after.uri == "http://127.0.0.1/v2/studies?PatientID=558"
    assert (before.caller, before.address, after.status) == (LOCAL_OWNER, "127.0.0.1", 204)


def test_what_the_path_names_is_recorded(service: Service, records: list[AuditRecord]) -> None:
    assert _get(service, "/v2/studies/1.2/series/1.3/metadata").status == 404
    assert records[1].resource == {"study": "1.2", "series": "1.3"}


def test_what_the_caller_wants_recorded_is(service: Service, records: list[AuditRecord]) -> None:
    _get(service, headers={f"{PREFIX}UserId": "jane", f"{PREFIX.lower()}site": "north", "other": "x"})
    assert records[0].properties == {f"{PREFIX.lower()}userid": "jane", f"{PREFIX.lower()}site": "north"}


@pytest.mark.parametrize(
    "headers",
    [
        {f"{PREFIX}{number}": "x" for number in range(CUSTOM_HEADERS_MAX + 1)},
        {f"{PREFIX}1": "x" * (CUSTOM_LENGTH_MAX + 1)},
    ],
    ids=["too many", "too long"],
)
def test_too_much_of_it_is_refused(service: Service, headers: dict[str, str]) -> None:
    assert _get(service, headers=headers).status == 400


def test_as_much_as_is_allowed_is_recorded(service: Service, records: list[AuditRecord]) -> None:
    headers = {f"{PREFIX}{number}": "x" * CUSTOM_LENGTH_MAX for number in range(CUSTOM_HEADERS_MAX)}
    assert _get(service, headers=headers).status == 204
    assert len(records[0].properties) == CUSTOM_HEADERS_MAX


def test_a_request_that_cannot_be_recorded_is_refused(archive: Archive, executor: ThreadPoolExecutor) -> None:
    def refuse(record: AuditRecord) -> None:
        if record.status is None:
            raise Overloaded()

    service = Service(archive, executor, lambda headers: LOCAL_OWNER, audit=refuse)
    assert _get(service).status == 503


def test_a_path_that_is_not_offered_leaves_nothing(service: Service, records: list[AuditRecord]) -> None:
    assert _get(service, "/v2/nothing").status == 404
    assert records == []
