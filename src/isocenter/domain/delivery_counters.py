"""The counters of a destination or channel: received = delivered + waiting + needs human + cancelled, always.

They are kept by what each step of a delivery takes from one counter and gives to another, so that they can neither gain
nor lose one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from isocenter.domain.delivery import DeliveryState


class Counter(StrEnum):
    """Where a delivery counts."""

    DELIVERED = "delivered"
    WAITING = "waiting"
    NEEDS_HUMAN = "needs_human"
    CANCELLED = "cancelled"


COUNTER_OF: Mapping[DeliveryState, Counter] = {
    DeliveryState.QUEUED: Counter.WAITING,
    DeliveryState.SENDING: Counter.WAITING,
    DeliveryState.HELD: Counter.WAITING,
    DeliveryState.NEEDS_HUMAN: Counter.NEEDS_HUMAN,
    DeliveryState.DELIVERED: Counter.DELIVERED,
    DeliveryState.DELIVERED_WITH_NOTE: Counter.DELIVERED,
    DeliveryState.CANCELLED: Counter.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Counters:
    """How many deliveries there are, and where they stand."""

    received: int = 0
    delivered: int = 0
    waiting: int = 0
    needs_human: int = 0
    cancelled: int = 0

    @property
    def adds_up(self) -> bool:
        """Tell whether every delivery that was received stands somewhere."""
        return self.received == self.delivered + self.waiting + self.needs_human + self.cancelled

    def with_received(self, count: int = 1) -> Counters:
        """Return the counters after so many more deliveries were queued."""
        return replace(self, received=self.received + count, waiting=self.waiting + count)

    def moved(self, before: DeliveryState, after: DeliveryState) -> Counters:
        """Return the counters after a delivery went from one state to another."""
        source, target = COUNTER_OF[before], COUNTER_OF[after]
        if source is target:
            return self
        return replace(self, **{source.value: getattr(self, source) - 1, target.value: getattr(self, target) + 1})


def count(states: Iterable[DeliveryState]) -> Counters:
    """Return the counters of deliveries that stand in these states."""
    return count_numbers((state, 1) for state in states)


def count_numbers(numbers: Iterable[tuple[DeliveryState, int]]) -> Counters:
    """Return the counters where so many deliveries stand in each of these states."""
    found = dict.fromkeys(Counter, 0)
    for state, number in numbers:
        found[COUNTER_OF[state]] += number
    return Counters(sum(found.values()), **{counter.value: number for counter, number in found.items()})
