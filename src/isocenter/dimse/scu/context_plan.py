"""Which presentation contexts to propose for instances that are to be sent (PS3.4 B.5.1, routing-and-gateway 3.8).

One context for each SOP class and transfer syntax, so that the answer says of each whether it is taken; and for each
class those that every instance can be turned into without loss. More than an association holds go to several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.scu.client import CONTEXTS_MAX, ProposedContext
from isocenter.dimse.ul.contexts import AcceptedContext

CONVERSION_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
"""What instances are turned into where their own syntax is refused; all AEs take the implicit one (PS3.5 10.1)."""


@dataclass(frozen=True, slots=True)
class InstanceKind:
    """What a context is negotiated for."""

    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """The contexts of one association."""

    contexts: tuple[ProposedContext, ...]

    def covers(self, kind: InstanceKind) -> bool:
        """Tell whether instances of a kind have a context in their own syntax."""
        return any(
            context.abstract_syntax_uid == kind.sop_class_uid
            and kind.transfer_syntax_uid in context.transfer_syntax_uids
            for context in self.contexts
        )


def plan_contexts(kinds: Iterable[InstanceKind], *, contexts_max: int = CONTEXTS_MAX) -> list[ContextPlan]:
    """Return the associations that instances of these kinds need, each with all contexts of the classes it is for."""
    syntaxes: dict[str, dict[str, None]] = {}
    for kind in kinds:
        syntaxes.setdefault(kind.sop_class_uid, {})[kind.transfer_syntax_uid] = None
    plans: list[list[ProposedContext]] = [[]]
    for sop_class_uid, stored in syntaxes.items():
        contexts = [ProposedContext(sop_class_uid, (uid,)) for uid in dict.fromkeys([*stored, *CONVERSION_SYNTAXES])]
        if len(plans[-1]) + len(contexts) > contexts_max:
            plans.append([])
        plans[-1] += contexts
    return [ContextPlan(tuple(contexts)) for contexts in plans if contexts]


def choose_context(contexts: Mapping[int, AcceptedContext], kind: InstanceKind) -> AcceptedContext | None:
    """Return the context to send an instance on: in its own syntax, else in one that it can be turned into, or None."""
    usable = {
        context.transfer_syntax_uid: context
        for context in contexts.values()
        if context.as_scu and context.abstract_syntax_uid == kind.sop_class_uid
    }
    wanted = (kind.transfer_syntax_uid, *CONVERSION_SYNTAXES)
    return next((usable[uid] for uid in wanted if uid in usable), None)
