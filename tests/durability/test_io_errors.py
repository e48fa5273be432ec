"""A volume that answers with an I/O error is never acknowledged over (R10).

Whatever fails, at whatever step: no acknowledgement, not ready, reads go on, and the next start recovers what was
acknowledged before. The errors come from failpoints, and from the kernel itself by way of strace.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client
from tests.durability.history import History
from tests.durability.nursery import Archive, Nursery
from tests.support.instances import identify
from tests.support.peers import not_possible_here, require
from tests.support.processes import answers_ok, serve
from tests.support.small_instances import SmallInstance, make_instance

LARGE_BYTES = 200_000
SMALLS = 6
FIRST = make_instance(identify(1, 99, 1))
READY_PATH = "/health/ready"
STORES_MAX = 12
PACK, LOG = "packs/00000001.pack", "index.sqlite3-wal"
FAILING_SYNCS = [(PACK, 2), (PACK, 4), (LOG, 1), (LOG, 2), (LOG, 5)]
"""The first sync of the pack is the one with which it is opened again."""

STEPS_OF_A_STORE = (
    "packs.before_write=raise:EIO@3",
    "packs.mid_write=raise:EIO@3",
    "packs.before_sync=raise:EIO@3",
    "packs.after_sync=raise:EIO@3",
    "packs.after_create=raise:EIO@2",
    "spool.mid_write=raise:EIO@3",
    "spool.after_header=raise:EIO@2",
    "spool.after_sync=raise:EIO@2",
    "spool.after_rename=raise:EIO@2",
    "index.before_begin=raise:StorageFailed@3",
    "index.mid_transaction=raise:StorageFailed@3",
    "index.before_commit=raise:StorageFailed@3",
    "index.after_commit=raise:StorageFailed@3",
)


def smalls(number: int) -> list[SmallInstance]:
    """Return some small instances, so that some share a write."""
    return [make_instance(identify(1, number, place)) for place in range(1, SMALLS + 1)]


def batch(number: int) -> list[SmallInstance]:
    """Return some small instances and a large one."""
    return [*smalls(number), make_instance(identify(1, number, SMALLS + 1), size_bytes=LARGE_BYTES)]


def check_known(client: Client, history: History) -> None:
    """Read everything of which it is known how it must be."""
    known = [identifier for identifier in history.identifiers() if len(history.possible(identifier)) == 1]
    assert known
    for identifier in known:
        client.check(identifier)


def store_until_failed(client: Client, make: Callable[[int], list[SmallInstance]]) -> None:
    """Store until an instance is not acknowledged; the answer must say that the service is at fault."""
    for number in range(1, STORES_MAX):
        instances = make(number)
        stored = client.store(instances)
        if len(stored.acknowledged) < len(instances):
            assert stored.status in {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.ACCEPTED}
            return
    raise AssertionError("nothing ever failed")


@pytest.mark.parametrize("failpoint", STEPS_OF_A_STORE)
def test_an_io_error_at_any_step_of_a_store_is_not_acknowledged(
    nursery: Nursery, archive: Archive, failpoint: str
) -> None:
    history = History()
    with nursery.serving(archive, failpoints=failpoint) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([FIRST]).status == httpx.codes.OK
        store_until_failed(client, batch)
        assert not node.is_ready()
        assert client.store(batch(50)).status == httpx.codes.SERVICE_UNAVAILABLE
        check_known(client, history)
        node.stop()
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        check_node(node.dicomweb_url, history)
        assert client.store(batch(60)).status == httpx.codes.OK
        check_node(node.dicomweb_url, history)
        node.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)


def test_an_io_error_in_a_delete_is_not_acknowledged_and_makes_the_node_unready(
    nursery: Nursery, archive: Archive
) -> None:
    history = History()
    failpoint = "index.before_commit=raise:StorageFailed@2"
    with nursery.serving(archive, failpoints=failpoint) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([FIRST]).status == httpx.codes.OK
        assert client.delete(FIRST.identifier) == httpx.codes.SERVICE_UNAVAILABLE
        assert not node.is_ready()
        node.stop()
    with nursery.serving(archive) as node:
        check_node(node.dicomweb_url, history)
        node.stop()
    check_files(archive, history)


def require_strace() -> str:
    """Return strace; skip loudly where it may not trace."""
    strace = require("strace")
    done = subprocess.run([strace, "-e", "trace=none", "true"], capture_output=True, check=False)
    if done.returncode:
        not_possible_here("processes cannot be traced")
    return strace


def strace_that_fails(path: Path, call_number: int, trace_path: Path) -> list[str]:
    """Return a program that runs another and lets the n-th sync of a file fail, once in each of its threads."""
    inject = f"inject=fdatasync:error=EIO:when={call_number}"
    command = [require_strace(), "-f", "-o", str(trace_path), "-P", str(path), "-e", "trace=fdatasync", "-e", inject]
    return [*command, str(Path(sys.executable).with_name("isocenter"))]


@pytest.mark.parametrize(("file_name", "call_number"), FAILING_SYNCS)
def test_a_sync_that_the_kernel_fails_is_not_acknowledged(
    nursery: Nursery, archive: Archive, tmp_path: Path, file_name: str, call_number: int
) -> None:
    history, trace_path = History(), tmp_path / "strace.txt"
    program = strace_that_fails(archive.data_dir / file_name, call_number, trace_path)
    with nursery.serving(archive) as started, Client(started.dicomweb_url, history) as client:
        assert client.store([FIRST]).status == httpx.codes.OK
        started.stop()
    arguments = [*archive.arguments()[2:], "--auth", "off"]
    with serve(archive.data_dir, program=program, arguments=arguments, must_end_cleanly=False) as node:
        with Client(node.dicomweb_url, history) as client:
            store_until_failed(client, smalls)
            assert not answers_ok(f"{node.base_url}{READY_PATH}")
            assert client.store(batch(50)).status == httpx.codes.SERVICE_UNAVAILABLE
            check_known(client, history)
        node.process.kill()
    with nursery.serving(archive) as started:
        check_node(started.dicomweb_url, history)
        started.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)
