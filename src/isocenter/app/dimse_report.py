"""What another AE, or the way to it, failed with, as a report of the router: from an error to its evidence."""

from __future__ import annotations

import errno
import socket
import ssl

from isocenter.dimse.scu.errors import AssociationRefused, PeerBusy, RequestFailed
from isocenter.dimse.scu.errors import ContextRefused as NoContext
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.errors import InvalidSetting, IsocenterError, PeerUnreachable
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    LocalFailed,
    LocalFault,
    Report,
    TransportFailed,
    TransportFault,
)

_CERTIFICATE_FAULTS = {
    9: TransportFault.TLS_EXPIRED,
    10: TransportFault.TLS_EXPIRED,
    62: TransportFault.TLS_WRONG_NAME,
    64: TransportFault.TLS_WRONG_NAME,
}
"""X509_V_ERR_ codes of OpenSSL; every other one is of a certificate that is not trusted."""
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_NOT_SPOKEN = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
_CHAIN_MAX = 8
"""Libraries wrap what the system said several times, and never so often."""


def report_of_peer(error: IsocenterError) -> Report:
    """Return what an error of a request to another AE says of it."""
    if isinstance(error, AssociationRefused | PeerBusy) and error.rejection is not None:
        answer = error.rejection
        return AssociationRejected(int(answer.result), int(answer.source), int(answer.reason))
    if isinstance(error, AssociationRefused):  # it was we: it did not show the certificate that it must
        return TransportFailed(TransportFault.TLS_WRONG_NAME)
    if isinstance(error, RequestFailed):
        return DimseAnswered(error.status)
    if isinstance(error, NoContext):
        return ContextRefused(_ABSTRACT_SYNTAX_NOT_SUPPORTED)
    if isinstance(error, PeerUnreachable):
        return TransportFailed(fault_of(error) or TransportFault.CONNECTION_LOST)
    if isinstance(error, InvalidSetting):
        return LocalFailed(LocalFault.SECRET_MISSING)
    if isinstance(error.__cause__, AssociationOver):
        return AssociationAborted(0, 0)
    return TransportFailed(TransportFault.CONNECTION_LOST)


def fault_of(error: BaseException) -> TransportFault | None:
    """Return what the system or OpenSSL says of a connection, None where they say nothing."""
    below: BaseException | None = error
    for _ in range(_CHAIN_MAX):
        if below is None:
            return None
        found = _fault(below)
        if found is not None:
            return found
        below = below.__cause__ or below.__context__
    return None


def _fault(error: BaseException) -> TransportFault | None:
    match error:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATE_FAULTS.get(error.verify_code, TransportFault.TLS_UNTRUSTED)
        case ssl.SSLError():
            return TransportFault.TLS_NOT_SPOKEN if error.reason in _NOT_SPOKEN else TransportFault.TLS_REFUSED
        case socket.gaierror():
            return TransportFault.NAME_UNKNOWN
        case ConnectionRefusedError():
            return TransportFault.CONNECTION_REFUSED
        case TimeoutError():
            return TransportFault.CONNECT_TIMEOUT
        case ConnectionError():
            return TransportFault.CONNECTION_LOST
        case OSError() if error.errno in _UNREACHABLE:
            return TransportFault.UNREACHABLE
        case _:
            return None
