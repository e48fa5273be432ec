"""What a transaction does with the ledger: deliveries that begin, steps, attempts; the counters move with them.

Deliveries that begin or take a step are written together, before anybody looks for them; what counters gain and lose,
at the end.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import apsw

from isocenter.domain.delivery import (
    NOWHERE,
    SUPERSEDED,
    Delivery,
    DeliveryPlan,
    DeliveryState,
    begin,
    inherit,
    is_inherited,
    may_replace,
    send_again,
    withdraw,
)
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.ledger import ATTEMPTS_MAX, DETAIL_LENGTH_MAX, Attempt, LedgerRow, Selection, Step
from isocenter.storage.sqlite.connections import Row, fetch
from isocenter.storage.sqlite.ledger_rows import KeptDelivery, plan_columns, read_deliveries
from isocenter.storage.sqlite.ledger_selection import KEY_MAX, SelectedDeliveries, Span
from isocenter.storage.sqlite.recollection import Counters, DeliveryPlace, PlanKeys, Recollection

Heir = tuple[DeliveryPlan, Delivery]
"""What the next version of an instance begins with."""

_STUDY_COLUMNS = tuple(DeliveryState)
"""The counters of a study, in the order of their statement."""


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A version of an instance that deliveries are about."""

    instance_key: int
    partition_key: int
    size_bytes: int
    identifier: InstanceIdentifier


