"""What a certificate must have to fit an application entity: one of its names, its whole subject, or its fingerprint.

A name stands bare (`ct1.hospital.example`) and then fits whichever kind of name it is, or behind its kind, and then
fits that alone: `dns:ct1.hospital.example`, `ip:10.1.2.3`, `uri:urn:oid:1.2.3`, `cn:CT 1`, `subject:CN=CT 1,O=A`,
`sha256:9F:86:...`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.errors import InvalidRequest

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COLONS = re.compile(r"(?:[0-9a-f]{2}:){31}[0-9a-f]{2}")


class CertificateNameKind(StrEnum):
    """Where in a certificate a name stands (RFC 5280 4.1.2.6, 4.2.1.6)."""

    ANY = "any"
    """Common name, DNS name, IP address, URI or whole subject."""
    COMMON_NAME = "cn"
    DNS = "dns"
    IP = "ip"
    URI = "uri"
    SUBJECT = "subject"
    SHA256 = "sha256"
    """Not a name: the digest of this one certificate (its fingerprint)."""


@dataclass(frozen=True, slots=True)
class CertificateName:
    """A name that a certificate must have, in its one usual form."""

    kind: CertificateNameKind
    value: str

    def __str__(self) -> str:
        return self.value if self.kind is CertificateNameKind.ANY else f"{self.kind}:{self.value}"


def parse_certificate_name(text: str) -> CertificateName:
    """Return the name that a text stands for; raises InvalidRequest where it cannot be one."""
    written = text.strip()
    prefix, colon, rest = written.partition(":")
    kind = _kind(prefix) if colon else None
    if kind is None:
        kind, rest = _kind_of_bare(written), written
    value = _usual(kind, rest.strip())
    if not value or not value.isprintable():
        raise InvalidRequest(f"{text!r} is no name of a certificate.")
    return CertificateName(kind, value)


def usual_address(text: str) -> str | None:
    """Return an IP address in its one usual form, an IPv4 address in IPv6 clothes as IPv4; None for other text."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(parsed)


def _kind(prefix: str) -> CertificateNameKind | None:
    named = prefix.strip().lower()
    return next((kind for kind in CertificateNameKind if kind == named and kind is not CertificateNameKind.ANY), None)


def _kind_of_bare(text: str) -> CertificateNameKind:
    is_fingerprint = _COLONS.fullmatch(text.lower()) is not None
    return CertificateNameKind.SHA256 if is_fingerprint else CertificateNameKind.ANY


def _usual(kind: CertificateNameKind, text: str) -> str:
    if kind is CertificateNameKind.SHA256:
        digest = text.lower().replace(":", "")
        if not _DIGEST.fullmatch(digest):
            raise InvalidRequest("A fingerprint of a certificate is sha256: and 64 hexadecimal digits.")
        return digest
    if kind is CertificateNameKind.IP:
        address = usual_address(text)
        if address is None:
            raise InvalidRequest(f"{text!r} is no IP address.")
        return address
    return text
