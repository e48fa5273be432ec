"""Wait with an answer until an instance is where it goes, and say what a sender is told of it.

An instance that is not there in time is answered as "out of resources", so that its sender tries again. It is durable
here by then, and its deliveries go on: when it comes again, its bytes are known and the answer is what became of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.domain.delivery import NOWHERE, WAITING_STATES, DeliveryState
from isocenter.domain.outcome import StoreOutcome
from isocenter.ports.ledger import Ledger, LedgerRow, Selection
from isocenter.routing.catalogue.lookup import entry_of_note
from isocenter.routing.translation.status import OUT_OF_RESOURCES, SUCCESS, DimseAnswer, answer_to_note

DELIVERED_TIMEOUT_S = 30.0
"""How long a sender is kept waiting: most wait for a response 30 to 60 s before they give an association up."""
POLL_FIRST_S = 0.02
POLL_LONGEST_S = 0.5
"""A look at the ledger takes well under a millisecond; the longest wait is what an answer may come late."""
ROWS_MAX = 1000
"""Deliveries of one instance: one for each destination, of which a configuration has 1024 at most."""
_NOT_IN_TIME = DimseAnswer(OUT_OF_RESOURCES, "Not delivered in time; it is kept and goes on. Send it again.")
_WITHDRAWN = "Its delivery was cancelled by an operator."
_WORST_FIRST = (DeliveryState.NEEDS_HUMAN, DeliveryState.CANCELLED)


@dataclass(frozen=True, slots=True)
class DeliveryWait:
    """Waits for deliveries by looking at the ledger."""

    ledger: Ledger
    timeout_s: float = DELIVERED_TIMEOUT_S

    async def answer(self, outcome: StoreOutcome) -> DimseAnswer:
        """Return what a sender is told, once all deliveries of an instance have ended or the time is over."""
        loop = asyncio.get_running_loop()
        deadline, wait_s = loop.time() + self.timeout_s, POLL_FIRST_S
        while True:
            rows = await loop.run_in_executor(None, self._rows, outcome)
            if not any(row.delivery.state in WAITING_STATES for row in rows):
                return answer_to(rows)
            if loop.time() + wait_s > deadline:
                return _NOT_IN_TIME
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, POLL_LONGEST_S)

    def _rows(self, outcome: StoreOutcome) -> list[LedgerRow]:
        selection = Selection(
            study_instance_uid=outcome.identifier.study_instance_uid,
            sop_instance_uid=outcome.identifier.sop_instance_uid,
        )
        page = self.ledger.page(selection, limit=ROWS_MAX)
        return [row for row in page if row.instance_key == outcome.instance_key]


def answer_to(rows: Sequence[LedgerRow]) -> DimseAnswer:
    """Return what a sender is told of deliveries that have ended: the worst of them; without any, that it is stored."""
    failed = [row for row in rows if row.delivery.state in _WORST_FIRST and row.plan.destination != NOWHERE]
    for row in sorted(failed, key=lambda one: _WORST_FIRST.index(one.delivery.state)):
        if row.delivery.state is DeliveryState.CANCELLED:
            return DimseAnswer(OUT_OF_RESOURCES, _WITHDRAWN)
        return answer_to_note(entry_of_note(row.delivery.note))
    return DimseAnswer(SUCCESS)
