"""The ledger in a dictionary, read by looking at everything: what the other ledgers must equal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from isocenter.domain.delivery import (
    NOWHERE,
    OPEN_STATES,
    SUPERSEDED,
    WAITING_STATES,
    Delivery,
    DeliveryPlan,
    DeliveryState,
    Priority,
    begin,
    inherit,
    is_inherited,
    lease,
    may_replace,
    renew,
    send_again,
    withdraw,
)
from isocenter.domain.delivery_counters import count
from isocenter.ports.index import InstanceRow
from isocenter.ports.ledger import (
    ATTEMPTS_MAX,
    DETAIL_LENGTH_MAX,
    PAGE_MAX,
    Attempt,
    Backlog,
    LedgerRow,
    Selection,
    Settled,
    Step,
    StudyTally,
    Tally,
)

Heir = tuple[DeliveryPlan, Delivery]
"""What the next version of an instance begins with."""


class MemoryLedger:
    """Keep deliveries beside the index in memory, under its lock."""

    def __init__(self, lock: threading.RLock, instance: Callable[[int], InstanceRow | None]) -> None:
        self._lock = lock
        self._instance = instance
        self._rows: dict[int, LedgerRow] = {}
        self._attempts: dict[int, list[Attempt]] = {}
        self._tally_keys: dict[tuple[str, str, str], int] = {}

    def begin(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        """Begin deliveries of stored instances, by their keys; return how many began."""
        with self._lock:
            return self.begin_with((key, plan, begin(plan, now)) for key, plan in planned)

    def add(self, instance_keys: Sequence[int], plan: DeliveryPlan, *, now: float) -> int:
        """Begin deliveries of stored instances with one plan; return how many began."""
        return self.begin([(key, plan) for key in instance_keys], now=now)

    def replan(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        """Queue deliveries again by other plans; return how many were."""
        count = 0
        with self._lock:
            for key, plan in planned:
                row = self._rows.get(key)
                after = None if row is None or not may_replace(row.plan, plan) else send_again(row.delivery, now=now)
                if row is not None and after is not None:
                    self._keep(replace(row, plan=plan), after)
                    count += 1
        return count

    def begin_with(self, begun: Iterable[tuple[int, DeliveryPlan, Delivery]]) -> int:
        """Keep deliveries that begin, each version's once to a destination; return how many are new."""
        return sum(self._begin(*one) for one in begun)

    def _begin(self, instance_key: int, plan: DeliveryPlan, delivery: Delivery) -> bool:
        stored = self._instance(instance_key)
        known = {row.plan.destination for row in self._rows.values() if row.instance_key == instance_key}
        if stored is None or plan.destination in known:
            return False
        key = len(self._rows) + 1
        self._rows[key] = LedgerRow(key, instance_key, stored.identifier, stored.address.length, plan, delivery)
        self._tally_keys.setdefault(_study_place(self._rows[key]), len(self._tally_keys) + 1)
        return True

    def withdraw(self, instance_key: int, note: str) -> None:
        """Cancel what is open of a version that is gone."""
        for row in self._open(instance_key):
            self._keep(row, withdraw(row.delivery, note))

    def supersede(self, instance_key: int, plans: Sequence[DeliveryPlan], *, now: float) -> list[Heir]:
        """Cancel what is open of a version that another one, with its own plans, replaces; return what it inherits."""
        heirs: list[Heir] = []
        for row in self._open(instance_key):
            heir = inherit(row.plan, row.delivery, now=now) if is_inherited(row.plan, plans) else None
            if heir is not None:
                heirs.append((row.plan, heir))
        self.withdraw(instance_key, SUPERSEDED)
        return heirs

    def _open(self, instance_key: int) -> list[LedgerRow]:
        found = (row for row in self._rows.values() if row.instance_key == instance_key)
        return [row for row in found if row.delivery.state in OPEN_STATES]

    def _keep(self, row: LedgerRow, after: Delivery | None) -> LedgerRow:
        if after is not None:
            row = self._rows[row.delivery_key] = replace(row, delivery=after)
        return row

    def lease(
        self, destination: str, priority: Priority, *, now: float, until: float, count_max: int, size_max_bytes: int
    ) -> list[LedgerRow]:
        """Give queued deliveries of a class that are due to a sender, those that are due longest first."""
        with self._lock:
            own = [row for row in self._rows.values() if row.plan.destination == destination]
            under_way = {row.identifier for row in own if row.delivery.state is DeliveryState.SENDING}
            due = [
                (row, leased)
                for row in own
                if row.plan.priority is priority
                and row.identifier not in under_way
                and (leased := lease(row.delivery, now=now, until=until)) is not None
            ]
            due.sort(key=lambda one: (one[0].delivery.due_at, one[0].delivery_key))
            chosen = list(_within(due[: min(count_max, PAGE_MAX)], size_max_bytes))
            return [self._keep(row, leased) for row, leased in chosen]

    def renew(self, leases: Sequence[tuple[int, int]], *, now: float, until: float) -> frozenset[int]:
        """Lengthen leases, each by delivery key and lease number; return the keys that their sender still holds."""
        held: set[int] = set()
        with self._lock:
            for key, lease_number in leases:
                row = self._rows.get(key)
                after = None if row is None else renew(row.delivery, lease_number, now=now, until=until)
                if row is not None and after is not None:
                    self._keep(row, after)
                    held.add(key)
        return frozenset(held)

    def settle(self, settled: Sequence[Settled]) -> list[Delivery | None]:
        """Take steps and keep their attempts, all or none; return each delivery after its step, None where none."""
        with self._lock:
            now_kept = dict(self._rows)
            found: list[Delivery | None] = []
            for one in settled:
                row = now_kept.get(one.delivery_key)
                after = None if row is None or row.plan.destination == NOWHERE else one.step(row.delivery)
                if row is not None and after is not None:
                    now_kept[row.delivery_key] = replace(row, delivery=after)
                found.append(after)
            self._rows = now_kept
            for one, after in zip(settled, found, strict=True):
                if after is not None and one.attempt is not None:
                    self._keep_attempt(one.delivery_key, one.attempt)
            return found

    def _keep_attempt(self, delivery_key: int, attempt: Attempt) -> None:
        kept = self._attempts.setdefault(delivery_key, [])
        kept.insert(0, replace(attempt, detail=attempt.detail[:DETAIL_LENGTH_MAX]))
        del kept[ATTEMPTS_MAX:]

    def change(self, selection: Selection, step: Step, *, limit: int = PAGE_MAX) -> int:
        """Take a step with up to so many of the deliveries that are selected; return how many took it."""
        with self._lock:
            stepped = (
                (row, after)
                for row in self._selected(selection)
                if row.plan.destination != NOWHERE and (after := step(row.delivery)) is not None
            )
            taken = [one for one, _ in zip(stepped, range(limit), strict=False)]
            for row, after in taken:
                self._keep(row, after)
            return len(taken)

    def backlog(self, destination: str, *, now: float) -> Backlog:
        """Return what waits for a destination."""
        with self._lock:
            waiting = [
                row
                for row in self._rows.values()
                if row.plan.destination == destination and row.delivery.state in WAITING_STATES
            ]
        queued = [row for row in waiting if row.delivery.state is DeliveryState.QUEUED]
        return Backlog(
            frozenset(row.plan.priority for row in queued if row.delivery.due_at <= now),
            min((row.delivery.due_at for row in queued if row.delivery.due_at > now), default=None),
            min((row.delivery.received_at for row in waiting), default=None),
        )

    def tallies(self) -> list[Tally]:
        """Return the counters by channel and destination, in their order."""
        with self._lock:
            rows = list(self._rows.values())
        found: list[Tally] = []
        for channel, destination in sorted({(row.plan.channel, row.plan.destination) for row in rows}):
            own = [row for row in rows if (row.plan.channel, row.plan.destination) == (channel, destination)]
            waiting_bytes = sum(row.size_bytes for row in own if row.delivery.state in WAITING_STATES)
            found.append(Tally(channel, destination, count(row.delivery.state for row in own), waiting_bytes))
        return found

    def page(self, selection: Selection, *, after: int | None = None, limit: int = 100) -> list[LedgerRow]:
        """Return deliveries that are selected, the newest first, those with a key below `after`."""
        with self._lock:
            found = [row for row in self._selected(selection) if after is None or row.delivery_key < after]
        return found[::-1][: min(limit, PAGE_MAX)]

    def studies(
        self, selection: Selection, *, after: tuple[float, int] | None = None, limit: int = 100
    ) -> list[StudyTally]:
        """Return the selected deliveries by study and destination, the last received first."""
        with self._lock:
            received = {_study_place(row): 0.0 for row in self._rows.values()}
            for row in self._rows.values():
                received[_study_place(row)] = max(received[_study_place(row)], row.delivery.received_at)
            selected = self._selected(selection)
        found: list[StudyTally] = []
        for place in {_study_place(row) for row in selected}:
            partition, study_instance_uid, destination = place
            counters = count(row.delivery.state for row in selected if _study_place(row) == place)
            last = received[place]
            found.append(
                StudyTally(study_instance_uid, partition, destination, counters, last, self._tally_keys[place])
            )
        found.sort(key=_listed, reverse=True)
        return [one for one in found if after is None or _listed(one) < after][: min(limit, PAGE_MAX)]

    def attempts(self, delivery_key: int) -> list[Attempt]:
        """Return what the attempts of a delivery came to, the newest first."""
        with self._lock:
            return list(self._attempts.get(delivery_key, ()))

    def _selected(self, selection: Selection) -> list[LedgerRow]:
        return [row for row in self._rows.values() if is_selected(row, selection)]


