"""An archive over the memory adapters, with a clock that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.intake import Intake
from isocenter.archive.metadata_cache import MetadataCache
from isocenter.archive.store import begin_store
from isocenter.domain.outcome import DuplicatePolicy, StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.blobs import BlobStore
from isocenter.ports.failpoints import Failpoints
from isocenter.ports.index import InstanceIndex
from isocenter.storage.memory import (
    MemoryBlobStore,
    MemoryCommitments,
    MemoryEventCursors,
    MemoryFhirLedger,
    MemoryInstanceIndex,
    MemoryPartitions,
    MemoryPerformedSteps,
    MemoryPrefetches,
    MemoryStepMessages,
    MemoryWatchedStudies,
    MemoryWorkitems,
    MemoryWorklist,
)

START = datetime(2026, 11, 21, tzinfo=UTC)
ANSWER_TIMEOUT_S = 30
"""A future that is never answered is a fault; the test is to fail, not to hang."""


class FakeClock:
    """Tell the time that a test sets."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return self._now

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return (self._now - START).total_seconds()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)


@contextmanager
def memory_archive(
    settings: ArchiveSettings | None = None,
    *,
    blobs: BlobStore | None = None,
    index: InstanceIndex | None = None,
    clock: FakeClock | None = None,
) -> Iterator[Archive]:
    """Return an archive whose group commit runs for the length of a block."""
    settings = settings or ArchiveSettings()
    blobs = MemoryBlobStore() if blobs is None else blobs
    index = MemoryInstanceIndex() if index is None else index
    clock = clock or FakeClock()
    intake = Intake(
        index=index, blobs=blobs, clock=clock, failpoints=Failpoints(), erase_after_s=settings.erase_after_s
    )
    try:
        worklist, partitions, step_messages = MemoryWorklist(), MemoryPartitions(), MemoryStepMessages()
        yield Archive(
            index,
            blobs,
            intake,
            clock,
            MetadataCache(),
            settings,
            worklist=worklist,
            performed_steps=MemoryPerformedSteps(worklist, step_messages),
            commitments=MemoryCommitments(),
            partitions=partitions,
            workitems=MemoryWorkitems(partitions),
            operations=cast(MemoryInstanceIndex, index).operations,  # every index keeps them beside itself
            event_cursors=MemoryEventCursors(),
            fhir_ledger=MemoryFhirLedger(),
            prefetches=MemoryPrefetches(),
            step_messages=step_messages,
            watched_studies=MemoryWatchedStudies(),
        )
    finally:
        intake.close()


def store(archive: Archive, content: bytes, *, policy: DuplicatePolicy | None = None) -> StoreOutcome:
    """Store an instance and return what became of it, once it is durable."""
    reception = begin_store(archive, LOCAL_OWNER, source="test", policy=policy)
    try:
        reception.write(content)
        return reception.finish().result(ANSWER_TIMEOUT_S)
    except BaseException:
        reception.abort()
        raise
