"""What was agreed on for the contexts of an association, seen from one end (PS3.8 9.3.3.2, PS3.7 annex D.3.3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.dimse.ul.pdu import AssociateAc, AssociateRq, ContextResult
from isocenter.dimse.ul.user_information import RoleSelection


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """What was agreed on for one context, seen from this end."""

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uid: str
    as_scu: bool
    """We may invoke operations."""
    as_scp: bool
    """The peer may invoke operations."""


NO_CONTEXTS: Mapping[int, AcceptedContext] = MappingProxyType({})

_DEFAULT_ROLE = (True, False)
"""The requestor is SCU and not SCP where nothing else is agreed on (PS3.7 D.3.3.4)."""


def accepted_contexts(
    request: AssociateRq, answer: AssociateAc, *, is_requestor: bool
) -> Mapping[int, AcceptedContext]:
    """Return the contexts that both sides agreed on, by ID.

    A context that was not proposed, or accepted with a syntax that was not, is none of them: nothing can be sent on it.
    """
    proposed = {context.context_id: context for context in request.presentation_contexts}
    roles = _agreed_roles(request, answer)
    accepted: dict[int, AcceptedContext] = {}
    for context in answer.presentation_contexts:
        proposal = proposed.get(context.context_id)
        if context.result != ContextResult.ACCEPTANCE or proposal is None:
            continue
        if context.transfer_syntax_uid not in proposal.transfer_syntax_uids:
            continue
        requestor_is_scu, requestor_is_scp = roles.get(proposal.abstract_syntax_uid, _DEFAULT_ROLE)
        accepted[context.context_id] = AcceptedContext(
            context_id=context.context_id,
            abstract_syntax_uid=proposal.abstract_syntax_uid,
            transfer_syntax_uid=context.transfer_syntax_uid,
            as_scu=requestor_is_scu if is_requestor else requestor_is_scp,
            as_scp=requestor_is_scp if is_requestor else requestor_is_scu,
        )
    return MappingProxyType(accepted)


def _agreed_roles(request: AssociateRq, answer: AssociateAc) -> dict[str, tuple[bool, bool]]:
    """Return whether the requestor is SCU and SCP, by abstract syntax, where both sides said something on it."""
    proposed: dict[str, RoleSelection] = {role.sop_class_uid: role for role in request.user_information.role_selections}
    return {
        role.sop_class_uid: (
            role.scu_role and proposed[role.sop_class_uid].scu_role,
            role.scp_role and proposed[role.sop_class_uid].scp_role,
        )
        for role in answer.user_information.role_selections
        if role.sop_class_uid in proposed
    }
