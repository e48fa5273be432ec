from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from isocenter.app.senders.own_archive import ArchiveSender
from isocenter.archive.archive import Archive
from isocenter.domain.errors import CorruptInstance
from isocenter.domain.identifiers import DEFAULT_PARTITION, Scope
from isocenter.routing.configuration.destination import OnConflict
from isocenter.routing.deliveries.report import (
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    LocalFailed,
    LocalFault,
)
from isocenter.routing.deliveries.sender import Outgoing
from tests.support.instances import identify
from tests.support.memory_archive import memory_archive
from tests.support.senders import outgoing_of, sent, small_batch
from tests.support.small_instances import make_instance


def _stored(archive: Archive, outgoing: Outgoing, partition: str) -> bytes | None:
    names = outgoing.identifier
    scope = Scope(names.study_instance_uid, names.series_instance_uid, names.sop_instance_uid, partition)
    rows = archive.index.instances(scope)
    return archive.blobs.read(rows[0].address) if rows else None


@pytest.mark.parametrize("partition", ["", "research"])
def test_instances_are_stored_as_they_come(partition: str) -> None:
    batch = small_batch(3)
    with memory_archive() as archive:
        assert sent(ArchiveSender(archive, partition, on_conflict=OnConflict.SHELVE), batch).reports == (
            [InstanceStored()] * 3
        )
        found = [_stored(archive, one, partition or DEFAULT_PARTITION) for one in batch]
    assert found == [b"".join(one.read()) for one in batch]


@pytest.mark.parametrize(
    ("on_conflict", "report"),
    [
        (OnConflict.SHELVE, InstanceDiffers()),
        (OnConflict.KEEP, InstanceDiffers()),
        (OnConflict.REPLACE, InstanceStored()),
    ],
)
def test_another_one_under_the_same_uid_meets_the_policy(on_conflict: OnConflict, report: object) -> None:
    with memory_archive() as archive:
        sender = ArchiveSender(archive, "", on_conflict=on_conflict)
        sent(sender, [outgoing_of(make_instance(identify(), seed=1).content)])
        assert sent(sender, [outgoing_of(make_instance(identify(), seed=2).content)]).reports == [report]


def test_the_same_again_is_told() -> None:
    with memory_archive() as archive:
        sender = ArchiveSender(archive, "", on_conflict=OnConflict.SHELVE)
        assert sent(sender, small_batch(1)).reports == [InstanceStored()]
        assert sent(sender, small_batch(1)).reports == [InstanceIdentical()]


def test_what_cannot_be_read_or_kept_stops_alone() -> None:
    def damaged() -> Iterator[bytes]:
        yield b"DICM"
        raise CorruptInstance

    def nonsense() -> Iterator[bytes]:
        yield b"no instance at all"

    batch = small_batch(3)
    batch[0], batch[1] = replace(batch[0], read=damaged), replace(batch[1], read=nonsense)
    with memory_archive() as archive:
        told = sent(ArchiveSender(archive, "", on_conflict=OnConflict.SHELVE), batch).by_key
    assert told == {1: LocalFailed(LocalFault.INSTANCE_CORRUPT), 2: InstanceFailed(0xA900), 3: InstanceStored()}


def test_an_archive_with_room_is_well() -> None:
    with memory_archive() as archive:
        assert ArchiveSender(archive, "", on_conflict=OnConflict.SHELVE).probe() is None
