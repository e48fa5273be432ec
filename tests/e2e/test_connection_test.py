"""Connection tests against our node and against servers that fail in every way that certificates and ports can."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from isocenter.app.connection_testing.destination import (
    Circumstances,
    check_destination,
    check_dimse,
    check_web_archive,
    find_destination,
)
from isocenter.app.dimse_peer import DimsePeer, TlsFiles
from isocenter.app.secrets_by_name import SecretsByName
from isocenter.app.web_archive import WebArchive
from isocenter.domain.application_entity import parse_remote_ae
from isocenter.domain.errors import InvalidRequest, NotFound
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.connection_test.report import ConnectionReport, Outcome, Step, StepName
from tests.support.certificates import Authority, Identity
from tests.support.command_line import CommandLine
from tests.support.processes import free_port
from tests.support.secure_node import SecureNode, serve_securely

TIMEOUT_S = 5.0
SHORT_S = 0.3
"""For hosts that never answer."""


def _circumstances(**others: object) -> Circumstances:
    return Circumstances(datetime.now(UTC), **{"timeout_s": TIMEOUT_S, **others})  # type: ignore[arg-type]


def _step(report: ConnectionReport, name: StepName) -> Step:
    return next(step for step in report.steps if step.name is name)


@contextmanager
def _web_server(identity: Identity | None = None) -> Iterator[int]:
    """Run a web server that knows nothing of DICOM, with a certificate where one is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html>Welcome</html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
            """Say nothing."""

    class Server(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Take no notice of clients that hang up: that is what they are here for."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if identity is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(identity.certificate, identity.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _silent_host() -> Iterator[int]:
    """Accept connections and never say anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def secure_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    with serve_securely(tmp_path_factory.mktemp("secure")) as node:
        yield node


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_closed_port_is_told_from_a_host_that_is_not_there(tmp_path: Path) -> None:
    ended = CommandLine(tmp_path).run("test-connection", f"PACS@127.0.0.1:{free_port()}", "--json")
    report = json.loads(ended.out)
    steps = {step["step"]: step for step in report["steps"]}
    assert ended.code == 3
    assert (steps["tcp"]["outcome"], steps["tcp"]["code"]) == ("failed", "transport:connection-refused")
    assert steps["echo"]["outcome"] == "skipped"
    assert "We cannot use" in report["message"]


@pytest.mark.parametrize(
    ("address", "step"),
    [("PACS@127.0.0.1:{}", StepName.ASSOCIATION), ("http://127.0.0.1:{}/dicom-web", StepName.QIDO)],
)
def test_a_host_that_accepts_and_never_answers_is_not_waited_for(address: str, step: StepName) -> None:
    with _silent_host() as port:
        report = _check(address.format(port), _circumstances(timeout_s=SHORT_S))
    assert _step(report, StepName.TCP).outcome is Outcome.PASSED
    assert _step(report, step).code == "transport:answer-timeout"


def test_a_password_in_an_address_is_not_shown_and_a_port_that_is_none_is_told() -> None:
    port = free_port()
    report = _check(f"http://me:secret@127.0.0.1:{port}/x", _circumstances())
    assert (report.destination, report.address) == (f"http://127.0.0.1:{port}/x",) * 2
    with pytest.raises(InvalidRequest):
        _check("http://127.0.0.1:99999/x", _circumstances())


def test_a_host_that_accepts_and_does_not_shake_hands_is_not_waited_for() -> None:
    with _silent_host() as port:
        report = _check(f"https://127.0.0.1:{port}/dicom-web", _circumstances(timeout_s=SHORT_S))
    assert _step(report, StepName.TLS).code == "transport:answer-timeout"


def _check(address: str, circumstances: Circumstances) -> ConnectionReport:
    if address.startswith("http"):
        return check_web_archive(WebArchive(address), circumstances)
    return check_dimse(DimsePeer(parse_remote_ae(address)), circumstances, name=address)


def test_a_web_server_that_is_no_dicomweb_is_told_so() -> None:
    with _web_server() as port:
        report = _check(f"http://127.0.0.1:{port}/dicom-web", _circumstances())
    assert _step(report, StepName.QIDO).outcome is Outcome.FAILED
    assert "is the path right?" in _step(report, StepName.QIDO).happened


def test_a_certificate_that_nobody_vouches_for_is_shown_and_refused(authority: Authority) -> None:
    with _web_server(authority.issue("untrusted", alternatives=[x509.DNSName("localhost")])) as port:
        step = _step(_check(f"https://localhost:{port}/x", _circumstances()), StepName.TLS)
    assert step.code == "transport:tls-untrusted"
    assert dict(step.facts)["issuer"] == "Test Authority"


@pytest.mark.parametrize(
    ("name", "is_expired", "code"),
    [("localhost", True, "transport:tls-expired"), ("elsewhere.example", False, "transport:tls-wrong-name")],
)
def test_what_is_wrong_with_a_certificate_is_told(authority: Authority, name: str, is_expired: bool, code: str) -> None:
    identity = authority.issue(f"{name}-{is_expired}", alternatives=[x509.DNSName(name)], is_expired=is_expired)
    with _web_server(identity) as port:
        archive = WebArchive(f"https://localhost:{port}/x", authorities=authority.certificate)
        step = _step(check_web_archive(archive, _circumstances()), StepName.TLS)
    assert (step.outcome, step.code) == (Outcome.FAILED, code)
    assert dict(step.facts)["names"] == name


def test_a_certificate_that_expires_soon_is_a_warning(authority: Authority) -> None:
    with _web_server(authority.issue("soon", alternatives=[x509.DNSName("localhost")])) as port:
        archive = WebArchive(f"https://localhost:{port}/x", authorities=authority.certificate)
        step = _step(check_web_archive(archive, _circumstances()), StepName.TLS)
    assert step.outcome is Outcome.WARNED
    assert "expires in 1 days" in step.advice


def test_a_port_that_speaks_no_tls_is_told_so() -> None:
    with _web_server() as port:
        report = _check(f"https://127.0.0.1:{port}/x", _circumstances())
        peer = DimsePeer(parse_remote_ae(f"PACS@127.0.0.1:{port}?tls=on"))
        by_dimse = check_dimse(peer, _circumstances(tls_files=TlsFiles()), name="pacs")
    for one in (report, by_dimse):
        assert _step(one, StepName.TLS).code == "transport:tls-not-spoken"


def test_a_service_that_speaks_tls_and_is_called_without_is_told_apart(secure_node: SecureNode) -> None:
    report = _check(secure_node.base_url.replace("https://", "http://") + "/dicom-web", _circumstances())
    assert _step(report, StepName.QIDO).happened.startswith("The other side speaks TLS on this port")


def test_our_node_passes_every_step_with_a_token_and_keeps_no_image(secure_node: SecureNode) -> None:
    token = secure_node.token(secure_node.register("tester", "--role", "owner"))
    archive = WebArchive(secure_node.base_url, token=token, authorities=secure_node.authority)
    report = check_web_archive(archive, _circumstances(stores=True))
    assert {step.name: step.outcome for step in report.steps} == {
        StepName.DNS: Outcome.PASSED,
        StepName.TCP: Outcome.PASSED,
        StepName.TLS: Outcome.PASSED,
        StepName.TOKEN: Outcome.PASSED,
        StepName.QIDO: Outcome.PASSED,
        StepName.WADO: Outcome.SKIPPED,
        StepName.STORE: Outcome.PASSED,
    }
    with secure_node.client({"Authorization": f"Bearer {token}"}) as client:
        assert client.get("/dicom-web/studies").status_code in (200, 204)
        assert client.get("/dicom-web/studies").content in (b"", b"[]")


def test_what_is_shown_to_a_node_is_told_apart(secure_node: SecureNode) -> None:
    reader = secure_node.token(secure_node.register("reader", "--role", "reader"))
    shown = {
        None: (StepName.TOKEN, Outcome.FAILED),
        "nonsense": (StepName.TOKEN, Outcome.FAILED),
        reader: (StepName.STORE, Outcome.FAILED),
    }
    for token, (name, outcome) in shown.items():
        archive = WebArchive(secure_node.base_url, token=token, authorities=secure_node.authority)
        report = check_web_archive(archive, _circumstances(stores=True))
        assert _step(report, name).outcome is outcome
        assert [step.name for step in report.steps if step.outcome is Outcome.FAILED] == [name]


CONFIGURATION = """
[destinations.cloud]
kind = "dicomweb"
url = "{url}/dicom-web"
authority_file = "{authority}"
authentication = {{ kind = "oauth2", token_url = "{url}/{tenant}/oauth2/v2.0/token", client_id = "{client}", \
client_secret = "cloud-secret", scope = "https://dicom.healthcareapis.azure.com/.default" }}

[destinations.disk]
kind = "folder"
path = "{folder}"
"""


def test_destinations_of_a_configuration_are_tested_with_their_secrets(secure_node: SecureNode, tmp_path: Path) -> None:
    one = secure_node.register("configured", "--role", "owner")
    text = CONFIGURATION.format(
        url=secure_node.base_url,
        authority=secure_node.authority,
        tenant=one.tenant_id,
        client=one.client_id,
        folder=tmp_path,
    )
    configuration = read_configuration(text, file="channels.toml").configuration
    cloud = find_destination(configuration, "cloud")

    def check(secret: str) -> ConnectionReport:
        secrets = SecretsByName(tmp_path, {"ISOCENTER_SECRET_CLOUD_SECRET": secret} if secret else {})
        return check_destination(cloud, _circumstances(), read_secret=secrets.read)

    assert check(one.secret).is_sound
    assert _step(check("wrong"), StepName.TOKEN).code == "token:invalid_client"
    assert _step(check(""), StepName.CONFIGURATION).code == "local:secret-missing"
    disk = find_destination(configuration, "disk")
    assert check_destination(disk, _circumstances(), read_secret=str).is_sound
    with pytest.raises(NotFound, match="there are: cloud, disk"):
        find_destination(configuration, "cluod")
