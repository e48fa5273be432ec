from __future__ import annotations

import pytest

from isocenter.domain.delivery import (
    AWAITING_STUDY,
    DELETED,
    NOWHERE,
    OPEN_STATES,
    STUDY_WAIT_MAX_S,
    SUPERSEDED,
    Delivery,
    DeliveryPlan,
    DeliveryState,
    begin,
    cancel,
    give_up,
    hold,
    inherit,
    is_inherited,
    lease,
    let_go_with_study,
    queue,
    release,
    renew,
    send_again,
    withdraw,
)

S = DeliveryState


def _sending() -> Delivery:
    leased = lease(queue(0.0), now=0.0, until=60.0)
    assert leased is not None
    return leased


def _after_wish(delivery: Delivery, wish: str) -> Delivery:
    wished = {"hold": hold, "cancel": cancel}[wish](delivery)
    assert wished is not None
    return wished


def test_before_it_is_due_nobody_gets_it() -> None:
    later = Delivery(S.QUEUED, received_at=0.0, due_at=10.0)
    assert lease(later, now=9.9, until=60.0) is None
    assert lease(later, now=10.0, until=60.0) is not None


def test_a_lease_is_lengthened_only_by_its_holder_and_in_time() -> None:
    sending = _sending()
    renewed = renew(sending, 1, now=59.0, until=120.0)
    assert renewed is not None
    assert renewed.leased_until == 120.0
    assert renew(sending, 2, now=1.0, until=120.0) is None
    assert renew(sending, 1, now=60.0, until=120.0) is None


def test_what_no_rule_sends_anywhere_is_cancelled_and_says_so() -> None:
    begun = begin(DeliveryPlan(NOWHERE, "ct"), 1.0)
    assert (begun.state, begun.note) == (S.CANCELLED, "delivery:nowhere")
    assert begin(DeliveryPlan("pacs"), 1.0).state is S.QUEUED


def test_what_awaits_its_study_goes_out_with_it_and_after_a_day_at_the_latest() -> None:
    begun = begin(DeliveryPlan("pacs", awaits_study=True), 100.0)
    assert (begun.state, begun.note, begun.due_at) == (S.QUEUED, AWAITING_STUDY, 100.0 + STUDY_WAIT_MAX_S)
    assert lease(begun, now=101.0, until=160.0) is None
    gone = let_go_with_study(begun, now=130.0, received_until=120.0)
    assert gone is not None
    assert (gone.due_at, gone.note) == (130.0, "")
    assert lease(begun, now=100.0 + STUDY_WAIT_MAX_S, until=10**6) is not None


def test_late_instances_and_what_a_person_put_aside_are_not_let_go_with_a_study() -> None:
    late = begin(DeliveryPlan("pacs", awaits_study=True), 121.0)
    assert let_go_with_study(late, now=130.0, received_until=120.0) is None
    held = hold(late)
    assert held is not None
    gone = let_go_with_study(held, now=130.0, received_until=125.0)
    assert gone is not None
    assert (gone.state, gone.note) == (S.HELD, "")
    assert let_go_with_study(queue(0.0), now=1.0, received_until=1.0) is None


@pytest.mark.parametrize(("wish", "state"), [("", S.QUEUED), ("hold", S.HELD), ("cancel", S.CANCELLED)])
def test_what_a_process_that_ended_was_sending_is_due_at_once_as_was_wished(wish: str, state: DeliveryState) -> None:
    sending = _sending()
    back = give_up(_after_wish(sending, wish) if wish else sending, now=5.0)
    assert back is not None
    assert (back.state, back.failures, back.leased_until) == (state, 0, None)


def test_only_what_is_being_sent_is_given_up() -> None:
    assert give_up(queue(0.0), now=1.0) is None


def test_a_wish_is_taken_back_while_it_is_sent() -> None:
    held = hold(_sending())
    assert held is not None
    assert release(held, now=1.0) == _sending()


