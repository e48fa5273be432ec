"""What can go wrong when we ask others.

Refused
├── AssociationRefused      the peer does not want this association; asking again changes nothing
├── ContextRefused          it does not offer what is to be asked, or not in a syntax that we know
└── RequestFailed           it answered a request with a failure
Unavailable
├── PeerUnreachable         of the tree of the domain: no connection, or no answer
└── PeerBusy                the peer does not want it now
"""

from __future__ import annotations

import ssl

from isocenter.dimse.shell.record import AssociationRecord
from isocenter.dimse.ul.pdu import AssociateRj, RejectResult, RejectSource
from isocenter.domain.application_entity import AeAddress
from isocenter.domain.errors import Refused, Unavailable


class Unanswered(Exception):
    """The association ended before it was answered: the cause of its error."""

    def __init__(self, record: AssociationRecord) -> None:
        super().__init__(record.cause)
        self.record = record


class AssociationRefused(Refused):
    """The other AE rejected the association."""

    def __init__(self, message: str | None = None, *, rejection: AssociateRj | None = None) -> None:
        super().__init__(message)
        self.rejection = rejection
        """What it answered; None where it was we who did not want it."""


class ContextRefused(Refused):
    """The other AE accepted no presentation context for the request."""


class RequestFailed(Refused):
    """The other AE answered with a failure."""

    def __init__(self, message: str | None = None, *, status: int = 0x0110) -> None:
        super().__init__(message)
        self.status = status


class PeerBusy(Unavailable):
    """The other AE rejected the association for the time being."""

    def __init__(self, message: str | None = None, *, rejection: AssociateRj | None = None) -> None:
        super().__init__(message)
        self.rejection = rejection


_REASONS = {
    (RejectSource.SERVICE_USER, 1): "it gave no reason",
    (RejectSource.SERVICE_USER, 2): "it does not know the application context of DICOM",
    (RejectSource.SERVICE_USER, 3): "it does not know our AE title {calling}; have it added there",
    (RejectSource.SERVICE_USER, 7): "its own AE title is not {called}; correct the title that we call it by",
    (RejectSource.SERVICE_PROVIDER_ACSE, 1): "it gave no reason; it may want to be told a user, by --user",
    (RejectSource.SERVICE_PROVIDER_ACSE, 2): "it speaks another version of the protocol",
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, 1): "it is congested; try again later",
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, 2): "one of its limits is reached; try again later",
}
"""PS3.8 table 9-21."""


_USER_REASON = "it did not accept the user; check name and password, or the token, and what the user may do there"
"""What that provider's lack of a reason means where a user was named (PS3.7 D.3.3.7)."""
_WITHOUT_REASON = {(RejectSource.SERVICE_USER, 1), (RejectSource.SERVICE_PROVIDER_ACSE, 1)}


def rejection_error(
    answer: AssociateRj, peer: AeAddress, *, calling_ae_title: str, names_user: bool = False
) -> AssociationRefused | PeerBusy:
    """Return the error that a rejection means, with what to do about it."""
    known = next((text for key, text in _REASONS.items() if key == (answer.source, answer.reason)), None)
    if names_user and (answer.source, answer.reason) in _WITHOUT_REASON:
        known = _USER_REASON
    reason = known or f"source {answer.source}, reason {answer.reason}"
    message = f"{peer} rejected the association: " + reason.format(
        calling=repr(calling_ae_title), called=repr(peer.ae_title)
    )
    kind = PeerBusy if answer.result == RejectResult.TRANSIENT else AssociationRefused
    return kind(message + ".", rejection=answer)


_TLS_REASONS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port",
    "CERTIFICATE_VERIFY_FAILED": "nobody whom we trust vouches for its certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust who vouches for our certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of ours",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it takes none of our cipher suites, or wants a certificate of ours",
    "NO_CIPHERS_AVAILABLE": "it takes none of our cipher suites",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it speaks no version of TLS that is still safe",
    "UNSUPPORTED_PROTOCOL": "it speaks no version of TLS that is still safe",
}
"""What OpenSSL says, and what it means to an operator."""


def describe_tls_failure(error: ssl.SSLError) -> str:
    """Say in words why TLS with a peer did not come about."""
    reason = error.reason or ""
    return f"{_TLS_REASONS[reason]} ({reason})" if reason in _TLS_REASONS else reason or str(error)
