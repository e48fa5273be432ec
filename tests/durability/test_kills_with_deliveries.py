"""SIGKILL at random moments of a process that receives, sends and settles: nothing that was acknowledged is lost.

received = delivered + waiting + needs human + cancelled after each kill, by counters and by rows; what the ledger says
was delivered was sent; and in the end everything that was acknowledged has come to an end that somebody meant.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from isocenter.app.offline import rebuild_index
from isocenter.app.settings import Settings
from isocenter.app.wiring import INDEX_FILE, open_stores
from isocenter.domain.delivery import OPEN_STATES, WAITING_STATES, DeliveryState, Wish, release, send_again
from isocenter.domain.delivery_counters import count
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.failpoints import FAILPOINTS_VARIABLE
from isocenter.ports.ledger import Ledger, Selection, Settled
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.settlement import settle
from isocenter.routing.deliveries.verdict import Judgement, Verdict
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.ledger_history import DESTINATIONS, lease, settings_in, take_back
from tests.support.shared_data import REPOSITORY

SEED_VARIABLE = "DURABILITY_SEED"
LOAD_MAX_S = 0.6
START_TIMEOUT_S = 30.0
POLL_S = 0.01
FAILPOINTS = ("index.before_begin", "index.mid_transaction", "index.before_commit", "index.after_commit")
KILLS, MANY_KILLS = 10, 200
OVER = frozenset({DeliveryState.DELIVERED, DeliveryState.DELIVERED_WITH_NOTE})


class Row(NamedTuple):
    """A delivery as its table has it."""

    delivery_key: int
    instance_key: int
    destination: str
    state: str
    channel: str
    size_bytes: int


STATEMENT = (
    "SELECT delivery_key, instance_key, destination, state, channel, size_bytes FROM delivery "
    "JOIN delivery_tally USING (tally_key, destination)"
)


class Run:
    """The process, killed when it is over."""

    def __init__(self, folder: Path, seed: int, *, failpoints: str = "") -> None:
        self._history = folder / "history.txt"
        environment = {**os.environ, FAILPOINTS_VARIABLE: failpoints}
        command = [sys.executable, "-m", "tests.support.ledger_history", str(folder), str(seed)]
        self._seed = seed
        self._process = subprocess.Popen(command, cwd=REPOSITORY, env=environment)

    def wait_started(self) -> None:
        """Wait until it is at work."""
        deadline = time.monotonic() + START_TIMEOUT_S
        line = f"started {self._seed}\n"
        while not self._history.exists() or line not in self._history.read_text():
            assert self._process.poll() is None, "it does not start after a kill"
            assert time.monotonic() < deadline
            time.sleep(POLL_S)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        assert self._process.wait(START_TIMEOUT_S) == -signal.SIGKILL, "it ended by itself"

    def wait_killed(self) -> None:
        """Wait until a failpoint ended it."""
        assert self._process.wait(START_TIMEOUT_S) == -signal.SIGKILL


def _told(folder: Path) -> tuple[set[tuple[int, str]], set[int]]:
    """Return what was acknowledged, as pairs of instance and destination, and which deliveries were sent."""
    acknowledged: set[tuple[int, str]] = set()
    sent: set[int] = set()
    for line in (folder / "history.txt").read_text().splitlines():
        event, *words = line.split()
        if event == "received" and words[1] != "-":
            acknowledged |= {(int(words[0]), name) for name in words[1].split(",")}
        elif event == "sent":
            sent.add(int(words[0]))
    return acknowledged, sent


def _check(folder: Path) -> int:
    """Hold the ledger against the history and against itself; return how many were acknowledged."""
    acknowledged, sent = _told(folder)
    settings = settings_in(folder)
    with open_stores(settings) as (index, _):
        tallies = index.ledger.tallies()
    with closing(apsw.Connection(str(settings.storage.index_dir / INDEX_FILE))) as connection:
        rows = [Row(*row) for row in connection.execute(STATEMENT)]
        studies = connection.execute(
            "SELECT sum(queued), sum(sending), sum(held), sum(needs_human), sum(delivered), sum(delivered_with_note), "
            "sum(cancelled) FROM delivery_study"
        ).fetchone()
    kept = {(row.instance_key, row.destination) for row in rows}
    assert acknowledged <= kept, "acknowledged, and not in the ledger"
    assert {row.delivery_key for row in rows if row.state in OVER} <= sent, "said to be delivered, and never sent"
    for tally in tallies:
        own = [row for row in rows if (row.channel, row.destination) == (tally.channel, tally.destination)]
        assert tally.counters.adds_up
        assert tally.counters == count(DeliveryState(row.state) for row in own)
        assert tally.waiting_bytes == sum(row.size_bytes for row in own if row.state in WAITING_STATES)
    states = Counter(row.state for row in rows)
    assert sum(tally.counters.received for tally in tallies) == len(rows)
    assert studies == tuple(states[state] for state in DeliveryState) or not rows
    return len(acknowledged)


def _standing(index: SqliteInstanceIndex) -> dict[int, InstanceIdentifier]:
    """Return which open deliveries are about an instance that is there, and which that is."""
    found: dict[int, InstanceIdentifier] = {}
    after: int | None = None
    while rows := index.ledger.page(Selection(states=OPEN_STATES), after=after, limit=1000):
        instances = index.instances_of_keys([row.instance_key for row in rows])
        wanted = [row for row in rows if row.delivery.wish is not Wish.CANCEL]
        stood = {row.delivery_key: instances.get(row.instance_key) for row in wanted}
        found |= {key: one.identifier for key, one in stood.items() if one is not None}
        after = rows[-1].delivery_key
    return found


def _check_rebuild(settings: Settings) -> None:
    """Rebuild the index from the packs: deliveries are as they were, and about what they were about."""
    with open_stores(settings) as (index, _):
        before = (index.ledger.tallies(), index.ledger.studies(Selection(), limit=1000), _standing(index))
    report, _ = rebuild_index(settings)
    assert not report.has_lost_records
    with open_stores(settings) as (index, _):
        assert (index.ledger.tallies(), index.ledger.studies(Selection(), limit=1000), _standing(index)) == before


def _drain(settings: Settings) -> None:
    """Send all that is left to destinations that take everything."""
    with open_stores(settings) as (index, _):
        ledger = index.ledger
        take_back(ledger)
        now = time.time()
        ledger.change(Selection(states=frozenset({DeliveryState.HELD})), partial(release, now=now), limit=10**6)
        shelf = Selection(states=frozenset({DeliveryState.NEEDS_HUMAN}))
        ledger.change(shelf, partial(send_again, now=now), limit=10**6)
        for destination in DESTINATIONS:
            _drain_destination(ledger, destination)
        assert {one.counters.waiting for one in ledger.tallies()} == {0}
        assert {one.counters.needs_human for one in ledger.tallies()} == {0}
        for tally in ledger.tallies():
            assert tally.counters.received == tally.counters.delivered + tally.counters.cancelled


def _drain_destination(ledger: Ledger, destination: str) -> None:
    while ledger.backlog(destination, now=0.0).oldest_received_at is not None:
        rows = lease(ledger, destination, 1000)
        steps = [
            partial(
                settle,
                lease_number=row.delivery.lease_number,
                judgement=Judgement(Verdict.DELIVERED),
                now=time.time(),
                policy=RetryPolicy(),
                draw=random.random,
            )
            for row in rows
        ]
        settled = [Settled(row.delivery_key, step) for row, step in zip(rows, steps, strict=True)]
        assert None not in ledger.settle(settled)


def _kill_again_and_again(folder: Path, kills: int) -> None:
    seed = int(os.environ.get(SEED_VARIABLE, "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 - shown with a failure, so that the same moments can be tried again
    numbers = random.Random(seed)
    acknowledged = 0
    for number in range(kills):
        run = Run(folder, seed + number)
        try:
            run.wait_started()
            time.sleep(numbers.uniform(0.0, LOAD_MAX_S))
        finally:
            run.kill()
        acknowledged = _check(folder)
    assert acknowledged > kills, "the load must have got somewhere between the kills"
    _check_rebuild(settings_in(folder))
    _drain(settings_in(folder))
    print(f"{kills} kills, {acknowledged} deliveries acknowledged")  # noqa: T201 - shown with -s


@pytest.mark.parametrize("name", FAILPOINTS)
def test_a_kill_in_a_commit_loses_no_delivery(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, 1, failpoints=f"{name}=kill@40")
    run.wait_killed()
    assert _check(tmp_path)


@pytest.mark.timeout(300)
def test_ten_kills_while_it_receives_and_delivers_lose_nothing(tmp_path: Path) -> None:
    _kill_again_and_again(tmp_path, KILLS)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_kills_while_it_receives_and_delivers_lose_nothing(tmp_path: Path) -> None:
    _kill_again_and_again(tmp_path, MANY_KILLS)
