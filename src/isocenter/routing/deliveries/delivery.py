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
whether the instance arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from isocenter.routing.deliveries.retry import RetryPolicy, next_attempt_at
from isocenter.routing.deliveries.verdict import SUSPENDING, Judgement, Verdict

NOTE_LENGTH_MAX = 64
"""A code of the catalogue, such as `http:503`."""


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
    if not _holds(delivery, lease_number) or delivery.leased_until is None or now >= delivery.leased_until:
        return None
    return replace(delivery, leased_until=max(until, delivery.leased_until))


def expire(delivery: Delivery, *, now: float, policy: RetryPolicy) -> Delivery | None:
    """Return the delivery after its sender was not heard of in time, None where its lease still runs."""
    if delivery.state is not DeliveryState.SENDING or delivery.leased_until is None or now < delivery.leased_until:
        return None
    return _wait(delivery, now, policy=policy, note="delivery:lease-over")


def settle(
    delivery: Delivery,
    lease_number: int,
    judgement: Judgement,
    *,
    now: float,
    policy: RetryPolicy,
    draw: Callable[[], float],
    note: str = "",
) -> Delivery | None:
    """Return the delivery after an attempt, None where the sender does not hold it any more.

    A duplicate is settled by what its comparison came to; where it
    could not be compared, a person does. `draw` gives numbers from 0 up to 1.
    """
    if not _holds(delivery, lease_number):
        return None
    note = note[:NOTE_LENGTH_MAX]
    verdict = judgement.verdict
    if verdict is Verdict.DELIVERED:
        return _ended(delivery, DeliveryState.DELIVERED, note)
    if verdict is Verdict.NOTED:
        return _ended(delivery, DeliveryState.DELIVERED_WITH_NOTE, note)
    if verdict is Verdict.TRANSIENT:
        return _wait(delivery, now, policy=policy, note=note, draw=draw, retry_after_s=judgement.retry_after_s)
    if verdict in SUSPENDING:
        return _suspended(delivery, now, policy=policy, note=note)
    if delivery.wish is Wish.CANCEL:
        return _ended(delivery, DeliveryState.CANCELLED, note)
    return _ended(delivery, DeliveryState.NEEDS_HUMAN, note)


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
        return _ended(delivery, DeliveryState.CANCELLED, delivery.note)
    return None


def send_again(delivery: Delivery, *, now: float) -> Delivery | None:
    """Return the delivery queued anew by a person, with its time beginning again; None while it is on its way."""
    if delivery.state in (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.HELD):
        return None
    return replace(
        delivery, state=DeliveryState.QUEUED, received_at=now, due_at=now, failures=0, wish=Wish.NONE, note=""
    )


def _holds(delivery: Delivery, lease_number: int) -> bool:
    return delivery.state is DeliveryState.SENDING and delivery.lease_number == lease_number


def _ended(delivery: Delivery, state: DeliveryState, note: str) -> Delivery:
    return replace(delivery, state=state, leased_until=None, wish=Wish.NONE, note=note)


def _wait(
    delivery: Delivery,
    now: float,
    *,
    policy: RetryPolicy,
    note: str,
    draw: Callable[[], float] = lambda: 0.0,
    retry_after_s: float | None = None,
) -> Delivery:
    """Return the delivery after an attempt that came to nothing: as was wished meanwhile, else to be tried again."""
    failures = delivery.failures + 1
    due_at = next_attempt_at(
        policy, now=now, received_at=delivery.received_at, failures=failures, draw=draw, retry_after_s=retry_after_s
    )
    return _waiting(replace(delivery, failures=failures), due_at, note)


def _suspended(delivery: Delivery, now: float, *, policy: RetryPolicy, note: str) -> Delivery:
    """Return the delivery after an attempt that was not its own fault: it is due as soon as its destination is."""
    is_too_old = now >= delivery.received_at + policy.age_max_s
    return _waiting(delivery, None if is_too_old else now, note)


def _waiting(delivery: Delivery, due_at: float | None, note: str) -> Delivery:
    if delivery.wish is Wish.CANCEL:
        return _ended(delivery, DeliveryState.CANCELLED, note)
    if due_at is None:
        return _ended(delivery, DeliveryState.NEEDS_HUMAN, note)
    state = DeliveryState.HELD if delivery.wish is Wish.HOLD else DeliveryState.QUEUED
    return replace(delivery, state=state, due_at=due_at, leased_until=None, wish=Wish.NONE, note=note)
