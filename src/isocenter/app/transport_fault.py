"""What the system and OpenSSL say of a connection, as a fault that the catalogue explains."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from isocenter.routing.deliveries.report import TransportFault

_CERTIFICATE_FAULTS = {
    9: TransportFault.TLS_EXPIRED,
    10: TransportFault.TLS_EXPIRED,
    62: TransportFault.TLS_WRONG_NAME,
    64: TransportFault.TLS_WRONG_NAME,
}
"""X509_V_ERR_ codes of OpenSSL; every other one is of a certificate that is not trusted."""
_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_NOT_SPOKEN = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_CHAIN_MAX = 8
"""Libraries wrap what the system said several times, and never so often."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it comes from."""
    seen: BaseException | None = error
    for _ in range(_CHAIN_MAX):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def system_fault(error: BaseException) -> TransportFault | None:
    """Return why there is no connection; None where that is not said, and for what ends one that was there."""
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


def socket_fault(error: BaseException) -> TransportFault | None:
    """Return what the first cause says that says anything, where each wait is one for a connection."""
    return next(filter(None, map(_socket_fault, causes(error))), None)


def _socket_fault(error: BaseException) -> TransportFault | None:
    match error:
        case TimeoutError():
            return TransportFault.CONNECT_TIMEOUT
        case ConnectionError() if not isinstance(error, ConnectionRefusedError):
            return TransportFault.CONNECTION_LOST
        case _:
            return system_fault(error)
