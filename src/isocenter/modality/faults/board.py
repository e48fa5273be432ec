"""The faults that are set on a link, and the decision whether one strikes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TypeVar

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.faults.fault import Fault

FAULTS_MAX = 64
"""Set at a time on one link: each is looked at for every piece of every connection."""

T = TypeVar("T", bound=Fault)


class ActiveFault:
    """A fault that is set: how often it struck, and its own random numbers."""

    def __init__(self, fault_id: int, fault: Fault) -> None:
        self.fault_id = fault_id
        self.fault = fault
        self.struck = 0
        self._random = random.Random(fault.seed)

    @property
    def is_spent(self) -> bool:
        """Tell whether it has struck as often as it may."""
        return 0 < self.fault.count <= self.struck

    def is_drawn(self) -> bool:
        """Decide by its probability whether an occasion is one of its own."""
        return self.fault.probability >= 1.0 or self._random.random() < self.fault.probability

    def strike(self) -> bool:
        """Count that it strikes now; False where it has struck as often as it may."""
        if self.is_spent:
            return False
        self.struck += 1
        return True

    def random_bytes(self, size: int) -> bytes:
        """Return bytes that mean nothing."""
        return self._random.randbytes(size)

    def random_share(self) -> float:
        """Return a number between 0 and 1."""
        return self._random.random()


class FaultBoard:
    """What is set on one link."""

    def __init__(self) -> None:
        self._active: dict[int, ActiveFault] = {}
        self._numbers = 0

    def __iter__(self) -> Iterator[ActiveFault]:
        """Yield what is set, in the order in which it was."""
        return iter(tuple(self._active.values()))

    def set(self, fault: Fault) -> ActiveFault:
        """Set a fault beside those that are set."""
        if len(self._active) >= FAULTS_MAX:
            raise InvalidRequest(f"{FAULTS_MAX} faults are set on this link; clear some first.")
        self._numbers += 1
        active = self._active[self._numbers] = ActiveFault(self._numbers, fault)
        return active

    def clear(self, fault_id: int | None = None) -> int:
        """Clear one fault, or all; return how many were set."""
        if fault_id is not None:
            return 0 if self._active.pop(fault_id, None) is None else 1
        number = len(self._active)
        self._active.clear()
        return number

    def of(self, kind: type[T]) -> Iterator[tuple[ActiveFault, T]]:
        """Yield the faults of a kind that are not spent."""
        for active in self:
            if isinstance(active.fault, kind) and not active.is_spent:
                yield active, active.fault
