from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from isocenter.domain.errors import InvalidSetting
from isocenter.identity.local_authority import (
    RENEWED_BEFORE,
    SERVER_LIFETIME,
    LocalAuthority,
    fingerprint,
    names_of,
    read_certificate,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = ["localhost", "127.0.0.1", "::1", "node.example"]


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    one = LocalAuthority(tmp_path / "tls")
    one.ensure_server(NAMES, now=NOW, node_name="node")
    return one


def test_the_certificate_is_for_every_name_and_passes_strict_verification(authority: LocalAuthority) -> None:
    server = read_certificate(authority.server_certificate)
    assert sorted(names_of(server)) == sorted(NAMES)
    store = Store([read_certificate(authority.certificate)])
    for name in ("localhost", "node.example"):
        verifier = PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName(name))
        assert verifier.verify(server, [])[0] == server


def test_certificate_and_key_can_be_served(authority: LocalAuthority) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(authority.server_certificate, authority.server_key)


def test_keys_are_for_their_owner_alone(authority: LocalAuthority) -> None:
    for key in (authority.key, authority.server_key):
        assert key.stat().st_mode & 0o777 == 0o600
    assert authority.folder.stat().st_mode & 0o077 == 0


def test_two_nodes_have_different_authorities(authority: LocalAuthority, tmp_path: Path) -> None:
    other = LocalAuthority(tmp_path / "other")
    other.ensure_authority(now=NOW, node_name="node")
    assert fingerprint(read_certificate(other.certificate)) != fingerprint(read_certificate(authority.certificate))


def test_nothing_is_made_anew_as_long_as_it_will_do(authority: LocalAuthority) -> None:
    before = authority.server_certificate.read_bytes()
    later = NOW + SERVER_LIFETIME - RENEWED_BEFORE - timedelta(days=1)
    assert not authority.ensure_server(NAMES[:2], now=later, node_name="node")
    assert authority.server_certificate.read_bytes() == before


@pytest.mark.parametrize(
    ("names", "later"),
    [(NAMES, SERVER_LIFETIME - RENEWED_BEFORE), ([*NAMES, "new.example"], timedelta(0))],
    ids=["about to expire", "another name"],
)
def test_a_certificate_is_made_anew_when_it_must_and_the_authority_stays(
    authority: LocalAuthority, names: list[str], later: timedelta
) -> None:
    trusted, before = authority.certificate.read_bytes(), authority.server_certificate.read_bytes()
    assert authority.ensure_server(names, now=NOW + later, node_name="node")
    assert authority.server_certificate.read_bytes() != before
    assert authority.certificate.read_bytes() == trusted
    assert set(names) <= set(names_of(read_certificate(authority.server_certificate)))


def test_a_crash_between_key_and_certificate_is_mended(authority: LocalAuthority, tmp_path: Path) -> None:
    other = LocalAuthority(tmp_path / "other")
    other.ensure_server(NAMES, now=NOW, node_name="node")
    authority.server_key.write_bytes(other.server_key.read_bytes())
    assert authority.ensure_server(NAMES, now=NOW, node_name="node")
    test_certificate_and_key_can_be_served(authority)


def test_the_authority_signs_servers_and_no_further_authorities(authority: LocalAuthority) -> None:
    certificate = read_certificate(authority.certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    with pytest.raises(InvalidSetting, match=r"x\.pem"):
        read_certificate(path)
    path.write_text("nothing")
    with pytest.raises(InvalidSetting, match=r"x\.pem"):
        read_certificate(path)
