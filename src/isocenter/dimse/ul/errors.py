"""What can go wrong in the upper layer and in messages, local and remote fault kept apart.

Refused / InvalidRequest
└── ProtocolViolation       the peer sent what no peer may send; carries the abort to answer with
    └── BeyondLocalLimit    it may, but not here; a request is rejected for it
Unavailable
└── AssociationOver         too late: the association has ended
Broken
└── OutOfTurn               our own caller asked for what is not possible in this state
"""

from __future__ import annotations

from isocenter.dimse.ul.pdu import AbortReason
from isocenter.domain.errors import Broken, InvalidRequest, Unavailable


class ProtocolViolation(InvalidRequest):
    """The peer sent what the protocol does not allow."""

    def __init__(
        self, message: str | None = None, *, reason: AbortReason = AbortReason.INVALID_PDU_PARAMETER_VALUE
    ) -> None:
        super().__init__(message)
        self.reason = reason
        """Of the A-ABORT to answer with."""


class BeyondLocalLimit(ProtocolViolation):
    """The peer asked for more than this node takes."""


class AssociationOver(Unavailable):
    """The association has ended."""


class OutOfTurn(Broken):
    """This is not possible in the present state of the association."""
