"""Certificates for a test: an authority, and keys that it certifies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(days=2)
KEY_SIZE_BITS = 2048


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Certifies whom a test names."""

    def __init__(self, folder: Path, *, name: str = "Test Authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = rsa.generate_private_key(65537, KEY_SIZE_BITS)
        self._name = _name(name)
        certificate = _builder(self._name, self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = folder / "authority.pem"
        self.certificate.write_bytes(
            certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )

    def issue(
        self,
        common_name: str,
        *,
        alternatives: Sequence[x509.GeneralName] = (),
        is_expired: bool = False,
        begins_in: timedelta = -timedelta(hours=1),
    ) -> Identity:
        """Return a certificate for a name, and others, and its key."""
        key = rsa.generate_private_key(65537, KEY_SIZE_BITS)
        lasts = -timedelta(minutes=1) if is_expired else LIFETIME
        builder = _builder(_name(common_name), self._name, key.public_key(), lasts=lasts, begins_in=begins_in)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        identity = Identity(self._folder / f"{common_name}.pem", self._folder / f"{common_name}.key")
        identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        identity.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return identity


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey,
    *,
    lasts: timedelta = LIFETIME,
    begins_in: timedelta = -timedelta(hours=1),
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins_in)
        .not_valid_after(now + lasts)
    )
