"""What of a certificate the AE table holds callers against, with echoscu of DCMTK over TLS, and peers that we call."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.support.certificates import Authority, Identity
from tests.support.command_line import CommandLine
from tests.support.peers import require
from tests.support.processes import Node, free_port, is_listening, serve

pytestmark = pytest.mark.interop

AE_TITLE = "NODE"
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Listening:
    """A node whose callers are held against their certificates, and two certificates."""

    node: Node
    port: int
    authority: Authority
    ours: Identity
    other: Identity

    def echo(self, calling: str, identity: Identity) -> subprocess.CompletedProcess[str]:
        """Call as an AE with a certificate."""
        return subprocess.run(
            [
                *(require("echoscu"), "-v", "-aet", calling, "-aec", AE_TITLE),
                *("+tls", str(identity.key), str(identity.certificate)),
                *("+cf", str(self.authority.certificate), "127.0.0.1", str(self.port)),
            ],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


def _fingerprint(path: Path) -> str:
    return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256()).hex(":").upper()


FORMS = {
    "ANY": "ct-1.hospital.example",
    "CN": "cn:CT-1",
    "DNS": "dns:ct-1.hospital.example",
    "IP": "ip:10.9.8.7",
    "URI": "uri:urn:oid:1.2.3",
    "SUBJECT": "subject:CN = ct-1",
    "SHA256": "sha256:{fingerprint}",
    "SEVERAL": "dns:elsewhere.example&subject=ip:fd00::7",
}


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    folder, port = tmp_path_factory.mktemp("names"), free_port()
    authority = Authority(folder / "authority")
    ours = authority.issue(
        "ct-1",
        alternatives=[
            x509.DNSName("ct-1.hospital.example"),
            x509.IPAddress(ipaddress.ip_address("10.9.8.7")),
            x509.IPAddress(ipaddress.ip_address("fd00::7")),
            x509.UniformResourceIdentifier("urn:oid:1.2.3"),
        ],
    )
    other, own = authority.issue("ct-2", alternatives=[x509.DNSName("ct-2.hospital.example")]), authority.issue("node")
    fingerprint = _fingerprint(ours.certificate)
    remotes = [
        f"{title}@127.0.0.1?subject={form.format(fingerprint=fingerprint).replace(' ', '%20')}"
        for title, form in FORMS.items()
    ]
    remotes.append("VOUCHED@127.0.0.1?subject=cn:ct-1&user=require")
    settings = {
        "dicom.tls_listen": f"{AE_TITLE}@127.0.0.1:{port}",
        "dicom.tls_certificate": str(own.certificate),
        "dicom.tls_key": str(own.key),
        "dicom.tls_authorities": str(authority.certificate),
        "dicom.remotes": ";".join(remotes),
    }
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    with serve(folder / "data", arguments=("--auth", "off", *sets)) as node:
        node.process.wait_until(lambda: is_listening(port))
        yield Listening(node, port, authority, ours, other)


@pytest.mark.parametrize("title", FORMS)
def test_a_certificate_fits_by_each_form_of_a_name_and_another_does_not(listening: Listening, title: str) -> None:
    fitting = listening.echo(title, listening.ours)
    assert fitting.returncode == 0, fitting.stderr
    refused = listening.echo(title, listening.other)
    assert refused.returncode != 0
    assert "Calling AE Title Not Recognized" in refused.stdout + refused.stderr


def test_the_log_shows_what_would_fit_the_certificate_that_was_shown(listening: Listening) -> None:
    listening.echo("DNS", listening.other)
    log = listening.node.process.log()
    assert "CN=ct-2" in log
    assert _fingerprint(listening.other.certificate).replace(":", "").lower() in log


def test_a_peer_that_we_call_is_held_against_its_certificate_too(listening: Listening, tmp_path: Path) -> None:
    ours = listening.ours
    keys = ("--ca", listening.authority.certificate, "--cert", ours.certificate, "--key", ours.key, "--as", "ANY")
    peer = f"{AE_TITLE}@127.0.0.1:{listening.port}?tls=on&subject="
    commands = CommandLine(tmp_path / "state")
    assert "over TLS" in commands.must("echo", f"{peer}cn:node", *keys)
    refused = commands.run("echo", f"{peer}dns:elsewhere.example", *keys)
    assert refused.code == 1
    assert "did not show a certificate for 'dns:elsewhere.example'" in refused.err


def test_a_certificate_vouches_for_the_name_of_a_user(listening: Listening, tmp_path: Path) -> None:
    ours, commands = listening.ours, CommandLine(tmp_path / "state")
    commands.must(
        *("user", "add", "jane", "--password-file", "-", "--data-dir", listening.node.data_dir),
        answer="correct horse battery\n",
    )
    keys = ("--ca", listening.authority.certificate, "--cert", ours.certificate, "--key", ours.key)
    peer = f"{AE_TITLE}@127.0.0.1:{listening.port}"
    assert "jane confirmed" in commands.must("echo", peer, "--as", "VOUCHED", "--user", "jane", *keys)
    for user in ((), ("--user", "joe")):
        refused = commands.run("echo", peer, "--as", "VOUCHED", *user, *keys)
        assert (refused.code, "rejected the association" in refused.err) == (1, True)
