"""TLS of the web server: a certificate of the operator's, or one of the node's own authority, renewed while it runs."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography.x509 import Certificate

from isocenter.app.settings import Settings
from isocenter.domain.errors import InvalidSetting
from isocenter.identity.host_names import is_loopback
from isocenter.identity.local_authority import LocalAuthority, fingerprint

_log = structlog.get_logger()

AUTHORITY_FOLDER = "tls"
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; forward secrecy and authenticated encryption only (RFC 9325 4.2). 1.3 has no others."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_DOCUMENTATION = (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6))
"""Addresses of nobody (RFC 5737, RFC 3849): asking for the way there sends nothing."""


class HttpTls:
    """The context in which connections are accepted."""

    def __init__(self, settings: Settings) -> None:
        """Load the certificate, or make one; raises InvalidSetting."""
        http = settings.http
        if (http.tls_certificate is None) != (http.tls_key is None):
            raise InvalidSetting("http.tls_certificate and http.tls_key belong together; set both, or neither.")
        self._settings = settings
        self.is_own = http.tls_certificate is None
        """Whether the certificate is of the node's own authority."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_ciphers(CIPHERS)
        self.context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        self.renew()
        self._load()

    def renew(self) -> None:
        """Make a new certificate where the node's own is about to expire; new connections get it at once."""
        if not self.is_own:
            return
        authority = local_authority(self._settings)
        names = certificate_names(self._settings)
        if authority.ensure_server(names, now=datetime.now(UTC), node_name=socket.gethostname()):
            self._load()
            shown = authority.ensure_authority(now=datetime.now(UTC), node_name=socket.gethostname())
            _log.info("tls.certificate_made", names=names, authority_sha256=fingerprint(shown))

    def _load(self) -> None:
        http = self._settings.http
        authority = local_authority(self._settings)
        certificate = http.tls_certificate or authority.server_certificate
        key = http.tls_key or authority.server_key
        try:
            self.context.load_cert_chain(certificate, key, password=http.tls_key_password)
        except (OSError, ssl.SSLError) as error:
            raise InvalidSetting(
                f"The certificate {certificate} and the key {key} cannot be used: "
                f"{error.strerror or 'they cannot be read or do not belong together, or the password is wrong'}."
            ) from error


def local_authority(settings: Settings) -> LocalAuthority:
    """Return the authority of a data folder."""
    return LocalAuthority(Path(settings.data_dir) / AUTHORITY_FOLDER)


def certificate_of_authority(settings: Settings) -> tuple[Path, Certificate]:
    """Return what clients are told to trust, and where it lies; it is made where there is none yet."""
    authority = local_authority(settings)
    certificate = authority.ensure_authority(now=datetime.now(UTC), node_name=socket.gethostname())
    return authority.certificate, certificate


def certificate_names(settings: Settings) -> list[str]:
    """Return the names and addresses under which clients may reach the node."""
    http = settings.http
    named = [socket.gethostname(), *http.allowed_hosts, *(_bare(address.host) for address in http.addresses)]
    reachable = [] if all(is_loopback(address.host) for address in http.addresses) else _own_addresses()
    listed = dict.fromkeys([*LOOPBACK_NAMES, *named, *reachable])
    return [name for name in listed if name not in ("0.0.0.0", "::")]  # noqa: S104 - every address, no name of one


def _bare(host: str) -> str:
    return host.strip("[]").lower()


def _own_addresses() -> list[str]:
    """Return the addresses by which this machine reaches others."""
    found: list[str] = []
    for destination, family in _DOCUMENTATION:
        with suppress(OSError), closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
            probe.connect((destination, 9))
            found.append(probe.getsockname()[0])
    return found
