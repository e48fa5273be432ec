"""The ledgers in memory and in SQLite take the same steps and say the same; nothing is ever lost on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from isocenter.domain.delivery import (
    NOWHERE,
    OPEN_STATES,
    Delivery,
    DeliveryPlan,
    DeliveryState,
    Priority,
    Wish,
    cancel,
    give_up,
    hold,
    release,
    send_again,
)
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.index import InstanceIndex, Membership
from isocenter.ports.ledger import Attempt, Backlog, Ledger, Selection, Settled, Step
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.settlement import expire, settle
from isocenter.routing.deliveries.verdict import Judgement, Verdict
from isocenter.storage.memory import MemoryInstanceIndex
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import address_of, identify, new_instance, scope_of

IDENTIFIERS = st.builds(identify, st.integers(1, 2), st.integers(1, 2), st.integers(1, 2))
DESTINATIONS = st.sampled_from([NOWHERE, "north", "south"])
PRIORITIES = st.sampled_from([Priority.STAT, Priority.ROUTINE])
CHANNELS = st.sampled_from(["", "ct", "mr"])
SOME_AWAIT = st.sampled_from([False, False, False, True])
PLANS = st.lists(
    st.builds(DeliveryPlan, destination=DESTINATIONS, channel=CHANNELS, priority=PRIORITIES, awaits_study=SOME_AWAIT),
    max_size=3,
).map(tuple)
POLICY = RetryPolicy(age_max_s=300.0)
NOTES = ("http:503", "http:400")
SELECTIONS = st.builds(
    Selection,
    destination=st.none() | DESTINATIONS,
    channel=st.none() | CHANNELS,
    states=st.none() | st.frozensets(st.sampled_from(DeliveryState), max_size=3),
    note=st.none() | st.sampled_from(["", *NOTES, "delivery:superseded"]),
    study_instance_uid=st.none() | IDENTIFIERS.map(lambda one: one.study_instance_uid),
    series_instance_uid=st.none() | IDENTIFIERS.map(lambda one: one.series_instance_uid),
    sop_instance_uid=st.none() | IDENTIFIERS.map(lambda one: one.sop_instance_uid),
    delivery_keys=st.none() | st.lists(st.integers(1, 20), max_size=5).map(tuple),
    leased_before=st.none() | st.floats(0, 500),
)
PEOPLE: dict[str, Callable[[float], Step]] = {
    "hold": lambda now: hold,
    "release": lambda now: partial(release, now=now),
    "cancel": lambda now: cancel,
    "send_again": lambda now: partial(send_again, now=now),
    "give_up": lambda now: partial(give_up, now=now),
    "expire": lambda now: partial(expire, now=now, policy=POLICY),
}


def _settle(delivery: Delivery, *, lease_number: int, verdict: Verdict, now: float, note: str) -> Delivery | None:
    return settle(delivery, lease_number, Judgement(verdict), now=now, policy=POLICY, draw=lambda: 0.5, note=note)


def _attempts(ledger: Ledger, *, delivery_key: int) -> list[Attempt]:
    return ledger.attempts(delivery_key)


def _backlog(ledger: Ledger, *, destination: str, now: float) -> Backlog:
    return ledger.backlog(destination, now=now)


class LedgersAgree(RuleBasedStateMachine):
    """Drive both with the same calls."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryInstanceIndex()
        self.sqlite = SqliteInstanceIndex(Path(self.folder.name) / "index.sqlite")
        self.now = 100.0
        self.number = 0
        self.leases: list[tuple[int, int]] = []
        self.received = 0
        self.sent_again: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.sqlite.close()
            self.folder.cleanup()

    def _both(self, ask: Callable[[InstanceIndex], Any]) -> Any:
        expected, found = ask(self.memory), ask(self.sqlite)
        assert found == expected
        return expected

    def _ask(self, ask: Callable[[Ledger], Any]) -> Any:
        return self._both(lambda index: ask(index.ledger))

    @rule(seconds=st.sampled_from([0.5, 30.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(arrivals=st.lists(st.tuples(IDENTIFIERS, PLANS), min_size=1, max_size=4), keep=st.booleans())
    def receive(self, arrivals: Sequence[tuple[InstanceIdentifier, tuple[DeliveryPlan, ...]]], keep: bool) -> None:
        news = []
        for identifier, plans in arrivals:
            self.number += 1
            new = new_instance(identifier, address=address_of(self.number, length=self.number), keep_previous=keep)
            news.append(replace(new, deliveries=plans))
        self._both(lambda index: index.commit(news, now=self.now, erase_due_at=self.now))

    @rule(identifier=IDENTIFIERS, depth=st.integers(1, 3))
    def delete(self, identifier: InstanceIdentifier, depth: int) -> None:
        scope = scope_of(identifier, depth=depth)
        self._both(lambda index: index.delete(scope, now=self.now, erase_due_at=self.now))

    @rule(identifier=IDENTIFIERS, moved_to=st.none() | IDENTIFIERS)
    def update(self, identifier: InstanceIdentifier, moved_to: InstanceIdentifier | None) -> None:
        """Make a new version current, under its own identifiers or others that are free."""
        rows = self.memory.instances(scope_of(identifier))
        if not rows or (moved_to is not None and self.memory.instances(scope_of(moved_to))):
            return
        self.number += 1
        name = f"r{self.number}"
        new = new_instance(moved_to or identifier, address=address_of(self.number, length=self.number))
        staged = replace(new, membership=Membership(name, rows[0].instance_key))
        self._both(lambda index: len(index.commit([staged], now=self.now, erase_due_at=self.now)))
        self._both(lambda index: index.revisions.conclude(name, now=self.now, erase_due_at=self.now))

    @rule(keys=st.lists(st.integers(1, 30), max_size=4), plans=PLANS)
    def send_by_hand(self, keys: list[int], plans: tuple[DeliveryPlan, ...]) -> None:
        planned = [(key, plan) for key in keys for plan in plans]
        self._ask(lambda ledger: ledger.begin(planned, now=self.now))

    @rule(destination=DESTINATIONS, priority=PRIORITIES, count=st.integers(0, 4), size=st.integers(1, 60))
    def lease(self, destination: str, priority: Priority, count: int, size: int) -> None:
        rows = self._ask(
            lambda ledger: ledger.lease(
                destination, priority, now=self.now, until=self.now + 60, count_max=count, size_max_bytes=size
            )
        )
        self.leases += [(row.delivery_key, row.delivery.lease_number) for row in rows]

    @rule()
    def renew(self) -> None:
        self._ask(lambda ledger: ledger.renew(self.leases, now=self.now, until=self.now + 90))

    @rule(data=st.data(), verdict=st.sampled_from(Verdict), note=st.sampled_from(NOTES))
    def settle(self, data: st.DataObject, verdict: Verdict, note: str) -> None:
        if not self.leases:
            return
        ended = data.draw(st.lists(st.sampled_from(self.leases), max_size=4))
        attempt = Attempt(self.now - 1, self.now, note, "said so")
        settled = [
            Settled(key, partial(_settle, lease_number=number, verdict=verdict, now=self.now, note=note), attempt)
            for key, number in ended
        ]
        self._ask(lambda ledger: ledger.settle(settled))
        for key, _ in ended:
            self._ask(partial(_attempts, delivery_key=key))

    @rule(selection=SELECTIONS, name=st.sampled_from(sorted(PEOPLE)), limit=st.integers(0, 20))
    def change(self, selection: Selection, name: str, limit: int) -> None:
        ended = self.memory.ledger.page(Selection(states=frozenset(DeliveryState) - OPEN_STATES), limit=1000)
        self._ask(lambda ledger: ledger.change(selection, PEOPLE[name](self.now), limit=limit))
        keys = tuple(row.delivery_key for row in ended)
        revived = self.memory.ledger.page(Selection(delivery_keys=keys, states=OPEN_STATES), limit=1000)
        self.sent_again |= {row.delivery_key for row in revived}

    @rule(keys=st.lists(st.integers(1, 20), max_size=4), plans=PLANS)
    def replan(self, keys: list[int], plans: tuple[DeliveryPlan, ...]) -> None:
        before = {row.delivery_key for row in self.memory.ledger.page(Selection(states=OPEN_STATES), limit=1000)}
        planned = [(key, plan) for key in keys for plan in plans]
        self._ask(lambda ledger: ledger.replan(planned, now=self.now))
        self.sent_again |= set(keys) - before

    @rule(selection=SELECTIONS, limit=st.integers(1, 5))
    def look(self, selection: Selection, limit: int) -> None:
        self._ask(lambda ledger: ledger.page(selection))
        studies = self._ask(lambda ledger: ledger.studies(selection, limit=limit))
        if studies:
            after = (studies[-1].last_received_at, studies[-1].tally_key)
            self._ask(lambda ledger: ledger.studies(selection, after=after, limit=limit))

    @rule()
    def reopen(self) -> None:
        self.sqlite.close()
        self.sqlite = SqliteInstanceIndex(Path(self.folder.name) / "index.sqlite")

    @invariant()
    def both_say_the_same(self) -> None:
        if not hasattr(self, "sqlite"):
            return
        self._ask(lambda ledger: ledger.page(Selection(), limit=1000))
        self._ask(lambda ledger: ledger.studies(Selection()))
        for destination in ("north", "south"):
            self._ask(partial(_backlog, destination=destination, now=self.now))

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "sqlite"):
            return
        tallies = self._ask(lambda ledger: ledger.tallies())
        assert all(tally.counters.adds_up for tally in tallies)
        received = sum(tally.counters.received for tally in tallies)
        assert received == len(self.sqlite.ledger.page(Selection(), limit=1000)) >= self.received
        self.received = received

    @invariant()
    def what_is_open_has_its_instance(self) -> None:
        """Tell that bytes which are erased are needed by no delivery, but by those that a person sends again."""
        if not hasattr(self, "sqlite"):
            return
        found = self.sqlite.ledger.page(Selection(states=OPEN_STATES), limit=1000)
        needed = {
            row.instance_key
            for row in found
            if row.delivery.wish is not Wish.CANCEL and row.delivery_key not in self.sent_again
        }
        assert set(self.sqlite.instances_of_keys(sorted(needed))) == needed


TestLedgersAgree = LedgersAgree.TestCase
TestLedgersAgree.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
# a failure is short enough to read; shrinking it would open some thousand databases
