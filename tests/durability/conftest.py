"""The nursery for all tests of a run, and archives that leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.nursery import Archive, Nursery, open_nursery

FAST_ERASURE = {
    "archive.duplicate_policy": "replace",
    "archive.spool_threshold_bytes": "64KiB",
    "archive.erase_after_s": "0s",
    "storage.reserve_bytes": "0",
}
"""Small instances go to the log, larger ones through a spool; deleted bytes are destroyed at once."""


@pytest.fixture(scope="session")
def _nursery() -> Iterator[Nursery]:
    with open_nursery() as opened:
        yield opened


@pytest.fixture
def nursery(_nursery: Nursery) -> Iterator[Nursery]:
    """Return a nursery; what a test started and did not end is killed."""
    yield _nursery
    _nursery.end_children()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Return an empty archive."""
    return Archive(tmp_path / "data", FAST_ERASURE)
