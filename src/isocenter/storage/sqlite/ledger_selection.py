"""Which deliveries and studies a selection of the ledger has, found by the indexes.

What names a few deliveries (their keys, an instance, a series, a study, a lease that is over) leads to them. Else each
pair of counter and state that the selection has is a stretch of an index in the order of keys, and the stretches are
merged: there are as many as channels, destinations and states go together, however many deliveries there are.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import apsw

from isocenter.domain.delivery import OPEN_STATES, DeliveryState
from isocenter.domain.delivery_counters import count_numbers
from isocenter.ports.ledger import Selection, StudyTally
from isocenter.storage.sqlite.connections import Row, fetch

KEY_MAX = 2**63 - 1
_UNUSUAL_STATES = frozenset({DeliveryState.DELIVERED_WITH_NOTE, DeliveryState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Span:
    """Which stretch of the keys, and from which end."""

    above: int = 0
    below: int = KEY_MAX
    limit: int = -1
    newest_first: bool = False

    @property
    def order(self) -> str:
        """Return the order as SQL."""
        return "DESC" if self.newest_first else "ASC"


class SelectedDeliveries:
    """Find what a selection has, as one connection sees it."""

    def __init__(self, connection: apsw.Connection, queries: Mapping[str, str], selection: Selection) -> None:
        self._connection = connection
        self._queries = queries
        self._selection = selection

    def keys(self, span: Span) -> list[int]:
        """Return the keys of deliveries within a span, in its order, up to its limit."""
        access = self._access()
        if access is None:
            return self._merged(span)
        conditions, bindings = access
        statement = (
            f"SELECT delivery_key FROM delivery WHERE {' AND '.join(conditions)} "  # noqa: S608  names of ours only
            f"AND +delivery_key > ? AND +delivery_key < ? ORDER BY +delivery_key {span.order} LIMIT ?"
        )
        rows = fetch(self._connection, statement, [*bindings, span.above, span.below, span.limit])
        return [key for (key,) in rows]

    def _access(self) -> tuple[list[str], list[object]] | None:
        """Return the conditions where they name a few deliveries, None where they do not."""
        named = list(self._named())
        if not named:
            return None
        found = [named[0], *((f"+{condition}", value) for condition, value in named[1:]), *self._filters()]
        return [condition for condition, _ in found], [value for _, value in found]

    def _named(self) -> Iterator[tuple[str, object]]:
        one = self._selection
        if one.delivery_keys is not None:
            yield "delivery_key IN (SELECT value FROM json_each(?))", json.dumps(one.delivery_keys)
        if one.sop_instance_uid is not None:
            yield "sop_instance_uid = ?", one.sop_instance_uid
        if one.series_instance_uid is not None:
            yield (
                "delivery_series_key IN ("
                "SELECT delivery_series_key FROM delivery_series WHERE series_instance_uid = ?)",
                one.series_instance_uid,
            )
        if one.study_instance_uid is not None:
            yield (
                "delivery_series_key IN ("
                "SELECT e.delivery_series_key FROM delivery_study s CROSS JOIN delivery_series e "
                "ON e.delivery_study_key = s.delivery_study_key WHERE s.study_instance_uid = ?)",
                one.study_instance_uid,
            )
        if one.leased_before is not None:
            yield "state = 'sending' AND leased_until < ?", one.leased_before

    def _filters(self) -> Iterator[tuple[str, object]]:
        one = self._selection
        if one.channel is not None or one.destination is not None:
            yield (
                "+tally_key IN (SELECT value FROM json_each(?))",
                json.dumps(sorted({key for key, _ in self._places()})),
            )
        if one.states is not None:
            yield "+state IN (SELECT value FROM json_each(?))", json.dumps([state.value for state in one.states])
        if one.note is not None:
            yield "+note = ?", one.note

    def _merged(self, span: Span) -> list[int]:
        note = self._selection.note
        conditions = "tally_key = ? AND state = ? AND delivery_key > ? AND delivery_key < ?"
        noted: list[object] = [] if note is None else [note]
        if note is not None:
            conditions += " AND note <> '' AND note = ?" if note else " AND +note = ?"
        statement = (
            f"SELECT delivery_key FROM delivery WHERE {conditions} "  # noqa: S608  names of ours only
            f"ORDER BY delivery_key {span.order} LIMIT ?"
        )
        stretches = [
            [key for (key,) in fetch(self._connection, statement, [*place, span.above, span.below, *noted, span.limit])]
            for place in self._places()
        ]
        merged = list(heapq.merge(*stretches, reverse=span.newest_first))
        return merged if span.limit < 0 else merged[: span.limit]

    def _places(self) -> list[tuple[int, str]]:
        """Return the counters and states of the selection that anything counts in."""
        one = self._selection
        states = None if one.states is None else {state.value for state in one.states}
        return [
            (tally_key, state)
            for tally_key, channel, destination, state, *_ in fetch(
                self._connection, self._queries["delivery_tallies"], ()
            )
            if one.destination in (None, destination) and one.channel in (None, channel)
            if states is None or state in states
        ]

    def destinations(self) -> list[str]:
        """Return the destinations that the selection may have something for."""
        rows = fetch(self._connection, self._queries["delivery_tallies"], ())
        return sorted({row[2] for row in rows if self._selection.destination in (None, row[2])})

    def studies(self, destination: str, below: tuple[float, int]) -> Iterator[StudyTally]:
        """Yield studies on their way to a destination, the last received first, with what is selected of them."""
        is_counted = self._is_counted_by_study
        keys = None if is_counted or self._access() is None else self._study_keys()
        for key, study, partition, last_received_at, *numbers in self._study_rows(destination, below, keys):
            states = zip(DeliveryState, numbers, strict=True) if is_counted else self._states_within(key)
            wanted = self._selection.states
            counters = count_numbers((state, number) for state, number in states if wanted is None or state in wanted)
            if counters.received:
                yield StudyTally(study, partition, destination, counters, last_received_at, key)

    @property
    def _is_counted_by_study(self) -> bool:
        """Tell whether the counters of a study say what is selected of it."""
        one = self._selection
        finer = (one.channel, one.note, one.series_instance_uid, one.sop_instance_uid, one.delivery_keys)
        return all(value is None for value in finer) and one.leased_before is None

    def _study_keys(self) -> list[int]:
        """Return the studies of the few deliveries that a selection names."""
        keys = json.dumps(self.keys(Span()))
        statement = (
            "SELECT DISTINCT e.delivery_study_key FROM json_each(?) AS asked CROSS JOIN delivery d "
            "ON d.delivery_key = asked.value CROSS JOIN delivery_series e USING (delivery_series_key)"
        )
        return [key for (key,) in fetch(self._connection, statement, (keys,))]

    def _study_rows(self, destination: str, below: tuple[float, int], keys: Sequence[int] | None) -> Iterator[Row]:
        """Yield studies with something in a state that is wanted: key, study, partition, time, counters by state."""
        study, states = self._selection.study_instance_uid, self._selection.states
        plain = "" if keys is None and study is None else "+"  # keys and UIDs lead to fewer rows than an order does
        order = f"{plain}s.last_received_at", f"{plain}s.delivery_study_key"
        conditions = [f"{plain}s.destination = ?", f"({', '.join(order)}) < (?, ?)"]
        bindings: list[object] = [destination, *below]
        if keys is not None:
            conditions += ["s.delivery_study_key IN (SELECT value FROM json_each(?))"]
            bindings.append(json.dumps(keys))
        if study is not None:
            conditions.append("s.study_instance_uid = ?")
            bindings.append(study)
        if states is not None:
            conditions.append(" + ".join(["0", *(f"s.{_column(state)}" for state in sorted(states))]) + " > 0")
            if states <= OPEN_STATES:  # the condition of an index
                conditions.append("s.queued + s.sending + s.held + s.needs_human > 0")
            elif states <= _UNUSUAL_STATES:
                conditions.append("s.delivered_with_note + s.cancelled > 0")
        yield from self._connection.execute(
            "SELECT s.delivery_study_key, s.study_instance_uid, p.partition_name, s.last_received_at, "  # noqa: S608
            f"{', '.join(f's.{_column(state)}' for state in DeliveryState)} "
            "FROM delivery_study s CROSS JOIN partition p ON p.partition_key = s.partition_key "
            f"WHERE {' AND '.join(conditions)} ORDER BY {order[0]} DESC, {order[1]} DESC",
            bindings,
        )

    def _states_within(self, study_key: int) -> list[tuple[DeliveryState, int]]:
        """Return how many deliveries of a study to a destination are selected, by state."""
        filters = [*((f"+{condition}", value) for condition, value in self._named()), *self._filters()]
        conditions = " AND ".join(["delivery_study_key = ?", *(condition for condition, _ in filters)])
        statement = (
            "SELECT state, count(*) FROM delivery_series CROSS JOIN delivery USING (delivery_series_key) "  # noqa: S608
            f"WHERE {conditions} GROUP BY state"
        )
        rows = fetch(self._connection, statement, [study_key, *(value for _, value in filters)])
        return [(DeliveryState(state), number) for state, number in rows]


def _column(state: DeliveryState) -> str:
    return state.value.replace("-", "_")
