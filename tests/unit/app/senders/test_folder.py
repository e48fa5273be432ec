from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.app.senders.folder import FolderSender
from isocenter.domain.errors import CorruptInstance
from isocenter.routing.configuration.destination import OnConflict
from isocenter.routing.deliveries.report import (
    InstanceDiffers,
    InstanceIdentical,
    InstanceStored,
    LocalFailed,
    LocalFault,
)
from isocenter.routing.deliveries.sender import Outgoing
from tests.support.instances import identify
from tests.support.senders import outgoing_of, sent, small_batch
from tests.support.small_instances import make_instance

FIRST, OTHER = make_instance(identify(), seed=1).content, make_instance(identify(), seed=2).content


def _sender(path: Path, on_conflict: OnConflict = OnConflict.SHELVE) -> FolderSender:
    return FolderSender(path, on_conflict=on_conflict)


def _place(path: Path, outgoing: Outgoing) -> Path:
    names = outgoing.identifier
    return path / names.study_instance_uid / names.series_instance_uid / f"{names.sop_instance_uid}.dcm"


def test_files_lie_by_study_and_series_as_they_came(tmp_path: Path) -> None:
    batch = small_batch(3)
    assert sent(_sender(tmp_path), batch).reports == [InstanceStored()] * 3
    assert [_place(tmp_path, one).read_bytes() for one in batch] == [b"".join(one.read()) for one in batch]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    sent(_sender(tmp_path), [outgoing_of(FIRST)])
    before = _place(tmp_path, outgoing_of(FIRST)).stat()
    assert sent(_sender(tmp_path), [outgoing_of(FIRST)]).reports == [InstanceIdentical()]
    assert _place(tmp_path, outgoing_of(FIRST)).stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("on_conflict", [OnConflict.SHELVE, OnConflict.KEEP])
def test_what_lies_there_is_not_written_over(tmp_path: Path, on_conflict: OnConflict) -> None:
    sent(_sender(tmp_path), [outgoing_of(FIRST)])
    assert sent(_sender(tmp_path, on_conflict), [outgoing_of(OTHER)]).reports == [InstanceDiffers()]
    assert _place(tmp_path, outgoing_of(FIRST)).read_bytes() == FIRST
    assert not list(tmp_path.rglob("*.partial"))


def test_it_is_where_the_destination_says_so(tmp_path: Path) -> None:
    sent(_sender(tmp_path), [outgoing_of(FIRST)])
    assert sent(_sender(tmp_path, OnConflict.REPLACE), [outgoing_of(OTHER)]).reports == [InstanceStored()]
    assert _place(tmp_path, outgoing_of(FIRST)).read_bytes() == OTHER


def test_a_file_that_is_no_instance_is_not_written_over_either(tmp_path: Path) -> None:
    place = _place(tmp_path, outgoing_of(FIRST))
    place.parent.mkdir(parents=True)
    place.write_bytes(b"somebody's notes")
    assert sent(_sender(tmp_path), [outgoing_of(FIRST)]).reports == [InstanceDiffers()]
    assert place.read_bytes() == b"somebody's notes"


def test_what_cannot_be_read_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    def damaged() -> Iterator[bytes]:
        yield FIRST[:1000]
        raise CorruptInstance

    batch = [replace(outgoing_of(FIRST), read=damaged), *small_batch(1, first=2)]
    reports = sent(_sender(tmp_path), batch)
    assert reports.by_key == {1: LocalFailed(LocalFault.INSTANCE_CORRUPT), 2: InstanceStored()}
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_folder_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    sender = _sender(tmp_path / "not mounted")
    assert sent(sender, small_batch(3)).reports == [LocalFailed(LocalFault.FOLDER_UNUSABLE)]
    assert sender.probe() == LocalFailed(LocalFault.FOLDER_UNUSABLE)
    assert not (tmp_path / "not mounted").exists()


def test_a_folder_that_can_be_written_is_well(tmp_path: Path) -> None:
    assert _sender(tmp_path).probe() is None
    assert list(tmp_path.iterdir()) == []
