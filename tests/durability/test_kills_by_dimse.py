"""SIGKILL at random moments while instances come by C-STORE and by STOW: nothing acknowledged is lost (R1, R3)."""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client, NodeGone
from tests.durability.dimse_sender import AE_TITLE, DimseSender
from tests.durability.history import History
from tests.durability.nursery import Archive, Node, Nursery
from tests.durability.test_random_kills import SEED_VARIABLE, SETTINGS, seed_of_run, send, wait_for
from tests.durability.workload import LARGE_BYTES, SMALL_BYTES, Workload
from tests.support.instances import identify
from tests.support.processes import free_port
from tests.support.small_instances import make_instance

DIMSE_SENDERS = 3
LARGE_EVERY = 7
LOAD_MIN_S, LOAD_MAX_S = 0.05, 0.8


def send_by_dimse(port: int, history: History, sender: int, numbers: itertools.count[int]) -> None:
    """Store one instance after the other until the node is gone."""
    try:
        with DimseSender(port, history) as peer:
            for number in numbers:
                size_bytes = LARGE_BYTES if number % LARGE_EVERY == 0 else SMALL_BYTES
                identifier = identify(sender * 1000 + number % 5, 1, number)
                assert peer.store(make_instance(identifier, seed=number, size_bytes=size_bytes)) == 0
    except NodeGone:
        return


def run_until_killed(
    nursery: Nursery,
    archive: Archive,
    history: History,
    work: Workload,
    counters: list[itertools.count[int]],
    seed: int,
) -> None:
    """Start a node, look at what the last round touched, load it by both protocols, kill it at a random moment."""
    numbers, port = random.Random(seed), free_port()
    node = nursery.serve(archive, further=["--dicom", f"{AE_TITLE}@127.0.0.1:{port}"])
    node.wait_ready()
    _check_touched(node, history)
    with ThreadPoolExecutor(DIMSE_SENDERS + 1) as pool:
        running = [
            pool.submit(send_by_dimse, port, history, 10 + index, counter) for index, counter in enumerate(counters)
        ]
        running.append(pool.submit(send, node, history, work))
        wait_for(numbers.uniform(LOAD_MIN_S, LOAD_MAX_S), lambda: any(one.done() for one in running))
        node.child.kill()
        for one in running:
            one.result()


def _check_touched(node: Node, history: History) -> None:
    with Client(node.dicomweb_url, history) as client:
        for identifier in history.take_touched():
            client.check(identifier)


def kill_again_and_again(nursery: Nursery, folder: Path, kills: int) -> None:
    """Kill a node many times on one archive and hold it against the history after each."""
    seed = seed_of_run()
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 - shown with a failure, so that the same moments can be tried again
    archive, history = Archive(folder / "data", SETTINGS), History()
    counters = [itertools.count(1) for _ in range(DIMSE_SENDERS)]
    work = Workload(sender=1)
    for number in range(1, kills + 1):
        run_until_killed(nursery, archive, history, work, counters, seed + number)
    with nursery.serving(archive) as node:
        check_node(node.dicomweb_url, history)
        node.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)
    print(f"{kills} kills, {history.acknowledged} acknowledged")  # noqa: T201 - shown with -s
    assert history.acknowledged > kills, "the load must have got somewhere between the kills"


@pytest.mark.timeout(300)
def test_six_kills_while_devices_send_lose_nothing(nursery: Nursery, tmp_path: Path) -> None:
    kill_again_and_again(nursery, tmp_path, 6)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_kills_while_devices_send_lose_nothing(nursery: Nursery, tmp_path: Path) -> None:
    kill_again_and_again(nursery, tmp_path, 100)
