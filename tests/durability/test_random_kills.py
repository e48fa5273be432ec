"""SIGKILL at random moments under load from many sides, again and again on one archive: nothing acknowledged is lost.

Senders store, replace and delete; readers look at whatever the senders know of and hold every byte that they get
against what was ever sent (R1, R3). Some kills fall into the start itself, while it repairs.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client, NodeGone
from tests.durability.history import History
from tests.durability.nursery import Archive, EndedEarly, Node, Nursery
from tests.durability.workload import Workload
from tests.support.small_instances import digest_of

SENDERS = 3
READERS = 2
LOAD_MAX_S = 0.8
LATEST = 200
"""Readers look at these: what is written and replaced at that very moment is among them."""
START_KILLS = 0.2
"""The share of kills that fall into the start."""
START_MAX_S = 0.4
FULL_CHECK_ROUNDS = 25
"""How often everything is read, not only what the last rounds touched."""
SEED_VARIABLE = "DURABILITY_SEED"

SETTINGS = {
    "archive.duplicate_policy": "replace",
    "archive.spool_threshold_bytes": "64KiB",
    "archive.erase_after_s": "5s",
    "storage.pack_size_bytes": "4MiB",
    "storage.reserve_bytes": "0",
}
"""Readers are never later than the grace, so that each must get whole bytes or a 404; packs roll often."""


def send(node: Node, history: History, work: Workload) -> None:
    """Work until the node is gone."""
    with Client(node.dicomweb_url, history) as client:
        try:
            while True:
                for operation in work.iter_round():
                    operation(client)
        except NodeGone:
            return


def read(node: Node, history: History, seed: int, is_over: threading.Event) -> int:
    """Read whatever was sent until the node is gone; return how much was held against the history."""
    numbers = random.Random(seed)
    seen = 0
    with Client(node.dicomweb_url, history) as client:
        try:
            while not is_over.is_set():
                identifier = history.one_of_the_latest(numbers, LATEST)
                if identifier is None:
                    is_over.wait(0.01)
                    continue
                content = client.read(identifier)
                if content is not None:
                    history.require_sent(identifier, digest_of(content))
                frame = client.read_frame(identifier)
                if frame is not None:
                    history.require_frame_sent(identifier, digest_of(frame))
                metadata = client.metadata(identifier)
                assert metadata is None or metadata["00080018"]["Value"] == [identifier.sop_instance_uid]
                seen += 1
        except NodeGone:
            return seen
    return seen


def run_until_killed(nursery: Nursery, archive: Archive, history: History, works: list[Workload], seed: int) -> int:
    """Start a node, load it, kill it at a random moment; return how many reads were checked."""
    numbers = random.Random(seed)
    node = nursery.serve(archive)
    if numbers.random() < START_KILLS:
        threading.Event().wait(numbers.uniform(0, START_MAX_S))
        node.child.kill()
        return 0
    try:
        node.wait_ready()
    except EndedEarly as error:
        raise AssertionError(f"it does not start after a kill: {error}") from error
    with Client(node.dicomweb_url, history) as client:
        for identifier in history.take_touched():
            client.check(identifier)
    is_over = threading.Event()
    with ThreadPoolExecutor(SENDERS + READERS) as pool:
        senders: list[Future[None]] = [pool.submit(send, node, history, work) for work in works]
        readers = [pool.submit(read, node, history, seed + number, is_over) for number in range(READERS)]
        wait_for(numbers.uniform(0.02, LOAD_MAX_S), lambda: _any_done(senders) or _any_done(readers))
        node.child.kill()
        is_over.set()
        for sender in senders:
            sender.result()
        return sum(reader.result() for reader in readers)


def _any_done(futures: Sequence[Future[Any]]) -> bool:
    return any(future.done() for future in futures)


def wait_for(duration_s: float, is_early: Callable[[], bool]) -> None:
    """Let time pass, or less of it where something happened."""
    deadline = time.monotonic() + duration_s
    while time.monotonic() < deadline and not is_early():
        threading.Event().wait(min(0.05, max(0.0, deadline - time.monotonic())))


def seed_of_run() -> int:
    """Return the seed that the environment sets, or a new one."""
    return int(os.environ.get(SEED_VARIABLE, "0")) or random.SystemRandom().randrange(1, 2**31)


def kill_again_and_again(nursery: Nursery, folder: Path, kills: int) -> None:
    """Kill a node many times on one archive and hold it against the history after each."""
    seed = seed_of_run()
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 - shown with a failure, so that the same moments can be tried again
    archive, history = Archive(folder / "data", SETTINGS), History()
    works = [Workload(sender=number) for number in range(1, SENDERS + 1)]
    reads = 0
    for number in range(1, kills + 1):
        reads += run_until_killed(nursery, archive, history, works, seed + number * 100)
        if number % FULL_CHECK_ROUNDS == 0:
            with nursery.serving(archive) as node:
                check_node(node.dicomweb_url, history)
    with nursery.serving(archive) as node:
        check_node(node.dicomweb_url, history)
        node.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)
    print(f"{kills} kills, {history.acknowledged} acknowledged, {reads} reads")  # noqa: T201 - shown with -s
    assert history.acknowledged > kills, "the load must have got somewhere between the kills"
    assert reads, "the readers must have seen something"


@pytest.mark.timeout(300)
def test_ten_kills_under_load_lose_nothing(nursery: Nursery, tmp_path: Path) -> None:
    kill_again_and_again(nursery, tmp_path, 10)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_kills_under_load_lose_nothing(nursery: Nursery, tmp_path: Path) -> None:
    kill_again_and_again(nursery, tmp_path, 200)
