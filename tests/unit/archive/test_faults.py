"""Whatever call of a port fails, and however: what was acknowledged is there, and nothing is half visible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.delete import delete, erase_due
from isocenter.archive.recover import recover
from isocenter.domain.errors import IsocenterError, StorageFailed, StorageFull
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.outcome import DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from tests.support.faults import ErrorFactory, Fault, faulty_blobs, faulty_index
from tests.support.instances import identify, records_of, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import SmallInstance, make_instance

SPOOL_THRESHOLD_BYTES = 10_000
SETTINGS = ArchiveSettings(spool_threshold_bytes=SPOOL_THRESHOLD_BYTES, erase_after_s=10.0)
HERE = identify(1)
"""Stored and acknowledged before anything fails."""
NEW = identify(2)
LARGE_BYTES = 3 * SPOOL_THRESHOLD_BYTES
CALLS_MAX = 100
"""Far more than any use case makes."""


class UnforeseenError(Exception):
    """What no one thought of."""


@dataclass
class World:
    """Stores that may fail, the archive over them, and what a client may hold it to."""

    fault: Fault
    archive: Archive
    clock: FakeClock
    blobs: MemoryBlobStore
    index: MemoryInstanceIndex
    allowed: dict[InstanceIdentifier, set[bytes | None]] = field(default_factory=dict)
    """What may be stored under an identity; None where nothing may be."""

    def store(self, instance: SmallInstance, policy: DuplicatePolicy = DuplicatePolicy.REFUSE) -> None:
        """Store, and note what that promises: until it is acknowledged the old and the new are both possible."""
        before = self.allowed.get(instance.identifier, {None})
        self.allowed[instance.identifier] = before | {instance.content}
        outcome = store(self.archive, instance.content, policy=policy)
        assert outcome.identifier == instance.identifier
        self.allowed[instance.identifier] = {instance.content}

    def delete(self, identifier: InstanceIdentifier) -> None:
        self.allowed[identifier] = self.allowed[identifier] | {None}
        delete(self.archive, LOCAL_OWNER, scope_of(identifier))
        self.allowed[identifier] = {None}
        self.clock.advance(SETTINGS.erase_after_s + 1)
        erase_due(self.archive)

    def check(self) -> None:
        """Hold index and blobs to what was promised."""
        for identifier, allowed in self.allowed.items():
            row = self.index.find_stored([identifier]).get(identifier)
            found = None if row is None else self.blobs.read(row.address)
            assert found in allowed, "what is stored is none of the versions that it may be"
            originals = self.index.instances(scope_of(identifier), original=True)
            assert all(self.blobs.verify(original.address) for original in originals)
        sequences = [change.sequence for change in self.index.changes(limit=1000)]
        assert sequences == list(range(1, len(sequences) + 1))
        assert self.fault.open_spools == 0

    def orphans(self) -> int:
        """Return how many blobs would come back by a reindex though no one is to have them."""
        known = {address for _, _, address in self.index.addresses()}
        known |= {erasure.address for erasure in self.index.due_erasures(now=float("inf"), limit=1000)}
        return sum(record.address not in known for record in records_of(self.blobs))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the hundreds of expected tracebacks from being laid out for a terminal, which takes most of the time."""
    with capture_logs():
        yield


def _store_small(world: World) -> None:
    world.store(make_instance(NEW))


def _store_large(world: World) -> None:
    world.store(make_instance(NEW, size_bytes=LARGE_BYTES))


def _store_the_same(world: World) -> None:
    world.store(make_instance(HERE))


def _store_other_bytes(world: World) -> None:
    other = make_instance(HERE, seed=1)
    try:
        store(world.archive, other.content)
    except IsocenterError as error:
        if type(error).__name__ != "InstanceExists":
            raise


def _replace(world: World) -> None:
    world.store(make_instance(HERE, seed=1), DuplicatePolicy.REPLACE)


def _replace_by_large(world: World) -> None:
    world.store(make_instance(HERE, seed=1, size_bytes=LARGE_BYTES), DuplicatePolicy.REPLACE)


def _keep_both(world: World) -> None:
    world.store(make_instance(HERE, seed=1), DuplicatePolicy.KEEP)


def _delete(world: World) -> None:
    world.delete(HERE)


SCENARIOS = [
    _store_small,
    _store_large,
    _store_the_same,
    _store_other_bytes,
    _replace,
    _replace_by_large,
    _keep_both,
    _delete,
]
FAULTS = [
    pytest.param(StorageFull, False, id="full"),
    pytest.param(StorageFailed, False, id="failed"),
    pytest.param(StorageFailed, True, id="failed-after"),
    pytest.param(UnforeseenError, False, id="unforeseen"),
    pytest.param(UnforeseenError, True, id="unforeseen-after"),
]


def _world(stack: ExitStack, make_error: ErrorFactory, at_call: int, is_after: bool) -> World:
    fault = Fault(make_error, at_call=at_call, is_after=is_after)
    blobs, index, clock = MemoryBlobStore(), MemoryInstanceIndex(), FakeClock()
    archive = stack.enter_context(
        memory_archive(SETTINGS, blobs=faulty_blobs(blobs, fault), index=faulty_index(index, fault), clock=clock)
    )
    world = World(fault, archive, clock, blobs, index)
    world.store(make_instance(HERE))
    fault.arm()
    return world


@pytest.mark.parametrize(("make_error", "is_after"), FAULTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_failing_call_leaves_every_promise_kept(
    scenario: Callable[[World], None], make_error: ErrorFactory, is_after: bool
) -> None:
    for at_call in count(1):
        assert at_call < CALLS_MAX
        with ExitStack() as stack:
            world = _world(stack, make_error, at_call, is_after)
            try:
                scenario(world)
            except (IsocenterError, UnforeseenError):
                assert world.fault.has_fired
            if not world.fault.has_fired:
                assert at_call > 1, "nothing was called: the fault was never tried"
                return
            world.check()
            if not is_after and make_error is not StorageFailed:
                assert world.orphans() == 0
            _store_next(world, stack)


def _store_next(world: World, stack: ExitStack) -> None:
    """Store once more, which works, except where the volume failed: there it works after a restart."""
    following = make_instance(identify(3))
    if not world.fault.is_latched:
        world.store(following)
        world.check()
        return
    with pytest.raises(StorageFailed):
        store(world.archive, following.content)
    world.fault.mend()
    recover(index=world.index, blobs=world.blobs, clock=world.clock)
    world.archive = stack.enter_context(
        memory_archive(SETTINGS, blobs=world.blobs, index=world.index, clock=world.clock)
    )
    world.store(following)
    world.check()
    assert world.orphans() == 0
