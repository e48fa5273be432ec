"""Bulk updates: whole studies or none, the first and the latest version, and what goes on after a stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest

from isocenter.archive.archive import Archive, ArchiveSettings
from isocenter.archive.delete import erase_due
from isocenter.archive.operations import ATTEMPTS_MAX, OperationDesk, OperationRunner, Outcome, Step
from isocenter.archive.retrieve import find_instances, read_whole
from isocenter.archive.study_update import ERRORS_MAX, MORE_ERRORS, ROUNDS_MAX
from isocenter.archive.update import Updater, UpdateRequest
from isocenter.dicom.amend_text import Texts
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import (
    Conflict,
    CorruptInstance,
    Forbidden,
    InvalidRequest,
    StorageFailed,
    StorageFull,
    Unavailable,
)
from isocenter.domain.identifiers import DEFAULT_PARTITION, InstanceIdentifier, Level, Scope
from isocenter.domain.operation import Operation, OperationStatus, OperationType
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, DataAction, Principal
from isocenter.domain.query import ByQueryTag, OneOf, Query
from isocenter.domain.query_tag import QueryTagEntry
from isocenter.ports.blobs import BlobAddress, BlobLabel, Payload
from isocenter.ports.failpoints import Failpoint, Failpoints
from isocenter.ports.index import ChangeAction
from isocenter.storage.memory import MemoryBlobStore
from isocenter.storage.sinks.secrets import SecretFiles
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import SmallInstance, make_instance

TIMEOUT_S = 30
NAME, PATIENT_ID = 0x00100010, 0x00100020
STUDY_UID, SERIES_UID, INSTANCE_UID = 0x0020000D, 0x0020000E, 0x00080018
NEW: Texts = {NAME: ("PN", "New^Name"), PATIENT_ID: ("LO", "4711")}
STUDY = scope_of(identify(1), depth=1)


class _FragileBlobs(MemoryBlobStore):
    """Blobs of which some cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[int] = set()
        self.is_full = False
        self.on_read: Callable[[], object] = lambda: None

    def read(self, address: BlobAddress, *, start: int = 0, length: int | None = None) -> bytes:
        if address.offset in self.broken:
            self.on_read()
            raise CorruptInstance()
        return super().read(address, start=start, length=length)

    def append(self, blobs: Sequence[tuple[BlobLabel, Payload]]) -> list[BlobAddress]:
        if self.is_full:
            raise StorageFull()
        return super().append(blobs)


