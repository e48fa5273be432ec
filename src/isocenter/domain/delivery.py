"""The states of one delivery: one instance on its way to one destination.

                  ┌──────────────(transient, suspending, lease over)──────────────┐
                  ▼                                                               │
    received ─▶ queued ──(lease)──▶ sending ──(delivered, noted)──▶ delivered, delivered with note
                 │  ▲                  │
         (hold)  │  │ (release)        ├──(deterministic, conflict, too old)──▶ needs human ──(try again)──▶ queued
                 ▼  │                  │
                 held                  └──(it was to be cancelled, and failed)──▶ cancelled

Who sends holds a lease with a number. Only the latest number can settle a delivery; whoever held an earlier one has
been given up and changes nothing. A person's wish during an attempt waits for its end, because nobody can tell before
whether the instance arrived. What an attempt came to is judged in `routing/deliveries`, which settles by these values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

NOTE_LENGTH_MAX = 64
"""A code of the catalogue, such as `http:503`."""
SENT_NOWHERE = "delivery:nowhere"
SUPERSEDED = "delivery:superseded"
DELETED = "delivery:deleted"
"""Notes of what is cancelled by itself: no rule sends it anywhere, or its version is gone."""
AWAITING_STUDY = "delivery:awaiting-study"
STUDY_WAIT_MAX_S = 86_400.0
"""After a day it goes out all the same: a study that nobody can call whole must not keep its images back."""
NOWHERE = ""
"""The destination of an instance that no rule sends anywhere: its delivery is cancelled from the start, and counted."""


class Priority(StrEnum):
    """Classes of traffic, the most urgent first."""

    STAT = "stat"
    ROUTINE = "routine"
    PRIOR = "prior"
    MIGRATION = "migration"


class DeliveryState(StrEnum):
    """How far a delivery has come."""

    QUEUED = "queued"
    SENDING = "sending"
    HELD = "held"
    NEEDS_HUMAN = "needs-human"
    DELIVERED = "delivered"
    DELIVERED_WITH_NOTE = "delivered-with-note"
    CANCELLED = "cancelled"


class Wish(StrEnum):
    """What a person asked for while an attempt was under way."""

    NONE = "none"
    HOLD = "hold"
    CANCEL = "cancel"


_S = DeliveryState
NEXT_STATES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    _S.QUEUED: frozenset({_S.SENDING, _S.HELD, _S.NEEDS_HUMAN, _S.CANCELLED}),
    _S.SENDING: frozenset(set(_S) - {_S.SENDING}),
    _S.HELD: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.NEEDS_HUMAN: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.DELIVERED: frozenset({_S.QUEUED}),
    _S.DELIVERED_WITH_NOTE: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset({_S.QUEUED}),
}
"""What a person sends again is queued again."""


WAITING_STATES = frozenset({_S.QUEUED, _S.SENDING, _S.HELD})
OPEN_STATES = WAITING_STATES | {_S.NEEDS_HUMAN}
"""Whose instance is still needed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery as it is kept."""

    state: DeliveryState
    received_at: float
    """When it was queued: by the receipt of its instance, or again by a person."""
    due_at: float
    """When it is tried next, while it is queued."""
    lease_number: int = 0
    """Of the latest lease; each is greater than the one before."""
    leased_until: float | None = None
    failures: int = 0
    """In a row; they stretch the wait and never end the delivery."""
    wish: Wish = Wish.NONE
    note: str = ""
    """Code of the catalogue for what the last attempt came to."""


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """Where an instance goes, and as what: what the rules of a channel said of it."""

    destination: str
    """Name of a destination; `NOWHERE` where no rule names one."""
    channel: str = ""
    """By which it came; empty where somebody sent it by hand."""
    rule: str = ""
    configuration_version: int = 0
    """Of the configuration that the rule stands in; 0 for none."""
    transforms: tuple[str, ...] = ()
    """Names, in the order in which they are applied."""
    priority: Priority = Priority.ROUTINE
    calling_ae_title: str = ""
    """Of whoever sent the instance here, where it came by DIMSE."""
    awaits_study: bool = False
    """Whether it waits until its study is whole."""


def queue(now: float) -> Delivery:
    """Return the delivery of an instance that was just received."""
    return Delivery(DeliveryState.QUEUED, received_at=now, due_at=now)


def lease(delivery: Delivery, *, now: float, until: float) -> Delivery | None:
    """Return the delivery in the hands of a sender, None where it is not to be sent now."""
    if delivery.state is not DeliveryState.QUEUED or now < delivery.due_at or until <= now:
        return None
    return replace(delivery, state=DeliveryState.SENDING, lease_number=delivery.lease_number + 1, leased_until=until)


def renew(delivery: Delivery, lease_number: int, *, now: float, until: float) -> Delivery | None:
    """Return the delivery with its lease lengthened, None where the sender does not hold it any more."""
    if not holds(delivery, lease_number) or delivery.leased_until is None or now >= delivery.leased_until:
        return None
    return replace(delivery, leased_until=max(until, delivery.leased_until))


def give_up(delivery: Delivery, *, now: float) -> Delivery | None:
    """Return the delivery of a sender that ended with its process: it is due at once, and no failure is counted."""
    if delivery.state is not DeliveryState.SENDING:
        return None
    if delivery.wish is Wish.CANCEL:
        return ended(delivery, DeliveryState.CANCELLED, delivery.note)
    state = DeliveryState.HELD if delivery.wish is Wish.HOLD else DeliveryState.QUEUED
    return replace(delivery, state=state, due_at=now, leased_until=None, wish=Wish.NONE)


def begin(plan: DeliveryPlan, now: float) -> Delivery:
    """Return the delivery that a plan begins with."""
    delivery = queue(now)
    if plan.destination == NOWHERE:
        return ended(delivery, DeliveryState.CANCELLED, SENT_NOWHERE)
    if plan.awaits_study:
        return replace(delivery, due_at=now + STUDY_WAIT_MAX_S, note=AWAITING_STUDY)
    return delivery


def let_go_with_study(delivery: Delivery, *, now: float, received_until: float) -> Delivery | None:
    """Return the delivery of an instance that was there when its study was whole, None where it waits for nothing.

    One that a person put aside stays so.
    """
    is_waiting = delivery.state in (DeliveryState.QUEUED, DeliveryState.HELD) and delivery.note == AWAITING_STUDY
    if not is_waiting or delivery.received_at > received_until:
        return None
    return replace(delivery, due_at=now, note="")


def hold(delivery: Delivery) -> Delivery | None:
    """Return the delivery put aside by a person, None where there is nothing left to put aside."""
    if delivery.state is DeliveryState.QUEUED:
        return replace(delivery, state=DeliveryState.HELD)
    if delivery.state is DeliveryState.SENDING and delivery.wish is Wish.NONE:
        return replace(delivery, wish=Wish.HOLD)
    return None


def release(delivery: Delivery, *, now: float) -> Delivery | None:
    """Return the delivery let go again by a person, None where it was not put aside."""
    if delivery.state is DeliveryState.HELD:
        return replace(delivery, state=DeliveryState.QUEUED, due_at=now)
    if delivery.state is DeliveryState.SENDING and delivery.wish is Wish.HOLD:
        return replace(delivery, wish=Wish.NONE)
    return None


def cancel(delivery: Delivery) -> Delivery | None:
    """Return the delivery given up by a person, None where it has ended."""
    if delivery.state is DeliveryState.SENDING:
        return replace(delivery, wish=Wish.CANCEL)
    if delivery.state in (DeliveryState.QUEUED, DeliveryState.HELD, DeliveryState.NEEDS_HUMAN):
        return ended(delivery, DeliveryState.CANCELLED, delivery.note)
    return None


def send_again(delivery: Delivery, *, now: float) -> Delivery | None:
    """Return the delivery queued anew by a person, with its time beginning again; None while it is on its way."""
    if delivery.state in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD):
        return None
    return replace(
        delivery, state=DeliveryState.QUEUED, received_at=now, due_at=now, failures=0, wish=Wish.NONE, note=""
    )


def withdraw(delivery: Delivery, note: str) -> Delivery | None:
    """Return the delivery of a version that is gone, with the reason; None where it ended or is to be cancelled."""
    cancelled = cancel(delivery)
    return None if cancelled is None or delivery.wish is Wish.CANCEL else replace(cancelled, note=note)


def is_inherited(plan: DeliveryPlan, plans: Iterable[DeliveryPlan]) -> bool:
    """Tell whether a new version goes on where the one before was to go, given the plans that it came with.

    Not where it has a delivery of its own to that destination, nor where the rules of the same channel looked at it
    and sent it elsewhere.
    """
    return not any(
        one.destination == plan.destination or (plan.channel and one.channel == plan.channel) for one in plans
    )


def inherit(plan: DeliveryPlan, delivery: Delivery, *, now: float) -> Delivery | None:
    """Return the delivery that a new version begins with in the place of one of the version before, None for none.

    What was put aside stays aside; what a person shall look at is tried anew, because it is other bytes.
    """
    if delivery.state not in OPEN_STATES or delivery.wish is Wish.CANCEL:
        return None
    begun = begin(plan, now)
    return hold(begun) if delivery.state is DeliveryState.HELD or delivery.wish is Wish.HOLD else begun


def may_replace(plan: DeliveryPlan, other: DeliveryPlan) -> bool:
    """Tell whether a delivery may go by another plan: where it goes and by which channel stays as it is."""
    is_same_way = (plan.channel, plan.destination) == (other.channel, other.destination)
    return is_same_way and plan.destination != NOWHERE


def holds(delivery: Delivery, lease_number: int) -> bool:
    """Tell whether the sender with this lease may still settle the delivery."""
    return delivery.state is DeliveryState.SENDING and delivery.lease_number == lease_number


def ended(delivery: Delivery, state: DeliveryState, note: str) -> Delivery:
    """Return the delivery in a state that no lease and no wish goes with."""
    return replace(delivery, state=state, leased_until=None, wish=Wish.NONE, note=note)
