"""Who may manage extended query tags, and how a tag goes: in the background, over a restart, freeing its path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from isocenter.archive import query_tag
from isocenter.archive.archive import Archive
from isocenter.archive.query_tag import QueryTagDesk, QueryTagRemover
from isocenter.domain.errors import Forbidden, InvalidRequest, NotFound
from isocenter.domain.identifiers import Level
from isocenter.domain.operation import OperationStatus
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.domain.query_tag import QueryStatus, QueryTagEntry, QueryTagStatus
from isocenter.storage.sqlite import SqliteInstanceIndex
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive, store
from tests.support.query_tags import PATIENT_AGE, file_with, query_tag_desk

AGE = QueryTagEntry(PATIENT_AGE, "AS", Level.INSTANCE)
READER = Principal("reader", READER_ACTIONS)
NOBODY = Principal("nobody", frozenset())


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with SqliteInstanceIndex(tmp_path / "index.sqlite") as index, memory_archive(index=index) as archive:
        yield archive


@pytest.fixture
def desk(archive: Archive) -> Iterator[QueryTagDesk]:
    with query_tag_desk(archive, reindexes=False) as desk:
        yield desk


def _ended(desk: QueryTagDesk, status: OperationStatus = OperationStatus.SUCCEEDED) -> None:
    """Let the reindex that was begun end."""
    [operation] = desk.archive.operations.unfinished(limit=10)
    desk.archive.operations.replace(operation.ended(status, now=1.0, results=b"null"))
    if status is OperationStatus.SUCCEEDED:
        keys = [one.query_tag_key for one in desk.archive.index.query_tags.all()]
        desk.archive.index.query_tags.finish(keys)


def test_readers_look_and_change_nothing(desk: QueryTagDesk) -> None:
    with pytest.raises(Forbidden):
        desk.add(READER, [AGE])
    desk.add(LOCAL_OWNER, [AGE])
    assert desk.all(READER, limit=10, offset=0) == (desk.find(READER, PATIENT_AGE),)
    assert desk.errors(READER, PATIENT_AGE, limit=10, offset=0) == []
    with pytest.raises(Forbidden):
        desk.set_query_status(READER, PATIENT_AGE, QueryStatus.DISABLED)
    with pytest.raises(Forbidden):
        desk.remove(READER, PATIENT_AGE)


def test_others_do_not_even_look(desk: QueryTagDesk) -> None:
    for call in (
        lambda: desk.all(NOBODY, limit=1, offset=0),
        lambda: desk.find(NOBODY, PATIENT_AGE),
        lambda: desk.errors(NOBODY, PATIENT_AGE, limit=1, offset=0),
    ):
        with pytest.raises(Forbidden):
            call()


def test_a_tag_whose_reindex_failed_can_be_removed(desk: QueryTagDesk) -> None:
    desk.add(LOCAL_OWNER, [AGE])
    with pytest.raises(InvalidRequest, match="is being processed"):
        desk.remove(LOCAL_OWNER, PATIENT_AGE)
    _ended(desk, OperationStatus.FAILED)
    desk.remove(LOCAL_OWNER, PATIENT_AGE)
    assert desk.all(LOCAL_OWNER, limit=10, offset=0) == ()


def test_what_takes_long_goes_on_in_the_background(
    desk: QueryTagDesk, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_tag, "REMOVED_ROWS", 1)
    desk.add(LOCAL_OWNER, [AGE])
    _ended(desk)
    for number in range(1, 6):
        store(archive, file_with(identify(number), {PATIENT_AGE: ("AS", b"042Y")}))
    [tag] = desk.all(LOCAL_OWNER, limit=1, offset=0)
    archive.index.query_tags.begin_removal(tag.query_tag_key)
    desk.remover.remove(tag.query_tag_key, wait_s=0.0)
    for refused in (
        lambda: desk.remove(LOCAL_OWNER, PATIENT_AGE),
        lambda: desk.set_query_status(LOCAL_OWNER, PATIENT_AGE, QueryStatus.ENABLED),
    ):
        with pytest.raises((InvalidRequest, NotFound)):
            refused()
    desk.remover.remove(tag.query_tag_key)
    assert desk.all(LOCAL_OWNER, limit=1, offset=0) == ()
    desk.add(LOCAL_OWNER, [AGE])


def test_a_removal_that_a_process_left_is_ended_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with (
        SqliteInstanceIndex(path) as index,
        memory_archive(index=index) as archive,
        query_tag_desk(archive, reindexes=False) as desk,
    ):
        desk.add(LOCAL_OWNER, [AGE])
        [tag] = index.query_tags.all()
        store(archive, file_with(identify(1), {PATIENT_AGE: ("AS", b"042Y")}))
    with SqliteInstanceIndex(path) as index:
        index.query_tags.begin_removal(tag.query_tag_key)
    with SqliteInstanceIndex(path) as index, memory_archive(index=index) as archive:
        assert index.query_tags.all()[0].status is QueryTagStatus.DELETING
        with capture_logs() as logs:
            remover = QueryTagRemover(archive)
            try:
                remover.remove(tag.query_tag_key)
            finally:
                remover.close()
        assert index.query_tags.all() == ()
    assert [(one["event"], one["path"]) for one in logs] == [("query_tag.removed", "00101010")]
