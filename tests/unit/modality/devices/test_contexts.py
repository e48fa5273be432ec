"""More contexts than an association holds: several associations, each with what the standard allows."""

from __future__ import annotations

import pytest

from isocenter.dimse.scu.context_plan import InstanceKind
from isocenter.modality.devices.contexts import many_contexts
from isocenter.modality.devices.misbehaviour import CONTEXTS_MAX
from isocenter.modality.devices.sending import implicit_contexts, usual_contexts

CT = InstanceKind("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")


@pytest.mark.parametrize(
    ("number", "sizes"), [(1, [2]), (128, [128]), (129, [128, 1]), (300, [128, 128, 44]), (CONTEXTS_MAX, [128] * 10)]
)
def test_contexts_are_spread_over_associations(number: int, sizes: list[int]) -> None:
    associations = many_contexts(number, usual=usual_contexts)([CT])
    assert [len(contexts) for contexts in associations] == sizes
    pairs = [(each.abstract_syntax_uid, each.transfer_syntax_uids) for contexts in associations for each in contexts]
    assert len(set(pairs)) == len(pairs)


def test_what_is_needed_stands_first() -> None:
    (first, _) = many_contexts(200, usual=implicit_contexts)([CT])
    assert first[0].abstract_syntax_uid == CT.sop_class_uid
    assert first[0].transfer_syntax_uids == ("1.2.840.10008.1.2",)
