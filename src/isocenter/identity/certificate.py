"""What a verified certificate says of its owner, and whether that fits what the AE table asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.domain.certificate_name import CertificateName, CertificateNameKind, usual_address


@dataclass(frozen=True, slots=True)
class Certificate:
    """The names in a certificate that TLS has verified."""

    common_names: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    subject: str = ""
    """The whole subject, `CN=...,O=...`, in the order of the certificate."""
    sha256: str = ""
    """Its fingerprint as 64 hexadecimal digits, nothing where only its names are known."""

    def fits(self, name: CertificateName) -> bool:
        """Tell whether it has a name; a wildcard in it stands for nothing but itself."""
        kind, wanted = name.kind, name.value
        if kind is CertificateNameKind.SHA256:
            return self.sha256 == wanted
        if kind is CertificateNameKind.URI:
            return wanted in self.uris
        folded = wanted.casefold()
        if kind is CertificateNameKind.ANY:
            return (
                folded in _folded(*self.common_names, *self.dns_names)
                or usual_address(wanted) in self.addresses
                or wanted in self.uris
                or self._has_subject(wanted)
            )
        if kind is CertificateNameKind.SUBJECT:
            return self._has_subject(wanted)
        if kind is CertificateNameKind.IP:
            return wanted in self.addresses
        return folded in _folded(*(self.common_names if kind is CertificateNameKind.COMMON_NAME else self.dns_names))

    def describe(self) -> str:
        """Return by what an operator recognizes it."""
        names = self.subject or ", ".join((*self.dns_names, *self.addresses, *self.uris))
        return f"{names!r}" + (f" (sha256:{self.sha256})" if self.sha256 else "")

    def _has_subject(self, wanted: str) -> bool:
        parts = _parts(self.subject)
        return bool(parts) and _parts(wanted) in (parts, parts[::-1])  # RFC 4514 writes the last part first


def certificate_of(shown: Mapping[str, Any] | None, encoded: bytes | None = None) -> Certificate | None:
    """Return a verified certificate, from what `ssl` says of it and from its bytes (DER) where they are known."""
    if not shown:
        return None
    names: list[tuple[str, str]] = [pair for relative_name in shown.get("subject", ()) for pair in relative_name]
    alternatives: Sequence[tuple[str, str]] = shown.get("subjectAltName", ())
    addresses = (usual_address(value) for kind, value in alternatives if kind == "IP Address")
    return Certificate(
        common_names=tuple(value for kind, value in names if kind == "commonName"),
        dns_names=tuple(value for kind, value in alternatives if kind == "DNS"),
        addresses=tuple(address for address in addresses if address is not None),
        uris=tuple(value for kind, value in alternatives if kind == "URI"),
        subject=",".join(f"{_SHORT_NAMES.get(kind, kind)}={value}" for kind, value in names),
        sha256=hashlib.sha256(encoded).hexdigest() if encoded else "",
    )


def _folded(*names: str) -> set[str]:
    return {name.casefold() for name in names if name}


def _parts(subject: str) -> list[str]:
    """Return the parts of a subject, so that blanks as OpenSSL prints them do not matter."""
    pairs = (part.partition("=") for part in subject.casefold().split(","))
    return [f"{name.strip()}={value.strip()}" for name, equals, value in pairs if equals]


_SHORT_NAMES = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "domainComponent": "DC",
}
