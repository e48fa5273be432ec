from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import orjson
import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.dicomweb.server.dispatch import DicomwebApplication
from isocenter.dicomweb.server.service import Service
from isocenter.domain.errors import (
    Forbidden,
    InstanceExists,
    InvalidRequest,
    NotAcceptable,
    NotFound,
    Overloaded,
    StorageFailed,
    StorageFull,
    TooLarge,
    UnsupportedMediaType,
)
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.storage.memory import MemoryBlobStore
from tests.support.asgi_call import Answer, ask
from tests.support.faults import ErrorFactory, Fault, faulty_blobs
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.small_instances import SmallInstance, make_instance

JSON = {"accept": "application/dicom+json"}
DICOM = {"content-type": "application/dicom", **JSON}
PARTS = {"content-type": 'multipart/related; type="application/dicom"; boundary=x', **JSON}
SETTINGS = ArchiveSettings(spool_threshold_bytes=20_000, instance_size_max_bytes=100_000)
HERE = make_instance(identify(1))


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge over an archive in memory, under both roots."""

    archive: Archive
    fault: Fault
    service: Service

    def ask(self, method: str, path: str, **options: object) -> Answer:
        root = "/" + path.split("/")[1]
        return ask(DicomwebApplication(self.service, root_path=root), method, path, **options)  # type: ignore[arg-type]

    def post(self, contents: Iterable[bytes], **options: object) -> Answer:
        body = [b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents]
        return self.ask("POST", "/dicom-web/studies", headers=PARTS, body=[*body, b"--x--\r\n"], **options)


@pytest.fixture
def edge() -> Iterator[Edge]:
    fault = Fault(StorageFull, at_call=0, is_after=False)
    blobs = faulty_blobs(MemoryBlobStore(), fault)
    with memory_archive(SETTINGS, blobs=blobs) as archive, ThreadPoolExecutor(2) as executor, capture_logs():
        store(archive, HERE.content)
        service = Service(archive, executor, lambda headers: LOCAL_OWNER, body_idle_max_s=0.05)
        yield Edge(archive, fault, service)


def _instance_path(instance: SmallInstance = HERE, root: str = "/dicom-web") -> str:
    one = instance.identifier
    return f"{root}/studies/{one.study_instance_uid}/series/{one.series_instance_uid}/instances/{one.sop_instance_uid}"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "identity, gzip"])
def test_a_compressed_body_is_refused(edge: Edge, encoding: str) -> None:
    answer = edge.ask("POST", "/dicom-web/studies", headers={**DICOM, "content-encoding": encoding}, body=[b"x"])
    assert answer.status == 415


@pytest.mark.parametrize("length", ["100001", "9" * 30])
def test_a_body_that_says_it_is_too_long_is_refused_before_it_is_read(edge: Edge, length: str) -> None:
    answer = edge.ask("POST", "/dicom-web/studies", headers={**DICOM, "content-length": length}, stalls=True)
    assert (answer.status, answer.body) == (413, b"The request exceeded the allowed limit of 100000 bytes.")


@pytest.mark.parametrize("size", [100_001, 300_000])
def test_a_body_that_is_too_long_is_refused_and_leaves_no_spool(edge: Edge, size: int) -> None:
    chunks = [bytes(10_000)] * (size // 10_000) + [bytes(size % 10_000)]
    assert edge.ask("POST", "/dicom-web/studies", headers=DICOM, body=chunks).status == 413
    assert edge.fault.open_spools == 0


@pytest.mark.parametrize("chunks", [[], [b"DICM"], [bytes(15_000)] * 3])
def test_a_body_that_stands_still_is_given_up(edge: Edge, chunks: list[bytes]) -> None:
    answer = edge.ask("POST", "/dicom-web/studies", headers=DICOM, body=chunks, stalls=True)
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert edge.fault.open_spools == 0


@pytest.mark.parametrize(("chunk", "status"), [(b"x", 408), (bytes(1000), 409)])
def test_a_body_that_trickles_is_given_up_and_a_slow_one_is_not(edge: Edge, chunk: bytes, status: int) -> None:
    chunks = itertools.repeat(chunk, 20)  # each comes well before a body stands still, 0.4 seconds in all
    answer = edge.ask("POST", "/dicom-web/studies", headers=DICOM, body=chunks, pause_s=0.02)
    assert answer.status == status
    assert edge.fault.open_spools == 0


def test_a_caller_that_hangs_up_leaves_nothing(edge: Edge) -> None:
    edge.ask("POST", "/dicom-web/studies", headers=DICOM, body=[bytes(15_000)] * 3, hangs_up=True)
    assert edge.fault.open_spools == 0
    assert edge.archive.index.latest_sequence() == 1


@pytest.mark.parametrize("size_bytes", [1000, 15_000, 25_000, 90_000])
def test_an_instance_in_chunks_is_stored_as_it_came(edge: Edge, size_bytes: int) -> None:
    instance = make_instance(identify(2), size_bytes=size_bytes)
    chunks = [instance.content[at : at + 7000] for at in range(0, len(instance.content), 7000)]
    assert edge.ask("POST", "/dicom-web/studies", headers=DICOM, body=chunks).status == 200
    answer = edge.ask("GET", _instance_path(instance), headers={"accept": "application/dicom; transfer-syntax=*"})
    assert answer.body == instance.content


@pytest.mark.parametrize(
    ("make_error", "status"), [(StorageFull, 507), (StorageFailed, 503), (RuntimeError, 500)], ids=str
)
def test_where_nothing_could_be_stored_the_status_says_whose_fault_it_is(
    edge: Edge, make_error: ErrorFactory, status: int
) -> None:
    fault = Fault(make_error, at_call=1, is_after=False)
    with memory_archive(SETTINGS, blobs=faulty_blobs(MemoryBlobStore(), fault)) as archive:
        fault.arm()
        broken = Edge(archive, fault, Service(archive, edge.service.executor, lambda headers: LOCAL_OWNER))
        answer = broken.post([make_instance(identify(2)).content])
        assert answer.status == status
        assert ("retry-after" in answer.headers) == (status in (503, 507))


def test_refused_parts_are_not_kept_in_memory(edge: Edge) -> None:
    refused, number = make_instance(identify(1), seed=1, size_bytes=15_000).content, 1000
    part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + refused[:-100] + b"\r\n"
    body = itertools.chain((bytes(bytearray(part)) for _ in range(number)), [b"--x--\r\n"])
    tracemalloc.start()
    try:
        answer = edge.ask("POST", "/dicom-web/studies", headers=PARTS, body=body)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status == 409
    assert peak_bytes < number * len(part) / 3


@pytest.mark.parametrize(
    "path",
    ["", "/metadata", "/frames/1", "/rendered", "/thumbnail"],
)
def test_head_has_the_headers_of_get_and_no_body(edge: Edge, path: str) -> None:
    accept = JSON if path == "/metadata" else {"accept": "*/*"}
    got = edge.ask("GET", _instance_path() + path, headers=accept)
    head = edge.ask("HEAD", _instance_path() + path, headers=accept)
    assert (head.status, head.body) == (got.status, b"") == (200, b"")
    assert {name: value for name, value in head.headers.items() if name != "content-type"} == {
        name: value for name, value in got.headers.items() if name != "content-type"
    }
    assert got.body


def test_a_frame_asked_for_a_thousand_times_does_not_lie_in_memory_a_thousand_times(edge: Edge) -> None:
    numbers = ",".join(["1"] * 4000)
    answer = edge.ask("GET", f"{_instance_path()}/frames/{numbers}", headers={"accept": "*/*"})
    assert answer.status == 200
    assert answer.body.count(HERE.frame) == 4000
    assert answer.largest_message_bytes <= len(HERE.frame)


def test_more_rendered_frames_than_the_limit_are_refused(edge: Edge) -> None:
    numbers = ",".join(["1"] * 1001)
    answer = edge.ask("GET", f"{_instance_path()}/frames/{numbers}/rendered", headers={"accept": "*/*"})
    assert answer.status == 400


@pytest.mark.parametrize(("limit", "warns"), [(1, True), (2, True), (3, False), (4, False)])
def test_a_search_says_when_there_is_more(edge: Edge, limit: int, warns: bool) -> None:
    for number in (2, 3):
        store(edge.archive, make_instance(identify(number)).content)
    answer = edge.ask("GET", "/dicom-web/studies", headers=JSON, query=f"limit={limit}")
    assert ("additional results" in answer.headers.get("warning", "")) is warns
    assert answer.body.count(b'"0020000D"') == min(limit, 3)
    assert "warning" not in edge.ask("GET", "/v2/studies", headers=JSON, query=f"limit={limit}").headers


@pytest.mark.parametrize(("query", "total"), [("limit=1", 3), ("offset=1", 3), ("offset=9", 3), ("PatientID=none", 0)])
def test_a_search_says_how_many_there_are_where_it_is_asked(edge: Edge, query: str, total: int) -> None:
    for number in (2, 3):
        store(edge.archive, make_instance(identify(number)).content)
    answer = edge.ask("GET", "/dicom-web/studies", headers=JSON, query=f"{query}&includetotal=true")
    assert answer.headers["x-total-count"] == str(total)
    assert "x-total-count" not in edge.ask("GET", "/dicom-web/studies", headers=JSON, query=query).headers


def test_metadata_that_the_caller_has_is_not_sent_again(edge: Edge) -> None:
    path = f"{_instance_path()}/metadata"
    tag = edge.ask("GET", path, headers=JSON).headers["etag"]
    for known in (tag, f'"other", {tag}', "*"):
        answer = edge.ask("GET", path, headers={**JSON, "if-none-match": known})
        assert (answer.status, answer.headers["etag"], answer.body) == (304, tag, b"")
    azure = edge.ask("GET", _instance_path(root="/v2") + "/metadata", headers=JSON).headers["etag"]
    assert azure.isdigit()


@pytest.mark.parametrize("host", ['evil"\r\nX: y', "evil.example/path", "a b", "<script>"])
def test_a_forged_host_is_not_repeated(edge: Edge, host: str) -> None:
    answer = edge.ask("GET", f"{_instance_path()}/metadata", headers={**JSON, "x-forwarded-host": host})
    assert answer.status == 200
    assert host.encode() not in answer.body
    assert b"http://127.0.0.1/dicom-web/studies" in answer.body


def test_a_reader_may_read_and_nothing_else(edge: Edge) -> None:
    service = Service(edge.archive, edge.service.executor, lambda headers: Principal("reader", READER_ACTIONS))
    reader = Edge(edge.archive, edge.fault, service)
    assert reader.ask("GET", "/dicom-web/studies", headers=JSON).status == 200
    assert reader.post([HERE.content]).status == 403
    assert reader.ask("DELETE", _instance_path()).status == 403
    assert edge.archive.index.totals().instances == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/dicom-web", 405),
        ("GET", "/dicom-web/nothing", 404),
        ("PATCH", "/dicom-web/studies", 405),
        ("PUT", "/v1/studies", 405),
        ("DELETE", "/dicom-web/studies", 405),
        ("GET", "/dicom-web/STUDIES", 200),
        ("GET", "/dicom-web/studies/", 200),
    ],
)
def test_a_path_is_answered_or_not_offered(edge: Edge, method: str, path: str, status: int) -> None:
    answer = edge.ask(method, path, headers=JSON)
    assert answer.status == status
    assert ("allow" in answer.headers) == (status == 405)


AZURE_ROOTS = ["/v1.0-prerelease", "/v1", "/v2"]


@pytest.mark.parametrize("root", AZURE_ROOTS)
@pytest.mark.parametrize("path", ["studies", "changefeed?limit=x", "studies/no-uid", "nothing"])
def test_every_answer_of_a_version_names_the_versions(edge: Edge, root: str, path: str) -> None:
    path, _, query = path.partition("?")
    answer = edge.ask("GET", f"{root}/{path}", headers=JSON, query=query)
    assert answer.headers["api-supported-versions"] == "1.0-prerelease, 1, 2"
    assert "api-supported-versions" not in edge.ask("GET", "/dicom-web/studies", headers=JSON).headers


@pytest.mark.parametrize("root", AZURE_ROOTS)
def test_a_link_stays_in_its_version(edge: Edge, root: str) -> None:
    answer = edge.ask("POST", f"{root}/studies", headers=DICOM, body=[make_instance(identify(2)).content])
    assert f'"http://127.0.0.1{root}/studies/'.encode() in answer.body


@pytest.mark.parametrize("root", AZURE_ROOTS)
@pytest.mark.parametrize("query", ["a=<", "a=%3c", "%3C=1", "includefield=all&x=%3Cscript"])
@pytest.mark.parametrize("path", ["studies", "changefeed", f"{_instance_path(root='')[1:]}/rendered"])
def test_what_could_be_markup_in_a_query_is_refused_by_azure(edge: Edge, root: str, query: str, path: str) -> None:
    answer = edge.ask("GET", f"{root}/{path}", headers={"accept": "*/*"}, query=query)
    assert (answer.status, answer.body) == (400, b"The query string included invalid characters.")


@pytest.mark.parametrize("accept", [None, "application/dicom", "application/data", "text/html, image/*"])
@pytest.mark.parametrize("path", ["studies", "studies/no-uid/metadata", "studies/no-uid/series"])
def test_where_json_is_not_accepted_nothing_else_is_looked_at_and_azure_says_nothing(
    edge: Edge, path: str, accept: str | None
) -> None:
    headers = {} if accept is None else {"accept": accept}
    for root in AZURE_ROOTS:
        answer = edge.ask("GET", f"{root}/{path}", headers=headers)
        assert (answer.status, answer.body) == (406, b"")
    standard = edge.ask("GET", f"/dicom-web/{path}", headers=headers)
    assert (standard.status == 406) is (accept is not None)
    assert accept is None or b"application/dicom+json" in standard.body


@pytest.mark.parametrize("root", ["/dicom-web", *AZURE_ROOTS])
def test_the_service_says_what_it_offers(edge: Edge, root: str) -> None:
    answer = edge.ask("OPTIONS", root, headers={"accept": "application/json"})
    assert answer.status == 200
    described = {
        one["path"]: [each["name"] for each in one["methods"]] for one in orjson.loads(answer.body)["resources"]
    }
    assert "PUT" not in described["studies"] if root.startswith("/v1") else "PUT" in described["studies"]
    assert described["studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}"] == ["GET"]
    assert b"<application" in edge.ask("OPTIONS", f"{root}/").body


def test_a_resource_says_which_methods_it_has(edge: Edge) -> None:
    answer = edge.ask("OPTIONS", _instance_path())
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "DELETE, GET, OPTIONS", b"")
    assert edge.ask("OPTIONS", "/dicom-web/nothing").status == 404


RETRY = "If the issue persists, please contact support."


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (InvalidRequest("What to change."), 400, "What to change."),
        (Forbidden(), 403, "Authorization failed."),
        (NotFound("The specified study cannot be found."), 404, "The specified study cannot be found."),
        (NotAcceptable(), 406, "The request headers are not acceptable"),
        (InstanceExists(), 409, None),
        (TooLarge("The request exceeded the allowed limit of 7 bytes."), 413, None),
        (UnsupportedMediaType(), 415, None),
        (
            Overloaded(),
            503,
            f"The server is currently unable to receive requests. Please retry your request. {RETRY}",
        ),
        (RuntimeError("a secret"), 500, f"The server encountered an internal error. Please retry the request. {RETRY}"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_a_status_and_a_bare_sentence(edge: Edge, error: Exception, status: int, text: str | None) -> None:
    def fail(headers: object) -> Principal:
        raise error

    broken = replace(edge, service=replace(edge.service, authenticate=fail))
    for root in (*AZURE_ROOTS, "/dicom-web"):
        answer = broken.ask("GET", f"{root}/changefeed", as_described=False)
        assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
        assert answer.body.decode() == (text or str(error))
        assert ("retry-after" in answer.headers) is (status == 503)


def test_no_answer_shows_a_value_of_a_patient_where_it_refuses(edge: Edge) -> None:
    secret = make_instance(identify(1), seed=1).content
    refusals = [edge.post([secret]), edge.post([secret[:-3000]]), edge.post([secret[:300]])]
    assert all(b"Test^Durability" not in answer.body for answer in refusals)