def is_selected(row: LedgerRow, selection: Selection) -> bool:
    """Tell whether a selection has a delivery."""
    kept, identifier = row.delivery, row.identifier
    wanted = (
        (selection.destination, row.plan.destination),
        (selection.channel, row.plan.channel),
        (selection.note, kept.note),
        (selection.study_instance_uid, identifier.study_instance_uid),
        (selection.series_instance_uid, identifier.series_instance_uid),
        (selection.sop_instance_uid, identifier.sop_instance_uid),
    )
    return (
        all(value is None or value == own for value, own in wanted)
        and (selection.states is None or kept.state in selection.states)
        and (selection.delivery_keys is None or row.delivery_key in selection.delivery_keys)
        and (
            selection.leased_before is None
            or (kept.leased_until is not None and kept.leased_until < selection.leased_before)
        )
    )


def _within(due: Sequence[tuple[LedgerRow, Delivery]], size_max_bytes: int) -> Iterator[tuple[LedgerRow, Delivery]]:
    """Yield those at the beginning that fit together, the first one in any case."""
    size_bytes = 0
    for number, one in enumerate(due):
        size_bytes += one[0].size_bytes
        if number and size_bytes > size_max_bytes:
            return
        yield one


def _study_place(row: LedgerRow) -> tuple[str, str, str]:
    return row.identifier.partition_name, row.identifier.study_instance_uid, row.plan.destination


def _listed(tally: StudyTally) -> tuple[float, int]:
    return tally.last_received_at, tally.tally_key
