"""TLS for associations by the profiles of PS3.15 annex B, mutual unless an operator says otherwise.

| profile           | clause | versions      | cipher suites of TLS 1.2                               |
| ----------------- | ------ | ------------- | ------------------------------------------------------ |
| `rfc9325`         | B.12   | 1.2, 1.3      | (EC)DHE with AES-GCM or ChaCha20, no others            |
| `non-downgrading` | B.10   | 1.2, 1.3      | (EC)DHE with RSA and AES-GCM                           |
| `extended`        | B.11   | 1.2           | those, and ECDSA; keys of 2048 bits, curves of 256     |
| `bcp195`          | B.9    | 1.2, 1.3      | forward secrecy first, at last that of the AES profile |

No profile goes below TLS 1.2, which RFC 8996 forbids and B.9 only tolerates.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from isocenter.domain.errors import InvalidSetting
from isocenter.identity.certificate import Certificate, certificate_of

_GCM = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256"
_ECDSA = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile allows."""

    ciphers: str
    """Of TLS 1.2, as OpenSSL names them; those of TLS 1.3 are all sound."""
    version_max: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED


PROFILES: Mapping[str, Profile] = {
    "rfc9325": Profile(f"{_ECDSA}:{_GCM}:ECDHE+CHACHA20"),
    "non-downgrading": Profile(f"{_GCM}:{_ECDSA}"),
    "extended": Profile(f"{_GCM}:{_ECDSA}", ssl.TLSVersion.TLSv1_2),
    "bcp195": Profile(f"{_GCM}:{_ECDSA}:ECDHE+CHACHA20:ECDHE+AES:DHE+AES:-SHA1:AES128-SHA:!aNULL:!MD5"),
}
DEFAULT_PROFILE = "rfc9325"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The keys of a node, whom it trusts, and how strict it is."""

    profile: str = DEFAULT_PROFILE
    certificate: Path | None = None
    key: Path | None = None
    key_password: str = field(default="", repr=False)
    authorities: Path | None = None
    client_certificate: Literal["required", "optional", "ignored"] = "required"


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context for connections that others open; raises InvalidSetting."""
    if settings.certificate is None or settings.key is None:
        raise InvalidSetting("dicom.tls_listen needs dicom.tls_certificate and dicom.tls_key.")
    context = _context(ssl.PROTOCOL_TLS_SERVER, settings)
    context.verify_mode = {
        "required": ssl.CERT_REQUIRED,
        "optional": ssl.CERT_OPTIONAL,
        "ignored": ssl.CERT_NONE,
    }[settings.client_certificate]
    return context


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context for connections that we open; raises InvalidSetting.

    The certificate must be vouched for. Its name is held against the AE table, not against the host: devices have
    certificates for their AE title or serial number.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, settings)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def verified_certificate(transport: asyncio.Transport) -> Certificate | None:
    """Return the certificate that the other end has shown and somebody whom we trust vouches for, or None."""
    ssl_object: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if ssl_object is None:
        return None
    return certificate_of(ssl_object.getpeercert(), ssl_object.getpeercert(binary_form=True))


def _context(protocol: int, settings: TlsSettings) -> ssl.SSLContext:
    profile = PROFILES[settings.profile]
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = profile.version_max
    context.set_ciphers(profile.ciphers)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.certificate is not None and settings.key is not None:
        _load(context, settings.certificate, settings.key, settings.key_password)
    if settings.authorities is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(settings.authorities)
        except (OSError, ssl.SSLError) as error:
            raise InvalidSetting(f"dicom.tls_authorities cannot be read: {settings.authorities}.") from error
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path, password: str) -> None:
    try:
        context.load_cert_chain(certificate, key, password=password)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSetting(
            f"dicom.tls_certificate ({certificate}) and dicom.tls_key ({key}) cannot be used: "
            f"{error.strerror or 'they cannot be read or do not belong together, or the password is wrong'}."
        ) from error
