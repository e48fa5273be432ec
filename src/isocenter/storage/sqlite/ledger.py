"""The ledger within the SQLite index: steps through the writer, questions through the readers."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice

from isocenter.domain.delivery import WAITING_STATES, Delivery, DeliveryPlan, DeliveryState, Priority, lease, renew
from isocenter.domain.delivery_counters import count_numbers
from isocenter.ports.ledger import (
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
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.ledger_rows import read_deliveries
from isocenter.storage.sqlite.ledger_selection import KEY_MAX, SelectedDeliveries, Span
from isocenter.storage.sqlite.ledger_transaction import LedgerTransaction
from isocenter.storage.sqlite.writer import IndexWriter

_LAST = (float("inf"), KEY_MAX)
"""Behind every study of a listing."""


class SqliteLedger:
    """Keep deliveries in the index's file."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def begin(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        """Begin deliveries of stored instances, by their keys, in one commit; return how many began."""
        pairs = json.dumps([(key, plan.destination) for key, plan in planned])
        if not self._read("planned_anew", (pairs,))[0][0]:
            return 0
        return self._writer.change_ledger(lambda ledger: ledger.begin_missing(planned), now=now)

    def add(self, instance_keys: Sequence[int], plan: DeliveryPlan, *, now: float) -> int:
        """Begin deliveries of stored instances with one plan; return how many began."""
        return self.begin([(key, plan) for key in instance_keys], now=now)

    def replan(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        """Queue deliveries again by other plans; return how many were."""
        if not planned:
            return 0
        return self._writer.change_ledger(lambda ledger: ledger.replan(planned, now=now), now=now)

    def lease(
        self, destination: str, priority: Priority, *, now: float, until: float, count_max: int, size_max_bytes: int
    ) -> list[LedgerRow]:
        """Give queued deliveries of a class that are due to a sender, those that are due longest first."""
        asked = (destination, priority.value, now, max(0, min(count_max, PAGE_MAX)))
        if not self._read("due_deliveries", (*asked[:-1], min(1, asked[-1]))):  # nothing to write is no transaction
            return []

        def write(ledger: LedgerTransaction) -> list[LedgerRow]:
            keys = list(_within(ledger.fetch("due_deliveries", asked), size_max_bytes))
            kept = ledger.read(keys)
            stepped = [ledger.step(kept[key], partial(lease, now=now, until=until)) for key in keys]
            return [one.row for one in stepped if one is not None]

        return self._writer.change_ledger(write)

    def renew(self, leases: Sequence[tuple[int, int]], *, now: float, until: float) -> frozenset[int]:
        """Lengthen leases, each by delivery key and lease number; return the keys that their sender still holds."""
        if not leases:
            return frozenset()

        def write(ledger: LedgerTransaction) -> frozenset[int]:
            kept = ledger.read([key for key, _ in leases])
            held: set[int] = set()
            for key, number in leases:
                if key in kept:
                    after = ledger.step(kept[key], partial(renew, lease_number=number, now=now, until=until))
                    held |= set() if after is None else {key}
            return frozenset(held)

        return self._writer.change_ledger(write)

    def settle(self, settled: Sequence[Settled]) -> list[Delivery | None]:
        """Take steps and keep their attempts in one commit; return each delivery after its step, None where none."""
        if not settled:
            return []

        def write(ledger: LedgerTransaction) -> list[Delivery | None]:
            kept = ledger.read([one.delivery_key for one in settled])
            found: list[Delivery | None] = []
            for one in settled:
                before = kept.get(one.delivery_key)
                after = None if before is None else ledger.step(before, one.step)
                if after is not None:
                    kept[one.delivery_key] = after
                    if one.attempt is not None:
                        ledger.keep_attempt(one.delivery_key, one.attempt)
                found.append(None if after is None else after.row.delivery)
            return found

        return self._writer.change_ledger(write)

    def change(self, selection: Selection, step: Step, *, limit: int = PAGE_MAX) -> int:
        """Take a step with up to so many of the deliveries that are selected; return how many took it."""
        taken, above = 0, 0
        while taken < limit:
            span = Span(above=above, limit=min(limit - taken, PAGE_MAX))
            if not self._keys(selection, Span(above=above, limit=1)):  # nothing to write is no transaction
                break
            write = partial(LedgerTransaction.step_selected, selection=selection, span=span, step=step)
            above, count = self._writer.change_ledger(write)
            taken += count
        return taken

    def _keys(self, selection: Selection, span: Span) -> list[int]:
        with self._readers.connection() as connection:
            return SelectedDeliveries(connection, self._queries, selection).keys(span)

    def backlog(self, destination: str, *, now: float) -> Backlog:
        """Return what waits for a destination, by looks at the ends of indexes."""
        priorities = json.dumps([priority.value for priority in Priority])
        rows = self._read("due_classes", {"destination": destination, "now": now, "priorities": priorities})
        return Backlog(
            frozenset(Priority(priority) for priority, is_due, *_ in rows if is_due),
            min((due_at for _, _, due_at, _ in rows if due_at is not None), default=None),
            rows[0][3],
        )

    def tallies(self) -> list[Tally]:
        """Return the counters by channel and destination, in their order."""
        found: list[Tally] = []
        for (_, channel, destination), own in groupby(self._read("delivery_tallies", ()), lambda row: row[:3]):
            rows = list(own)
            counters = count_numbers((DeliveryState(state), number) for *_, state, number, _ in rows)
            waiting_bytes = sum(size for *_, state, _, size in rows if DeliveryState(state) in WAITING_STATES)
            found.append(Tally(channel, destination, counters, waiting_bytes))
        return found

    def page(self, selection: Selection, *, after: int | None = None, limit: int = 100) -> list[LedgerRow]:
        """Return deliveries that are selected, the newest first, those with a key below `after`."""
        span = Span(below=KEY_MAX if after is None else after, limit=max(0, min(limit, PAGE_MAX)), newest_first=True)
        with self._readers.connection() as connection:
            keys = SelectedDeliveries(connection, self._queries, selection).keys(span)
            return [kept.row for kept in read_deliveries(connection, self._queries, keys).values()]

    def studies(
        self, selection: Selection, *, after: tuple[float, int] | None = None, limit: int = 100
    ) -> list[StudyTally]:
        """Return the selected deliveries by study and destination, the last received first."""
        limit = max(0, min(limit, PAGE_MAX))
        with self._readers.connection() as connection:
            selected = SelectedDeliveries(connection, self._queries, selection)
            listings = [
                islice(selected.studies(destination, _LAST if after is None else after), limit)
                for destination in selected.destinations()
            ]
            return list(islice(heapq.merge(*listings, key=_listed, reverse=True), limit))

    def attempts(self, delivery_key: int) -> list[Attempt]:
        """Return what the attempts of a delivery came to, the newest first."""
        return [Attempt(*row) for row in self._read("attempts", (delivery_key,))]

    def _read(self, name: str, bindings: Sequence[object] | Mapping[str, object]) -> list[Row]:
        with self._readers.connection() as connection:
            return fetch(connection, self._queries[name], bindings)


def _within(rows: Sequence[Row], size_max_bytes: int) -> Iterator[int]:
    """Yield the keys at the beginning that fit together, the first one in any case; rows are keys and sizes."""
    total_bytes = 0
    for number, (key, size_bytes) in enumerate(rows):
        total_bytes += size_bytes
        if number and total_bytes > size_max_bytes:
            return
        yield key


def _listed(tally: StudyTally) -> tuple[float, int]:
    return tally.last_received_at, tally.tally_key
