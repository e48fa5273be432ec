from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from isocenter.domain.delivery import (
    NEXT_STATES,
    Delivery,
    DeliveryState,
    Wish,
    cancel,
    hold,
    lease,
    queue,
    release,
    renew,
    send_again,
)
from isocenter.domain.delivery_counters import COUNTER_OF, Counter, Counters, count
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.settlement import expire, settle
from isocenter.routing.deliveries.verdict import Judgement, Verdict

POLICY = RetryPolicy()
LEASE_S = 60.0
S = DeliveryState


def _sending(now: float = 0.0) -> Delivery:
    leased = lease(queue(now), now=now, until=now + LEASE_S)
    assert leased is not None
    return leased


def _settled(delivery: Delivery, verdict: Verdict, *, now: float = 1.0, lease_number: int = 1) -> Delivery:
    settled = settle(delivery, lease_number, Judgement(verdict), now=now, policy=POLICY, draw=lambda: 0.5, note="x:1")
    assert settled is not None
    return settled


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.DELIVERED, S.DELIVERED),
        (Verdict.NOTED, S.DELIVERED_WITH_NOTE),
        (Verdict.TRANSIENT, S.QUEUED),
        (Verdict.AUTHENTICATION, S.QUEUED),
        (Verdict.MISCONFIGURED, S.QUEUED),
        (Verdict.DETERMINISTIC, S.NEEDS_HUMAN),
        (Verdict.CONFLICT, S.NEEDS_HUMAN),
        (Verdict.DUPLICATE, S.NEEDS_HUMAN),
    ],
)
def test_an_attempt_ends_as_its_verdict_says(verdict: Verdict, state: DeliveryState) -> None:
    settled = _settled(_sending(), verdict)
    assert settled.state is state
    assert settled.note == "x:1"


def test_a_failure_for_the_time_being_waits_longer_each_time() -> None:
    delivery, waits = _sending(), []
    for number in range(1, 6):
        delivery = _settled(delivery, Verdict.TRANSIENT, now=delivery.due_at, lease_number=number)
        waits.append(delivery.due_at)
        again = lease(delivery, now=delivery.due_at, until=delivery.due_at + LEASE_S)
        assert again is not None
        delivery = again
    assert [later - earlier for earlier, later in zip([0.0, *waits], waits, strict=False)] == [1, 2, 4, 8, 16]


def test_a_suspended_destination_does_not_make_its_deliveries_wait_longer() -> None:
    settled = _settled(_sending(), Verdict.AUTHENTICATION, now=5.0)
    assert (settled.due_at, settled.failures) == (5.0, 0)


@pytest.mark.parametrize("verdict", [Verdict.TRANSIENT, Verdict.AUTHENTICATION, Verdict.MISCONFIGURED])
def test_what_is_too_old_goes_to_a_person(verdict: Verdict) -> None:
    assert _settled(_sending(), verdict, now=POLICY.age_max_s).state is S.NEEDS_HUMAN


def test_before_it_is_due_nobody_gets_it() -> None:
    waiting = _settled(_sending(), Verdict.TRANSIENT)
    assert lease(waiting, now=waiting.due_at - 0.1, until=1e9) is None
    assert lease(waiting, now=waiting.due_at, until=1e9) is not None


def test_who_lost_the_lease_changes_nothing() -> None:
    first = _sending()
    expired = expire(first, now=LEASE_S, policy=POLICY)
    assert expired is not None
    second = lease(expired, now=expired.due_at, until=expired.due_at + LEASE_S)
    assert second is not None
    assert settle(second, 1, Judgement(Verdict.DELIVERED), now=1.0, policy=POLICY, draw=lambda: 0.0) is None
    assert renew(second, 1, now=1.0, until=1e9) is None
    assert _settled(second, Verdict.DELIVERED, lease_number=2).state is S.DELIVERED


def test_a_lease_that_is_renewed_in_time_does_not_end() -> None:
    renewed = renew(_sending(), 1, now=LEASE_S - 1, until=2 * LEASE_S)
    assert renewed is not None
    assert expire(renewed, now=LEASE_S, policy=POLICY) is None
    assert renew(_sending(), 1, now=LEASE_S, until=1e9) is None, "too late"


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(Verdict.DELIVERED, S.DELIVERED), (Verdict.TRANSIENT, S.CANCELLED), (Verdict.DETERMINISTIC, S.CANCELLED)],
)
def test_what_is_cancelled_on_its_way_is_told_as_what_it_came_to(verdict: Verdict, state: DeliveryState) -> None:
    cancelled = cancel(_sending())
    assert cancelled is not None
    assert cancelled.state is S.SENDING
    assert _settled(cancelled, verdict).state is state


def test_what_is_held_on_its_way_is_held_when_it_comes_back() -> None:
    held = hold(_sending())
    assert held is not None
    back = _settled(held, Verdict.TRANSIENT)
    assert (back.state, back.wish) == (S.HELD, Wish.NONE)
    released = release(back, now=9.0)
    assert released is not None
    assert (released.state, released.due_at) == (S.QUEUED, 9.0)


