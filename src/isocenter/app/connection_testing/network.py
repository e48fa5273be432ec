"""The steps below the protocol: the name of the host, a connection, TLS with the certificate that is shown."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import NameOID

from isocenter.app.transport_fault import socket_fault
from isocenter.dimse.scu.errors import describe_tls_failure
from isocenter.routing.catalogue.entry import Side
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.connection_test.report import Step, StepName, failed, failed_by, passed, warned
from isocenter.routing.deliveries.report import TransportFailed, TransportFault

STEP_TIMEOUT_S = 10.0
"""A host that has not answered by then will not be waited for by a device either."""
EXPIRES_SOON_DAYS = 30
"""What a hospital needs to have a certificate renewed."""
NAMES_SHOWN_MAX = 10
ALERT_WAIT_S = 0.5
"""With TLS 1.3 a server refuses our certificate, or that we have none, after the handshake is done for us."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is."""

    host: str
    port: int


def resolve(place: Place) -> tuple[Step, list[str]]:
    """Look the name of a host up, and return its addresses."""
    began = time.perf_counter()
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        entry = explain_report(TransportFailed(TransportFault.NAME_UNKNOWN))
        told = error.strerror or "" if isinstance(error, OSError) else ""
        return failed_by(StepName.DNS, entry, told=told, elapsed_s=time.perf_counter() - began, host=place.host), []
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    elapsed_s = time.perf_counter() - began
    return passed(StepName.DNS, f"{place.host} is {', '.join(addresses)}.", elapsed_s=elapsed_s), addresses


def connect(place: Place, *, timeout_s: float) -> Step:
    """Open a connection and close it again."""
    began = time.perf_counter()
    try:
        with closing(socket.create_connection((place.host, place.port), timeout=timeout_s)) as connection:
            elapsed_s = time.perf_counter() - began
            address = connection.getpeername()[0]
    except OSError as error:
        entry = explain_report(TransportFailed(socket_fault(error) or TransportFault.UNREACHABLE))
        return failed_by(StepName.TCP, entry, elapsed_s=time.perf_counter() - began, port=place.port)
    told = f"Port {place.port} is open; the way there and back takes {elapsed_s * 1000:.1f} ms."
    return passed(StepName.TCP, told, elapsed_s=elapsed_s, address=address, port=place.port)


def speak_tls(place: Place, context: ssl.SSLContext, *, timeout_s: float, now: datetime) -> Step:
    """Shake hands as a client that verifies, and tell about the certificate that is shown."""
    began = time.perf_counter()
    try:
        with (
            socket.create_connection((place.host, place.port), timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=place.host) as secured,
        ):
            elapsed_s = time.perf_counter() - began
            shown = secured.getpeercert(binary_form=True)
            version, cipher = secured.version(), (secured.cipher() or ("",))[0]
            _listen_for_alert(secured)
    except (ssl.SSLError, OSError) as error:
        return _failed_handshake(place, error, timeout_s=timeout_s, elapsed_s=time.perf_counter() - began)
    facts = _facts(x509.load_der_x509_certificate(shown)) if shown else {}
    facts |= {"version": version or "", "cipher": cipher, "chain": "verified up to an authority that is trusted here"}
    told = f"{version}; the certificate of {facts.get('subject', '?')} is valid until {facts.get('valid_until', '?')}."
    days = (x509.load_der_x509_certificate(shown).not_valid_after_utc - now.astimezone(UTC)).days if shown else 0
    if days < EXPIRES_SOON_DAYS:
        advice = f"It expires in {days} days; have it renewed there."
        return warned(StepName.TLS, told, advice, elapsed_s=elapsed_s, **facts)
    return passed(StepName.TLS, told, elapsed_s=elapsed_s, **facts)


def _listen_for_alert(secured: ssl.SSLSocket) -> None:
    """Raise the alert that comes behind a handshake; servers of both protocols say nothing else of themselves."""
    secured.settimeout(ALERT_WAIT_S)
    with suppress(TimeoutError):
        secured.recv(1)


def speaks_tls(place: Place, *, timeout_s: float) -> bool:
    """Tell whether a port that was called without TLS speaks it; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((place.host, place.port), timeout=timeout_s) as plain,
            context.wrap_socket(plain),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def tls_wanted(name: StepName) -> Step:
    """Return the step that failed because TLS is spoken there."""
    return failed(
        name,
        "The other side speaks TLS on this port, and was called without it.",
        "Switch TLS on for the destination (tls=on, https://), or have a port without TLS named.",
        side=Side.BOTH,
    )


def _failed_handshake(place: Place, error: Exception, *, timeout_s: float, elapsed_s: float) -> Step:
    fault = socket_fault(error) or TransportFault.TLS_REFUSED
    if fault is TransportFault.CONNECT_TIMEOUT:  # the connection was there; TLS did not answer
        fault = TransportFault.ANSWER_TIMEOUT
    facts: dict[str, str] = {}
    if isinstance(error, ssl.SSLCertVerificationError):
        facts = _look_at(place, timeout_s=timeout_s)
    told = getattr(error, "verify_message", "") or ""
    if fault is TransportFault.TLS_REFUSED and isinstance(error, ssl.SSLError):
        told = describe_tls_failure(error)
    return failed_by(StepName.TLS, explain_report(TransportFailed(fault)), told=told, elapsed_s=elapsed_s, **facts)


def _look_at(place: Place, *, timeout_s: float) -> dict[str, str]:
    """Return what a certificate says that nobody vouches for, only to tell of it; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((place.host, place.port), timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=place.host) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
            return _facts(x509.load_der_x509_certificate(shown)) if shown else {}
    except (OSError, ValueError):
        return {}


def _facts(certificate: x509.Certificate) -> dict[str, str]:
    return {
        "subject": _name(certificate.subject),
        "issuer": _name(certificate.issuer),
        "valid_from": certificate.not_valid_before_utc.strftime("%Y-%m-%d"),
        "valid_until": certificate.not_valid_after_utc.strftime("%Y-%m-%d"),
        "names": ", ".join(_alternatives(certificate)[:NAMES_SHOWN_MAX]),
    }


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _alternatives(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
