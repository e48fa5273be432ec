"""A full volume refuses cleanly, a failing one is never acknowledged over, and what is stored is served all the while.

Packs and index lie on small volumes of their own, and are filled in turn: by stores, by a foreign file, by too many
files (R9). I/O errors come from failpoints here and from the kernel in `test_io_errors.py` (R10).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client, NodeGone
from tests.durability.conftest import FAST_ERASURE
from tests.durability.history import History
from tests.durability.nursery import Archive, Node, Nursery
from tests.durability.volumes import fill, free_bytes, small_volume
from tests.support.instances import identify
from tests.support.small_instances import SmallInstance, make_instance

FULL = httpx.codes.INSUFFICIENT_STORAGE
PACKS_KIB = 16_384
INDEX_KIB = 32_768
SMALL_BYTES = 60_000
"""Just below the threshold of the spool."""
LARGE_BYTES = 400_000
STORES_MAX = 400
"""More than fit on either volume."""
OUT_OF_RESOURCES = 0xA700
ERASE_TIMEOUT_S = 20.0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive on two small volumes."""
    with contextlib.ExitStack() as stack:
        packs = stack.enter_context(small_volume(tmp_path / "packs", size_kib=PACKS_KIB))
        index = stack.enter_context(small_volume(tmp_path / "index", size_kib=INDEX_KIB))
        yield Archive(
            tmp_path / "data", {**FAST_ERASURE, "storage.packs_dir": str(packs), "storage.index_dir": str(index)}
        )


def with_settings(archive: Archive, **settings: str) -> Archive:
    """Return an archive with other settings; `__` in a name stands for the dot."""
    return Archive(
        archive.data_dir, {**archive.settings, **{name.replace("__", "."): value for name, value in settings.items()}}
    )


def packs_of(archive: Archive) -> Path:
    return Path(archive.settings["storage.packs_dir"])


def index_of(archive: Archive) -> Path:
    return Path(archive.settings["storage.index_dir"])


def one(number: int, *, size_bytes: int = SMALL_BYTES, seed: int = 0) -> SmallInstance:
    return make_instance(identify(1, 1, number), seed=seed, size_bytes=size_bytes)


def store_until_full(client: Client, *, size_bytes: int, first: int = 1) -> int:
    """Store one instance after the other until one is refused for want of room; return the number of that one."""
    for number in range(first, first + STORES_MAX):
        stored = client.store([one(number, size_bytes=size_bytes)])
        if stored.status == FULL:
            return number
        assert stored.status == httpx.codes.OK, stored
    raise AssertionError("the volume never filled up")


def store_when_erased(node: Node, client: Client, instance: SmallInstance) -> None:
    """Store an instance as soon as the eraser has made room for it."""

    def is_stored() -> bool:
        return client.store([instance]).status == httpx.codes.OK

    node.wait_until(is_stored, timeout_s=ERASE_TIMEOUT_S)


def finish(nursery: Nursery, node: Node, history: History) -> None:
    """Hold the node and then its files against the history."""
    check_node(node.dicomweb_url, history)
    node.stop()
    check_files(node.archive, history)
    check_reindex(nursery, node.archive, history)


@pytest.mark.parametrize("size_bytes", [SMALL_BYTES, LARGE_BYTES], ids=["batches", "spools"])
def test_a_full_volume_of_packs_refuses_stores_and_takes_them_again_after_a_delete(
    nursery: Nursery, small: Archive, size_bytes: int
) -> None:
    history = History()
    with nursery.serving(small) as node, Client(node.dicomweb_url, history) as client:
        refused = store_until_full(client, size_bytes=size_bytes)
        assert refused > 10
        assert client.store([one(refused, size_bytes=size_bytes)]).status == FULL
        assert node.is_ready(), "a full volume is not a failed one"
        check_node(node.dicomweb_url, history)
        for number in range(1, 6):
            assert client.delete(identify(1, 1, number)) == httpx.codes.NO_CONTENT
        store_when_erased(node, client, one(refused, size_bytes=size_bytes))
        finish(nursery, node, history)


def test_a_request_that_fills_the_volume_keeps_what_fits_and_names_the_rest(nursery: Nursery, small: Archive) -> None:
    history = History()
    with nursery.serving(small) as node, Client(node.dicomweb_url, history) as client:
        fill(packs_of(small), leave_bytes=3 * LARGE_BYTES)
        stored = client.store([one(number, size_bytes=LARGE_BYTES) for number in range(1, 6)])
        assert stored.status == httpx.codes.ACCEPTED
        assert stored.acknowledged
        assert set(stored.reasons) == {OUT_OF_RESOURCES}
        finish(nursery, node, history)


def test_new_versions_are_refused_and_the_old_ones_stay_while_the_packs_are_full(
    nursery: Nursery, small: Archive
) -> None:
    history = History()
    with nursery.serving(small) as node, Client(node.dicomweb_url, history) as client:
        client.store([one(1), one(2, size_bytes=LARGE_BYTES)])
        ballast = fill(packs_of(small))
        assert client.store([one(1, seed=1), one(2, seed=1, size_bytes=LARGE_BYTES)]).status == FULL
        check_node(node.dicomweb_url, history)
        ballast.unlink()
        assert client.store([one(1, seed=2), one(2, seed=2, size_bytes=LARGE_BYTES)]).status == httpx.codes.OK
        finish(nursery, node, history)


