"""What no pack knows survives a rebuild of the index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import apsw
import pytest

from isocenter.domain.commitment import CommitmentRequest, InstanceReference, NewCommitment, Side
from isocenter.domain.delivery import DeliveryPlan, DeliveryState, Priority, ended
from isocenter.domain.errors import StorageFailed
from isocenter.domain.external_metadata import ExternalValue
from isocenter.domain.identifiers import DEFAULT_PARTITION, Level
from isocenter.domain.operation import Operation, OperationType
from isocenter.domain.performed_step import PerformedStep, PerformedStepState
from isocenter.domain.query_tag import COUNT_MAX, InstanceFindings, QueryTagEntry
from isocenter.domain.worklist import ScheduledStepReference, WorklistQuery
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.fhir_ledger import CastError, ErrorKind, OpenStudy, StudyName
from isocenter.ports.ledger import Attempt, Selection, Settled
from isocenter.storage.sqlite import SqliteInstanceIndex
from isocenter.storage.sqlite.carry_over import CARRIED_TABLES, carry_over, relink_deliveries
from isocenter.storage.sqlite.migrate import migrate_to_current
from tests.support.instances import address_of, identify, new_instance, scope_of
from tests.support.worklist_items import item, step

VALUE = ExternalValue(0x001912FF, "CS", "A")
DERIVED_TABLES = {
    "partition",
    "counter",
    "study",
    "study_name_word",
    "series",
    "study_modality",
    "study_sop_class",
    "series_request",
    "instance",
    "invalid_attribute",
    "change_feed",
    "erasure",
    "pack_position",
    "staged_version",
    "query_tag_string",
    "query_tag_person_name",
    "query_tag_word",
    "query_tag_date_time",
    "query_tag_integer",
    "query_tag_double",
    "watched_study",
    "watched_completion",
}
"""What a rebuild finds out from the packs, or begins anew."""


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "old.sqlite", tmp_path / "fresh.sqlite"


@pytest.fixture
def indexes(paths: tuple[Path, Path]) -> Iterator[tuple[SqliteInstanceIndex, SqliteInstanceIndex]]:
    with ExitStack() as stack:
        old, fresh = (stack.enter_context(SqliteInstanceIndex(path)) for path in paths)
        yield old, fresh


def test_every_table_is_carried_over_or_derived() -> None:
    connection = apsw.Connection(":memory:")
    migrate_to_current(connection)
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    tables = {str(name) for (name,) in rows}
    assert tables == DERIVED_TABLES | set(CARRIED_TABLES)


def test_work_list_steps_and_transactions_come_along(
    paths: tuple[Path, Path], indexes: tuple[SqliteInstanceIndex, SqliteInstanceIndex]
) -> None:
    old, fresh = indexes
    first, second = old.worklist.add([item(1, step("S1")), item(2)], now=1.0)
    old.worklist.remove([second.item_key])
    named = ScheduledStepReference("1.2.1", "S1")
    performed = PerformedStep("1.9.1", PerformedStepState.IN_PROGRESS, b"content", (named,), "CT1", 2.0, 2.0)
    old.performed_steps.create(performed)
    request = CommitmentRequest("1.9", (InstanceReference("1.1", "2.1"),), 1)
    opened = old.commitments.open(NewCommitment(Side.PROVIDER, request, "CT1", "ISOCENTER", 3.0), due_at=3.0)
    old.event_cursors.open("ris", sequence=7, timestamp=6.5)
    shelved = CastError(ErrorKind.FHIR, StudyName("1.1"), "The FHIR server answered 422.")
    old.fhir_ledger.put_off(OpenStudy(shelved.study, removed=frozenset({"1.1.1"})), [shelved], now=6.5)
    old.fhir_ledger.note("fhir:a", succeeded_at=6.5, failed_at=None, failure="")
    old.external_metadata.register([VALUE])
    old.commit([new_instance(identify(1))], now=7.0, erase_due_at=7.0)
    old.external_metadata.put(DEFAULT_PARTITION, identify(1).study_instance_uid, [VALUE], now=8.0)
    carry_over(*paths)
    (entry,) = fresh.worklist.entries(fresh.worklist.find(WorklistQuery()))
    assert entry == old.worklist.entries(old.worklist.find(WorklistQuery()))[0]
    assert (entry.item_key, entry.state.value) == (first.item_key, "IN PROGRESS")
    assert fresh.performed_steps.find("1.9.1") == performed
    assert fresh.commitments.find(Side.PROVIDER, "1.9") == opened
    assert fresh.event_cursors.open("ris", sequence=0, timestamp=0.0) == EventCursor(
        "ris", 7, 6.5, is_of_older_feed=True
    )
    assert fresh.fhir_ledger.open_studies(limit=9) == old.fhir_ledger.open_studies(limit=9)
    assert fresh.fhir_ledger.errors(limit=9) == old.fhir_ledger.errors(limit=9) != []
    assert fresh.fhir_ledger.standing("fhir:a") == old.fhir_ledger.standing("fhir:a")
    assert fresh.external_metadata.vrs() == {VALUE.tag: "CS"}
    studies = [identify(1).study_instance_uid]
    kept = old.external_metadata.of_studies(DEFAULT_PARTITION, studies)
    assert fresh.external_metadata.of_studies(DEFAULT_PARTITION, studies) == kept
    (third,) = fresh.worklist.add([item(3)], now=4.0)
    assert third.item_key > second.item_key


def test_partitions_keep_the_numbers_that_rows_refer_to(
    paths: tuple[Path, Path], indexes: tuple[SqliteInstanceIndex, SqliteInstanceIndex]
) -> None:
    old, fresh = indexes
    for name in ("one", "two"):
        old.commit([new_instance(identify(1, partition=name))], now=1.0, erase_due_at=1.0)
    carry_over(*paths)
    fresh.commit([new_instance(identify(1, partition="two"))], now=1.0, erase_due_at=1.0)
    assert _partitions(paths[1]) == _partitions(paths[0])
    assert fresh.totals().instances == 1
    assert fresh.delete(scope_of(identify(1, partition="two")), now=2.0, erase_due_at=2.0) == 1


def test_extended_query_tags_come_along_with_their_errors_and_an_open_reindex_begins_anew(
    paths: tuple[Path, Path], indexes: tuple[SqliteInstanceIndex, SqliteInstanceIndex]
) -> None:
    old, fresh = indexes
    [key] = old.commit([new_instance(identify(1))], now=1.0, erase_due_at=1.0)
    operation = Operation("0" * 32, OperationType.REINDEX, 1.0, 1.0, b"null")
    old.query_tags.add([QueryTagEntry(0x00101010, "AS", Level.STUDY)], operation, count_max=COUNT_MAX)
    old.operations.replace(operation.advanced(now=2.0, checkpoint=b'{"below": 1}', percent_complete=50))
    [tag] = old.query_tags.all()
    old.query_tags.take([InstanceFindings(key, {}, {tag.query_tag_key: 3})], now=2.0)
    carry_over(*paths)
    assert fresh.query_tags.all() == old.query_tags.all()
    errors = fresh.query_tags.errors(tag.query_tag_key, limit=9, offset=0)
    assert errors == old.query_tags.errors(tag.query_tag_key, limit=9, offset=0)
    [carried] = fresh.operations.unfinished(limit=9)
    assert carried.checkpoint == b"null"
    wanted = replace(new_instance(identify(1)), query_tag_keys=(tag.query_tag_key,))
    assert fresh.commit([wanted], now=3.0, erase_due_at=3.0)


def _partitions(path: Path) -> list[tuple[int, str]]:
    rows = apsw.Connection(str(path)).execute("SELECT partition_key, partition_name FROM partition ORDER BY 1")
    return [(int(key), str(name)) for key, name in rows]


def test_an_old_file_that_cannot_be_read_leaves_the_fresh_one_as_it_was(
    paths: tuple[Path, Path],
) -> None:
    old, fresh = paths
    old.write_bytes(b"this is no database" * 100)
    with SqliteInstanceIndex(fresh) as index:
        with pytest.raises(StorageFailed):
            carry_over(old, fresh)
        assert index.worklist.count() == 0


def _ledger(index: SqliteInstanceIndex) -> list[tuple[str, str, DeliveryState, int]]:
    rows = index.ledger.page(Selection())
    return [
        (row.identifier.sop_instance_uid, row.plan.destination, row.delivery.state, row.delivery_key) for row in rows
    ]


def _receive(index: SqliteInstanceIndex, number: int, *destinations: str) -> int:
    new = new_instance(identify(number), address=address_of(number), destinations=destinations)
    [key] = index.commit([new], now=1.0, erase_due_at=1.0)
    return key


def test_deliveries_come_along_and_are_about_the_versions_that_they_were_about(
    paths: tuple[Path, Path], indexes: tuple[SqliteInstanceIndex, SqliteInstanceIndex]
) -> None:
    old, fresh = indexes
    for number in range(1, 6):
        _receive(old, number, "north", "south")
    rows = old.ledger.lease("north", Priority.ROUTINE, now=2.0, until=60.0, count_max=2, size_max_bytes=10**9)
    attempt = Attempt(2.0, 3.0, "http:200", "taken")
    delivered = partial(ended, state=DeliveryState.DELIVERED, note="")
    old.ledger.settle([Settled(rows[0].delivery_key, delivered, attempt)])
    old.delete(scope_of(identify(2)), now=3.0, erase_due_at=3.0)
    carry_over(*paths)
    before = _ledger(fresh)
    new_keys = {number: _receive(fresh, number) for number in (5, 4, 3, 1)}
    _receive(fresh, 5)  # while the rebuild goes on, nothing is about the versions that it puts aside
    assert _ledger(fresh) == before == _ledger(old)
    relink_deliveries(*paths)
    assert fresh.ledger.tallies() == old.ledger.tallies()
    assert fresh.ledger.studies(Selection()) == old.ledger.studies(Selection())
    assert fresh.ledger.attempts(rows[0].delivery_key) == [attempt]
    linked = {row.identifier.sop_instance_uid: row.instance_key for row in fresh.ledger.page(Selection())}
    for number in (1, 3, 4):
        assert linked[identify(number).sop_instance_uid] == new_keys[number]
    assert linked[identify(2).sop_instance_uid] == 0, "what is gone is about nothing"
    assert fresh.ledger.begin([(new_keys[1], DeliveryPlan("north"))], now=4.0) == 0
    assert fresh.ledger.begin([(new_keys[1], DeliveryPlan("west"))], now=4.0) == 1
    assert fresh.ledger.page(Selection(), limit=1)[0].delivery_key == 11


def test_what_waits_of_a_version_that_a_rebuild_does_not_find_is_told_as_gone(
    paths: tuple[Path, Path], indexes: tuple[SqliteInstanceIndex, SqliteInstanceIndex]
) -> None:
    old, fresh = indexes
    for number in (1, 2):
        _receive(old, number, "north")
    for _ in range(2):  # a second rebuild has the same to say
        carry_over(*paths)
        relink_deliveries(*paths)
        rows = fresh.ledger.page(Selection(destination="north"))
        assert [(row.instance_key, row.delivery.state) for row in rows] == [(0, DeliveryState.QUEUED)] * 2
        fresh.close()
        paths[1].replace(paths[0])
        fresh = SqliteInstanceIndex(paths[1])
    fresh.close()


@pytest.mark.parametrize("keep", [True, False])
def test_what_waits_goes_on_with_a_version_that_only_the_packs_had(
    paths: tuple[Path, Path], indexes: tuple[SqliteInstanceIndex, SqliteInstanceIndex], keep: bool
) -> None:
    """A crash leaves such a version: durable in the pack, not in the index, never acknowledged."""
    old, fresh = indexes
    _receive(old, 1, "north", "south")
    rows = old.ledger.lease("north", Priority.ROUTINE, now=2.0, until=60.0, count_max=2, size_max_bytes=10**9)
    old.ledger.settle([Settled(rows[0].delivery_key, partial(ended, state=DeliveryState.DELIVERED, note=""))])
    carry_over(*paths)
    _receive(fresh, 1)
    later = replace(new_instance(identify(1), address=address_of(2)), keep_previous=keep)
    [key] = fresh.commit([later], now=2.0, erase_due_at=2.0)
    relink_deliveries(*paths)
    linked = {row.plan.destination: row.instance_key for row in fresh.ledger.page(Selection())}
    assert linked["south"] == key
    assert linked["north"] != key, "of the new version nothing was delivered"
