"""What a DICOMweb service, or the way to it, failed with, as a report of the router: from an error to its evidence."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import httpx

from isocenter.dicomweb.client.answers import AnsweredStatus
from isocenter.dicomweb.client.credentials import TokenFailure
from isocenter.dicomweb.client.upload import StoreResult
from isocenter.domain.errors import InvalidSetting, IsocenterError
from isocenter.routing.deliveries.report import (
    HttpAnswered,
    InstanceFailed,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)

_CERTIFICATE_FAULTS = {
    10: TransportFault.TLS_EXPIRED,
    62: TransportFault.TLS_WRONG_NAME,
    64: TransportFault.TLS_WRONG_NAME,
}
"""X509_V_ERR_ codes of OpenSSL; every other one is of a certificate that is not trusted."""
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_NOT_SPOKEN = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_BY_CONNECTION: tuple[tuple[type[Exception], TransportFault], ...] = (
    (httpx.ConnectTimeout, TransportFault.CONNECT_TIMEOUT),
    (httpx.TimeoutException, TransportFault.ANSWER_TIMEOUT),
    (httpx.ConnectError, TransportFault.UNREACHABLE),
    (httpx.DecodingError, TransportFault.ANSWER_GARBLED),
    (httpx.TransportError, TransportFault.CONNECTION_LOST),
)


def report_of(error: IsocenterError) -> Report:
    """Return what an error of a client of DICOMweb says of a delivery, a search or a retrieval."""
    cause = error.__cause__
    match cause:
        case AnsweredStatus():
            return HttpAnswered(cause.status, cause.retry_after_s)
        case TokenFailure():
            return TokenRefused(cause.code)
        case httpx.TransportError() | httpx.DecodingError():
            return TransportFailed(_fault_of(cause))
        case _ if isinstance(error, InvalidSetting):
            return LocalFailed(LocalFault.SECRET_MISSING)
        case _:  # success, and then an answer that no DICOMweb service gives
            return TransportFailed(TransportFault.ANSWER_GARBLED)


def report_of_result(result: StoreResult) -> Report:
    """Return what a store response says of one instance."""
    if result.http_status is not None:
        return HttpAnswered(result.http_status)
    if not result.is_known:
        return InstanceUnmentioned()
    if result.failure_reason is not None:
        return InstanceFailed(result.failure_reason)
    return InstanceStored(result.warning_reason or 0)


def _fault_of(error: Exception) -> TransportFault:
    for below in _chain(error):
        found = _fault_below(below)
        if found is not None:
            return found
    return next(fault for kind, fault in _BY_CONNECTION if isinstance(error, kind))


def _fault_below(error: BaseException) -> TransportFault | None:
    """Return what the system or OpenSSL says of a connection."""
    match error:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATE_FAULTS.get(error.verify_code, TransportFault.TLS_UNTRUSTED)
        case ssl.SSLError():
            return TransportFault.TLS_NOT_SPOKEN if error.reason in _NOT_SPOKEN else TransportFault.TLS_REFUSED
        case socket.gaierror():
            return TransportFault.NAME_UNKNOWN
        case ConnectionRefusedError():
            return TransportFault.CONNECTION_REFUSED
        case OSError() if error.errno in _UNREACHABLE:
            return TransportFault.UNREACHABLE
        case _:
            return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it comes from; libraries wrap what the system said several times."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__
