"""Far more presentation contexts than a device needs.

A context is named by an odd number from 1 to 255, so a request holds 128 of them (PS3.8 9.3.2.2). A device that wants
to offer more has no conformant way but several associations; old ones open them all before the first image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from isocenter.dicom.syntax import TRANSFER_SYNTAXES
from isocenter.dimse.scu.client import CONTEXTS_MAX, ProposedContext
from isocenter.dimse.scu.context_plan import InstanceKind
from isocenter.dimse.scu.storage_plan import GUESSED_CLASSES
from isocenter.modality.devices.sending import Propose


def many_contexts(number: int, *, usual: Propose) -> Propose:
    """Return what proposes so many contexts: those that are needed first, then others, no two alike."""

    def propose(kinds: Sequence[InstanceKind]) -> list[Sequence[ProposedContext]]:
        needed = [context for contexts in usual(kinds) for context in contexts]
        proposed = [*needed, *islice(_others(needed), max(0, number - len(needed)))]
        return [proposed[start : start + CONTEXTS_MAX] for start in range(0, len(proposed), CONTEXTS_MAX)]

    return propose


def _others(needed: Sequence[ProposedContext]) -> Iterator[ProposedContext]:
    taken = {(context.abstract_syntax_uid, context.transfer_syntax_uids) for context in needed}
    for syntax in TRANSFER_SYNTAXES:
        for sop_class_uid in GUESSED_CLASSES:
            if (sop_class_uid, (syntax.uid,)) not in taken:
                yield ProposedContext(sop_class_uid, (syntax.uid,))
