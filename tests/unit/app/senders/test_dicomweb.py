"""The sender by STOW-RS, against a service on loopback that answers right and wrong (routing-and-gateway 3.2, 6.3)."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.app.senders.dicomweb import WebSender
from isocenter.app.senders.stow_batch import Service, ServiceKnowledge
from isocenter.app.web_target import authentication_of, tls_of
from isocenter.dicom.part10 import read_encoding
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.credentials import ClientCredentials, ClientSecret
from isocenter.domain.errors import CorruptInstance
from isocenter.routing.configuration.destination import (
    BasicAuthentication,
    KeyAuthentication,
    OAuthAuthentication,
    OnConflict,
    WebProfile,
    WebTarget,
)
from isocenter.routing.deliveries.report import (
    HttpAnswered,
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)
from isocenter.routing.deliveries.sender import Outgoing
from tests.support.certificates import Authority
from tests.support.dicom_files import file_of, implicit_element
from tests.support.identity import Seconds
from tests.support.instances import CT_IMAGE_STORAGE, identify
from tests.support.processes import free_port
from tests.support.senders import CONVERTER, outgoing_of, sent, small_batch
from tests.support.small_instances import make_instance
from tests.support.stow_server import Answer, Request, Script, StowServer, store_all, stored, stow_server

SECRETS = {"password": "open sesame", "key": "k-123", "client-secret": "s3cret"}
TRANSFER_SYNTAX_IMPLICIT = "1.2.840.10008.1.2"


@cache
def _authorities_of_the_machine() -> ssl.SSLContext:
    """Return what a client trusts by default, read once: there are hundreds."""
    return ssl.create_default_context()


@contextmanager
def sender_to(target: WebTarget, *, on_conflict: OnConflict = OnConflict.SHELVE) -> Iterator[WebSender]:
    auth = authentication_of(target, SECRETS.__getitem__)
    tls = tls_of(target, SECRETS.__getitem__) or _authorities_of_the_machine()
    client = DicomwebClient(target.url, auth=auth, tls=tls, timeout_s=5.0)
    renew = auth.renew if isinstance(auth, ClientCredentials) else None
    sender = WebSender(Service(target, client, CONVERTER, ServiceKnowledge(), on_conflict, renew))
    try:
        yield sender
    finally:
        sender.close()


@contextmanager
def service(script: Script = store_all, **options: object) -> Iterator[tuple[StowServer, WebSender]]:
    with stow_server(script) as server:
        on_conflict = options.pop("on_conflict", OnConflict.SHELVE)
        assert isinstance(on_conflict, OnConflict)
        with sender_to(WebTarget(server.url, **options), on_conflict=on_conflict) as sender:  # type: ignore[arg-type]
            yield server, sender


def _implicit(number: int = 1) -> Outgoing:
    """Return an instance in implicit VR."""
    identifier = identify(instance=number)

    def padded(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    dataset = b"".join(
        [
            implicit_element(0x00080016, padded(CT_IMAGE_STORAGE)),
            implicit_element(0x00080018, padded(identifier.sop_instance_uid)),
            implicit_element(0x0020000D, padded(identifier.study_instance_uid)),
            implicit_element(0x0020000E, padded(identifier.series_instance_uid)),
        ]
    )
    return outgoing_of(file_of(dataset, TRANSFER_SYNTAX_IMPLICIT), number)


# ---- what is stored


def test_a_batch_goes_in_one_request_of_known_length() -> None:
    with service() as (server, sender):
        assert sent(sender, small_batch(20)).reports == [InstanceStored()] * 20
        (request,) = server.stores
    assert request.parts == [b"".join(one.read()) for one in small_batch(20)]
    assert "content-length" in request.headers
    assert "transfer-encoding" not in request.headers


def test_requests_keep_to_their_size() -> None:
    size_bytes = small_batch(1)[0].size_bytes
    with service(batch_size_bytes=size_bytes * 3) as (server, sender):
        assert len(sent(sender, small_batch(8)).reports) == 8
        assert [len(request.parts) for request in server.stores] == [3, 3, 2]


def test_only_what_is_listed_is_stored() -> None:
    with service(lambda request: stored(request.uids[:2])) as (_, sender):
        assert sent(sender, small_batch(3)).reports == [InstanceStored(), InstanceStored(), InstanceUnmentioned()]


def test_a_list_without_names_stores_nothing() -> None:
    nameless = {"00081199": {"vr": "SQ", "Value": [{}, {}]}}
    with service(lambda request: Answer(200, json.dumps(nameless).encode())) as (_, sender):
        assert sent(sender, small_batch(2)).reports == [InstanceUnmentioned(), InstanceUnmentioned()]


def test_warnings_are_told_with_their_reason() -> None:
    with service(lambda request: stored(request.uids, warned={request.uids[0]: 45063, request.uids[1]: 1})) as (
        _,
        sender,
    ):
        reports = sent(sender, small_batch(3)).reports
    assert reports == [InstanceStored(45063), InstanceStored(1), InstanceStored()]


@pytest.mark.parametrize("reason", [43264, 43265, 272, 45071, 0xA700, 0xC000, 0x0122])
def test_failures_are_told_with_their_reason_and_the_others_are_stored(reason: int) -> None:
    with service(lambda request: stored(request.uids[1:], failed={request.uids[0]: reason})) as (_, sender):
        assert sent(sender, small_batch(2)).reports == [InstanceFailed(reason), InstanceStored()]


# ---- what is refused as a whole


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_one_that_spoils_its_request_is_found(status: int) -> None:
    poison = small_batch(13)[6].identifier.sop_instance_uid

    def script(request: Request) -> Answer:
        return Answer(status, b"no", "text/plain") if poison in request.uids else stored(request.uids)

    with service(script) as (_, sender):
        reports = sent(sender, small_batch(13))
    assert reports.by_key == {n: HttpAnswered(status) if n == 7 else InstanceStored() for n in range(1, 14)}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(1, 24)))
def test_exactly_those_that_spoil_it_are_refused(poisoned: set[int]) -> None:
    batch = small_batch(24)
    uids = {one.identifier.sop_instance_uid for one in batch if one.delivery_key in poisoned}

    def script(request: Request) -> Answer:
        return Answer(400) if uids & set(request.uids) else stored(request.uids)

    with service(script) as (_, sender):
        told = sent(sender, batch).by_key
    assert {key for key, report in told.items() if report != InstanceStored()} == poisoned
    assert len(told) == 24


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error": "no"}', b"null"])
def test_a_conflict_that_names_nothing_is_one_of_the_whole_request(body: bytes) -> None:
    with service(lambda request: Answer(409, body)) as (_, sender):
        assert sent(sender, small_batch(2)).reports == [HttpAnswered(409)] * 2


def test_requests_become_smaller_for_a_service_that_calls_them_too_large() -> None:
    limit = small_batch(1)[0].size_bytes * 4

    def script(request: Request) -> Answer:
        return Answer(413) if sum(map(len, request.parts)) > limit else stored(request.uids)

    with service(script) as (server, sender):
        assert sent(sender, small_batch(16)).reports == [InstanceStored()] * 16
        server.requests.clear()
        assert sent(sender, small_batch(16)).reports == [InstanceStored()] * 16
        assert max(len(request.parts) for request in server.stores) <= 4
        assert len(server.stores) < 8


def test_one_that_is_itself_too_large_goes_to_a_person() -> None:
    with service(lambda request: Answer(413)) as (_, sender):
        assert sent(sender, small_batch(1)).reports == [HttpAnswered(413)]


# ---- what meets any instance


@pytest.mark.parametrize(
    ("answer", "report"),
    [
        (Answer(503, b"", headers={"Retry-After": "120"}), HttpAnswered(503, 120.0)),
        (Answer(429, b"", headers={"Retry-After": "7"}), HttpAnswered(429, 7.0)),
        (Answer(500), HttpAnswered(500)),
        (Answer(502, b"<html>", "text/html"), HttpAnswered(502)),
        (Answer(504), HttpAnswered(504)),
        (Answer(408), HttpAnswered(408)),
        (Answer(424), HttpAnswered(424)),
        (Answer(401), HttpAnswered(401)),
        (Answer(403), HttpAnswered(403)),
        (Answer(404), HttpAnswered(404)),
        (Answer(410), HttpAnswered(410)),
        (Answer(302, b"", headers={"Location": "https://elsewhere.example/"}), HttpAnswered(302)),
        (Answer(200, b"<html>welcome</html>", "text/html"), TransportFailed(TransportFault.ANSWER_GARBLED)),
        (Answer(200, b"{", "application/dicom+json"), TransportFailed(TransportFault.ANSWER_GARBLED)),
        (Answer(200, b"[1, 2]", "application/dicom+json"), TransportFailed(TransportFault.ANSWER_GARBLED)),
        (Answer(200, b""), TransportFailed(TransportFault.ANSWER_GARBLED)),
        (None, TransportFailed(TransportFault.CONNECTION_LOST)),
    ],
    ids=str,
)
def test_a_failure_of_the_service_is_told_once_and_nothing_else_is_tried(answer: Answer | None, report: Report) -> None:
    with service(lambda request: answer) as (server, sender):
        assert sent(sender, small_batch(5)).told[0][:2] == (1, report)
        assert len(server.stores) == 1


@pytest.mark.parametrize(
    "document",
    [
        {"00081199": []},
        {"00081199": {"Value": "no list"}},
        {"00081199": {"Value": [1, None, "x", []]}},
        {"00081199": {"Value": [{"00081155": {"Value": [{"a": 1}]}}]}},
        {"00081198": {"Value": [{"00081155": {"Value": ["1.2"]}, "00081197": {"Value": ["no number"]}}]}},
    ],
    ids=str,
)
def test_an_answer_of_nonsense_stores_nothing(document: Mapping[str, object]) -> None:
    with service(lambda request: Answer(200, json.dumps(document).encode())) as (_, sender):
        reports = sent(sender, small_batch(2)).reports
    assert not any(isinstance(report, InstanceStored) for report in reports)
    assert len(reports) == 2


def test_nobody_there_is_told() -> None:
    with sender_to(WebTarget(f"http://127.0.0.1:{free_port()}")) as sender:
        assert sent(sender, small_batch(3)).reports == [TransportFailed(TransportFault.CONNECTION_REFUSED)]


def test_a_service_that_hangs_up_in_the_middle_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20.0)
        with sender_to(WebTarget(f"http://127.0.0.1:{listener.getsockname()[1]}")) as sender:
            listener.close()
            reports = sent(sender, small_batch(3)).reports
    assert reports == [TransportFailed(TransportFault.CONNECTION_REFUSED)]


def test_one_that_breaks_connections_is_found_by_smaller_requests() -> None:
    batch = small_batch(8)
    poison = batch[0].identifier.sop_instance_uid
    waiting = {one.delivery_key: one for one in batch}
    with service(lambda request: None if poison in request.uids else stored(request.uids)) as (_, sender):
        for _ in range(8):
            for key, report in sent(sender, list(waiting.values())).by_key.items():
                if report == InstanceStored():
                    del waiting[key]
            waiting = dict(sorted(waiting.items(), key=lambda one: one[0] == 1))  # what failed is due later
    assert list(waiting) == [1]


# ---- certificates, tokens, keys


def test_a_certificate_of_nobody_whom_we_trust_is_told(tmp_path: Path) -> None:
    theirs = Authority(tmp_path / "theirs").issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs.certificate, theirs.key)
    with stow_server(tls=context) as server, sender_to(WebTarget(server.url)) as sender:
        assert sent(sender, small_batch(2)).reports == [TransportFailed(TransportFault.TLS_UNTRUSTED)]
        assert sender.probe() == TransportFailed(TransportFault.TLS_UNTRUSTED)


def test_a_service_without_tls_is_told(tmp_path: Path) -> None:
    with stow_server() as server, sender_to(WebTarget(server.url.replace("http:", "https:"))) as sender:
        assert sent(sender, small_batch(1)).reports == [TransportFailed(TransportFault.TLS_NOT_SPOKEN)]


@pytest.mark.parametrize(
    ("authentication", "header", "value"),
    [
        (BasicAuthentication("ada", "password"), "authorization", "Basic YWRhOm9wZW4gc2VzYW1l"),
        (KeyAuthentication("X-Api-Key", "key"), "x-api-key", "k-123"),
    ],
)
def test_evidence_goes_with_every_request(authentication: object, header: str, value: str) -> None:
    with service(authentication=authentication) as (server, sender):
        sent(sender, small_batch(1))
        sender.probe()
    assert [request.headers[header] for request in server.requests] == [value, value]


@pytest.mark.parametrize("purpose", [{"scope": "https://dicom/.default"}, {"resource": "https://dicom"}])
def test_tokens_are_got_by_scope_or_resource_and_shown(purpose: dict[str, str]) -> None:
    forms: list[Mapping[str, str]] = []

    def script(request: Request) -> Answer:
        if request.path == "/token":
            forms.append(request.form)
            return Answer(200, b'{"access_token": "t1", "expires_in": 3600}', "application/json")
        return store_all(request)

    with _with_tokens(script, **purpose) as (server, sender):
        assert sent(sender, small_batch(2)).reports == [InstanceStored()] * 2
        assert sent(sender, small_batch(2)).reports == [InstanceStored()] * 2
    assert [request.headers["authorization"] for request in server.stores] == ["Bearer t1", "Bearer t1"]
    assert forms == [{"grant_type": "client_credentials", "client_id": "us", "client_secret": "s3cret", **purpose}]


@contextmanager
def _with_tokens(script: Script, **purpose: str) -> Iterator[tuple[StowServer, WebSender]]:
    with stow_server(script) as server:
        oauth = OAuthAuthentication(f"{server.url}/token", "us", "client-secret", **purpose)
        with sender_to(WebTarget(f"{server.url}/v2", authentication=oauth)) as sender:
            yield server, sender


def test_a_service_that_refuses_a_token_is_suspended_after_one_more_try() -> None:
    def script(request: Request) -> Answer:
        if request.path == "/token":
            return Answer(200, b'{"access_token": "t1", "expires_in": 3600}', "application/json")
        return Answer(401)

    with _with_tokens(script, scope="x") as (server, sender):
        assert sent(sender, small_batch(3)).reports == [HttpAnswered(401)]
        assert len(server.stores) == 2


def test_a_token_that_was_withdrawn_is_renewed_at_once_and_the_request_sent_again() -> None:
    now = Seconds()
    issued: list[str] = []

    def script(request: Request) -> Answer:
        if request.path == "/token":
            issued.append(f"t{len(issued) + 1}")
            token = json.dumps({"access_token": issued[-1], "expires_in": 3600}).encode()
            return Answer(200, token, "application/json")
        is_good = request.headers["authorization"] == f"Bearer {issued[-1]}" and withdrawn != issued[-1]
        return store_all(request) if is_good else Answer(401)

    withdrawn = ""
    with stow_server(script) as server:
        credentials = ClientCredentials(
            ClientSecret("us", "s3cret", token_url=f"{server.url}/token", scope="x"), monotonic_s=now
        )
        client = DicomwebClient(server.url, auth=credentials)
        target = WebTarget(server.url)
        sender = WebSender(Service(target, client, CONVERTER, ServiceKnowledge(), renew=credentials.renew))
        assert sent(sender, small_batch(2)).reports == [InstanceStored()] * 2
        withdrawn = "t1"
        now.advance(60)
        assert sent(sender, small_batch(3)).reports == [InstanceStored()] * 3
        sender.close()
    assert issued == ["t1", "t2"]
    assert len(server.stores) == 3


def test_a_client_that_is_not_known_is_told_by_its_code() -> None:
    def script(request: Request) -> Answer:
        return Answer(401, b'{"error": "invalid_client"}', "application/json")

    with _with_tokens(script, scope="x") as (server, sender):
        assert sent(sender, small_batch(3)).reports == [TokenRefused("invalid_client")]
        assert server.stores == []


# ---- duplicates


def _holding(content: bytes, *, reason: int = 45070, replaces: bool = True) -> Script:
    """Answer as a service that holds an instance already."""

    def script(request: Request) -> Answer:
        if request.method == "POST":
            return stored([], failed=dict.fromkeys(request.uids, reason))
        if request.method == "PUT":
            return stored(request.uids) if replaces else Answer(405)
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--b--\r\n"
        return Answer(200, body, 'multipart/related; type="application/dicom"; boundary=b')

    return script


OURS = make_instance(identify(), seed=1).content
THEIRS = make_instance(identify(), seed=2).content


@pytest.mark.parametrize("reason", [45070, 0x0111])
def test_what_is_there_already_is_compared_and_the_same(reason: int) -> None:
    rewritten = _with_other_head(OURS)
    with service(_holding(rewritten, reason=reason)) as (_, sender):
        assert sent(sender, [outgoing_of(OURS)]).reports == [InstanceIdentical()]


def _with_other_head(content: bytes) -> bytes:
    """Return a file as an archive writes it that makes its own meta information."""
    offset = read_encoding(content)[1]
    return file_of(content[offset:])


def test_another_one_under_the_same_uid_is_told() -> None:
    with service(_holding(THEIRS)) as (server, sender):
        assert sent(sender, [outgoing_of(OURS)]).reports == [InstanceDiffers()]
        assert [request.method for request in server.requests] == ["POST", "GET"]


def test_it_is_replaced_where_the_destination_says_so_and_the_service_can() -> None:
    with service(_holding(THEIRS), profile=WebProfile.AZURE, on_conflict=OnConflict.REPLACE) as (server, sender):
        assert sent(sender, [outgoing_of(OURS)]).reports == [InstanceStored()]
        assert [request.method for request in server.requests] == ["POST", "GET", "PUT"]


def test_what_is_the_same_is_not_replaced() -> None:
    with service(_holding(OURS), profile=WebProfile.AZURE, on_conflict=OnConflict.REPLACE) as (server, sender):
        assert sent(sender, [outgoing_of(OURS)]).reports == [InstanceIdentical()]
        assert "PUT" not in [request.method for request in server.requests]


def test_a_service_that_knows_no_replacing_is_asked_for_none() -> None:
    with service(_holding(THEIRS), on_conflict=OnConflict.REPLACE) as (_, sender):
        assert sent(sender, [outgoing_of(OURS)]).reports == [InstanceDiffers()]


@pytest.mark.parametrize("answer", [Answer(404), Answer(406), Answer(200, b"nothing of the sort", "text/plain")])
def test_what_cannot_be_compared_is_left_to_a_person(answer: Answer) -> None:
    def script(request: Request) -> Answer:
        return stored([], failed=dict.fromkeys(request.uids, 45070)) if request.method == "POST" else answer

    with service(script) as (_, sender):
        (report,) = sent(sender, [outgoing_of(OURS)]).reports
    assert report in (InstanceFailed(45070), TransportFailed(TransportFault.ANSWER_GARBLED))


def test_where_the_copy_cannot_be_had_now_it_is_compared_later() -> None:
    def script(request: Request) -> Answer:
        return stored([], failed=dict.fromkeys(request.uids, 45070)) if request.method == "POST" else Answer(503)

    with service(script) as (_, sender):
        assert sent(sender, [outgoing_of(OURS)]).reports == [HttpAnswered(503)]


def test_a_copy_in_another_syntax_is_not_taken_for_another_instance() -> None:
    with service(_holding(b"".join(_implicit().read()))) as (_, sender):
        assert sent(sender, [outgoing_of(OURS)]).reports == [InstanceFailed(45070)]


# ---- syntaxes


def _syntaxes(request: Request) -> list[str]:
    return [read_encoding(part)[0].transfer_syntax_uid for part in request.parts]


def test_azure_gets_explicit_vr_from_the_start() -> None:
    with service(profile=WebProfile.AZURE) as (server, sender):
        assert sent(sender, [_implicit(), *small_batch(1, first=2)]).reports == [InstanceStored()] * 2
        assert [_syntaxes(request) for request in server.stores] == [["1.2.840.10008.1.2.1"] * 2]


def test_others_get_instances_as_they_are() -> None:
    with service() as (server, sender):
        sent(sender, [_implicit()])
        assert _syntaxes(server.stores[0]) == [TRANSFER_SYNTAX_IMPLICIT]


@pytest.mark.parametrize("refusal", [Answer(415), Answer(409), None])
def test_who_refuses_implicit_vr_gets_explicit_and_is_remembered(refusal: Answer | None) -> None:
    def script(request: Request) -> Answer:
        if TRANSFER_SYNTAX_IMPLICIT not in _syntaxes(request):
            return stored(request.uids)
        return refusal or stored([], failed=dict.fromkeys(request.uids, 272))

    with service(script) as (server, sender):
        assert sent(sender, [_implicit(1)]).reports == [InstanceStored()]
        server.requests.clear()
        assert sent(sender, [_implicit(2), _implicit(3)]).reports == [InstanceStored()] * 2
        assert len(server.stores) == 1


# ---- what cannot be read here


def test_an_instance_that_is_damaged_here_leaves_the_others_alone() -> None:
    def damaged() -> Iterator[bytes]:
        yield from ()
        raise CorruptInstance

    batch = small_batch(4)
    batch[2] = replace(batch[2], read=damaged)
    with service() as (_, sender):
        told = sent(sender, batch).by_key
    assert told == {n: InstanceStored() if n != 3 else LocalFailed(LocalFault.INSTANCE_CORRUPT) for n in range(1, 5)}


# ---- probes


@pytest.mark.parametrize(
    ("answer", "report"),
    [
        (Answer(200, b"[]"), None),
        (Answer(204), None),
        (Answer(405), None),
        (Answer(400), None),
        (Answer(503), HttpAnswered(503)),
        (Answer(404), HttpAnswered(404)),
        (Answer(401), HttpAnswered(401)),
        (Answer(200, b"<html>", "text/html"), TransportFailed(TransportFault.ANSWER_GARBLED)),
    ],
    ids=str,
)
def test_a_probe_is_a_search_for_one_study(answer: Answer, report: Report | None) -> None:
    with service(lambda request: answer) as (server, sender):
        assert sender.probe() == report
        assert [(request.method, request.path) for request in server.requests] == [("GET", "/studies")]
