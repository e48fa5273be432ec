"""Presentation contexts for instances that are to be sent."""

from __future__ import annotations

from isocenter.dicom.syntax import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    RLE_LOSSLESS,
)
from isocenter.dimse.scu.context_plan import InstanceKind, choose_context, plan_contexts
from isocenter.dimse.ul.contexts import AcceptedContext

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def _accepted(*contexts: tuple[str, str]) -> dict[int, AcceptedContext]:
    return {
        2 * index + 1: AcceptedContext(2 * index + 1, abstract, transfer, as_scu=True, as_scp=False)
        for index, (abstract, transfer) in enumerate(contexts)
    }


def test_each_class_and_syntax_has_a_context_of_its_own_and_a_way_out() -> None:
    [plan] = plan_contexts(
        [InstanceKind(CT, RLE_LOSSLESS), InstanceKind(CT, RLE_LOSSLESS), InstanceKind(MR, EXPLICIT_VR_LITTLE_ENDIAN)]
    )
    assert [(context.abstract_syntax_uid, context.transfer_syntax_uids) for context in plan.contexts] == [
        (CT, (RLE_LOSSLESS,)),
        (CT, (EXPLICIT_VR_LITTLE_ENDIAN,)),
        (CT, (IMPLICIT_VR_LITTLE_ENDIAN,)),
        (MR, (EXPLICIT_VR_LITTLE_ENDIAN,)),
        (MR, (IMPLICIT_VR_LITTLE_ENDIAN,)),
    ]
    assert plan.covers(InstanceKind(CT, RLE_LOSSLESS))
    assert not plan.covers(InstanceKind(MR, RLE_LOSSLESS))


def test_more_contexts_than_an_association_holds_go_to_several_with_classes_kept_together() -> None:
    kinds = [InstanceKind(f"1.2.3.{number}", RLE_LOSSLESS) for number in range(50)]
    plans = plan_contexts(kinds)
    assert [len(plan.contexts) for plan in plans] == [126, 24]
    assert all(sum(plan.covers(kind) for plan in plans) == 1 for kind in kinds)
    for plan in plans:
        classes = [context.abstract_syntax_uid for context in plan.contexts]
        assert all(classes.count(uid) == 3 for uid in classes)


def test_nothing_to_send_needs_no_association() -> None:
    assert plan_contexts([]) == []


def test_an_instance_goes_in_its_own_syntax_where_that_is_taken() -> None:
    contexts = _accepted((CT, IMPLICIT_VR_LITTLE_ENDIAN), (CT, RLE_LOSSLESS))
    chosen = choose_context(contexts, InstanceKind(CT, RLE_LOSSLESS))
    assert chosen is not None
    assert chosen.transfer_syntax_uid == RLE_LOSSLESS


def test_else_it_is_turned_into_what_keeps_most() -> None:
    contexts = _accepted((CT, IMPLICIT_VR_LITTLE_ENDIAN), (CT, EXPLICIT_VR_LITTLE_ENDIAN))
    chosen = choose_context(contexts, InstanceKind(CT, EXPLICIT_VR_BIG_ENDIAN))
    assert chosen is not None
    assert chosen.transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN


def test_a_class_that_the_peer_does_not_take_has_no_context() -> None:
    contexts = _accepted((MR, IMPLICIT_VR_LITTLE_ENDIAN))
    assert choose_context(contexts, InstanceKind(CT, IMPLICIT_VR_LITTLE_ENDIAN)) is None


def test_a_context_on_which_we_may_not_ask_is_not_chosen() -> None:
    contexts = {1: AcceptedContext(1, CT, RLE_LOSSLESS, as_scu=False, as_scp=True)}
    assert choose_context(contexts, InstanceKind(CT, RLE_LOSSLESS)) is None
