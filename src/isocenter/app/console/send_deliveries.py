"""The deliveries that a job handed to the router's ledger, and how far those are: its own, not all of their studies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isocenter.domain.delivery import DeliveryState
from isocenter.domain.delivery_counters import Counters, count
from isocenter.ports.index import InstanceRow
from isocenter.ports.ledger import PAGE_MAX, Ledger, LedgerRow, Selection, Tally

_ARRIVED = frozenset({DeliveryState.DELIVERED, DeliveryState.DELIVERED_WITH_NOTE})


class JobDeliveries:
    """The deliveries of some instances to one destination; one thread at a time."""

    def __init__(self, ledger: Ledger, destination: str, rows: Sequence[InstanceRow]) -> None:
        """Find them; each version of an instance has one, which may be older than the job."""
        self._ledger = ledger
        self._destination = destination
        self._total = len(rows)
        self._open = [row.delivery_key for row in self._iter_found(rows)]
        self._arrived = 0
        self._seen: Sequence[Tally] | None = None
        self._counters = Counters()

    def look(self, tallies: Sequence[Tally]) -> Counters:
        """Return how they stand; `tallies` are the ledger's, read before: where none has moved, nothing is read.

        What has arrived stays so, and is not asked for again. What the ledger does not know any more is cancelled.
        """
        seen = [one for one in tallies if one.destination == self._destination]
        if seen != self._seen:
            found = [row for part in self._parts() for row in self._page(Selection(delivery_keys=part))]
            still_open = [row for row in found if row.delivery.state not in _ARRIVED]
            self._arrived += len(found) - len(still_open)
            self._open = [row.delivery_key for row in still_open]
            self._counters = self._counted(still_open)
            self._seen = seen
        return self._counters

    def _counted(self, still_open: Sequence[LedgerRow]) -> Counters:
        told = count(row.delivery.state for row in still_open)
        cancelled = self._total - self._arrived - told.waiting - told.needs_human
        return Counters(self._total, self._arrived, told.waiting, told.needs_human, cancelled)

    def _parts(self) -> Iterator[tuple[int, ...]]:
        for start in range(0, len(self._open), PAGE_MAX):
            yield tuple(self._open[start : start + PAGE_MAX])

    def _iter_found(self, rows: Sequence[InstanceRow]) -> Iterator[LedgerRow]:
        """Yield them by series, which are small enough to be paged through."""
        wanted = {row.instance_key for row in rows}
        for series in dict.fromkeys(row.identifier.series_instance_uid for row in rows):
            selection = Selection(destination=self._destination, series_instance_uid=series)
            after: int | None = None
            while page := self._page(selection, after):
                yield from (row for row in page if row.instance_key in wanted)
                after = page[-1].delivery_key

    def _page(self, selection: Selection, after: int | None = None) -> list[LedgerRow]:
        return self._ledger.page(selection, after=after, limit=PAGE_MAX)