class LedgerTransaction:
    """Change the ledger; the caller begins and ends the transaction, and writes at its end."""

    def __init__(
        self,
        connection: apsw.Connection,
        queries: Mapping[str, str],
        known: Recollection,
        counters: Counters,
        *,
        now: float,
    ) -> None:
        self._connection = connection
        self._queries = queries
        self._known = known
        self._counters = counters
        self._now = now
        self._begun: list[tuple[object, ...]] = []
        self._stepped: dict[int, Delivery] = {}
        self._requeued: dict[int, float] = {}
        self._attempts: list[tuple[int, Attempt]] = []
        self._counts: dict[tuple[int, DeliveryState], list[int]] = defaultdict(lambda: [0, 0])
        self._studies: dict[int, dict[DeliveryState, int]] = defaultdict(lambda: defaultdict(int))
        self._received: dict[int, float] = {}

    def begin(self, version: Deliverable, plans: Iterable[DeliveryPlan], heirs: Iterable[Heir] = ()) -> None:
        """Begin the deliveries of a version that has none yet, then those that it inherits."""
        self._begin_each(version, [*((plan, begin(plan, self._now)) for plan in plans), *heirs], set())

    def begin_missing(self, planned: Sequence[tuple[int, DeliveryPlan]]) -> int:
        """Begin deliveries of stored versions that have none to that destination; return how many."""
        keys = sorted({key for key, _ in planned})
        rows = fetch(self._connection, self._queries["instances_to_deliver"], (json.dumps(keys),))
        versions = {key: Deliverable(key, place, size, InstanceIdentifier(*named)) for key, place, size, *named in rows}
        known: dict[int, set[str]] = {}
        count = 0
        for key, plan in planned:
            version = versions.get(key)
            if version is None:
                continue
            if key not in known:
                self._write_deliveries()
                destinations = fetch(self._connection, self._queries["destinations_of_instance"], (key,))
                known[key] = {destination for (destination,) in destinations}
            count += self._begin_each(version, [(plan, begin(plan, self._now))], known[key])
        return count

    def _begin_each(self, version: Deliverable, begun: Iterable[Heir], known: set[str]) -> int:
        """Begin deliveries to destinations that are not known yet, and add those; return how many began."""
        count = 0
        for plan, delivery in begun:
            if plan.destination not in known:
                known.add(plan.destination)
                self._begin(version, plan, delivery)
                count += 1
        return count

    def _begin(self, version: Deliverable, plan: DeliveryPlan, delivery: Delivery) -> None:
        place = self._place(version, plan.destination)
        keys = self._plan_keys(plan)
        self._counters.delivery_key += 1
        self._begun.append(
            (
                self._counters.delivery_key,
                version.instance_key,
                place.series_key,
                version.identifier.sop_instance_uid,
                version.size_bytes,
                keys.plan_key,
                keys.tally_key,
                plan.destination,
                plan.priority.value,
                delivery.state.value,
                delivery.received_at,
                delivery.due_at,
                delivery.lease_number,
                delivery.leased_until,
                delivery.failures,
                delivery.wish.value,
                delivery.note,
            )
        )
        self._count(keys.tally_key, place.study_key, delivery.state, 1, version.size_bytes)
        self._receive(place.study_key, delivery)

    def _place(self, version: Deliverable, destination: str) -> DeliveryPlace:
        one = version.identifier
        named = (version.partition_key, one.study_instance_uid, one.series_instance_uid, destination)
        place = self._known.delivery_places.get(named)
        if place is None:
            study_key = self._study_key(version.partition_key, one.study_instance_uid, destination)
            series_key = self._key("delivery_series", (study_key, one.series_instance_uid))
            place = DeliveryPlace(study_key, series_key)
            self._known.delivery_places.put(named, place)
        return place

    def _study_key(self, partition_key: int, study_instance_uid: str, destination: str) -> int:
        named = (study_instance_uid, destination, partition_key)
        rows = fetch(self._connection, self._queries["delivery_study"], named)
        return int(rows[0][0]) if rows else self._key("insert_delivery_study", named)

    def _plan_keys(self, plan: DeliveryPlan) -> PlanKeys:
        keys = self._known.plans.get(plan)
        if keys is None:
            plan_key = self._key("delivery_plan", plan_columns(plan))
            keys = PlanKeys(plan_key, self._key("delivery_tally", (plan.channel, plan.destination)))
            self._known.plans.put(plan, keys)
        return keys

    def _key(self, name: str, bindings: tuple[object, ...]) -> int:
        return int(fetch(self._connection, self._queries[name], bindings)[0][0])

    def withdraw(self, instance_keys: Iterable[int], note: str) -> None:
        """Cancel what is open of versions that are gone."""
        for kept in self._open(instance_keys):
            self._keep(kept, withdraw(kept.row.delivery, note))

    def supersede(self, instance_key: int, plans: Sequence[DeliveryPlan]) -> list[Heir]:
        """Cancel what is open of a version that another one, with its own plans, replaces; return what it inherits."""
        heirs: list[Heir] = []
        for kept in self._open([instance_key]):
            plan, delivery = kept.row.plan, kept.row.delivery
            heir = inherit(plan, delivery, now=self._now) if is_inherited(plan, plans) else None
            if heir is not None:
                heirs.append((plan, heir))
            self._keep(kept, withdraw(delivery, SUPERSEDED))
        return heirs

    def _open(self, instance_keys: Iterable[int]) -> list[KeptDelivery]:
        self._write_deliveries()
        rows = fetch(self._connection, self._queries["open_deliveries"], (json.dumps(list(instance_keys)),))
        return list(self.read([key for (key,) in rows]).values()) if rows else []

    def read(self, delivery_keys: Sequence[int]) -> dict[int, KeptDelivery]:
        """Return those of some deliveries that there are, by key."""
        self._write_deliveries()
        return read_deliveries(self._connection, self._queries, delivery_keys)

    def step(self, kept: KeptDelivery, step: Step) -> KeptDelivery | None:
        """Take a step with a delivery; return it after the step, None where there is none."""
        if kept.row.plan.destination == NOWHERE:
            return None
        return self._keep(kept, step(kept.row.delivery))

    def _keep(self, kept: KeptDelivery, after: Delivery | None) -> KeptDelivery | None:
        if after is None:
            return None
        before, row = kept.row.delivery, kept.row
        self._stepped[row.delivery_key] = after
        if after.received_at != before.received_at:
            self._requeued[row.delivery_key] = after.received_at
            self._receive(kept.study_key, after)
        if after.state is not before.state:
            self._count(kept.tally_key, kept.study_key, before.state, -1, -row.size_bytes)
            self._count(kept.tally_key, kept.study_key, after.state, 1, row.size_bytes)
        parts = (row.delivery_key, row.instance_key, row.identifier, row.size_bytes, row.plan, after)
        return KeptDelivery(LedgerRow(*parts), kept.tally_key, kept.study_key)

    def step_selected(self, selection: Selection, span: Span, step: Step) -> tuple[int, int]:
        """Take a step with what a selection has in a span; return the last key looked at, and how many took it."""
        self._write_deliveries()
        keys = SelectedDeliveries(self._connection, self._queries, selection).keys(span)
        stepped = [self.step(kept, step) for kept in self.read(keys).values()]
        return (keys[-1] if keys else KEY_MAX - 1), sum(one is not None for one in stepped)

    def replan(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        """Queue deliveries again by other plans; return how many were."""
        kept = self.read([key for key, _ in planned])
        count = 0
        for key, plan in planned:
            before = kept.get(key)
            if before is None or not may_replace(before.row.plan, plan):
                continue
            after = self.step(before, partial(send_again, now=now))
            if after is not None:
                kept[key] = after
                row = self._plan_keys(plan).plan_key, plan.priority.value, key
                self._connection.execute(self._queries["replan_delivery"], row)
                count += 1
        return count

    def fetch(self, name: str, bindings: Sequence[object]) -> list[Row]:
        """Return the rows of a question, as they are within the transaction."""
        self._write_deliveries()
        return fetch(self._connection, self._queries[name], bindings)

    def keep_attempt(self, delivery_key: int, attempt: Attempt) -> None:
        """Keep what an attempt came to; the oldest are dropped where that makes too many."""
        self._attempts.append((delivery_key, attempt))

    def _write_attempts(self) -> None:
        keys = json.dumps(sorted({key for key, _ in self._attempts}))
        last: dict[int, int] = dict(fetch(self._connection, self._queries["last_attempts"], (keys,)))
        rows: list[tuple[object, ...]] = []
        for key, one in self._attempts:
            last[key] = last.get(key, 0) + 1
            rows.append((key, last[key], one.began_at, one.ended_at, one.note, one.detail[:DETAIL_LENGTH_MAX]))
        self._connection.executemany(self._queries["insert_attempt"], rows)
        surplus = [(key, number - ATTEMPTS_MAX) for key, number in last.items() if number > ATTEMPTS_MAX]
        self._connection.executemany(self._queries["forget_attempts"], surplus)
        self._attempts.clear()

    def _count(self, tally_key: int, study_key: int, state: DeliveryState, number: int, size_bytes: int) -> None:
        count = self._counts[tally_key, state]
        count[0] += number
        count[1] += size_bytes
        self._studies[study_key][state] += number

    def _receive(self, study_key: int, delivery: Delivery) -> None:
        self._received[study_key] = max(self._received.get(study_key, 0.0), delivery.received_at)

    def _write_deliveries(self) -> None:
        """Write the deliveries that began and those that took steps, for whoever looks for them."""
        self._connection.executemany(self._queries["insert_delivery"], self._begun)
        steps = [_step_row(key, after) for key, after in self._stepped.items()]
        self._connection.executemany(self._queries["step_delivery"], steps)
        requeued = [(received_at, key) for key, received_at in self._requeued.items()]
        self._connection.executemany(self._queries["requeue_delivery"], requeued)
        self._begun.clear()
        self._stepped.clear()
        self._requeued.clear()

    def write(self) -> None:
        """Write everything that was collected."""
        self._write_deliveries()
        if self._attempts:
            self._write_attempts()
        counts = [(key, state.value, *added) for (key, state), added in self._counts.items() if any(added)]
        self._connection.executemany(self._queries["add_delivery_count"], counts)
        studies = [
            (*(added[state] for state in _STUDY_COLUMNS), self._received.get(key, 0.0), key)
            for key, added in self._studies.items()
        ]
        self._connection.executemany(self._queries["add_study_counts"], studies)
        self._counts.clear()
        self._studies.clear()
        self._received.clear()


def _step_row(delivery_key: int, after: Delivery) -> tuple[object, ...]:
    return (
        after.state.value,
        after.due_at,
        after.lease_number,
        after.leased_until,
        after.failures,
        after.wish.value,
        after.note,
        delivery_key,
    )
