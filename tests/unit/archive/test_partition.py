from __future__ import annotations

from collections.abc import Iterator

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.partition import begin_partition, list_partitions, require_partition, require_switch
from isocenter.domain.errors import Forbidden, InvalidRequest, InvalidSetting
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from tests.support.memory_archive import START, memory_archive

READER = Principal("reader", READER_ACTIONS)
NOBODY = Principal("nobody", frozenset())


@pytest.fixture
def archive() -> Iterator[Archive]:
    with memory_archive() as opened:
        yield opened


def test_whoever_may_write_begins_a_partition_and_whoever_may_read_sees_it(archive: Archive) -> None:
    begin_partition(archive, LOCAL_OWNER, "north")
    begin_partition(archive, LOCAL_OWNER, "north")
    _, begun = list_partitions(archive, READER)
    assert (begun.partition_name, begun.created_at) == ("north", START.timestamp())
    require_partition(archive, "north")
    with pytest.raises(Forbidden):
        begin_partition(archive, READER, "south")
    with pytest.raises(Forbidden):
        list_partitions(archive, NOBODY)


@pytest.mark.parametrize("name", ["nowhere", "North", "not a name"])
def test_what_is_not_there_is_not_entered(archive: Archive, name: str) -> None:
    begin_partition(archive, LOCAL_OWNER, "north")
    with pytest.raises(InvalidRequest):
        require_partition(archive, name)
    require_partition(archive, DEFAULT_PARTITION)


def test_partitions_are_not_switched_off_while_there_are_any(archive: Archive) -> None:
    require_switch(archive, is_on=False)
    begin_partition(archive, LOCAL_OWNER, "north")
    require_switch(archive, is_on=True)
    with pytest.raises(InvalidSetting, match="there are 1 besides the default one"):
        require_switch(archive, is_on=False)
