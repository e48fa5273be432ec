"""What an association, or the way to one, failed with, as a report of the router."""

from __future__ import annotations

import errno
import socket
import ssl

from isocenter.dimse.scu.errors import AssociationRefused, Rejected, Unanswered
from isocenter.dimse.shell.record import AssociationRecord, ContextRecord, End
from isocenter.dimse.ul.pdu import ContextResult
from isocenter.domain.errors import IsocenterError
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    Report,
    TransportFailed,
    TransportFault,
)

_CERTIFICATE_EXPIRED = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED of OpenSSL."""
_NOT_SPOKEN = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


def report_of_opening(error: IsocenterError) -> Report:
    """Return why there is no association."""
    cause = error.__cause__
    match cause:
        case Rejected():
            return AssociationRejected(cause.result, cause.source, cause.reason)
        case Unanswered():
            return report_of_end(cause.record)
        case ssl.SSLCertVerificationError():
            is_expired = cause.verify_code in _CERTIFICATE_EXPIRED
            return TransportFailed(TransportFault.TLS_EXPIRED if is_expired else TransportFault.TLS_UNTRUSTED)
        case ssl.SSLError():
            is_other = cause.reason in _NOT_SPOKEN
            return TransportFailed(TransportFault.TLS_NOT_SPOKEN if is_other else TransportFault.TLS_REFUSED)
        case _ if isinstance(error, AssociationRefused):  # its certificate is not the one that the AE table names
            return TransportFailed(TransportFault.TLS_WRONG_NAME)
        case OSError():
            return TransportFailed(_fault_of(cause))
        case _:
            return TransportFailed(TransportFault.UNREACHABLE)


def _fault_of(error: OSError) -> TransportFault:
    match error:
        case TimeoutError():
            return TransportFault.CONNECT_TIMEOUT
        case socket.gaierror():
            return TransportFault.NAME_UNKNOWN
        case ConnectionRefusedError():
            return TransportFault.CONNECTION_REFUSED
        case ConnectionError():
            return TransportFault.CONNECTION_LOST
        case _:
            return TransportFault.UNREACHABLE if error.errno in _NO_ROUTE else TransportFault.CONNECTION_REFUSED


def report_of_end(record: AssociationRecord) -> Report:
    """Return how an association ended while something was under way."""
    if record.end is End.ABORTED_BY_PEER and record.abort is not None:
        return AssociationAborted(*record.abort)
    if record.end is not End.ABORTED_BY_US or record.abort is None:
        return TransportFailed(TransportFault.CONNECTION_LOST)
    # We give an association up for two reasons: nothing comes, which has no code, or what comes is no PDU.
    is_silent = record.abort[1] == 0
    return TransportFailed(TransportFault.ANSWER_TIMEOUT if is_silent else TransportFault.ANSWER_GARBLED)


def report_of_refusal(refused: list[ContextRecord]) -> ContextRefused:
    """Return why no context for an instance is there."""
    results = [_result(context.refusal) for context in refused if context.refusal is not None]
    return ContextRefused(results[0] if results else ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED)


def _result(refusal: str) -> int:
    name = refusal.upper().replace(" ", "_")
    return ContextResult[name].value if name in ContextResult.__members__ else ContextResult.NO_REASON.value
