"""Presentation contexts for what a C-GET is to bring."""

from __future__ import annotations

from isocenter.dicom.syntax import TRANSFER_SYNTAXES
from isocenter.dimse.scu.storage_plan import CONTEXTS_LEFT, GUESSED_CLASSES, plan_storage

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"


def test_a_class_alone_has_a_context_for_each_transfer_syntax() -> None:
    [plan] = plan_storage({CT: ()})
    assert [context.transfer_syntax_uids for context in plan[CT] if len(context.transfer_syntax_uids) > 1] == []
    assert {context.transfer_syntax_uids[0] for context in plan[CT]} == {each.uid for each in TRANSFER_SYNTAXES}
    assert all(context.as_scp and not context.as_scu for context in plan[CT])


def test_syntaxes_that_the_peer_told_come_first() -> None:
    [plan] = plan_storage({CT: (JPEG_XL_LOSSLESS,)})
    assert plan[CT][0].transfer_syntax_uids == (JPEG_XL_LOSSLESS,)


def test_all_guesses_fit_into_one_association_and_every_class_takes_what_is_frequent() -> None:
    [plan] = plan_storage(dict.fromkeys(GUESSED_CLASSES, ()))
    assert sum(map(len, plan.values())) <= CONTEXTS_LEFT
    for contexts in plan.values():
        offered = {uid for context in contexts for uid in context.transfer_syntax_uids}
        assert {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"} <= offered


def test_more_classes_than_fit_go_to_several_associations_each_class_to_one() -> None:
    classes = {f"1.2.3.{number}": () for number in range(150)}
    plans = plan_storage(classes)
    assert sorted(uid for plan in plans for uid in plan) == sorted(classes)
    assert all(sum(map(len, plan.values())) <= CONTEXTS_LEFT for plan in plans)


def test_no_class_is_guessed_twice() -> None:
    assert len(set(GUESSED_CLASSES)) == len(GUESSED_CLASSES)
    assert {CT, MR} <= set(GUESSED_CLASSES)
