"""Whatever call of a port fails during an update, and however: a study is whole, and in the end it is updated once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path

import orjson
import pydicom
import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.delete import erase_due
from isocenter.archive.operations import OperationDesk, OperationRunner, Outcome
from isocenter.archive.recover import recover
from isocenter.archive.update import Updater, UpdateRequest
from isocenter.domain.errors import IsocenterError, StorageFailed, StorageFull, Unavailable
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.operation import Operation, OperationStatus
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.index import ChangeAction
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from isocenter.storage.sinks.secrets import SecretFiles
from tests.support.faults import ErrorFactory, Fault, faulty_blobs, faulty_index
from tests.support.instances import identify, records_of, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

NAME = 0x00100010
STUDY = scope_of(identify(1), depth=1)
SETTINGS = ArchiveSettings(spool_threshold_bytes=1024**2 + 50_000, erase_after_s=10.0)
INSTANCES = [
    make_instance(identify(1, 1, 1)),
    make_instance(identify(1, 1, 2)),
    make_instance(identify(1, 2, 3), size_bytes=100_000),
]
"""Two new versions stay in memory, one goes through a spool."""
CALLS_MAX = 300


class UnforeseenError(Exception):
    """What no one thought of."""


@dataclass
class World:
    """Stores that may fail, an archive over them, and an update that is about to be carried out."""

    fault: Fault
    archive: Archive
    clock: FakeClock
    blobs: MemoryBlobStore
    index: MemoryInstanceIndex
    secrets: SecretFiles
    operation: Operation

    def run(self) -> Outcome:
        """Carry the update out, as far as it goes."""
        running = Updater(self.archive, secrets=self.secrets).run(self.operation)
        while True:
            try:
                step = next(running)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            self.operation = self.operation.advanced(
                now=1.0, checkpoint=step.checkpoint, percent_complete=step.percent_complete
            )

    def restart(self, stack: ExitStack) -> None:
        """Start anew on sound volumes."""
        self.fault.mend()
        recover(index=self.index, blobs=self.blobs, clock=self.clock)
        self.archive = stack.enter_context(
            memory_archive(SETTINGS, blobs=self.blobs, index=self.index, clock=self.clock)
        )
        self.archive.operations.add(self.operation)

    def names(self) -> set[str]:
        """Return the patient's names in the study; every byte of it can be read."""
        rows = self.index.instances(STUDY)
        assert len(rows) == len(INSTANCES)
        originals = {row.identifier: row for row in self.index.instances(STUDY, original=True)}
        for one in INSTANCES:
            row = originals.get(one.identifier) or self.index.find_stored([one.identifier])[one.identifier]
            assert self.blobs.read(row.address) == one.content
        return {str(pydicom.dcmread(BytesIO(self.blobs.read(row.address))).PatientName) for row in rows}

    def check_whole(self) -> None:
        """Hold the study to what a reader may see at any moment."""
        assert len(self.names()) == 1, "a study is changed by halves"
        sequences = [change.sequence for change in self.index.changes(limit=1000)]
        assert sequences == list(range(1, len(sequences) + 1))
        assert self.fault.open_spools == 0

    def orphans(self) -> int:
        """Return how many blobs nobody knows."""
        known = {address for _, _, address in self.index.addresses()}
        known |= {one.address for one in self.index.due_erasures(now=float("inf"), limit=1000)}
        known |= {one.address for one in self.index.revisions.staged(f"{self.operation.operation_id}-0")}
        return sum(record.address not in known for record in records_of(self.blobs))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def _world(stack: ExitStack, folder: Path, fault: Fault) -> World:
    blobs, index, clock = MemoryBlobStore(), MemoryInstanceIndex(), FakeClock()
    archive = stack.enter_context(
        memory_archive(SETTINGS, blobs=faulty_blobs(blobs, fault), index=faulty_index(index, fault), clock=clock)
    )
    for one in INSTANCES:
        store(archive, one.content)
    runner = OperationRunner(archive.operations, clock)
    stack.callback(runner.close)
    secrets = SecretFiles(folder)
    request = UpdateRequest((STUDY.study_instance_uid,), {NAME: ("PN", "New^Name")}, DEFAULT_PARTITION)
    desk = OperationDesk(archive.operations, runner, clock)
    started = Updater(archive, secrets=secrets).start(desk, LOCAL_OWNER, request)
    fault.arm()
    return World(fault, archive, clock, blobs, index, secrets, started.operation)


@pytest.mark.parametrize(
    ("make_error", "is_after"),
    [
        pytest.param(StorageFull, False, id="full"),
        pytest.param(StorageFailed, False, id="failed"),
        pytest.param(StorageFailed, True, id="failed-after"),
        pytest.param(UnforeseenError, False, id="unforeseen"),
        pytest.param(UnforeseenError, True, id="unforeseen-after"),
    ],
)
def test_a_failing_call_leaves_every_study_whole(tmp_path: Path, make_error: ErrorFactory, is_after: bool) -> None:
    for at_call in count(1):
        assert at_call < CALLS_MAX
        with ExitStack() as stack:
            world = _world(stack, tmp_path / str(at_call), Fault(make_error, at_call=at_call, is_after=is_after))
            goes_on = False
            try:
                world.run()
            except Unavailable:
                goes_on = True
            except (IsocenterError, UnforeseenError):
                pass
            if not world.fault.has_fired:
                assert at_call > 10, "hardly anything was called: the fault was never tried"
                assert world.names() == {"New^Name"}
                return
            world.check_whole()
            world.restart(stack)
            world.check_whole()
            _end(world, goes_on=goes_on)
            if not (is_after and make_error is UnforeseenError):
                assert world.orphans() == 0


def _end(world: World, *, goes_on: bool) -> None:
    """Let the update go on where it does, else see that nothing of it is left behind."""
    if goes_on:
        outcome = world.run()
        assert orjson.loads(outcome.results)["instanceUpdated"] == len(INSTANCES)
        assert world.names() == {"New^Name"}
        updates = [one for one in world.index.changes(limit=1000) if one.action is ChangeAction.UPDATE]
        assert len(updates) == len(INSTANCES), "each instance is updated once"
    else:
        ended = world.operation.ended(OperationStatus.FAILED, now=1.0, results=b"null")
        world.archive.operations.replace(ended)
    Updater(world.archive, secrets=world.secrets).discard_strays()
    world.clock.advance(100)
    erase_due(world.archive)
    world.check_whole()