def test_a_full_volume_of_the_index_refuses_stores_and_takes_them_again_without_a_restart(
    nursery: Nursery, small: Archive
) -> None:
    history = History()
    with nursery.serving(small) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([one(number) for number in range(1, 20)]).status == httpx.codes.OK
        ballast = fill(index_of(small))
        refused = store_until_full(client, size_bytes=2000, first=20)
        assert client.store([one(refused)]).status == FULL
        assert client.store([one(refused, size_bytes=LARGE_BYTES)]).status == FULL
        assert node.is_ready()
        check_node(node.dicomweb_url, history)
        ballast.unlink()
        assert client.store([one(refused), one(refused + 1, size_bytes=LARGE_BYTES)]).status == httpx.codes.OK
        assert client.delete(identify(1, 1, 1)) == httpx.codes.NO_CONTENT
        finish(nursery, node, history)


def test_the_reserve_keeps_room_for_deletes_on_both_volumes(nursery: Nursery, small: Archive) -> None:
    reserve_bytes = 2 << 20
    archive, history = with_settings(small, storage__reserve_bytes=str(reserve_bytes)), History()
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        assert client.store([one(number) for number in range(1, 40)]).status == httpx.codes.OK
        for volume in (packs_of(archive), index_of(archive)):
            ballast = fill(volume, leave_bytes=reserve_bytes + (128 << 10))
            refused = store_until_full(client, size_bytes=SMALL_BYTES, first=50)
            assert free_bytes(volume) > reserve_bytes - (128 << 10), "stores leave the reserve alone"
            assert client.store([one(refused, size_bytes=LARGE_BYTES)]).status == FULL
            number = 1 if volume == packs_of(archive) else 2
            assert client.delete(identify(1, 1, number)) == httpx.codes.NO_CONTENT
            check_node(node.dicomweb_url, history)
            ballast.unlink()
            assert client.store([one(refused)]).status == httpx.codes.OK
        finish(nursery, node, history)


def test_a_node_starts_and_serves_with_both_volumes_at_their_reserve(nursery: Nursery, small: Archive) -> None:
    archive, history = with_settings(small, storage__reserve_bytes="1MiB"), History()
    with (
        nursery.serving(archive, failpoints="archive.before_commit=kill@3") as node,
        Client(node.dicomweb_url, history) as client,
    ):
        assert client.store([one(1)]).status == client.store([one(2)]).status == httpx.codes.OK
        with pytest.raises(NodeGone):
            client.store([one(3)])
    ballasts = [fill(volume, leave_bytes=1 << 20) for volume in (packs_of(archive), index_of(archive))]
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        check_node(node.dicomweb_url, history)
        assert client.store([one(9)]).status == FULL
        assert client.delete(identify(1, 1, 1)) == httpx.codes.NO_CONTENT
        check_node(node.dicomweb_url, history)
        node.stop()
    assert nursery.run(archive, "reindex") != 0, "both indexes do not fit"
    assert "the old index stays in place" in archive.log()
    for ballast in ballasts:
        ballast.unlink()
    with nursery.serving(archive) as node:
        finish(nursery, node, history)


def test_a_volume_without_inodes_refuses_new_files_and_takes_them_again(nursery: Nursery, tmp_path: Path) -> None:
    history = History()
    with small_volume(tmp_path / "packs", size_kib=PACKS_KIB, inodes=8) as packs:
        archive = Archive(tmp_path / "data", {**FAST_ERASURE, "storage.packs_dir": str(packs)})
        with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
            assert client.store([one(1)]).status == httpx.codes.OK
            blockers = [packs / f"blocker-{number}" for number in range(8)]
            with contextlib.suppress(OSError):
                for blocker in blockers:
                    blocker.touch()
            assert client.store([one(2, size_bytes=LARGE_BYTES)]).status == FULL
            assert client.store([one(3)]).status == httpx.codes.OK, "the open pack needs no new file"
            check_node(node.dicomweb_url, history)
            for blocker in blockers:
                blocker.unlink(missing_ok=True)
            assert client.store([one(2, size_bytes=LARGE_BYTES)]).status == httpx.codes.OK
            assert client.store([one(4)]).status == httpx.codes.OK
            finish(nursery, node, history)


def test_two_versions_in_one_request_are_both_refused_when_the_index_is_full(nursery: Nursery, small: Archive) -> None:
    """The second waits for the batch after the first's, and must be answered by its own batch."""
    history = History()
    with (
        nursery.serving(small, failpoints="index.before_commit=raise:StorageFull@2") as node,
        Client(node.dicomweb_url, history) as client,
    ):
        assert client.store([one(1)]).status == httpx.codes.OK
        instances = [one(2), one(3), one(2, seed=1)]
        for instance in instances:
            history.begin_store(instance)
        assert client.post(instances).status_code in {httpx.codes.ACCEPTED, FULL}
        assert client.store([one(number) for number in range(4, 9)]).status == httpx.codes.OK
        finish(nursery, node, history)
