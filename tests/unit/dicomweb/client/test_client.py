from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import httpx
import pytest

from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.upload import InstanceSource
from isocenter.dicomweb.codec.multipart import (
    MultipartDecoder,
    PartData,
    encode_closing,
    encode_part_header,
    multipart_content_type,
)
from isocenter.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    IsocenterError,
    NotAcceptable,
    NotFound,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from isocenter.domain.identifiers import Level, Scope

JSON = {"Content-Type": "application/dicom+json"}
Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler) -> DicomwebClient:
    return DicomwebClient(
        "http://user:secret@host:1/dicom-web/",
        transport=httpx.MockTransport(handler),
        new_boundary=lambda: "frontier",
    )


def answering(response: httpx.Response) -> DicomwebClient:
    return client(lambda request: response)


def source(content: bytes, sop_instance_uid: str) -> InstanceSource:
    def read() -> Iterator[bytes]:
        yield content

    return InstanceSource(sop_instance_uid, len(content), read, sop_instance_uid)


def multipart(contents: list[bytes], *, is_cut: bool = False) -> httpx.Response:
    header = encode_part_header("b", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
    body = b"".join(header + content for content in contents) + (b"" if is_cut else encode_closing("b"))
    return httpx.Response(200, headers={"Content-Type": multipart_content_type("b", "application/dicom")}, content=body)


def test_instances_go_out_in_batches_and_come_back_as_results() -> None:
    bodies: list[list[bytes]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/dicom-web/studies")
        assert request.headers["Content-Length"] == str(len(request.content))
        decoder = MultipartDecoder("frontier")
        data = [bytes(event.data) for event in decoder.feed(request.content) if isinstance(event, PartData)]
        decoder.close()
        bodies.append(data)
        items = [{"00081155": {"vr": "UI", "Value": [content.decode()]}} for content in data]
        return httpx.Response(200, headers=JSON, json={"00081199": {"vr": "SQ", "Value": items}})

    sent: list[int] = []
    sources = [source(uid.encode(), uid) for uid in ("1.1", "1.2", "1.3")]
    with client(handler) as service:
        results = list(service.store(sources, batch_size_bytes=6, on_sent=sent.append))
    assert bodies == [[b"1.1", b"1.2"], [b"1.3"]]
    assert [(each.source.name, each.is_stored) for each in results] == [("1.1", True), ("1.2", True), ("1.3", True)]
    assert len(sent) == 2


def test_a_conflict_with_an_answer_says_why_of_each_instance() -> None:
    items = [
        {"00081155": {"vr": "UI", "Value": ["1.1"]}, "00081197": {"vr": "US", "Value": [45070]}},
    ]
    response = httpx.Response(409, headers=JSON, json={"00081198": {"vr": "SQ", "Value": items}})
    with answering(response) as service:
        (result,) = service.store([source(b"x", "1.1")])
    assert result.failure_reason == 45070


def test_a_batch_that_is_refused_for_one_instance_is_sent_in_halves() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        events = MultipartDecoder("frontier").feed(request.content)
        data = [bytes(event.data) for event in events if isinstance(event, PartData)]
        if b"bad" in data:
            return httpx.Response(400, text="not DICOM")
        items = [{"00081155": {"vr": "UI", "Value": [content.decode()]}} for content in data]
        return httpx.Response(200, headers=JSON, json={"00081199": {"vr": "SQ", "Value": items}})

    sent: list[int] = []
    sources = [source(content, content.decode()) for content in (b"1.1", b"1.2", b"bad", b"1.4")]
    with client(handler) as service:
        results = list(service.store(sources, on_sent=sent.append))
    assert [each.is_stored for each in results] == [True, True, False, True]
    assert results[2].error_comments == ("http://host:1/dicom-web answered 400: not DICOM",)
    assert min(sent) < 0
    once = [size for size in sent if size > 0]
    assert sum(sent) < sum(once), "what had to go again is taken back"


def test_a_search_asks_below_its_scope_and_returns_rows() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/dicom-web/studies/1.2/series"
        assert parse_qsl(request.url.query.decode()) == [("Modality", "CT"), ("Modality", "MR")]
        assert request.headers["Accept"] == "application/dicom+json"
        return httpx.Response(200, headers=JSON, json=[{"0020000E": {"vr": "UI", "Value": ["1"]}}])

    with client(handler) as service:
        rows = service.search(Level.SERIES, [("Modality", "CT"), ("Modality", "MR")], within=Scope("1.2"))
    assert rows == [{"0020000E": {"vr": "UI", "Value": ["1"]}}]


def test_no_content_is_no_rows() -> None:
    with answering(httpx.Response(204)) as service:
        assert service.search(Level.STUDY) == []


def test_metadata_is_asked_of_the_scope() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=JSON, json=[{"path": request.url.path}])

    with client(handler) as service:
        assert service.metadata(Scope("1", "2", "3")) == [
            {"path": "/dicom-web/studies/1/series/2/instances/3/metadata"}
        ]


def test_instances_are_retrieved_part_by_part() -> None:
    with answering(multipart([b"one", b"", b"three" * 1000])) as service:
        found = [(each.transfer_syntax_uid, b"".join(map(bytes, each.chunks))) for each in service.retrieve(Scope("1"))]
    assert found == [("1.2.840.10008.1.2.1", content) for content in (b"one", b"", b"three" * 1000)]


def test_what_is_not_read_of_an_instance_does_not_spoil_the_next() -> None:
    with answering(multipart([b"one", b"two"])) as service:
        retrieved = service.retrieve(Scope("1"))
        next(retrieved)
        assert b"".join(map(bytes, next(retrieved).chunks)) == b"two"


def test_a_single_part_is_one_instance() -> None:
    headers = {"Content-Type": "application/dicom; transfer-syntax=1.2.840.10008.1.2"}
    with answering(httpx.Response(200, headers=headers, content=b"one")) as service:
        (found,) = [
            (each.transfer_syntax_uid, b"".join(map(bytes, each.chunks))) for each in service.retrieve(Scope("1"))
        ]
    assert found == ("1.2.840.10008.1.2", b"one")


def test_an_answer_that_ends_early_is_worth_another_try() -> None:
    with answering(multipart([b"one"], is_cut=True)) as service:
        retrieved = service.retrieve(Scope("1"))
        chunks = next(retrieved).chunks
        with pytest.raises(Unavailable, match="ended early"):
            list(chunks)


def test_a_transfer_syntax_can_be_asked_for() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept"] == 'multipart/related; type="application/dicom"; transfer-syntax=1.2.3'
        return multipart([])

    with client(handler) as service:
        assert list(service.retrieve(Scope("1"), transfer_syntax="1.2.3")) == []


def test_delete_names_the_scope() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("DELETE", "/dicom-web/studies/1/series/2")
        return httpx.Response(204)

    with client(handler) as service:
        service.delete(Scope("1", "2"))


def test_a_token_is_shown_to_the_service() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer abc"
        return httpx.Response(204)

    with DicomwebClient("http://host", token="abc", transport=httpx.MockTransport(handler)) as service:
        service.search(Level.STUDY)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequest),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (406, NotAcceptable),
        (409, Conflict),
        (413, TooLarge),
        (415, UnsupportedMediaType),
        (418, InvalidRequest),
        (500, Unavailable),
        (503, Unavailable),
        (507, StorageFull),
    ],
)
def test_a_refusal_is_an_error_of_the_tree_in_the_words_of_the_service(
    status: int, error: type[IsocenterError]
) -> None:
    with (
        answering(httpx.Response(status, text="because\nof this")) as service,
        pytest.raises(error, match=f"^http://host:1/dicom-web answered {status}: because of this$"),
    ):
        service.metadata(Scope("1"))


