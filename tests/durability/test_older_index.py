"""An index older than its packs, as after restoring a backup of it alone, costs no acknowledged image."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx

from isocenter.app.wiring import INDEX_FILE
from tests.durability.checks import check_files, check_node, check_reindex
from tests.durability.client import Client
from tests.durability.history import History
from tests.durability.nursery import Archive, Nursery
from tests.support.instances import identify
from tests.support.small_instances import SmallInstance, make_instance

LARGE_BYTES = 200_000


def versions(seed: int, *, first: int, last: int) -> list[SmallInstance]:
    """Return small and large instances in turn."""
    return [
        make_instance(identify(1, 1, number), seed=seed, size_bytes=LARGE_BYTES if number % 3 == 0 else 3000)
        for number in range(first, last + 1)
    ]


def test_stores_and_new_versions_behind_an_older_index_are_found_again(
    nursery: Nursery, archive: Archive, tmp_path: Path
) -> None:
    history, backup = History(), tmp_path / "backup"
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        assert client.store(versions(0, first=1, last=9)).status == httpx.codes.OK
        node.stop()
    shutil.copy(archive.data_dir / INDEX_FILE, backup)
    with nursery.serving(archive) as node, Client(node.dicomweb_url, history) as client:
        for seed in (1, 2):
            assert client.store(versions(seed, first=5, last=14)).status == httpx.codes.OK
        node.child.kill()
    for suffix in ("-wal", "-shm"):
        Path(f"{archive.data_dir / INDEX_FILE}{suffix}").unlink(missing_ok=True)
    shutil.copy(backup, archive.data_dir / INDEX_FILE)
    for _ in range(2):
        with nursery.serving(archive) as node:
            check_node(node.dicomweb_url, history)
            node.stop()
    check_files(archive, history)
    check_reindex(nursery, archive, history)
