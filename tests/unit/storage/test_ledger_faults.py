"""The ledger in SQLite when a transaction fails: all of it or nothing, and the next one works."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from isocenter.domain.delivery import DeliveryPlan, DeliveryState, Priority, ended, hold
from isocenter.domain.errors import StorageFull
from isocenter.ports.failpoints import parse_failpoints
from isocenter.ports.ledger import Attempt, Ledger, Selection, Settled
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import identify, new_instance, scope_of

NOW = 100.0


def _receive(index: SqliteInstanceIndex) -> None:
    new = [new_instance(identify(1, 1, number), destinations=("north", "west")) for number in (1, 7)]
    index.commit(new, now=NOW, erase_due_at=NOW)


def _delete(index: SqliteInstanceIndex) -> None:
    index.delete(scope_of(identify(1), depth=1), now=NOW, erase_due_at=NOW)


def _begin(index: SqliteInstanceIndex) -> None:
    index.ledger.begin([(1, DeliveryPlan("west", "mr"))], now=NOW)


def _lease(index: SqliteInstanceIndex) -> None:
    routine = Priority.ROUTINE
    index.ledger.lease("north", routine, now=NOW, until=NOW + 60, count_max=2, size_max_bytes=10**9)


def _renew(index: SqliteInstanceIndex) -> None:
    index.ledger.renew([(1, 1)], now=NOW, until=NOW + 999)


def _settle(index: SqliteInstanceIndex) -> None:
    step = partial(ended, state=DeliveryState.DELIVERED, note="")
    index.ledger.settle([Settled(1, step, Attempt(NOW, NOW, "http:200"))])


def _change(index: SqliteInstanceIndex) -> None:
    index.ledger.change(Selection(destination="south"), hold)


CHANGES = [_receive, _delete, _begin, _lease, _renew, _settle, _change]


def _all(ledger: Ledger) -> list[object]:
    everything = Selection()
    return [ledger.page(everything), ledger.tallies(), ledger.studies(everything), ledger.attempts(1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return an index in which one delivery is under way."""
    path = tmp_path / "index.sqlite"
    new = [new_instance(identify(1, 1, number), destinations=("north", "south")) for number in range(1, 5)]
    with SqliteInstanceIndex(path) as index:
        index.commit(new, now=NOW, erase_due_at=NOW)
        index.ledger.lease("north", Priority.ROUTINE, now=NOW, until=NOW + 60, count_max=1, size_max_bytes=10**9)
    return path


@pytest.mark.parametrize("failpoint", ["index.before_begin", "index.mid_transaction", "index.before_commit"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_fails_leaves_everything_as_it_was(
    path: Path, failpoint: str, change: Callable[[SqliteInstanceIndex], None]
) -> None:
    with SqliteInstanceIndex(path, failpoints=parse_failpoints(f"{failpoint}=raise:StorageFull@1")) as index:
        before = _all(index.ledger)
        with pytest.raises(StorageFull):
            change(index)
        assert _all(index.ledger) == before
        change(index)
        after = _all(index.ledger)
        assert after != before
    with SqliteInstanceIndex(path) as index:
        assert _all(index.ledger) == after


@pytest.mark.parametrize("change", CHANGES)
def test_a_fault_behind_the_commit_takes_nothing_back(
    path: Path, change: Callable[[SqliteInstanceIndex], None]
) -> None:
    with SqliteInstanceIndex(path, failpoints=parse_failpoints("index.after_commit=raise:StorageFull@1")) as index:
        before = _all(index.ledger)
        with pytest.raises(StorageFull):
            change(index)
        after = _all(index.ledger)
        assert after != before
    with SqliteInstanceIndex(path) as index:
        assert _all(index.ledger) == after


def test_a_volume_without_room_settles_nothing_and_then_all(path: Path) -> None:
    with SqliteInstanceIndex(path) as index:
        before = _all(index.ledger)
        connection = index._writer._connection  # the limit belongs to the connection that writes
        pages = connection.execute("PRAGMA max_page_count").get
        connection.execute("PRAGMA max_page_count = 1")
        attempt = Attempt(NOW, NOW, "http:503", "x" * 1000)
        step = partial(ended, state=DeliveryState.NEEDS_HUMAN, note="http:503")
        settled = [Settled(key, step, attempt) for key in range(1, 9) for _ in range(3)]
        with pytest.raises(StorageFull):
            index.ledger.settle(settled)
        assert _all(index.ledger) == before
        connection.execute(f"PRAGMA max_page_count = {pages}")
        index.ledger.settle(settled)
        assert len(index.ledger.attempts(1)) == 3


def test_two_processes_may_step(path: Path) -> None:
    with SqliteInstanceIndex(path) as node, SqliteInstanceIndex(path) as command:
        _begin(node)
        _receive(command)
        _receive(node)
        command.ledger.change(Selection(destination="west"), hold)
        assert _all(node.ledger) == _all(command.ledger)
        assert all(tally.counters.adds_up for tally in node.ledger.tallies())
