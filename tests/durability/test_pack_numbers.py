"""The number of a pack is never given twice: an erasure that is still to come must not meet other bytes there."""

from __future__ import annotations

import httpx
import pytest

from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client, NodeGone
from tests.durability.history import History
from tests.durability.nursery import Archive, Nursery
from tests.support.instances import identify
from tests.support.small_instances import make_instance

LARGE_BYTES = 200_000
ENDED_BY_THE_ERASER_S = 30.0
KILLED = -9


def test_an_erasure_that_a_kill_left_behind_spares_what_was_stored_since(nursery: Nursery, archive: Archive) -> None:
    """The latest pack is erased while the next large instance is being sealed, and the kill comes before both end."""
    history = History()
    erased, sealing, later = (make_instance(identify(instance=number), size_bytes=LARGE_BYTES) for number in (1, 2, 3))
    armed = "spool.after_header=sleep:10000@2,index.before_begin=kill@3"
    with nursery.serving(archive, failpoints=armed) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([erased]).status == httpx.codes.OK
        assert client.delete(erased.identifier) == httpx.codes.NO_CONTENT
        with pytest.raises(NodeGone):
            client.store([sealing])
    with (
        nursery.serving(archive, failpoints="erase.after_sync=kill@1") as node,
        Client(node.dicomweb_url, history) as client,
    ):
        assert client.store([later]).status == httpx.codes.OK
        assert node.child.wait(ENDED_BY_THE_ERASER_S) == KILLED
    with nursery.serving(archive) as node:
        check_node(node.dicomweb_url, history)
        node.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)


def test_packs_that_were_erased_are_not_missed_at_the_next_start(nursery: Nursery, archive: Archive) -> None:
    history = History()
    large = [make_instance(identify(instance=number), size_bytes=LARGE_BYTES) for number in range(1, 6)]
    packs = archive.data_dir / "packs"
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        assert client.store(large).status == httpx.codes.OK
        before = set(packs.glob("*.pack"))
        for instance in large[:3]:
            assert client.delete(instance.identifier) == httpx.codes.NO_CONTENT
        node.wait_until(lambda: len(set(packs.glob("*.pack"))) == len(before) - 3, timeout_s=ENDED_BY_THE_ERASER_S)
        node.stop()
    with nursery.serving(archive) as node:
        check_node(node.dicomweb_url, history)
        node.stop()
    assert "pack_shorter_than_index" not in archive.log_path.read_text()


def test_a_pack_that_a_kill_left_without_records_is_no_damage(nursery: Nursery, archive: Archive) -> None:
    history = History()
    with (
        nursery.serving(archive, failpoints="packs.after_create=kill@1") as node,
        Client(node.dicomweb_url, history) as client,
        pytest.raises(NodeGone),
    ):
        client.store([make_instance(identify())])
    [pack] = (archive.data_dir / "packs").glob("*.pack")
    pack.write_bytes(b"")  # as a kill between the two calls leaves it
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([make_instance(identify())]).status == httpx.codes.OK
        node.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)
