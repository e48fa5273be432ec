"""Every adapter of a port, one after the other, through the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.ports.blobs import BlobStore
from isocenter.ports.index import InstanceIndex
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from isocenter.storage.packs import LocalPackBlobStore
from isocenter.storage.sqlite import SqliteInstanceIndex


@pytest.fixture(params=["memory", "packs"])
def blob_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "memory":
        yield MemoryBlobStore()
    else:
        with LocalPackBlobStore(tmp_path / "packs") as store:
            yield store


@pytest.fixture(params=["memory", "sqlite"])
def instance_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InstanceIndex]:
    if request.param == "memory":
        yield MemoryInstanceIndex()
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield index
