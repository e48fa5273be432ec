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

from isocenter.dimse.ul.pdu import AssociateRj, RejectResult, RejectSource
from isocenter.domain.application_entity import AeAddress
from isocenter.domain.errors import Refused, Unavailable


class AssociationRefused(Refused):
    """The other AE rejected the association."""


class ContextRefused(Refused):
    """The other AE accepted no presentation context for the request."""


class RequestFailed(Refused):
    """The other AE answered with a failure."""

    def __init__(self, message: str | None = None, *, status: int = 0x0110) -> None:
        super().__init__(message)
        self.status = status


class PeerBusy(Unavailable):
    """The other AE rejected the association for the time being."""


_REASONS = {
    (RejectSource.SERVICE_USER, 1): "it gave no reason",
    (RejectSource.SERVICE_USER, 2): "it does not know the application context of DICOM",
    (RejectSource.SERVICE_USER, 3): "it does not know our AE title {calling}; have it added there",
    (RejectSource.SERVICE_USER, 7): "its own AE title is not {called}; correct the title that we call it by",
    (RejectSource.SERVICE_PROVIDER_ACSE, 1): "it gave no reason",
    (RejectSource.SERVICE_PROVIDER_ACSE, 2): "it speaks another version of the protocol",
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, 1): "it is congested; try again later",
    (RejectSource.SERVICE_PROVIDER_PRESENTATION, 2): "one of its limits is reached; try again later",
}
"""PS3.8 table 9-21."""


def rejection_error(answer: AssociateRj, peer: AeAddress, *, calling_ae_title: str) -> AssociationRefused | PeerBusy:
    """Return the error that a rejection means, with what to do about it."""
    known = next((text for key, text in _REASONS.items() if key == (answer.source, answer.reason)), None)
    reason = known or f"source {answer.source}, reason {answer.reason}"
    message = f"{peer} rejected the association: " + reason.format(
        calling=repr(calling_ae_title), called=repr(peer.ae_title)
    )
    kind = PeerBusy if answer.result == RejectResult.TRANSIENT else AssociationRefused
    return kind(message + ".")
