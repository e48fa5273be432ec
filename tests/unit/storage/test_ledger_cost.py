"""What the ledger costs beside deliveries that are done, and beside ten times as many, in steps of SQLite's machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import apsw
import pytest

from isocenter.domain.delivery import DeliveryPlan, DeliveryState, Priority, ended, hold
from isocenter.ports.ledger import Attempt, Ledger, Selection, Settled
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import identify, new_instance

DONE, TIMES = 200, 10
WAITING = 60
STUDY_LENGTH = 10
NOW = 1e6
SLACK = 1.25
"""Trees grow a little deeper."""
NOISE_STEPS = 300
S = DeliveryState


@dataclass(frozen=True)
class Counted:
    """A ledger whose connections count."""

    ledger: Ledger
    steps: list[int]

    def steps_of(self, ask: Callable[[Ledger], object]) -> int:
        """Return how many steps a call costs."""
        self.steps.clear()
        ask(self.ledger)
        return sum(self.steps)


def _fill(index: SqliteInstanceIndex, done: int) -> None:
    """Deliver so many, leave one of them on the shelf, and let others wait behind them."""
    plans = (DeliveryPlan("north", "ct"), DeliveryPlan("south", "mr", priority=Priority.PRIOR))
    for first in range(0, done + WAITING, STUDY_LENGTH):
        new = [new_instance(identify(1 + first, 1, number)) for number in range(1, STUDY_LENGTH + 1)]
        index.commit([replace(one, deliveries=plans) for one in new], now=float(first), erase_due_at=NOW)
    for destination, priority in (("north", Priority.ROUTINE), ("south", Priority.PRIOR)):
        left = done
        while left:
            rows = index.ledger.lease(
                destination, priority, now=NOW, until=2 * NOW, count_max=left, size_max_bytes=10**9
            )
            step = partial(ended, state=S.DELIVERED, note="")
            index.ledger.settle([Settled(row.delivery_key, step, Attempt(1.0, 2.0, "http:200")) for row in rows])
            left -= len(rows)
    index.ledger.settle([Settled(7, partial(ended, state=S.NEEDS_HUMAN, note="http:400"))])


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Counted, Counted]]:
    """Return two ledgers, one with ten times as much that is done."""
    opened: list[SqliteInstanceIndex] = []
    counted: list[Counted] = []
    for done in (DONE, DONE * TIMES):
        index = SqliteInstanceIndex(tmp_path_factory.mktemp("ledger") / "index.sqlite")
        opened.append(index)
        _fill(index, done)
        steps: list[int] = []
        note = partial(_note, steps=steps)
        index._writer._connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
        with index._readers.connection() as reader:  # the one that every later question gets
            reader.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
        counted.append(Counted(index.ledger, steps))
    yield counted[0], counted[1]
    for index in opened:
        index.close()


def _note(event: dict[str, dict[str, int]], *, steps: list[int]) -> None:
    steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])


def _send(ledger: Ledger) -> None:
    """Lease and settle some, then make them wait again."""
    rows = ledger.lease("north", Priority.ROUTINE, now=NOW, until=2 * NOW, count_max=8, size_max_bytes=10**9)
    assert len(rows) == 8
    ledger.settle([Settled(row.delivery_key, partial(replace, state=S.QUEUED, leased_until=None)) for row in rows])


STUDY = identify(1).study_instance_uid
SHELF, QUEUED = frozenset({S.NEEDS_HUMAN}), frozenset({S.QUEUED})
CALLS: dict[str, Callable[[Ledger], object]] = {
    "counters": lambda ledger: ledger.tallies(),
    "backlog": lambda ledger: ledger.backlog("north", now=NOW),
    "backlog that is not due": lambda ledger: ledger.backlog("south", now=1.0),
    "lease and settle": _send,
    "lease of nothing": lambda ledger: ledger.lease(
        "north", Priority.STAT, now=NOW, until=2 * NOW, count_max=64, size_max_bytes=1
    ),
    "renew": lambda ledger: ledger.renew([(1, 1), (2, 1)], now=NOW, until=2 * NOW),
    "change of the shelf": lambda ledger: ledger.change(Selection(states=SHELF, destination="south"), hold),
    "change by note": lambda ledger: ledger.change(Selection(note="http:404"), hold),
    "what comes again": lambda ledger: ledger.begin([(1, DeliveryPlan("north"))], now=NOW),
    "newest": lambda ledger: ledger.page(Selection(), limit=10),
    "newest of a destination": lambda ledger: ledger.page(Selection(destination="south"), limit=10),
    "newest of a channel": lambda ledger: ledger.page(Selection(channel="mr"), limit=10),
    "newest that wait": lambda ledger: ledger.page(Selection(states=QUEUED), limit=10),
    "the shelf": lambda ledger: ledger.page(Selection(states=SHELF)),
    "a note": lambda ledger: ledger.page(Selection(note="http:400")),
    "a note that nothing has": lambda ledger: ledger.page(Selection(note="http:404")),
    "a study": lambda ledger: ledger.page(Selection(study_instance_uid=STUDY)),
    "a series": lambda ledger: ledger.page(Selection(series_instance_uid=identify(1).series_instance_uid)),
    "an instance": lambda ledger: ledger.page(Selection(sop_instance_uid=identify(1).sop_instance_uid)),
    "some": lambda ledger: ledger.page(Selection(delivery_keys=(1, 2, 3))),
    "leases that are over": lambda ledger: ledger.page(Selection(leased_before=3 * NOW)),
    "newest studies": lambda ledger: ledger.studies(Selection(), limit=3),
    "newest studies of a destination": lambda ledger: ledger.studies(Selection(destination="north"), limit=3),
    "studies that wait": lambda ledger: ledger.studies(Selection(states=QUEUED), limit=3),
    "studies on the shelf": lambda ledger: ledger.studies(Selection(states=SHELF)),
    "studies with something cancelled": lambda ledger: ledger.studies(Selection(states=frozenset({S.CANCELLED}))),
    "a study's counters": lambda ledger: ledger.studies(Selection(study_instance_uid=STUDY)),
    "attempts": lambda ledger: ledger.attempts(1),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_costs_the_same_however_much_is_done(ledgers: tuple[Counted, Counted], name: str) -> None:
    small, large = (one.steps_of(CALLS[name]) for one in ledgers)
    assert small, "it was counted"
    assert large <= small * SLACK + NOISE_STEPS