def test_what_is_sent_again_has_its_time_anew() -> None:
    shelved = _settled(_sending(), Verdict.DETERMINISTIC)
    again = send_again(shelved, now=1000.0)
    assert again is not None
    assert (again.state, again.received_at, again.failures, again.note) == (S.QUEUED, 1000.0, 0, "")
    assert again.lease_number == shelved.lease_number, "earlier senders stay locked out"
    assert send_again(again, now=1001.0) is None


class Ledger(RuleBasedStateMachine):
    """Deliveries, workers that hold leases, old and new, and people, in any order; counters kept beside."""

    deliveries = Bundle("deliveries")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.rows: list[Delivery] = []
        self.counters = Counters()
        self.random = random.Random(1)

    def _change(self, at: int, after: Delivery | None) -> bool:
        if after is None:
            return False
        before = self.rows[at]
        if before.state is not after.state:
            assert after.state in NEXT_STATES[before.state]
        assert after.lease_number - before.lease_number in (0, 1)
        self.counters = self.counters.moved(before.state, after.state)
        self.rows[at] = after
        return True

    @rule(target=deliveries)
    def receive(self) -> int:
        self.rows.append(queue(self.now))
        self.counters = self.counters.with_received()
        return len(self.rows) - 1

    @rule(passed_s=st.sampled_from([0.1, 30.0, 3600.0, 86_400.0]))
    def wait(self, passed_s: float) -> None:
        self.now += passed_s

    @rule(target=leases, at=deliveries)
    def take(self, at: int) -> object:
        taken = lease(self.rows[at], now=self.now, until=self.now + LEASE_S)
        if not self._change(at, taken):
            return multiple()
        return at, self.rows[at].lease_number

    @rule(held=leases)
    def go_on(self, held: tuple[int, int]) -> None:
        at, number = held
        self._change(at, renew(self.rows[at], number, now=self.now, until=self.now + LEASE_S))

    @rule(held=leases, verdict=st.sampled_from(Verdict), retry_after_s=st.none() | st.floats(0, 1e9))
    def end(self, held: tuple[int, int], verdict: Verdict, retry_after_s: float | None) -> None:
        at, number = held
        before = self.rows[at]
        judgement = Judgement(verdict, retry_after_s=retry_after_s)
        after = settle(before, number, judgement, now=self.now, policy=POLICY, draw=self.random.random, note="x:1")
        is_holder = before.state is S.SENDING and before.lease_number == number
        assert (after is not None) is is_holder
        self._change(at, after)
        if is_holder and verdict in (Verdict.DELIVERED, Verdict.NOTED):
            assert COUNTER_OF[self.rows[at].state] is Counter.DELIVERED

    @rule(at=deliveries)
    def sweep(self, at: int) -> None:
        self._change(at, expire(self.rows[at], now=self.now, policy=POLICY))

    @rule(at=deliveries, wish=st.sampled_from(["hold", "release", "cancel", "again"]))
    def ask(self, at: int, wish: str) -> None:
        row = self.rows[at]
        asked = {
            "hold": lambda: hold(row),
            "release": lambda: release(row, now=self.now),
            "cancel": lambda: cancel(row),
            "again": lambda: send_again(row, now=self.now),
        }
        self._change(at, asked[wish]())

    @rule(held=consumes(leases))
    def die(self, held: tuple[int, int]) -> None:
        """Kill a worker: nobody settles its lease any more."""

    @invariant()
    def counters_add_up_and_are_what_counting_comes_to(self) -> None:
        assert self.counters.adds_up
        assert self.counters == count(row.state for row in self.rows)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Whatever waits is either in a worker's hands for a limited time or due at a known one."""
        for row in self.rows:
            if row.state is S.SENDING:
                assert row.leased_until is not None
                assert row.leased_until <= self.now + LEASE_S
            else:
                assert row.leased_until is None
                assert row.wish is Wish.NONE
            if row.state is S.QUEUED:
                assert row.due_at <= max(self.now, row.received_at + POLICY.age_max_s)

    def teardown(self) -> None:
        """Let everybody finish: every delivery that nobody put aside comes to an end."""
        for at, row in enumerate(self.rows):
            self.now = max(self.now, row.leased_until or 0.0, row.due_at)
            self._change(at, expire(self.rows[at], now=self.now, policy=POLICY))
            self.now = max(self.now, self.rows[at].due_at)
            if self._change(at, lease(self.rows[at], now=self.now, until=self.now + LEASE_S)):
                self._change(at, _settled(self.rows[at], Verdict.DELIVERED, lease_number=self.rows[at].lease_number))
        assert {row.state for row in self.rows} <= {
            S.DELIVERED,
            S.DELIVERED_WITH_NOTE,
            S.HELD,
            S.NEEDS_HUMAN,
            S.CANCELLED,
        }
        assert self.counters.adds_up


Ledger.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLedger = Ledger.TestCase
