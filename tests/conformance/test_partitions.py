"""What every store of partitions does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.partition import Partition
from isocenter.ports.partitions import Partitions
from isocenter.storage.memory import MemoryPartitions
from isocenter.storage.sqlite import SqliteInstanceIndex
from isocenter.storage.sqlite.connections import open_writer
from isocenter.storage.sqlite.migrate import load_migrations, migrate
from tests.support.instances import identify, new_instance
from tests.support.shared_data import REPOSITORY
from tests.support.workitems import workitem

NOW = 1000.5


@pytest.fixture(params=["memory", "sqlite"])
def partitions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Partitions]:
    if request.param == "memory":
        yield MemoryPartitions()
    else:
        with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
            yield index.partitions


def test_the_default_partition_is_there_from_the_beginning(partitions: Partitions) -> None:
    (default,) = partitions.all()
    assert (default.partition_key, default.partition_name) == (1, DEFAULT_PARTITION)
    assert partitions.find(DEFAULT_PARTITION) == default
    assert partitions.create(DEFAULT_PARTITION, now=NOW) == default


def test_a_partition_is_begun_once(partitions: Partitions) -> None:
    assert partitions.find("a") is None
    begun = partitions.create("a", now=NOW)
    assert begun == Partition(2, "a", NOW)
    assert partitions.create("a", now=NOW + 1) == begun == partitions.find("a")
    assert partitions.create("A", now=NOW).partition_key == 3
    assert [one.partition_name for one in partitions.all()] == [DEFAULT_PARTITION, "a", "A"]


def test_a_partition_that_many_begin_at_once_is_one(partitions: Partitions) -> None:
    barrier, begun = threading.Barrier(8), []

    def begin() -> None:
        barrier.wait()
        begun.append(partitions.create("a", now=NOW))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(begun) == {Partition(2, "a", NOW)}
    assert len(partitions.all()) == 2


# what is special about the file


def test_instances_and_workitems_begin_the_partition_that_they_lie_in(tmp_path: Path) -> None:
    with SqliteInstanceIndex(tmp_path / "index.sqlite") as index:
        index.commit([new_instance(identify(partition="images"))], now=NOW, erase_due_at=NOW)
        index.workitems.create(workitem(1, partition="work", created_at=NOW + 1), [])
        index.commit([new_instance(identify(partition="work"))], now=NOW + 2, erase_due_at=NOW)
        assert [(one.partition_name, one.created_at) for one in index.partitions.all()[1:]] == [
            ("images", NOW),
            ("work", NOW + 1),
        ]


@pytest.mark.parametrize("has_instances", [True, False])
def test_a_file_of_the_first_schema_gets_its_default_partition(tmp_path: Path, has_instances: bool) -> None:
    path = tmp_path / "index.sqlite"
    older = open_writer(path)
    first = (REPOSITORY / "tests" / "golden" / "index_schema_1.sql").read_text(encoding="utf-8")
    migrate(older, schema=first, schema_version=1, migrations=load_migrations())
    if has_instances:
        _store_by_hand(older)
    older.close()
    with SqliteInstanceIndex(path) as index:
        (default,) = index.partitions.all()
        assert (default.partition_key, default.partition_name) == (1, DEFAULT_PARTITION)
        assert (default.created_at == NOW) is has_instances
        assert default.created_at > 0


def _store_by_hand(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO partition (partition_name) VALUES (?)", (DEFAULT_PARTITION,))
    connection.execute("INSERT INTO change_feed VALUES (1, 1, '1', '2', '3', 'Create', ?, 1)", (NOW,))
