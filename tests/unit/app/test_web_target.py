"""Services as they are configured, over real connections: who calls is shown, failures are told as what they are."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from isocenter.app.web_report import report_of, report_of_result
from isocenter.app.web_target import open_web_client
from isocenter.dicomweb.client.upload import InstanceSource, StoreResult
from isocenter.domain.errors import InvalidSetting, IsocenterError
from isocenter.domain.identifiers import Level
from isocenter.routing.configuration.destination import (
    Authentication,
    BasicAuthentication,
    KeyAuthentication,
    OAuthAuthentication,
    WebTarget,
)
from isocenter.routing.deliveries.report import (
    HttpAnswered,
    InstanceFailed,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)
from tests.support.azure_stand_in import StandIn, Told, rows, standing_in
from tests.support.certificates import Authority
from tests.support.processes import free_port

SECRETS = {"hush": "s3cret", "key-password": "opens"}


@pytest.fixture
def service() -> Iterator[StandIn]:
    with standing_in() as running:
        running.on("GET", "/studies", rows())
        yield running


def _read_secret(name: str) -> str:
    if name not in SECRETS:
        raise InvalidSetting(f"There is no secret {name}.")
    return SECRETS[name]


def _search(target: WebTarget, *, timeout_s: float = 10.0) -> None:
    with open_web_client(target, _read_secret, timeout_s=timeout_s) as client:
        client.search(Level.STUDY)


def _report(target: WebTarget, *, timeout_s: float = 10.0) -> Report:
    with pytest.raises(IsocenterError) as failure:
        _search(target, timeout_s=timeout_s)
    assert not any(secret in failure.value.message for secret in SECRETS.values())
    return report_of(failure.value)


@pytest.mark.parametrize(
    ("authentication", "header", "shown"),
    [
        (BasicAuthentication("me", "hush"), "authorization", "Basic " + base64.b64encode(b"me:s3cret").decode()),
        (KeyAuthentication("X-Api-Key", "hush"), "x-api-key", "s3cret"),
    ],
)
def test_who_calls_is_shown(service: StandIn, authentication: Authentication, header: str, shown: str) -> None:
    _search(WebTarget(service.url, authentication=authentication))
    assert service.asked[-1].headers[header] == shown


@pytest.mark.parametrize(
    ("purpose", "form"),
    [
        ({"scope": "api://x/.default"}, "scope=api%3A%2F%2Fx%2F.default"),
        ({"resource": "https://dicom.example"}, "resource=https%3A%2F%2Fdicom.example"),
    ],
)
def test_a_token_is_got_by_scope_or_by_resource(service: StandIn, purpose: dict[str, str], form: str) -> None:
    token = Told(200, json.dumps({"access_token": "t0ken", "expires_in": "3600"}).encode(), "application/json")
    service.on("POST", "/give", token)
    oauth = OAuthAuthentication(f"{service.url}/give", "me", "hush", **purpose)
    _search(WebTarget(service.url, authentication=oauth))
    asked, search = service.asked
    assert form in asked.content.decode().split("&")
    assert search.headers["authorization"] == "Bearer t0ken"


def test_a_token_that_is_refused_is_told_by_its_code(service: StandIn) -> None:
    service.on("POST", "/give", Told(401, b'{"error": "invalid_client"}', "application/json"))
    oauth = OAuthAuthentication(f"{service.url}/give", "me", "hush", scope="x")
    assert _report(WebTarget(service.url, authentication=oauth)) == TokenRefused("invalid_client")


@pytest.mark.parametrize(
    ("told", "report"),
    [
        (Told(429, headers={"Retry-After": "7"}), HttpAnswered(429, 7.0)),
        (Told(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:10 GMT", "Date": "x"}), HttpAnswered(503)),
        (Told(404), HttpAnswered(404)),
        (Told(302, headers={"Location": "/"}), HttpAnswered(302)),
        (Told(200, b"<html>", "text/html"), TransportFailed(TransportFault.ANSWER_GARBLED)),
        (Told(200, b"{", "application/json"), TransportFailed(TransportFault.ANSWER_GARBLED)),
        (Told(200, b"[      ]", closes_after=2), TransportFailed(TransportFault.CONNECTION_LOST)),
    ],
    ids=str,
)
def test_an_answer_is_told_as_it_was(service: StandIn, told: Told, report: Report) -> None:
    service.on("GET", "/studies", told)
    assert _report(WebTarget(service.url)) == report


def test_a_secret_that_is_missing_is_told_before_anything_is_sent(service: StandIn) -> None:
    with pytest.raises(InvalidSetting) as failure:
        open_web_client(WebTarget(service.url, authentication=KeyAuthentication("X", "none")), _read_secret)
    assert report_of(failure.value) == LocalFailed(LocalFault.SECRET_MISSING)
    assert service.asked == []


@contextmanager
def _answering(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Run a server that does something with its one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_nobody_there_is_told_apart_from_somebody_silent_or_rude() -> None:
    refused = _report(WebTarget(f"http://127.0.0.1:{free_port()}"))
    assert refused == TransportFailed(TransportFault.CONNECTION_REFUSED)
    with _answering(lambda connection: connection.recv(65536)) as port:
        assert _report(WebTarget(f"http://127.0.0.1:{port}")) == TransportFailed(TransportFault.CONNECTION_LOST)
    done = threading.Event()
    with _answering(lambda connection: done.wait(10)) as port:
        silent = _report(WebTarget(f"http://127.0.0.1:{port}"), timeout_s=0.1)
        done.set()
    assert silent == TransportFailed(TransportFault.ANSWER_TIMEOUT)
    with _answering(lambda connection: connection.sendall(b"SSH-2.0-x\r\n")) as port:
        spoken = _report(WebTarget(f"https://127.0.0.1:{port}"))
    assert spoken == TransportFailed(TransportFault.TLS_NOT_SPOKEN)


# ---- TLS


@contextmanager
def _over_tls(context: ssl.SSLContext) -> Iterator[int]:
    """Run a service that finds nothing, over TLS."""

    def answer(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(65536)
                secured.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        except OSError:
            return

    with _answering(answer) as port:
        yield port


def _server_context(
    authority: Authority,
    name: str,
    *,
    wants: Path | None = None,
    is_expired: bool = False,
    begins_in: timedelta = -timedelta(hours=1),
) -> ssl.SSLContext:
    identity = authority.issue(
        "service",
        alternatives=[x509.IPAddress(ipaddress.ip_address(name))],
        is_expired=is_expired,
        begins_in=begins_in,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    if wants is not None:
        context.load_verify_locations(wants)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_private_authority_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other", name="Other")
    with _over_tls(_server_context(authority, "127.0.0.1")) as port:
        _search(WebTarget(f"https://127.0.0.1:{port}", authority_file=str(authority.certificate)))
    with _over_tls(_server_context(authority, "127.0.0.1")) as port:
        target = WebTarget(f"https://127.0.0.1:{port}", authority_file=str(other.certificate))
        assert _report(target) == TransportFailed(TransportFault.TLS_UNTRUSTED)
    with _over_tls(_server_context(authority, "127.0.0.2")) as port:
        target = WebTarget(f"https://127.0.0.1:{port}", authority_file=str(authority.certificate))
        assert _report(target) == TransportFailed(TransportFault.TLS_WRONG_NAME)


def test_a_certificate_out_of_its_time_is_told_as_that(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    expired = _server_context(authority, "127.0.0.1", is_expired=True)
    early = _server_context(authority, "127.0.0.1", begins_in=timedelta(hours=1))
    for context in (expired, early):
        with _over_tls(context) as port:
            target = WebTarget(f"https://127.0.0.1:{port}", authority_file=str(authority.certificate))
            assert _report(target) == TransportFailed(TransportFault.TLS_EXPIRED)


def test_a_certificate_is_shown_where_the_service_asks_for_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    mine = authority.issue("router")
    with _over_tls(_server_context(authority, "127.0.0.1", wants=authority.certificate)) as port:
        _search(
            WebTarget(
                f"https://127.0.0.1:{port}",
                authority_file=str(authority.certificate),
                client_certificate_file=str(mine.certificate),
                client_key_file=str(mine.key),
            )
        )


@pytest.mark.parametrize(
    "target",
    [
        WebTarget("https://127.0.0.1:1", authority_file="none.pem"),
        WebTarget("https://127.0.0.1:1", client_certificate_file="none.pem", client_key_file="none.key"),
    ],
)
def test_certificates_that_cannot_be_read_are_told(target: WebTarget) -> None:
    with pytest.raises(InvalidSetting, match="PEM"):
        open_web_client(target, _read_secret)


SOURCE = InstanceSource("a", 1, lambda: iter(()))


@pytest.mark.parametrize(
    ("result", "report"),
    [
        (StoreResult(SOURCE), InstanceStored()),
        (StoreResult(SOURCE, warning_reason=0xB007), InstanceStored(0xB007)),
        (StoreResult(SOURCE, failure_reason=45070), InstanceFailed(45070)),
        (StoreResult(SOURCE, is_known=False), InstanceUnmentioned()),
        (StoreResult(SOURCE, is_known=False, http_status=400), HttpAnswered(400)),
    ],
)
def test_what_an_answer_says_of_an_instance(result: StoreResult, report: Report) -> None:
    assert report_of_result(result) == report


def test_nothing_is_asked_of_a_service_before_it_has_to_be(service: StandIn) -> None:
    with open_web_client(WebTarget(service.url), _read_secret):
        assert service.asked == []
