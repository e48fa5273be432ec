"""Answer a request for an association: which contexts, which roles, which extensions (PS3.8 9.3.3, PS3.7 annex D.3.3).

A pure function of the request and a policy. Whether calling and called AE title are known is decided before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from isocenter.dimse.ul.pdu import (
    AssociateAc,
    AssociateRq,
    ContextResult,
    PresentationContextAc,
    PresentationContextRq,
)
from isocenter.dimse.ul.user_information import (
    SYNCHRONOUS,
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAc,
    UserIdentityRq,
    UserInformation,
)


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
    extensions: bytes = b""
    """What it supports of the SOP class extended negotiation, a byte for each field; nothing is answered with none."""


@dataclass(frozen=True, slots=True)
class NegotiationPolicy:
    """What this node agrees to with one caller."""

    accept_abstract_syntax: Callable[[str], AcceptedSyntax | None]
    """By abstract syntax UID; None is answered with result 3.

    Where the request says to which service class and general SOP classes an unknown one belongs (common extended
    negotiation), it is asked for those as well.
    """
    maximum_length_received: int
    implementation_class_uid: str
    implementation_version_name: str
    async_operations_window: AsyncOperationsWindow = SYNCHRONOUS
    """The most this node does: operations that it invokes, and that it performs at a time."""
    user_identity_answer: UserIdentityAc | None = None
    """Sent where the request asks for a positive response."""


def negotiate(request: AssociateRq, policy: NegotiationPolicy) -> AssociateAc:
    """Return the answer that accepts a request as far as the policy goes."""
    offers = _offers(request, policy)
    roles = {role.sop_class_uid: role for role in request.user_information.role_selections}
    contexts = tuple(
        _answer_context(context, offers.get(context.abstract_syntax_uid), roles.get(context.abstract_syntax_uid))
        for context in request.presentation_contexts
    )
    asked = request.user_information
    window = asked.async_operations_window
    return AssociateAc(
        called_ae_title=request.called_ae_title,
        calling_ae_title=request.calling_ae_title,
        presentation_contexts=contexts,
        user_information=UserInformation(
            maximum_length_received=policy.maximum_length_received,
            implementation_class_uid=policy.implementation_class_uid,
            implementation_version_name=policy.implementation_version_name,
            async_operations_window=None if window is None else _agree_on(window, policy.async_operations_window),
            role_selections=tuple(_answer_roles(asked.role_selections, offers)),
            extended_negotiations=tuple(_answer_extensions(asked.extended_negotiations, offers)),
            user_identity=_answer_identity(asked, policy),
        ),
    )


def _offers(request: AssociateRq, policy: NegotiationPolicy) -> dict[str, AcceptedSyntax]:
    """Return what the acceptor offers for each proposed abstract syntax that it knows."""
    common = {each.sop_class_uid: each for each in request.user_information.common_extended_negotiations}
    offers: dict[str, AcceptedSyntax] = {}
    for uid in dict.fromkeys(context.abstract_syntax_uid for context in request.presentation_contexts):
        found = (policy.accept_abstract_syntax(name) for name in _iter_names(uid, common.get(uid)))
        offer = next((each for each in found if each is not None), None)
        if offer is not None:
            offers[uid] = offer
    return offers


def _iter_names(abstract_syntax_uid: str, common: CommonExtendedNegotiation | None) -> Iterator[str]:
    """Yield the UIDs under which a policy may know an abstract syntax, the closest first (PS3.7 D.3.3.6)."""
    yield abstract_syntax_uid
    if common is not None:
        yield from common.related_general_sop_class_uids
        yield common.service_class_uid


def _answer_context(
    context: PresentationContextRq, offer: AcceptedSyntax | None, proposed_role: RoleSelection | None
) -> PresentationContextAc:
    # The transfer syntax of a refused context means nothing; one that the requestor knows does no harm.
    chosen, result = context.transfer_syntax_uids[0], ContextResult.ACCEPTANCE
    if offer is None:
        result = ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED
    elif not _is_role_possible(offer, proposed_role):
        result = ContextResult.USER_REJECTION
    elif offer.transfer_syntax_uids is not None:
        known = [uid for uid in offer.transfer_syntax_uids if uid in context.transfer_syntax_uids]
        chosen = known[0] if known else chosen
        result = ContextResult.ACCEPTANCE if known else ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED
    return PresentationContextAc(context.context_id, result, chosen)


def _is_role_possible(offer: AcceptedSyntax, proposed: RoleSelection | None) -> bool:
    """Tell whether one side is SCU and the other SCP; without a proposal the requestor is SCU."""
    if proposed is None:
        return offer.role is not AcceptorRole.SCU
    agreed = _agree_on_role(proposed, offer)
    return agreed.scu_role or agreed.scp_role


def _agree_on_role(proposed: RoleSelection, offer: AcceptedSyntax) -> RoleSelection:
    """Return the roles of the requestor that the acceptor agrees to (PS3.7 D.3.3.4.2)."""
    return RoleSelection(
        proposed.sop_class_uid,
        scu_role=proposed.scu_role and offer.role is not AcceptorRole.SCU,
        scp_role=proposed.scp_role and offer.role is not AcceptorRole.SCP,
    )


def _answer_roles(proposed: tuple[RoleSelection, ...], offers: dict[str, AcceptedSyntax]) -> Iterator[RoleSelection]:
    for uid, role in {role.sop_class_uid: role for role in proposed}.items():
        offer = offers.get(uid)
        if offer is not None and _is_role_possible(offer, role):
            yield _agree_on_role(role, offer)


def _answer_extensions(
    proposed: tuple[ExtendedNegotiation, ...], offers: dict[str, AcceptedSyntax]
) -> Iterator[ExtendedNegotiation]:
    """Yield for each SOP class the fields that both sides know, each with the lesser support of the two."""
    for extended in proposed:
        offer = offers.get(extended.sop_class_uid)
        if offer is not None and offer.extensions:
            agreed = bytes(map(min, extended.application_information, offer.extensions))
            yield ExtendedNegotiation(extended.sop_class_uid, agreed)


def _agree_on(asked: AsyncOperationsWindow, ours: AsyncOperationsWindow) -> AsyncOperationsWindow:
    """Return the window in the requestor's view: what it may invoke is bound by what we perform (PS3.7 D.3.3.3)."""
    return AsyncOperationsWindow(
        operations_invoked_max=_lesser(asked.operations_invoked_max, ours.operations_performed_max),
        operations_performed_max=_lesser(asked.operations_performed_max, ours.operations_invoked_max),
    )


def _lesser(first: int, second: int) -> int:
    """Return the lesser limit, where 0 is no limit."""
    return min(first or second, second or first)


def _answer_identity(asked: UserInformation, policy: NegotiationPolicy) -> UserIdentityAc | None:
    identity = asked.user_identity
    is_wanted = isinstance(identity, UserIdentityRq) and identity.positive_response_requested
    return policy.user_identity_answer if is_wanted else None
