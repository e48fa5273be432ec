"""Settle a delivery by what its attempt came to, and give a delivery back whose sender was not heard of.

The states stand in `domain/delivery.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from isocenter.domain.delivery import NOTE_LENGTH_MAX, Delivery, DeliveryState, Wish, ended, holds
from isocenter.routing.deliveries.retry import RetryPolicy, next_attempt_at
from isocenter.routing.deliveries.verdict import SUSPENDING, Judgement, Verdict


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
    if not holds(delivery, lease_number):
        return None
    note = note[:NOTE_LENGTH_MAX]
    verdict = judgement.verdict
    if verdict is Verdict.DELIVERED:
        return ended(delivery, DeliveryState.DELIVERED, note)
    if verdict is Verdict.NOTED:
        return ended(delivery, DeliveryState.DELIVERED_WITH_NOTE, note)
    if verdict is Verdict.TRANSIENT:
        return _wait(delivery, now, policy=policy, note=note, draw=draw, retry_after_s=judgement.retry_after_s)
    if verdict in SUSPENDING:
        return _suspended(delivery, now, policy=policy, note=note)
    if delivery.wish is Wish.CANCEL:
        return ended(delivery, DeliveryState.CANCELLED, note)
    return ended(delivery, DeliveryState.NEEDS_HUMAN, note)


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
        return ended(delivery, DeliveryState.CANCELLED, note)
    if due_at is None:
        return ended(delivery, DeliveryState.NEEDS_HUMAN, note)
    state = DeliveryState.HELD if delivery.wish is Wish.HOLD else DeliveryState.QUEUED
    return replace(delivery, state=state, due_at=due_at, leased_until=None, wish=Wish.NONE, note=note)