def test_what_waits_is_held_and_let_go() -> None:
    held = hold(queue(0.0))
    assert held is not None
    assert held.state is S.HELD
    assert hold(held) is None
    freed = release(held, now=7.0)
    assert freed is not None
    assert (freed.state, freed.due_at) == (S.QUEUED, 7.0)


def test_what_has_ended_is_neither_held_nor_let_go_nor_cancelled() -> None:
    over = Delivery(S.DELIVERED, received_at=0.0, due_at=0.0)
    assert hold(over) is release(over, now=1.0) is cancel(over) is None


def test_what_is_sent_again_has_its_time_anew() -> None:
    shelved = Delivery(S.NEEDS_HUMAN, received_at=0.0, due_at=0.0, lease_number=3, failures=2, note="http:400")
    again = send_again(shelved, now=9.0)
    assert again == Delivery(S.QUEUED, received_at=9.0, due_at=9.0, lease_number=3)
    assert send_again(queue(0.0), now=9.0) is None


@pytest.mark.parametrize("state", list(S))
def test_of_a_version_that_is_gone_what_is_open_is_cancelled_with_the_reason(state: DeliveryState) -> None:
    withdrawn = withdraw(Delivery(state, 0.0, 0.0, leased_until=5.0 if state is S.SENDING else None), SUPERSEDED)
    if state not in OPEN_STATES:
        assert withdrawn is None
        return
    assert withdrawn is not None
    if state is S.SENDING:  # its sender may tell yet that it arrived; else it is cancelled
        withdrawn = give_up(withdrawn, now=1.0)
    assert withdrawn is not None
    assert (withdrawn.state, withdrawn.note) == (S.CANCELLED, SUPERSEDED)


def test_the_first_reason_to_cancel_an_attempt_under_way_stays() -> None:
    superseded = withdraw(_sending(), SUPERSEDED)
    assert superseded is not None
    assert withdraw(superseded, DELETED) is None
    assert withdraw(_after_wish(_sending(), "cancel"), DELETED) is None


@pytest.mark.parametrize(
    ("new", "inherited"),
    [
        ((), True),
        ((DeliveryPlan("cloud", "mr"),), True),
        ((DeliveryPlan("cloud"),), True),
        ((DeliveryPlan("pacs", "mr"),), False),
        ((DeliveryPlan("cloud", "ct"),), False),
        ((DeliveryPlan(NOWHERE, "ct"),), False),
    ],
)
def test_a_new_version_goes_on_where_nobody_said_otherwise(new: tuple[DeliveryPlan, ...], inherited: bool) -> None:
    assert is_inherited(DeliveryPlan("pacs", "ct"), new) is inherited


def test_what_somebody_sent_by_hand_goes_on_whatever_others_send_by_hand() -> None:
    assert is_inherited(DeliveryPlan("pacs"), [DeliveryPlan("cloud")])


@pytest.mark.parametrize(
    ("former", "state"),
    [
        (Delivery(S.QUEUED, 0.0, 50.0, failures=3, note="http:503"), S.QUEUED),
        (_sending(), S.QUEUED),
        (_after_wish(_sending(), "hold"), S.HELD),
        (_after_wish(_sending(), "cancel"), None),
        (Delivery(S.HELD, 0.0, 0.0), S.HELD),
        (Delivery(S.NEEDS_HUMAN, 0.0, 0.0, note="http:400"), S.QUEUED),
        (Delivery(S.DELIVERED, 0.0, 0.0), None),
        (Delivery(S.CANCELLED, 0.0, 0.0), None),
    ],
)
def test_what_goes_on_with_a_new_version_begins_anew(former: Delivery, state: DeliveryState | None) -> None:
    begun = inherit(DeliveryPlan("pacs"), former, now=9.0)
    if state is None:
        assert begun is None
    else:
        assert begun == Delivery(state, received_at=9.0, due_at=9.0)
