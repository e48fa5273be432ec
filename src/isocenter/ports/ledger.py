"""The ledger: every delivery, how far it has come, and what its attempts came to.

Deliveries begin in the commit of their instance (`ports/index.py`), or here where somebody sends what is stored. Steps
are functions of `domain/delivery.py` and `routing/deliveries`, called with the delivery as it is kept at that moment:
None leaves it as it is. Counters move in the commit of the step, so that they always add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from isocenter.domain.delivery import Delivery, DeliveryPlan, DeliveryState, Priority
from isocenter.domain.delivery_counters import Counters
from isocenter.domain.identifiers import InstanceIdentifier

Step = Callable[[Delivery], Delivery | None]
ATTEMPTS_MAX = 20
"""Kept of one delivery: a day of the longest waits would be hundreds that say the same."""
DETAIL_LENGTH_MAX = 1000
"""Of what a destination said, as far as a person reads it; the rest is cut off."""
PAGE_MAX = 1000
"""Rows of one page, and deliveries that one call of `change` steps through: a commit stays short."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One delivery with what it is about."""

    delivery_key: int
    """Grows with each delivery that begins."""
    instance_key: int
    identifier: InstanceIdentifier
    """Known as long as the row is, though the instance may be gone."""
    size_bytes: int
    plan: DeliveryPlan
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt came to."""

    began_at: float
    ended_at: float
    note: str
    """Code of the catalogue."""
    detail: str = ""
    """In words, without values of attributes; what the destination itself said."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of one attempt."""

    delivery_key: int
    step: Step
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries; what is None is not asked for."""

    destination: str | None = None
    channel: str | None = None
    states: frozenset[DeliveryState] | None = None
    note: str | None = None
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    sop_instance_uid: str | None = None
    delivery_keys: tuple[int, ...] | None = None
    leased_before: float | None = None
    """Whose lease ended before."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The counters of one destination as one channel fills it."""

    channel: str
    destination: str
    counters: Counters
    waiting_bytes: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a destination."""

    due: frozenset[Priority]
    """Classes of which something may be sent now."""
    next_due_at: float | None
    """When the next delivery may be sent that may not be now; None where there is none."""
    oldest_received_at: float | None
    """Of everything that waits, whether held, sending or queued."""


@dataclass(frozen=True, slots=True)
class StudyTally:
    """How far the deliveries of one study to one destination have come."""

    study_instance_uid: str
    partition: str
    destination: str
    counters: Counters
    """Of the deliveries that are selected."""
    last_received_at: float
    """Of any of its deliveries to that destination."""
    tally_key: int
    """Of this study to this destination: where to go on in a listing, together with the time."""


class Ledger(Protocol):
    """Keep deliveries; durable when a call returns."""

    def begin(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        """Begin deliveries of stored instances, by their keys, in one commit; return how many began.

        A version of an instance has one delivery to a destination; another one, and one of a version that is gone, is
        left out. Where all are left out, nothing is written.
        """
        ...

    def add(self, instance_keys: Sequence[int], plan: DeliveryPlan, *, now: float) -> int:
        """Do the same with one plan for all."""
        ...

    def replan(self, planned: Sequence[tuple[int, DeliveryPlan]], *, now: float) -> int:
        """Queue deliveries again by other plans, by their keys, in one commit; return how many were.

        A plan takes the place of one of the same channel to the same destination; other ones, and those of deliveries
        that wait, are left out.
        """
        ...

    def lease(
        self, destination: str, priority: Priority, *, now: float, until: float, count_max: int, size_max_bytes: int
    ) -> list[LedgerRow]:
        """Give queued deliveries of a class that are due to a sender, those that are due longest first.

        At most so many, and of so many bytes together, but always one where one is due. Rows are those after the step.
        An instance of which another version is on its way there still waits for the end of that, so that the newer one
        does not arrive before the older one.
        """
        ...

    def renew(self, leases: Sequence[tuple[int, int]], *, now: float, until: float) -> frozenset[int]:
        """Lengthen leases, each by delivery key and lease number; return the keys that their sender still holds."""
        ...

    def settle(self, settled: Sequence[Settled]) -> list[Delivery | None]:
        """Take steps and keep their attempts in one commit; return each delivery after its step, None where none.

        Where a step is not taken, its attempt is not kept.
        """
        ...

    def change(self, selection: Selection, step: Step, *, limit: int = PAGE_MAX) -> int:
        """Take a step with up to so many of the deliveries that are selected; return how many took it.

        A step must lead out of the selection, or return None; less than `limit` says that no more are left. Those of
        the selection that do not take it are looked at by each call, so name the states. Nothing leads away from
        `NOWHERE`.
        """
        ...

    def backlog(self, destination: str, *, now: float) -> Backlog:
        """Return what waits for a destination, by a look that costs no scan."""
        ...

    def tallies(self) -> list[Tally]:
        """Return the counters by channel and destination, by a look that costs no scan."""
        ...

    def page(self, selection: Selection, *, after: int | None = None, limit: int = 100) -> list[LedgerRow]:
        """Return deliveries that are selected, the newest first, those with a key below `after`."""
        ...

    def studies(
        self, selection: Selection, *, after: tuple[float, int] | None = None, limit: int = 100
    ) -> list[StudyTally]:
        """Return the selected deliveries by study and destination, the last received first.

        `after` are the time and the key of the last one that is known. Where a channel or a note is selected, studies
        that have nothing of it are looked at too.
        """
        ...

    def attempts(self, delivery_key: int) -> list[Attempt]:
        """Return what the attempts of a delivery came to, the newest first; old ones of many may have been dropped."""
        ...
