"""A certificate authority of the node's own, made at the first start: clients of Azure insist on https.

    authority.pem, authority.key      ten years; what clients are told to trust
    server.pem, server.key            for a year, made anew in time and whenever the names of the node change

Keys are for their owner alone. With a certificate from elsewhere (`http.tls_certificate`) none of this is used.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from isocenter.domain.errors import InvalidSetting

AUTHORITY_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=397)
"""The longest that strict clients take."""
RENEWED_BEFORE = timedelta(days=60)
BACKDATED = timedelta(hours=1)
"""For clients whose clock is behind."""
NAMES_MAX = 100
COMMON_NAME_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True)
class LocalAuthority:
    """The files of the authority in a data folder."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """Return the certificate that clients are told to trust."""
        return self.folder / "authority.pem"

    @property
    def key(self) -> Path:
        """Return its key."""
        return self.folder / "authority.key"

    @property
    def server_certificate(self) -> Path:
        """Return the certificate of the node, with the authority's behind it."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """Return its key."""
        return self.folder / "server.key"

    def ensure_authority(self, *, now: datetime, node_name: str) -> x509.Certificate:
        """Return the authority's certificate; it is made where there is none."""
        if self.certificate.exists() and self.key.exists():
            return read_certificate(self.certificate)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"isocenter local authority of {node_name}")
        certificate = (
            _begin(name, name, key.public_key(), now=now, lifetime=AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        _write(self.key, _key_pem(key), mode=0o600)
        _write(self.certificate, certificate.public_bytes(Encoding.PEM), mode=0o644)
        return certificate

    def ensure_server(self, names: Sequence[str], *, now: datetime, node_name: str) -> bool:
        """Make a certificate for these names unless one is there that will do; return whether one was made."""
        authority = self.ensure_authority(now=now, node_name=node_name)
        wanted = list(dict.fromkeys(name.lower() for name in names))[:NAMES_MAX]
        if self._will_do(authority, wanted, now):
            return False
        signing_key = load_pem_private_key(self.key.read_bytes(), None)
        assert isinstance(signing_key, ec.EllipticCurvePrivateKey), "the key is one that ensure_authority made"
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _begin(_name(node_name), authority.subject, key.public_key(), now=now, lifetime=SERVER_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(_alternatives(wanted)), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
            .sign(signing_key, SHA256())
        )
        chain = certificate.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)
        _write(self.server_key, _key_pem(key), mode=0o600)
        _write(self.server_certificate, chain, mode=0o644)
        return True

    def _will_do(self, authority: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
        if not self.server_certificate.exists() or not self.server_key.exists():
            return False
        certificate = read_certificate(self.server_certificate)
        if certificate.issuer != authority.subject or not _belongs(certificate, self.server_key):
            return False
        if now + RENEWED_BEFORE >= certificate.not_valid_after_utc:
            return False
        return set(names) <= set(names_of(certificate))


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses that a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def fingerprint(certificate: x509.Certificate) -> str:
    """Return by what people compare certificates: SHA-256, in pairs."""
    return certificate.fingerprint(SHA256()).hex(":").upper()


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - BACKDATED)
        .not_valid_after(now.astimezone(UTC) + lifetime)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:COMMON_NAME_LENGTH_MAX])])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    return [_alternative(name) for name in names]


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _belongs(certificate: x509.Certificate, key_path: Path) -> bool:
    try:
        public = load_pem_private_key(key_path.read_bytes(), None).public_key()
    except ValueError:
        return False
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public.public_bytes(*form) == certificate.public_key().public_bytes(*form)


def read_certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a file; raises InvalidSetting where there is none."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (ValueError, IndexError) as error:
        raise InvalidSetting(f"{path} is not a certificate in PEM form.") from error
    except OSError as error:
        raise InvalidSetting(f"{path} cannot be read: {error.strerror}.") from error


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file whole or not at all, never readable by others before its mode is set."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
