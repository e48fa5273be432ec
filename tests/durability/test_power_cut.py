"""Sudden loss of power, by the shutdown of the file systems below a node: what was acknowledged is there afterwards.

Packs and index lie on volumes of their own, so that the index's syncs cannot hide a
sync that is missing beside the packs. The model is an honest disk that loses everything that was not flushed; torn
sectors and disks that lie are beyond it.

Each cut falls between two system calls: the node is stopped first. The shutdown of a file system is less sharp than a
cut of the power, because a sync that is under way may answer with success though nothing of it is on the device
(measured here with ext4 of Linux 6.18 and a bare loop of write and fdatasync: in 1 to 5 of 100 cuts the last sync, in 1
of 300 the one before it), and a node that goes on for a moment acts upon it. So every test is strict to the last
acknowledgement, and what a sync leaves half done is for the tests with failpoints and torn tails.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client, NodeGone
from tests.durability.history import LOST, History
from tests.durability.mutants import MUTANTS
from tests.durability.nursery import Archive, Node, Nursery
from tests.durability.test_random_kills import SEED_VARIABLE, SETTINGS, seed_of_run, wait_for
from tests.durability.volumes import CuttableVolume, cuttable_volume
from tests.durability.workload import Workload

SENDERS = 3
LOAD_MIN_S, LOAD_MAX_S = 0.05, 1.0
VOLUME_MIB = {"packs": 4096, "index": 512}
"""More than fifty rounds store; the images are sparse files, so that only what is stored takes room."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An archive on two volumes whose power can be cut."""

    archive: Archive
    packs: CuttableVolume
    index: CuttableVolume

    def restore_power(self) -> None:
        """Mount both volumes again."""
        for volume in (self.packs, self.index):
            volume.unmount()
            volume.mount()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with contextlib.ExitStack() as stack:
        packs, index = (
            stack.enter_context(cuttable_volume(tmp_path, name, size_mib=size)) for name, size in VOLUME_MIB.items()
        )
        settings = {
            **SETTINGS,
            "archive.erase_after_s": "0s",
            "storage.packs_dir": str(packs.path / "packs"),
            "storage.index_dir": str(index.path / "index"),
        }
        yield Machine(Archive(tmp_path / "data", settings), packs, index)


def cut_power(machine: Machine, node: Node) -> None:
    """Cut the power between two system calls of the node."""
    node.child.freeze()
    machine.packs.cut()
    machine.index.cut()


def load_until_cut(nursery: Nursery, machine: Machine, history: History, works: list[Workload], seed: int) -> None:
    """Load a node and cut its power at a random moment."""
    numbers = random.Random(seed)
    is_over = threading.Event()
    with nursery.serving(machine.archive) as node:
        check_node(node.dicomweb_url, history)

        def send(work: Workload) -> None:
            with Client(node.dicomweb_url, history) as client, contextlib.suppress(NodeGone):
                while not is_over.is_set():
                    for operation in work.iter_round():
                        operation(client)

        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [pool.submit(send, work) for work in works]
            wait_for(numbers.uniform(LOAD_MIN_S, LOAD_MAX_S), lambda: any(one.done() for one in senders))
            cut_power(machine, node)
            is_over.set()
            node.child.kill()
            for sender in senders:
                sender.result()
    machine.restore_power()


def cut_again_and_again(nursery: Nursery, machine: Machine, cuts: int) -> None:
    """Cut the power many times on one archive and hold it against the history after each."""
    seed = seed_of_run()
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 - shown with a failure, so that the same moments can be tried again
    history = History()
    works = [Workload(sender=number) for number in range(1, SENDERS + 1)]
    for number in range(cuts):
        load_until_cut(nursery, machine, history, works, seed + number)
        print(f"cut {number + 1}: {history.acknowledged} acknowledged", flush=True)  # noqa: T201 - shown with -s
    with nursery.serving(machine.archive) as node:
        check_node(node.dicomweb_url, history)
        node.stop()
    check_files(machine.archive, history)
    check_reindex(nursery, machine.archive, history)
    print(f"{cuts} cuts, {history.acknowledged} acknowledged")  # noqa: T201 - shown with -s
    assert history.acknowledged > cuts, "the load must have got somewhere between the cuts"


def cut_when_quiet(nursery: Nursery, machine: Machine, history: History, work: Workload, *, mutant: str = "") -> None:
    """Cut the power right behind an acknowledgement, each time behind another operation of the workload."""
    for stop_behind in itertools.count(1):
        with nursery.serving(machine.archive, mutant=mutant) as node, Client(node.dicomweb_url, history) as client:
            operations = list(work.iter_round())
            for operation in operations[:stop_behind]:
                operation(client)
            cut_power(machine, node)
            node.child.kill()
        machine.restore_power()
        with nursery.serving(machine.archive) as node:
            check_node(node.dicomweb_url, history)
        if stop_behind >= len(operations):
            return


@pytest.mark.timeout(300)
def test_three_power_cuts_under_load_lose_nothing(nursery: Nursery, machine: Machine) -> None:
    cut_again_and_again(nursery, machine, 3)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_fifty_power_cuts_under_load_lose_nothing(nursery: Nursery, machine: Machine) -> None:
    cut_again_and_again(nursery, machine, 50)


@pytest.mark.timeout(300)
def test_a_power_cut_right_behind_an_acknowledgement_loses_nothing(nursery: Nursery, machine: Machine) -> None:
    cut_when_quiet(nursery, machine, History(), Workload(sender=1))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", [name for name in MUTANTS if name.endswith("not synced")])
def test_a_node_without_a_safeguard_is_caught(nursery: Nursery, machine: Machine, mutant: str) -> None:
    with pytest.raises(AssertionError, match=LOST) as caught:
        cut_when_quiet(nursery, machine, History(), Workload(sender=1), mutant=mutant)
    print(f"{mutant}: {str(caught.value)[:300]}")  # noqa: T201 - shown with -s
