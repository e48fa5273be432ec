"""A process that receives with deliveries, sends them and settles them, and writes down what it was told; to be killed.

Run as a module: `python -m tests.support.ledger_history FOLDER SEED`. A line is in the history before the next step is
taken; a kill, unlike a power cut, leaves it there.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from isocenter.app.settings import Settings, load_settings
from isocenter.app.wiring import open_archive
from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete, erase_due
from isocenter.archive.store import begin_store
from isocenter.domain.delivery import DeliveryState, Priority, cancel, give_up, hold, release, send_again
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.ledger import Attempt, Ledger, LedgerRow, Selection, Settled, Step
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.deliveries.settlement import settle
from isocenter.routing.deliveries.verdict import Judgement, Verdict
from tests.support.fixed_plans import FixedPlans
from tests.support.instances import identify, scope_of
from tests.support.small_instances import make_instance

DESTINATIONS = ("north", "south")
RUN_MAX_S = 20.0
"""Whoever was to kill it is gone."""
SENDING = Selection(states=frozenset({DeliveryState.SENDING}))
POLICY = RetryPolicy(first_wait_s=0.01, longest_wait_s=0.05)
STUDIES = 40
OUTCOMES = (*[Verdict.DELIVERED] * 6, *[Verdict.TRANSIENT] * 2, Verdict.NOTED, Verdict.DETERMINISTIC)


def settings_in(folder: Path) -> Settings:
    """Return the settings of the archive in a folder."""
    chosen = {"archive.duplicate_policy": "replace", "archive.erase_after_s": "0s", "storage.reserve_bytes": "0"}
    return load_settings({"data_dir": str(folder / "data"), **chosen}, {}, None)


class History:
    """What was told, line by line."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "history.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(self, *words: object) -> None:
        """Add a line."""
        os.write(self._fd, (" ".join(map(str, words)) + "\n").encode())


def send(archive: Archive, history: History, row: LedgerRow, *, numbers: random.Random) -> Settled:
    """Send one instance; return how it ended."""
    began_at = time.time()
    stored = archive.index.instance(row.instance_key)
    verdict = numbers.choice(OUTCOMES) if stored is not None else Verdict.DETERMINISTIC
    note = "" if verdict is Verdict.DELIVERED else f"test:{verdict.value}"
    if stored is not None and verdict in (Verdict.DELIVERED, Verdict.NOTED):
        assert archive.blobs.verify(stored.address) or archive.index.instance(row.instance_key) is None
        history.say("sent", row.delivery_key, row.instance_key, row.plan.destination)
    step = partial(
        settle,
        lease_number=row.delivery.lease_number,
        judgement=Judgement(verdict),
        now=time.time(),
        policy=POLICY,
        draw=numbers.random,
        note=note,
    )
    return Settled(row.delivery_key, step, Attempt(began_at, time.time(), note))


class Load:
    """Everything that goes on at once."""

    def __init__(self, archive: Archive, history: History, seed: int) -> None:
        self._archive = archive
        self._history = history
        self._numbers = random.Random(seed)

    def threads(self) -> list[threading.Thread]:
        """Return what is to run."""
        tasks: list[Callable[[random.Random], None]] = [self._receive, self._receive, self._receive, self._interfere]
        tasks += [partial(self._deliver, name) for name in DESTINATIONS for _ in range(2)]
        return [
            threading.Thread(target=task, args=(random.Random(self._numbers.random()),), daemon=True) for task in tasks
        ]

    def _receive(self, numbers: random.Random) -> None:
        """Store new instances, the same ones again, and others under the same identifiers."""
        for number in count():
            identifier = identify(numbers.randrange(STUDIES), 1, numbers.randrange(4))
            wanted = [name for name in DESTINATIONS if numbers.random() < 0.7]
            content = make_instance(identifier, seed=numbers.randrange(3), size_bytes=600).content
            reception = begin_store(self._archive, LOCAL_OWNER, source="test")
            reception.planner = FixedPlans(*wanted, channel=f"ch{number % 2}")
            reception.write(content)
            outcome = reception.finish().result(RUN_MAX_S)
            self._history.say("received", outcome.instance_key, ",".join(wanted) or "-")

    def _interfere(self, numbers: random.Random) -> None:
        """Delete instances, and do what people do with deliveries."""
        ledger = self._archive.index.ledger
        steps: tuple[Callable[[float], Step], ...] = (
            lambda now: hold,
            lambda now: partial(release, now=now),
            lambda now: cancel,
            lambda now: partial(send_again, now=now),
        )
        while True:
            identifier = identify(numbers.randrange(STUDIES), 1, numbers.randrange(4))
            if numbers.random() < 0.3:
                delete_if_there(self._archive, identifier)
                erase_due(self._archive)
            study = identify(numbers.randrange(STUDIES)).study_instance_uid
            ledger.change(Selection(study_instance_uid=study), numbers.choice(steps)(time.time()))

    def _deliver(self, destination: str, numbers: random.Random) -> None:
        """Send what is due and settle it."""
        ledger = self._archive.index.ledger
        while True:
            rows = lease(ledger, destination, numbers.randrange(1, 9))
            if not rows:
                time.sleep(0.002)
            settled = [send(self._archive, self._history, row, numbers=numbers) for row in rows]
            ledger.settle(settled)


def lease(ledger: Ledger, destination: str, count_max: int) -> list[LedgerRow]:
    """Take what is due now."""
    now = time.time()
    return ledger.lease(
        destination, Priority.ROUTINE, now=now, until=now + 60, count_max=count_max, size_max_bytes=10**7
    )


def delete_if_there(archive: Archive, identifier: InstanceIdentifier) -> None:
    """Delete an instance that may not be there."""
    if archive.index.find_stored([identifier]):
        delete(archive, LOCAL_OWNER, scope_of(identifier))


def take_back(ledger: Ledger) -> None:
    """Give up what a process before this one had under way."""
    while ledger.change(SENDING, partial(give_up, now=time.time())):
        pass


def main(folder: Path, seed: int) -> None:
    """Receive, send and settle until killed."""
    history = History(folder)
    with open_archive(settings_in(folder)) as archive:
        take_back(archive.index.ledger)
        for thread in Load(archive, history, seed).threads():
            thread.start()
        history.say("started", seed)
        time.sleep(RUN_MAX_S)
        os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