@dataclass
class Desk:
    """An archive with studies, and updates of them."""

    archive: Archive
    blobs: _FragileBlobs
    folder: Path
    instances: list[SmallInstance] = field(default_factory=list)

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.archive.clock, FakeClock)
        return self.archive.clock

    def updater(self, **failpoints: str) -> Updater:
        armed = tuple(Failpoint(f"update.{name}", "raise", error, at_hit=0) for name, error in failpoints.items())
        return Updater(self.archive, secrets=SecretFiles(self.folder / "secrets"), failpoints=Failpoints(armed))

    @contextmanager
    def running(self, updater: Updater) -> Iterator[OperationDesk]:
        runner = OperationRunner(self.archive.operations, self.archive.clock, [updater])
        try:
            yield OperationDesk(self.archive.operations, runner, self.archive.clock)
        finally:
            runner.close()

    def update(self, *studies: str, texts: Texts = NEW, **scope: str) -> Operation:
        with self.running(self.updater()) as desk:
            started = self.updater().start(desk, LOCAL_OWNER, self.request(*studies, texts=texts, **scope))
            return self.wait(started.operation.operation_id)

    def request(self, *studies: str, texts: Texts = NEW, **scope: str) -> UpdateRequest:
        return UpdateRequest(studies or (STUDY.study_instance_uid,), texts, DEFAULT_PARTITION, **scope)

    def wait(self, operation_id: str) -> Operation:
        never = threading.Event()
        for _ in range(TIMEOUT_S * 100):
            operation = self.archive.operations.find(operation_id)
            assert operation is not None
            if operation.status.is_final:
                return operation
            never.wait(0.01)
        raise AssertionError("the operation did not end in time")

    def started(self, **request: Any) -> Operation:
        """Keep an operation that nobody carries out yet."""
        with self.running_nothing() as desk:
            return self.updater().start(desk, LOCAL_OWNER, self.request(**request)).operation

    @contextmanager
    def running_nothing(self) -> Iterator[OperationDesk]:
        runner = OperationRunner(self.archive.operations, self.archive.clock)
        try:
            yield OperationDesk(self.archive.operations, runner, self.archive.clock)
        finally:
            runner.close()

    def put(self, identifier: InstanceIdentifier, *, size_bytes: int = 3000) -> SmallInstance:
        instance = make_instance(identifier, size_bytes=size_bytes)
        store(self.archive, instance.content)
        self.instances.append(instance)
        return instance

    def read(self, scope: Scope, *, original: bool = False) -> dict[str, bytes]:
        rows = find_instances(self.archive, LOCAL_OWNER, scope, original=original)
        return {row.identifier.sop_instance_uid: read_whole(self.archive, row) for row in rows}

    def names(self, scope: Scope = STUDY) -> list[str]:
        return [str(pydicom.dcmread(BytesIO(one)).PatientName) for one in self.read(scope).values()]

    def found(self, tag: int, value: str) -> int:
        return self.archive.index.count(Query(Level.STUDY, (OneOf(tag, (value,)),)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    blobs = _FragileBlobs()
    with memory_archive(ArchiveSettings(spool_threshold_bytes=1100 * 1024), blobs=blobs) as archive:
        opened = Desk(archive, blobs, tmp_path)
        opened.put(identify(1, 1, 1))
        opened.put(identify(1, 1, 2))
        opened.put(identify(1, 2, 3), size_bytes=200_000)
        yield opened


def _results(operation: Operation) -> dict[str, Any]:
    results: dict[str, Any] = orjson.loads(operation.results)
    return results


def test_every_instance_of_a_study_gets_a_new_version_with_its_pixels(desk: Desk) -> None:
    ended = desk.update()
    assert (ended.status, ended.type, ended.percent_complete) == (
        OperationStatus.SUCCEEDED,
        OperationType.UPDATE,
        100,
    )
    assert _results(ended) == {"studyProcessed": 1, "studyUpdated": 1, "studyFailed": 0, "instanceUpdated": 3}
    latest, first = desk.read(STUDY), desk.read(STUDY, original=True)
    for instance in desk.instances:
        uid = instance.identifier.sop_instance_uid
        assert first[uid] == instance.content
        changed = pydicom.dcmread(BytesIO(latest[uid]))
        assert (str(changed.PatientName), changed.PatientID) == ("New^Name", "4711")
        assert changed.PixelData == instance.frame
        assert changed.file_meta.ImplementationClassUID == "1.3.6.1.4.1.311.129"


def test_the_index_finds_what_is_there_now(desk: Desk) -> None:
    before = [row.instance_key for row in desk.archive.index.instances(STUDY)]
    desk.update()
    assert (desk.found(PATIENT_ID, "4711"), desk.found(NAME, "Test^Durability")) == (1, 0)
    rows = desk.archive.index.instances(STUDY)
    assert min(row.instance_key for row in rows) > max(before)
    assert {row.source for row in rows} == {"test"}
    assert [one.action for one in desk.archive.index.changes()][3:] == [ChangeAction.UPDATE] * 3


def test_a_second_update_leaves_the_first_version_and_the_latest(desk: Desk) -> None:
    desk.update()
    desk.update(texts={NAME: ("PN", "Third^Name")})
    assert desk.names() == ["Third^Name"] * 3
    assert set(desk.read(STUDY, original=True).values()) == {one.content for one in desk.instances}
    desk.clock.advance(100)
    assert erase_due(desk.archive) == 3
    assert desk.names() == ["Third^Name"] * 3
    assert len(desk.archive.index.addresses()) == 6


def test_new_versions_are_counted(desk: Desk) -> None:
    updater = desk.updater()
    with desk.running(updater) as operations:
        started = updater.start(operations, LOCAL_OWNER, desk.request(STUDY.study_instance_uid, "1.2.3"))
        desk.wait(started.operation.operation_id)
    assert updater.counts.updated == len(desk.archive.index.instances(STUDY))


def test_an_unknown_study_is_processed_and_changes_nothing(desk: Desk) -> None:
    ended = desk.update("1.2.999")
    assert ended.status is OperationStatus.SUCCEEDED
    assert _results(ended) == {"studyProcessed": 1, "studyUpdated": 0, "studyFailed": 0, "instanceUpdated": 0}


def test_a_study_of_another_partition_is_unknown(desk: Desk) -> None:
    with desk.running(desk.updater()) as running:
        request = replace(desk.request(), partition_name="north")
        started = desk.updater().start(running, LOCAL_OWNER, request)
        assert _results(desk.wait(started.operation.operation_id))["studyUpdated"] == 0
    assert desk.names() == ["Test^Durability"] * 3


def test_a_study_with_an_instance_that_cannot_be_read_stays_as_it_is_and_the_others_change(desk: Desk) -> None:
    other = desk.put(identify(2)).identifier
    broken = desk.archive.index.instances(STUDY)[1]
    desk.blobs.broken.add(broken.address.offset)
    ended = desk.update(STUDY.study_instance_uid, other.study_instance_uid)
    desk.blobs.broken.clear()
    assert ended.status is OperationStatus.FAILED
    results = _results(ended)
    assert results == {
        "studyProcessed": 2,
        "studyUpdated": 1,
        "studyFailed": 1,
        "instanceUpdated": 1,
        "errors": [
            f"Failed to update instances for study {STUDY.study_instance_uid}",
            f"{broken.identifier.sop_instance_uid}: The stored bytes no longer match their checksum; "
            "run `isocenter scrub`.",
        ],
    }
    assert desk.names() == ["Test^Durability"] * 3
    assert desk.names(scope_of(other, depth=1)) == ["New^Name"]
    assert desk.archive.index.revisions.staged(f"{ended.operation_id}-0") == []
    assert len(desk.archive.index.due_erasures(now=desk.clock.now().timestamp(), limit=9)) == 2


def test_of_many_failures_a_few_are_named(desk: Desk) -> None:
    for number in range(10):
        desk.put(identify(1, 3, 10 + number))
    desk.blobs.broken.update(row.address.offset for row in desk.archive.index.instances(STUDY))
    errors = _results(desk.update())["errors"]
    assert len(errors) == 1 + ERRORS_MAX + 1
    assert errors[-1] == MORE_ERRORS


def test_a_large_instance_goes_through_the_disk(desk: Desk) -> None:
    large = desk.put(identify(5), size_bytes=2 * 1024**2)
    scope = scope_of(large.identifier, depth=1)
    desk.update(scope.study_instance_uid)
    [content] = desk.read(scope).values()
    assert content.endswith(large.frame)
    assert desk.names(scope) == ["New^Name"]


def test_only_one_update_is_under_way_and_the_other_is_told_which(desk: Desk) -> None:
    first = desk.started()
    with desk.running_nothing() as running, pytest.raises(Conflict) as refused:
        desk.updater().start(running, LOCAL_OWNER, desk.request())
    expected = f"There is already an active update operation with ID '{first.operation_id}'."
    assert refused.value.message == expected
    assert len(list((desk.folder / "secrets").iterdir())) == 1


def test_what_is_to_be_changed_is_gone_when_the_update_has_ended(desk: Desk) -> None:
    ended = desk.update()
    assert list((desk.folder / "secrets").iterdir()) == []
    assert b"New" not in ended.instructions + ended.checkpoint + ended.results


def test_who_may_not_write_may_not_update(desk: Desk) -> None:
    with desk.running_nothing() as running, pytest.raises(Forbidden):
        desk.updater().start(running, Principal("reader", READER_ACTIONS), desk.request())


def test_each_study_leaves_two_records_in_the_name_of_who_asked(desk: Desk) -> None:
    broken = desk.put(identify(2)).identifier
    desk.blobs.broken.update(one.address.offset for one in desk.archive.index.instances(scope_of(broken, depth=1)))
    records: list[AuditRecord] = []
    updater = Updater(desk.archive, secrets=SecretFiles(desk.folder / "secrets"), audit=records.append)
    studies = (STUDY.study_instance_uid, broken.study_instance_uid, "1.2.999")
    with desk.running(updater) as running:
        asker = Principal("ann", frozenset({DataAction.WRITE}))
        operation = updater.start(running, asker, desk.request(*studies)).operation
        desk.wait(operation.operation_id)
    assert [(one.action, one.resource["study"], one.status) for one in records] == [
        (AuditAction.EXECUTING, studies[0], None),
        (AuditAction.EXECUTED, studies[0], 200),
        (AuditAction.EXECUTING, studies[1], None),
        (AuditAction.EXECUTED, studies[1], 500),
        (AuditAction.EXECUTING, studies[2], None),
        (AuditAction.EXECUTED, studies[2], 404),
    ]
    assert {one.caller.name for one in records if one.caller} == {"ann"}
    assert {one.operation for one in records} == {"update-study-operation"}
    assert {one.correlation_id for one in records} == {operation.operation_id}


# stops, and what happens meanwhile


def _rest(running: Generator[Step, None, Outcome]) -> Outcome:
    """Carry out what is left and return the outcome."""
    while True:
        try:
            next(running)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def _run(updater: Updater, operation: Operation, archive: Archive, *, steps: int) -> Operation:
    """Carry out so many steps, as a runner that is killed then."""
    running = updater.run(operation)
    for _ in range(steps):
        step: Step = next(running)
        operation = operation.advanced(now=1.0, checkpoint=step.checkpoint, percent_complete=step.percent_complete)
        archive.operations.replace(operation)
    running.close()
    return operation


@pytest.mark.parametrize("name", ["after_stage", "before_mark", "after_mark", "after_conclude"])
def test_an_update_that_is_cut_off_ends_as_if_nothing_had_been(desk: Desk, name: str) -> None:
    operation = desk.started()
    with pytest.raises(Unavailable):
        list(desk.updater(**{name: "StorageFailed"}).run(operation))
    is_done = name == "after_conclude"
    assert desk.names() == (["New^Name"] if is_done else ["Test^Durability"]) * 3
    with desk.running(desk.updater()):
        ended = desk.wait(operation.operation_id)
    assert _results(ended)["instanceUpdated"] == 3
    assert desk.names() == ["New^Name"] * 3
    actions = [one.action for one in desk.archive.index.changes()]
    assert actions == [ChangeAction.CREATE] * 3 + [ChangeAction.UPDATE] * 3
    desk.clock.advance(100)
    assert erase_due(desk.archive) == 0, "nothing was written twice"


def test_a_stop_after_the_last_study_loses_no_results(desk: Desk) -> None:
    operation = desk.started()
    operation = _run(desk.updater(), operation, desk.archive, steps=2)
    SecretFiles(desk.folder / "secrets").remove(operation.operation_id)
    with desk.running(desk.updater()):
        ended = desk.wait(operation.operation_id)
    assert (ended.status, _results(ended)["studyUpdated"]) == (OperationStatus.SUCCEEDED, 1)


def test_an_update_whose_changes_are_lost_fails(desk: Desk) -> None:
    operation = desk.started()
    SecretFiles(desk.folder / "secrets").remove(operation.operation_id)
    with desk.running(desk.updater()):
        assert desk.wait(operation.operation_id).status is OperationStatus.FAILED


def test_what_is_stored_or_deleted_while_a_study_is_updated_is_taken_into_account(desk: Desk) -> None:
    operation = desk.started()
    running = desk.updater().run(operation)
    next(running)  # all is staged
    desk.put(identify(1, 2, 4))
    gone = identify(1, 1, 1)
    desk.archive.index.delete(scope_of(gone), now=1.0, erase_due_at=1.0)
    for _ in running:
        pass
    assert sorted(desk.read(STUDY)) == sorted(
        one.sop_instance_uid for one in (identify(1, 1, 2), identify(1, 2, 3), identify(1, 2, 4))
    )
    assert desk.names() == ["New^Name"] * 3


def test_a_study_that_goes_while_it_is_updated_leaves_nothing(desk: Desk) -> None:
    operation = desk.started()
    running = desk.updater().run(operation)
    next(running)
    desk.archive.index.delete(STUDY, now=1.0, erase_due_at=1.0)
    for _ in running:
        pass
    desk.clock.advance(100)
    erase_due(desk.archive)
    assert [one for one in desk.blobs.iter_records() if hasattr(one, "label")] == []


def test_a_study_into_which_something_is_stored_all_the_time_fails_in_the_end(desk: Desk) -> None:
    operation = desk.started()
    running = desk.updater().run(operation)
    steps = 0
    for step in running:
        steps += 1
        if orjson.loads(step.checkpoint)["next"] == 0:
            desk.put(identify(1, 4, 100 + steps))
    assert steps == ROUNDS_MAX + 1, "each time it was staged, and once it was over"
    assert "New^Name" not in desk.names()


def test_a_query_tag_that_is_added_meanwhile_finds_the_new_versions(desk: Desk) -> None:
    operation = desk.started()
    running = desk.updater().run(operation)
    next(running)  # all is staged, and was looked at for no tag
    adding = Operation("1" * 32, OperationType.REINDEX, 1.0, 1.0, b"{}")
    tag = QueryTagEntry(PATIENT_ID, "LO", Level.INSTANCE)
    assert desk.archive.index.query_tags.add([tag], adding, count_max=1) is None
    assert orjson.loads(_rest(running).results)["instanceUpdated"] == 3
    [added] = desk.archive.index.query_tags.all()
    match = ByQueryTag(added.query_tag_key, "LO", Level.INSTANCE, OneOf(PATIENT_ID, ("4711",)))
    assert desk.archive.index.count(Query(Level.INSTANCE, (match,))) == 3
    desk.clock.advance(100)
    assert erase_due(desk.archive) == 3, "versions that were looked at for other tags"


@pytest.mark.parametrize("attempts", [0, ATTEMPTS_MAX - 2, ATTEMPTS_MAX - 1])
def test_a_disk_that_fails_puts_the_update_off_until_it_is_given_up(desk: Desk, attempts: int) -> None:
    operation = replace(desk.started(), attempts=attempts)
    desk.blobs.is_full = True
    with pytest.raises(Unavailable):
        list(desk.updater().run(operation))
    assert desk.names() == ["Test^Durability"] * 3
    is_given_up = attempts == ATTEMPTS_MAX - 1
    assert bool(list((desk.folder / "secrets").iterdir())) is not is_given_up


def test_what_cannot_be_started_leaves_no_secret(desk: Desk) -> None:
    with desk.running_nothing() as running, pytest.raises(InvalidRequest):
        desk.updater().start(replace(running, is_open=False), LOCAL_OWNER, desk.request())
    assert list((desk.folder / "secrets").iterdir()) == []


def test_an_instance_that_is_deleted_before_it_is_read_fails_nothing(desk: Desk) -> None:
    operation = desk.started()
    gone = identify(1, 1, 1)
    [row] = desk.archive.index.instances(scope_of(gone))
    desk.blobs.on_read = lambda: desk.archive.index.delete(scope_of(gone), now=1.0, erase_due_at=1.0)
    desk.blobs.broken.add(row.address.offset)
    results = orjson.loads(_rest(desk.updater().run(operation)).results)
    assert (results["studyFailed"], results["instanceUpdated"]) == (0, 2)


def test_what_operations_that_are_over_left_behind_is_let_go(desk: Desk) -> None:
    operation = desk.started()
    with pytest.raises(StorageFailed):
        list(desk.updater(before_mark="StorageFailed").run(operation))
    assert desk.updater().discard_strays() == 0, "it goes on"
    desk.archive.operations.replace(operation.ended(OperationStatus.FAILED, now=1.0, results=b"null"))
    assert desk.updater().discard_strays() == 3
    assert desk.names() == ["Test^Durability"] * 3


# UIDs


def _renamed(tag: int, uid: str) -> Texts:
    return {tag: ("UI", uid)}


def test_a_study_is_renamed_whole(desk: Desk) -> None:
    ended = desk.update(texts=_renamed(STUDY_UID, "1.2.77"))
    assert _results(ended)["instanceUpdated"] == 3
    renamed = Scope("1.2.77")
    assert desk.archive.index.instances(STUDY) == []
    assert sorted(desk.read(renamed)) == sorted(one.identifier.sop_instance_uid for one in desk.instances)
    assert {pydicom.dcmread(BytesIO(one)).StudyInstanceUID for one in desk.read(renamed).values()} == {"1.2.77"}
    assert set(desk.read(renamed, original=True).values()) == {one.content for one in desk.instances}


def test_a_series_moves_to_another_study_with_the_patient_of_that(desk: Desk) -> None:
    other = desk.put(identify(2)).identifier
    series = identify(1, 2, 3)
    texts = {**_renamed(STUDY_UID, other.study_instance_uid), NAME: ("PN", "Other^Name")}
    ended = desk.update(texts=texts, series_instance_uid=series.series_instance_uid)
    assert _results(ended)["instanceUpdated"] == 1
    assert len(desk.read(STUDY)) == 2
    assert len(desk.read(scope_of(other, depth=1))) == 2
    moved = Scope(other.study_instance_uid, series.series_instance_uid)
    assert desk.names(moved) == ["Other^Name"]


def test_one_instance_is_renamed(desk: Desk) -> None:
    one = identify(1, 1, 2)
    ended = desk.update(
        texts=_renamed(INSTANCE_UID, "1.2.88"),
        series_instance_uid=one.series_instance_uid,
        sop_instance_uid=one.sop_instance_uid,
    )
    assert _results(ended)["instanceUpdated"] == 1
    [content] = desk.read(Scope(one.study_instance_uid, one.series_instance_uid, "1.2.88")).values()
    read = pydicom.dcmread(BytesIO(content))
    assert read.SOPInstanceUID == read.file_meta.MediaStorageSOPInstanceUID == "1.2.88"
    assert len(desk.read(STUDY)) == 3


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_nothing_moves_to_where_something_is(desk: Desk, when: str) -> None:
    target = identify(2).study_instance_uid
    operation = desk.started(texts=_renamed(STUDY_UID, target))
    if when == "before":
        desk.put(identify(2))
    running = desk.updater().run(operation)
    next(running)
    if when == "meanwhile":
        desk.put(identify(2))
    results = orjson.loads(_rest(running).results)
    assert (results["studyFailed"], results["instanceUpdated"]) == (1, 0)
    assert len(desk.read(STUDY)) == 3
    assert len(desk.read(Scope(target))) == 1
    assert desk.archive.index.revisions.staged(f"{operation.operation_id}-0") == []


def test_a_renamed_study_cannot_be_taken_for_unfinished(desk: Desk) -> None:
    operation = desk.started(texts=_renamed(STUDY_UID, "1.2.77"))
    with pytest.raises(Unavailable):
        list(desk.updater(after_conclude="StorageFailed").run(operation))
    with desk.running(desk.updater()):
        ended = desk.wait(operation.operation_id)
    assert (ended.status, _results(ended)["instanceUpdated"]) == (OperationStatus.SUCCEEDED, 3)
