"""One batch on its way: what was reported is settled in a few commits, what was not is given back."""

from __future__ import annotations

from collections.abc import Callable

from isocenter.ports.clock import Clock
from isocenter.ports.ledger import Ledger, LedgerRow, Settled
from isocenter.routing.deliveries.report import Report
from isocenter.routing.deliveries.sender import Outgoing
from isocenter.routing.sending.desk import Batch, Desk
from isocenter.routing.sending.outcome import given_back, outcome_of, settled

SETTLED_TOGETHER_MAX = 200
"""One commit; more would not be quicker."""
SETTLED_AFTER_S = 1.0
"""What was reported is in the ledger after this long while a long batch goes on: a kill sends no more of it again."""


class GivenUp(Exception):
    """The batch is not to be sent on: the node stops, or the destination was put aside or fell ill."""


class BatchUnderWay:
    """Takes the reports of one batch."""

    def __init__(self, desk: Desk, batch: Batch, ledger: Ledger, clock: Clock, *, draw: Callable[[], float]) -> None:
        self._desk = desk
        self._ledger = ledger
        self._clock = clock
        self._draw = draw
        self._rows: dict[int, LedgerRow] = {row.delivery_key: row for row in batch.rows}
        self._waiting: list[Settled] = []
        self._began_at = clock.now().timestamp()
        self._settled_at_s = clock.monotonic_s()
        self.reported = 0

    def report(self, delivery_key: int, report: Report, detail: str) -> None:
        """Note what came of a delivery; what is reported twice counts once."""
        row = self._rows.pop(delivery_key, None)
        if row is None:
            return
        self.reported += 1
        outcome = outcome_of(report, detail, self._desk.destination)
        policy = self._desk.destination.retry
        now = self._clock.now().timestamp()
        self._waiting.append(settled(row, outcome, began_at=self._began_at, now=now, policy=policy, draw=self._draw))
        self._began_at = now
        self._desk.note(row, outcome)
        is_late = self._clock.monotonic_s() - self._settled_at_s >= SETTLED_AFTER_S
        if is_late or len(self._waiting) >= SETTLED_TOGETHER_MAX:
            self._settle()

    def on_report(self, outgoing: Outgoing, report: Report, detail: str) -> None:
        """Note what a sender reports; raises GivenUp where it is not to go on."""
        self.report(outgoing.delivery_key, report, detail)
        self.check()

    def check(self) -> None:
        """Raise GivenUp where the batch is not to be sent on."""
        if not self._desk.may_go_on():
            raise GivenUp

    def end(self) -> None:
        """Settle what was reported, give back what was not; raises what the ledger raises."""
        now = self._clock.now().timestamp()
        self._waiting += [given_back(row, now=now) for row in self._rows.values()]
        self._rows.clear()
        self._settle()

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._settled_at_s = self._clock.monotonic_s()
        if waiting:
            self._ledger.settle(waiting)
