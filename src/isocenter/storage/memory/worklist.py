"""The work list in a dictionary."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.domain.forms import Form, to_form
from isocenter.domain.worklist import (
    Addition,
    NewWorklistItem,
    ScheduledStepReference,
    StepState,
    WorklistEntry,
    WorklistQuery,
    number_of_steps,
    references_of,
    start_of,
)
from isocenter.storage.worklist_matching import fitting_steps


@dataclass(slots=True)
class _Item:
    item_key: int
    new: NewWorklistItem
    added_at: float
    step_keys: list[int]
    states: list[StepState]


class MemoryWorklist:
    """Keep the work list in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._items: dict[str, _Item] = {}
        self._last_item_key = 0
        self._last_step_key = 0

    def add(self, items: Sequence[NewWorklistItem], *, now: float) -> list[Addition]:
        """Keep items, each in the place of the one of its identity."""
        with self._lock:
            return [self._add(item, now) for item in items]

    def _add(self, new: NewWorklistItem, now: float) -> Addition:
        previous = self._items.pop(new.identity, None)
        self._last_item_key += 1
        count = number_of_steps(new.values)
        first = self._last_step_key + 1
        self._last_step_key += count
        states = [_state_in(previous, reference) for reference in references_of(new.values)]
        step_keys = list(range(first, first + count))
        self._items[new.identity] = _Item(self._last_item_key, new, now, step_keys, states)
        return Addition(self._last_item_key, previous is not None)

    def mark(self, references: Iterable[ScheduledStepReference], state: StepState) -> None:
        """Note how far scheduled steps have come."""
        wanted = set(references)
        with self._lock:
            for item in self._items.values():
                for number, reference in enumerate(references_of(item.new.values)):
                    if reference in wanted:
                        item.states[number] = state

    def find(self, query: WorklistQuery) -> list[int]:
        """Return the keys of the steps that fit, in the order of their start, then of their keys."""
        with self._lock:
            found = [
                (*_order_of(self._entry(item, number)), item.step_keys[number])
                for item in self._items.values()
                for number in fitting_steps(item.new.values, query)
                if item.states[number] in query.states
            ]
        return [step_key for _, _, step_key in sorted(found)]

    def entries(self, step_keys: Sequence[int]) -> list[WorklistEntry]:
        """Return steps by key, in the order asked for."""
        with self._lock:
            by_key = {
                step_key: (item, number)
                for item in self._items.values()
                for number, step_key in enumerate(item.step_keys)
            }
            return [self._entry(*by_key[step_key]) for step_key in step_keys if step_key in by_key]

    def _entry(self, item: _Item, number: int) -> WorklistEntry:
        return WorklistEntry(
            step_key=item.step_keys[number],
            item_key=item.item_key,
            step_number=number,
            state=item.states[number],
            content=item.new.content,
            transfer_syntax_uid=item.new.transfer_syntax_uid,
            values=item.new.values,
            added_at=item.added_at,
            source=item.new.source,
        )

    def remove(self, item_keys: Sequence[int]) -> int:
        """Drop items with their steps; return how many were there."""
        with self._lock:
            gone = [identity for identity, item in self._items.items() if item.item_key in set(item_keys)]
            for identity in gone:
                del self._items[identity]
            return len(gone)

    def count(self) -> int:
        """Return how many items are kept."""
        return len(self._items)


def _state_in(previous: _Item | None, reference: ScheduledStepReference | None) -> StepState:
    if previous is not None and reference is not None:
        for number, earlier in enumerate(references_of(previous.new.values)):
            if earlier == reference:
                return previous.states[number]
    return StepState.SCHEDULED


def _order_of(entry: WorklistEntry) -> tuple[str, str]:
    day, time = start_of(entry.step_values)
    return day, to_form(Form.TIME, time) if time else ""
