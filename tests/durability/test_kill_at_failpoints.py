"""A kill at every named place of the way to disk loses nothing, shows nothing by halves, and leaves the feed whole."""

from __future__ import annotations

import time

import pytest

from isocenter.ports.failpoints import FAILPOINT_NAMES
from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client, NodeGone
from tests.durability.history import LOST, History
from tests.durability.nursery import Archive, EndedEarly, Nursery
from tests.durability.workload import Workload

LATER_HIT = 5
REACH_TIMEOUT_S = 40.0
"""A failpoint that the load does not reach in this time is one that nothing proves."""
KILLED = -9
TIME_TO_ANSWER_MS = 200
"""So that a premature answer reaches the client before the kill."""


def load_until_killed(
    nursery: Nursery, archive: Archive, history: History, work: Workload, failpoints: str, *, mutant: str = ""
) -> None:
    """Run a node with an armed failpoint under load until it dies by it; before the load, hold it against the past."""
    node = nursery.serve(archive, failpoints=failpoints, mutant=mutant)
    try:
        node.wait_ready()
        check_node(node.dicomweb_url, history)
        with Client(node.dicomweb_url, history) as client:
            deadline = time.monotonic() + REACH_TIMEOUT_S
            while time.monotonic() < deadline:
                for operation in work.iter_round():
                    operation(client)
    except (NodeGone, EndedEarly):
        assert node.child.wait(REACH_TIMEOUT_S) == KILLED, archive.log()
        return
    finally:
        node.child.kill()
    raise AssertionError(f"the load never reached {failpoints}")


@pytest.mark.parametrize("name", [name for name in FAILPOINT_NAMES if not name.startswith("update.")])
def test_a_kill_at_a_failpoint_loses_nothing_that_was_acknowledged(
    nursery: Nursery, archive: Archive, name: str
) -> None:
    history, work = History(), Workload(sender=1)

    load_until_killed(nursery, archive, history, work, f"{name}=kill@1")
    load_until_killed(nursery, archive, history, work, f"{name}=kill@{LATER_HIT}")

    with nursery.serving(archive) as node:
        check_node(node.dicomweb_url, history)
        with Client(node.dicomweb_url, history) as client:
            for operation in work.iter_round():
                operation(client)
        check_node(node.dicomweb_url, history)
        node.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)


def test_a_node_that_acknowledges_before_it_commits_is_caught(nursery: Nursery, archive: Archive) -> None:
    history, work = History(), Workload(sender=1)
    armed = f"archive.before_append=sleep:{TIME_TO_ANSWER_MS},archive.before_commit=kill@{LATER_HIT}"
    load_until_killed(nursery, archive, history, work, armed, mutant="acknowledged before commit")
    with nursery.serving(archive) as node, pytest.raises(AssertionError, match=LOST):
        check_node(node.dicomweb_url, history)
