"""A node that is killed while it indexes by a new extended query tag, or removes one, goes on where it was."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from isocenter.app.settings import load_settings
from isocenter.app.wiring import open_archive
from tests.durability.nursery import Archive, EndedEarly, Node, Nursery
from tests.support.dicomweb import JSON, client, get
from tests.support.instances import identify
from tests.support.memory_archive import store
from tests.support.query_tags import PATIENT_AGE, file_with

STORED, WRONG = 1200, 7
"""Three batches and what is left over; a value in so many cannot be indexed."""
HITS = range(1, 9)
"""Commits from the start of the node to the end of its reindex: the new tag, a batch, its checkpoint and so on."""
TIMEOUT_S = 60.0
POLL_S = 0.02
KILLED = -9
TAG = {"path": "00101010", "level": "Instance"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with instances, which tests copy."""
    data_dir = tmp_path_factory.mktemp("stored") / "data"
    with open_archive(load_settings({"data_dir": str(data_dir)}, {}, None)) as archive:
        for number in range(1, STORED + 1):
            value = b"1Y  " if number <= WRONG else b"042Y"
            store(archive, file_with(identify(number % 50, 1, number), {PATIENT_AGE: ("AS", value)}))
    return data_dir


@pytest.fixture
def filled(stored: Path, archive: Archive) -> Archive:
    """Return an archive that holds them."""
    shutil.rmtree(archive.data_dir, ignore_errors=True)
    shutil.copytree(stored, archive.data_dir)
    return archive


class Tags:
    """The tags of a node as its callers see them."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._root = f"{node.base_url}/v2"
        self._tag = f"{self._root}/extendedquerytags/00101010"

    def add(self) -> None:
        """Add the tag."""
        assert client().post(f"{self._root}/extendedquerytags", json=[TAG]).status_code == httpx.codes.ACCEPTED

    def state(self) -> dict[str, Any] | None:
        """Return the tag, None where there is none."""
        answer = client().get(self._tag)
        return None if answer.status_code == httpx.codes.NOT_FOUND else dict(answer.json())

    def wait(self, status: str) -> dict[str, Any]:
        """Wait until the tag has a status."""
        deadline = time.monotonic() + TIMEOUT_S
        while (state := self.state()) is None or state["status"] != status:
            assert self._node.child.is_alive(), "the node ended"
            assert time.monotonic() < deadline, state
            time.sleep(POLL_S)
        return state

    def enable(self) -> None:
        """Let searches use the tag in spite of its errors."""
        answer = client().patch(self._tag, json={"queryStatus": "Enabled"})
        assert answer.status_code == httpx.codes.OK

    def remove(self) -> int:
        """Remove the tag; return the status of the answer."""
        return client().delete(self._tag).status_code

    def count(self, value: str) -> int:
        """Return how many instances are found by a value."""
        found, url = 0, f"{self._root}/instances?PatientAge={value}&limit=200"
        while rows := get(f"{url}&offset={found}", JSON).content:
            found += rows.count(b'"00080018"')
        return found


def _until_killed(nursery: Nursery, archive: Archive, failpoint: str, work: Any) -> bool:
    """Run a node that is to be killed on the way, and tell whether it was."""
    node = nursery.serve(archive, failpoints=failpoint)
    try:
        node.wait_ready()
        work(Tags(node))
    except (EndedEarly, httpx.TransportError, AssertionError):
        assert node.child.wait(TIMEOUT_S) == KILLED, archive.log()
        return True
    finally:
        node.child.kill()
    return False


def _add_and_wait(tags: Tags) -> None:
    tags.add()
    tags.wait("ready")


def _check(tags: Tags) -> None:
    ready = tags.wait("ready")
    assert (ready["queryStatus"], ready["errors"]["count"]) == ("disabled", WRONG)
    tags.enable()
    assert tags.count("042Y") == STORED - WRONG


@pytest.mark.parametrize("name", ["index.before_commit", "index.after_commit"])
@pytest.mark.parametrize("hit", HITS)
def test_a_reindex_that_was_killed_goes_on_and_misses_nothing(
    nursery: Nursery, filled: Archive, name: str, hit: int
) -> None:
    _until_killed(nursery, filled, f"{name}=kill@{hit}", _add_and_wait)
    with nursery.serving(filled) as node:
        tags = Tags(node)
        if tags.state() is None:  # it was killed before the tag was durable
            tags.add()
        _check(tags)
        node.stop()


def test_a_node_that_is_killed_again_and_again_ends_its_reindex(nursery: Nursery, filled: Archive) -> None:
    assert _until_killed(nursery, filled, "index.before_commit=kill@4", _add_and_wait)
    kills = 0
    while _until_killed(nursery, filled, "index.after_commit=kill@2", lambda tags: tags.wait("ready")):
        kills += 1
        assert kills < STORED
    with nursery.serving(filled) as node:
        _check(Tags(node))
        node.stop()
    assert kills > 1


def test_a_removal_that_was_killed_goes_on(nursery: Nursery, filled: Archive) -> None:
    with nursery.serving(filled) as node:
        _add_and_wait(Tags(node))
        node.stop()
    assert _until_killed(nursery, filled, "index.after_commit=kill@2", Tags.remove)
    with nursery.serving(filled) as node:
        tags = Tags(node)
        deadline = time.monotonic() + TIMEOUT_S
        while tags.state() is not None:
            assert time.monotonic() < deadline
            time.sleep(POLL_S)
        _add_and_wait(tags)
        _check(tags)
        node.stop()
