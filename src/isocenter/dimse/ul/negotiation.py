"""Answer a request for an association: which contexts, which roles, which extensions (PS3.8 9.3.3, PS3.7 annex D.3).

A pure function of the request and a policy. Whether caller and called AE title are known is decided before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from isocenter.dimse.ul.pdu import AssociateAc, AssociateRq
from isocenter.dimse.ul.user_information import AsyncOperationsWindow, UserIdentityAc


class AcceptorRole(Enum):
    """Which roles the acceptor can play for an abstract syntax."""

    SCP = "SCP"
    SCU = "SCU"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class AcceptedSyntax:
    """What the acceptor offers for one abstract syntax."""

    transfer_syntax_uids: tuple[str, ...] | None
    """In the acceptor's order of preference; None takes the first that the requestor names, whichever it is."""
    role: AcceptorRole = AcceptorRole.SCP
    extended_answer: Callable[[bytes], bytes | None] | None = None
    """Answers an SOP class extended negotiation; None, or an answer of None, sends none back."""


@dataclass(frozen=True, slots=True)
class NegotiationPolicy:
    """What this node agrees to with one caller."""

    accept_abstract_syntax: Callable[[str], AcceptedSyntax | None]
    """By abstract syntax UID; None is answered with result 3."""
    maximum_length_received: int
    implementation_class_uid: str
    implementation_version_name: str
    async_operations_window: AsyncOperationsWindow = field(default_factory=AsyncOperationsWindow)
    """The most this node does: operations that it may invoke, and that it performs at a time."""
    user_identity_answer: UserIdentityAc | None = None
    """Sent where the request asks for a positive response."""


def negotiate(request: AssociateRq, policy: NegotiationPolicy) -> AssociateAc:
    """Return the answer that accepts a request as far as the policy goes."""
    raise NotImplementedError


def find_extended_answer(supported: Mapping[int, bool]) -> Callable[[bytes], bytes | None]:
    """Return how a query service answers an extended negotiation (PS3.4 C.5.1.1)."""
    raise NotImplementedError
