"""The reindex of new extended query tags: newest first, step by step, never failing over a value."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from isocenter.archive import query_tag_reindex
from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete, erase_due
from isocenter.archive.query_tag import QueryTagDesk
from isocenter.archive.query_tag_reindex import QueryTagReindexer
from isocenter.archive.validate import SOURCE_V2
from isocenter.dicom.minimum_rules import ErrorCode
from isocenter.domain.identifiers import Level
from isocenter.domain.operation import Operation, OperationStatus
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.query_tag import QueryStatus, QueryTagEntry, QueryTagStatus
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.query_tags import NUMBER_OF_FILMS, PATIENT_AGE, Values, file_with, query_tag_desk
from tests.unit.archive.test_query_tag_values import found, receive

TIMEOUT_S = 30
SENDERS, STORED_BY_EACH = 4, 30
AGE = QueryTagEntry(PATIENT_AGE, "AS", Level.INSTANCE)
FILMS = QueryTagEntry(NUMBER_OF_FILMS, "IS", Level.STUDY)


@pytest.fixture(params=["memory", "sqlite"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    if request.param == "memory":
        with memory_archive() as archive:
            yield archive
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index, memory_archive(index=index) as archive:
            yield archive


def age(text: str) -> Values:
    return {PATIENT_AGE: ("AS", text.encode())}


def wait(desk: QueryTagDesk, operation_id: str) -> Operation:
    """Return an operation when it has ended."""
    pause = threading.Event()
    for _ in range(TIMEOUT_S * 100):
        operation = desk.desk.find(LOCAL_OWNER, operation_id)
        if operation.status.is_final:
            return operation
        pause.wait(0.01)
    raise AssertionError(operation_id)


def reindex(archive: Archive, *entries: QueryTagEntry) -> Operation:
    with query_tag_desk(archive) as desk:
        return wait(desk, desk.add(LOCAL_OWNER, entries).operation.operation_id)


def test_stored_instances_are_found_once_the_tag_is_ready(archive: Archive) -> None:
    for number in range(1, 4):
        store(archive, file_with(identify(number), age(f"04{number}Y")))
    operation = reindex(archive, AGE, FILMS)
    assert (operation.status, operation.percent_complete) == (OperationStatus.SUCCEEDED, 100)
    assert operation.resources == ("extendedquerytags/00101010", "extendedquerytags/21000170")
    assert [one.status for one in archive.index.query_tags.all()] == [QueryTagStatus.READY] * 2
    assert [found(archive, AGE, f"04{number}Y") for number in range(1, 5)] == [1, 1, 1, 0]


def test_an_empty_archive_is_done_at_once(archive: Archive) -> None:
    operation = reindex(archive, AGE)
    assert (operation.status, operation.percent_complete) == (OperationStatus.SUCCEEDED, 100)


def test_values_that_cannot_be_indexed_are_errors_and_end_nothing(archive: Archive) -> None:
    store(archive, file_with(identify(1), age("042Y")))
    store(archive, file_with(identify(2), age("42Y ")))
    store(archive, file_with(identify(3), age("042Y\\043Y ")))
    assert reindex(archive, AGE).status is OperationStatus.SUCCEEDED
    [tag] = archive.index.query_tags.all()
    assert (tag.status, tag.query_status, tag.error_count) == (QueryTagStatus.READY, QueryStatus.DISABLED, 2)
    errors = archive.index.query_tags.errors(tag.query_tag_key, limit=10, offset=0)
    assert [(one.identifier, one.code) for one in errors] == [
        (identify(3), ErrorCode.MULTIPLE_VALUES),
        (identify(2), ErrorCode.UNEXPECTED_LENGTH),
    ]
    assert found(archive, AGE, "042Y") == 1


def test_what_version_2_dropped_is_neither_value_nor_error(archive: Archive) -> None:
    receive(archive, identify(1), {NUMBER_OF_FILMS: ("IS", b"x ")}, source=SOURCE_V2)
    reindex(archive, FILMS)
    [tag] = archive.index.query_tags.all()
    assert (tag.error_count, tag.query_status) == (0, QueryStatus.ENABLED)


def test_the_newest_instance_says_the_value_of_its_study_and_empty_ones_say_nothing(archive: Archive) -> None:
    for number, value in enumerate((b"1 ", b"2 ", b""), 1):
        store(archive, file_with(identify(1, 1, number), {NUMBER_OF_FILMS: ("IS", value)}))
    reindex(archive, FILMS)
    assert [found(archive, FILMS, value) for value in ("1", "2")] == [0, 1]


def test_a_reindex_goes_on_where_it_was_and_instances_that_are_gone_are_passed_over(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_tag_reindex, "BATCH_COUNT", 2)
    for number in range(1, 8):
        store(archive, file_with(identify(number), age("042Y")))
    with query_tag_desk(archive, reindexes=False) as desk:
        operation = desk.add(LOCAL_OWNER, [AGE]).operation
    steps = QueryTagReindexer(archive).run(operation)
    taken = [next(steps) for _ in range(3)]
    steps.close()
    assert [step.percent_complete for step in taken] == [0, 28, 57]
    assert found(archive, AGE, "042Y") == 4
    delete(archive, LOCAL_OWNER, scope_of(identify(1), depth=1))
    store(archive, file_with(identify(8), age("042Y")))
    stopped = operation.advanced(now=1.0, checkpoint=taken[1].checkpoint, percent_complete=28)
    rest = [step.percent_complete for step in QueryTagReindexer(archive).run(stopped)]
    assert rest[0] == 57
    assert found(archive, AGE, "042Y") == 7
    assert orjson.loads(taken[1].checkpoint) == {"highest": 7, "below": 6}


def test_a_paused_reindex_waits_and_its_tag_is_not_ready(archive: Archive) -> None:
    store(archive, file_with(identify(1), age("042Y")))
    with query_tag_desk(archive, reindexes=False) as desk:
        operation = desk.add(LOCAL_OWNER, [AGE]).operation
        desk.desk.set_paused(LOCAL_OWNER, operation.operation_id, is_paused=True)
    with query_tag_desk(archive) as desk:
        assert desk.all(LOCAL_OWNER, limit=9, offset=0)[0].status is QueryTagStatus.ADDING
        assert not desk.desk.find(LOCAL_OWNER, operation.operation_id).status.is_final
        desk.desk.set_paused(LOCAL_OWNER, operation.operation_id, is_paused=False)
        assert wait(desk, operation.operation_id).status is OperationStatus.SUCCEEDED
    assert found(archive, AGE, "042Y") == 1


def test_instances_that_come_while_it_runs_are_found_too(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_tag_reindex, "BATCH_COUNT", 5)
    for number in range(1, 31):
        store(archive, file_with(identify(number), age("042Y")))
    with query_tag_desk(archive) as desk:
        operation = desk.add(LOCAL_OWNER, [AGE]).operation
        for number in range(31, 61):
            store(archive, file_with(identify(number), age("042Y")))
        wait(desk, operation.operation_id)
    assert found(archive, AGE, "042Y") == 60


def test_nothing_slips_between_a_tag_and_its_reindex(archive: Archive) -> None:
    def store_some(first: int) -> None:
        for number in range(first, first + STORED_BY_EACH):
            store(archive, file_with(identify(number), age("042Y")))

    with query_tag_desk(archive) as desk, ThreadPoolExecutor(SENDERS) as senders:
        running = [senders.submit(store_some, sender * 1000 + 1) for sender in range(SENDERS)]
        operations = []
        for entry in (AGE, QueryTagEntry(0x00080070, "LO", Level.STUDY), FILMS):
            operation = desk.add(LOCAL_OWNER, [entry]).operation
            operations.append(wait(desk, operation.operation_id))
        for one in running:
            one.result(TIMEOUT_S)
    assert {one.status for one in operations} == {OperationStatus.SUCCEEDED}
    assert found(archive, AGE, "042Y") == SENDERS * STORED_BY_EACH


def test_a_damaged_instance_ends_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    with (
        SqliteInstanceIndex(tmp_path / "index.sqlite") as index,
        memory_archive(index=index, clock=clock) as archive,
        capture_logs() as logs,
    ):
        for number in (1, 2):
            store(archive, file_with(identify(number), age("042Y")))
        row = index.instances(scope_of(identify(1)))[0]
        archive.blobs.erase(row.address)
        assert reindex(archive, AGE).status is OperationStatus.SUCCEEDED
        assert found(archive, AGE, "042Y") == 1
        assert erase_due(archive) == 0
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["query_tags.header_unreadable"]