def test_a_page_of_html_is_not_handed_on() -> None:
    with answering(httpx.Response(404, html="<p>lost</p>")) as service, pytest.raises(NotFound) as refusal:
        service.metadata(Scope("1"))
    assert "<p>" not in refusal.value.message


def test_a_service_without_studies_is_none() -> None:
    with answering(httpx.Response(404)) as service, pytest.raises(InvalidRequest, match="did not answer as a DICOMweb"):
        service.search(Level.STUDY)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, html="<p>hello</p>"),
        httpx.Response(200, headers=JSON, content=b"{no json"),
        httpx.Response(200, headers=JSON, json="text"),
        httpx.Response(302, headers={"Location": "/login"}),
    ],
)
def test_what_is_no_dicomweb_service_is_told_so(response: httpx.Response) -> None:
    for ask in (
        lambda service: service.search(Level.STUDY),
        lambda service: list(service.store([source(b"x", "1")])),
        lambda service: list(service.retrieve(Scope("1"))),
    ):
        with (
            answering(response) as service,
            pytest.raises(InvalidRequest, match="did not answer as a DICOMweb service"),
        ):
            ask(service)


def test_secrets_of_the_address_are_never_shown() -> None:
    with answering(httpx.Response(500)) as service, pytest.raises(Unavailable) as refusal:
        service.search(Level.STUDY)
    assert "secret" not in refusal.value.message
    assert "secret" not in service.service


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (httpx.ReadTimeout("slow"), "did not answer in time"),
        (httpx.ReadError("cut"), "The connection to http://host:1/dicom-web broke: ReadError"),
        (httpx.LocalProtocolError("Too little data"), "changed while it was read"),
        (httpx.ConnectError("refused"), "Nothing answers at http://host:1/dicom-web: refused"),
    ],
)
def test_a_connection_that_fails_is_worth_another_try(failure: httpx.TransportError, words: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise failure

    with client(handler) as service, pytest.raises(Unavailable, match=words):
        list(service.store([source(b"x", "1")]))


def test_a_conflict_without_an_answer_is_an_error() -> None:
    with answering(httpx.Response(409, text="busy")) as service, pytest.raises(Conflict, match="busy"):
        list(service.store([source(b"x", "1")]))


def test_a_long_reason_is_cut() -> None:
    with answering(httpx.Response(500, text="x" * 10_000)) as service, pytest.raises(Unavailable) as refusal:
        service.search(Level.STUDY)
    assert len(refusal.value.message) < 1_000


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with DicomwebClient(f"http://127.0.0.1:{port}") as service, pytest.raises(Unavailable, match="Nothing answers at"):
        service.search(Level.STUDY)


@pytest.mark.parametrize("address", ["", "host/dicom-web", "ftp://host", "http://", "http://[::1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^The address of the service"):
        DicomwebClient(address)
