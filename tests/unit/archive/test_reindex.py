from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isocenter.archive.reindex import BATCH_COUNT_MAX, ReindexReport, reindex
from isocenter.archive.scrub import ScrubReport, scrub
from isocenter.domain.identifiers import InstanceIdentifier, Level
from isocenter.domain.query import Query
from isocenter.ports.blobs import BlobAddress, BlobLabel, BlobStore
from isocenter.ports.index import ChangeAction
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from isocenter.storage.packs import LocalPackBlobStore
from tests.support.dicom_files import EXPLICIT, element, file_of, header
from tests.support.instances import identify, scope_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"


class _Clock:
    def now(self) -> datetime:
        return NOW

    def monotonic_s(self) -> float:
        return 0.0


def _content(identifier: InstanceIdentifier, *, note: str = "first") -> bytes:
    def text(tag: int, vr: str, value: str) -> bytes:
        padding = "\0" if vr == "UI" else " "
        return element(tag, vr, (value + padding * (len(value) % 2)).encode())

    return file_of(
        text(0x00080016, "UI", CT)
        + text(0x00080018, "UI", identifier.sop_instance_uid)
        + text(0x00081030, "LO", note)
        + text(0x0020000D, "UI", identifier.study_instance_uid)
        + text(0x0020000E, "UI", identifier.series_instance_uid)
    )


def _put(
    blobs: BlobStore,
    identifier: InstanceIdentifier,
    *,
    note: str = "first",
    supersedes: bool = False,
    received_at: float = 5.5,
) -> BlobAddress:
    label = BlobLabel(identifier, EXPLICIT, received_at, "stow", supersedes)
    return blobs.append([(label, _content(identifier, note=note))])[0]


def _reindex(blobs: BlobStore, **options: object) -> tuple[MemoryInstanceIndex, ReindexReport]:
    index = MemoryInstanceIndex()
    return index, reindex(index=index, blobs=blobs, clock=_Clock(), **options)  # type: ignore[arg-type]


def test_every_record_is_indexed_with_its_label_and_its_attributes() -> None:
    blobs = MemoryBlobStore()
    identifier = identify(1, partition="Other")
    address = _put(blobs, identifier, note="Head", received_at=7.25)
    index, report = _reindex(blobs)
    row = index.find_stored([identifier])[identifier]
    assert (row.address, row.received_at, row.sop_class_uid) == (address, 7.25, CT)
    found = index.search(Query(Level.STUDY, partition_name="Other"))
    assert found[0].attributes[0x00081030] == "Head"
    assert (report.instances, report.damaged_count, report.done_bytes) == (1, 0, report.total_bytes)


def test_order_of_arrival_becomes_the_order_of_the_feed_across_batches() -> None:
    blobs = MemoryBlobStore()
    identifiers = [identify(number % 7 + 1, instance=number) for number in range(BATCH_COUNT_MAX + 20)]
    for identifier in identifiers:
        _put(blobs, identifier)
    index, report = _reindex(blobs)
    changes = index.changes(limit=10_000)
    assert [change.identifier for change in changes] == identifiers
    assert [change.sequence for change in changes] == list(range(1, len(identifiers) + 1))
    assert report.instances == len(identifiers)


def test_a_record_that_supersedes_becomes_the_current_version_and_the_first_stays_the_original() -> None:
    blobs = MemoryBlobStore()
    identifier = identify(1)
    first = _put(blobs, identifier, note="first")
    second = _put(blobs, identifier, note="second", supersedes=True)
    index, report = _reindex(blobs)
    assert [row.address for row in index.instances(scope_of(identifier))] == [second]
    assert [row.address for row in index.instances(scope_of(identifier), original=True)] == [first]
    assert [change.action for change in index.changes()] == [ChangeAction.CREATE, ChangeAction.UPDATE]
    assert report.instances == 2


def test_an_instance_stored_again_after_a_delete_takes_the_place_of_the_one_before() -> None:
    blobs = MemoryBlobStore()
    identifier = identify(1)
    first = _put(blobs, identifier, note="first")
    second = _put(blobs, identifier, note="second")
    index, _report = _reindex(blobs)
    (row,) = index.instances(scope_of(identifier))
    assert (row.address, row.has_original) == (second, False)
    assert [due.address for due in index.due_erasures(now=NOW.timestamp(), limit=9)] == [first]


def test_what_was_to_be_erased_stays_deleted() -> None:
    blobs = MemoryBlobStore()
    gone, kept = identify(1), identify(2)
    address = _put(blobs, gone)
    _put(blobs, kept)
    index, report = _reindex(blobs, erased=frozenset({address}))
    assert set(index.find_stored([gone, kept])) == {kept}
    assert report.skipped_erasures == 1
    assert not blobs.verify(address)


def test_what_was_erased_is_not_indexed() -> None:
    blobs = MemoryBlobStore()
    blobs.erase(_put(blobs, identify(1)))
    _put(blobs, identify(2))
    index, report = _reindex(blobs)
    assert (index.totals().instances, report.instances) == (1, 1)


def test_bytes_that_are_no_instance_are_reported_and_left_out() -> None:
    blobs = MemoryBlobStore()
    blobs.append([(BlobLabel(identify(1), EXPLICIT, 1.0, "stow"), b"no instance at all")])
    _put(blobs, identify(2))
    index, report = _reindex(blobs)
    assert index.totals().instances == 1
    assert report.refused_count == 1
    assert report.refused[0].identifier == identify(1)


def test_the_fill_of_every_container_is_recorded_so_that_the_next_start_repairs_nothing(tmp_path: Path) -> None:
    with LocalPackBlobStore(tmp_path, pack_size_bytes=1000) as blobs:
        for number in range(1, 6):
            _put(blobs, identify(number))
        index, _report = _reindex(blobs)
        assert len(blobs.positions()) > 1
        assert index.positions() == {position.container: position.length for position in blobs.positions()}


def test_damage_costs_only_the_record_that_it_hit(tmp_path: Path) -> None:
    with LocalPackBlobStore(tmp_path) as blobs:
        addresses = [_put(blobs, identify(number)) for number in range(1, 4)]
        _flip(tmp_path, addresses[1].offset + 200)
        index, report = _reindex(blobs)
        assert set(index.find_stored([identify(number) for number in range(1, 4)])) == {identify(1), identify(3)}
        assert [damage.reason for damage in report.damaged] == ["payload"]
        assert (report.damaged_count, report.instances) == (1, 2)


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    with LocalPackBlobStore(tmp_path, pack_size_bytes=1000) as blobs:
        for number in range(1, 6):
            _put(blobs, identify(number))
        seen: list[tuple[int, int]] = []
        _index, report = _reindex(blobs, on_progress=lambda at: seen.append((at.done_bytes, at.total_bytes)))
    assert [done for done, _total in seen] == sorted({done for done, _total in seen})
    assert report.done_bytes == report.total_bytes >= seen[-1][0]


@pytest.mark.parametrize("number_damaged", [0, 1, 3])
def test_scrub_names_every_damaged_instance_and_no_other(tmp_path: Path, number_damaged: int) -> None:
    with LocalPackBlobStore(tmp_path) as blobs:
        addresses = {number: _put(blobs, identify(number)) for number in range(1, 6)}
        index, _report = _reindex(blobs)
        for number in range(1, number_damaged + 1):
            _flip(tmp_path, addresses[number].offset + 150)
        report = scrub(index=index, blobs=blobs)
    assert [damaged.identifier for damaged in report.damaged] == [identify(n) for n in range(1, number_damaged + 1)]
    assert (report.instances, report.damaged_count) == (5, number_damaged)
    assert report.done_bytes == report.total_bytes == sum(address.length for address in addresses.values())


def test_scrub_reads_and_changes_nothing(tmp_path: Path) -> None:
    seen: list[ScrubReport] = []
    with LocalPackBlobStore(tmp_path) as blobs:
        _put(blobs, identify(1))
        index, _report = _reindex(blobs)
        before = _digest(tmp_path)
        scrub(index=index, blobs=blobs, on_progress=seen.append)
    assert _digest(tmp_path) == before
    assert len(seen) == 1


def _flip(folder: Path, offset: int) -> None:
    (path,) = folder.glob("*.pack")
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))


def _digest(folder: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.pack")))).hexdigest()


def test_a_large_instance_is_scanned_where_it_lies(tmp_path: Path) -> None:
    size_bytes = 64 << 20
    identifier = identify()
    with LocalPackBlobStore(tmp_path / "packs") as blobs:
        spool = blobs.open_spool()
        spool.write(_content(identifier) + header(0x7FE00010, "OB", size_bytes))
        for _ in range(64):
            spool.write(bytes(1 << 20))
        spool.seal(BlobLabel(identifier, EXPLICIT, 5.5, "stow", False))
        tracemalloc.start()
        index, report = _reindex(blobs)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert report.instances == len(index.find_stored([identifier])) == 1
    assert peak_bytes < size_bytes // 8


# revisions


def _stage(
    blobs: BlobStore, identifier: InstanceIdentifier, *, of: InstanceIdentifier | None = None, revision: str = "a-0"
) -> BlobAddress:
    label = BlobLabel(identifier, EXPLICIT, 6.5, "stow", True, revision, of)
    return blobs.append([(label, _content(identifier, note=revision))])[0]


def _both(index: MemoryInstanceIndex, identifier: InstanceIdentifier) -> tuple[list[BlobAddress], list[BlobAddress]]:
    scope = scope_of(identifier, depth=1)
    return (
        [row.address for row in index.instances(scope)],
        [row.address for row in index.instances(scope, original=True)],
    )


@pytest.fixture(params=["memory", "packs"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "memory":
        yield MemoryBlobStore()
    else:
        with LocalPackBlobStore(tmp_path / "packs", pack_size_bytes=2000) as store:
            yield store


def test_a_rebuilt_index_has_the_latest_version_and_the_original(blobs: BlobStore) -> None:
    first = [_put(blobs, identify(1, 1, number)) for number in (1, 2)]
    between = [_stage(blobs, identify(1, 1, number)) for number in (1, 2)]
    blobs.mark_revision("a-0")
    latest = [_stage(blobs, identify(1, 1, number), revision="b-0") for number in (1, 2)]
    blobs.mark_revision("b-0")
    index, report = _reindex(blobs)
    assert _both(index, identify(1)) == (latest, first)
    assert {one.address for one in index.due_erasures(now=NOW.timestamp(), limit=9)} == set(between)
    assert (report.instances, report.unfinished_count) == (6, 0)
    assert index.search(Query(Level.STUDY))[0].attributes[0x00081030] == "b-0"


def test_what_lies_before_a_mark_and_is_stored_meanwhile_keeps_its_order(blobs: BlobStore) -> None:
    first = _put(blobs, identify(1, 1, 1))
    staged = _stage(blobs, identify(1, 1, 1))
    other = _put(blobs, identify(2), note="other")
    blobs.mark_revision("a-0")
    again = _put(blobs, identify(1, 1, 1), note="again", supersedes=True)
    index, _report = _reindex(blobs)
    assert _both(index, identify(1)) == ([again], [first])
    assert _both(index, identify(2)) == ([other], [])
    assert [one.address for one in index.due_erasures(now=NOW.timestamp(), limit=9)] == [staged]


def test_versions_without_a_mark_do_not_count_and_wait_for_their_operation(blobs: BlobStore) -> None:
    first = _put(blobs, identify(1))
    staged = _stage(blobs, identify(1))
    index, report = _reindex(blobs)
    assert _both(index, identify(1)) == ([first], [])
    assert report.unfinished_count == 1
    assert [one.address for one in index.revisions.staged("a-0")] == [staged]


def test_where_something_is_damaged_versions_without_a_mark_are_left_alone(tmp_path: Path) -> None:
    with LocalPackBlobStore(tmp_path) as blobs:
        address = _put(blobs, identify(1))
        _put(blobs, identify(2))
        staged = _stage(blobs, identify(2))
        _flip(tmp_path, address.offset + 200)
        index, report = _reindex(blobs)
        assert blobs.verify(staged)
    assert (report.damaged_count, report.unfinished_count) == (1, 1)
    assert index.revisions.staged("a-0") == []


def test_a_renamed_study_comes_back_under_its_new_name_with_its_original(blobs: BlobStore) -> None:
    first = _put(blobs, identify(1))
    latest = _stage(blobs, identify(9), of=identify(1))
    blobs.mark_revision("a-0")
    again = _put(blobs, identify(1), note="again")
    index, _report = _reindex(blobs)
    assert _both(index, identify(9)) == ([latest], [first])
    assert _both(index, identify(1)) == ([again], [])


def test_a_version_whose_original_is_damaged_comes_back_alone(tmp_path: Path) -> None:
    with LocalPackBlobStore(tmp_path) as blobs:
        first = _put(blobs, identify(1))
        latest = _stage(blobs, identify(1))
        blobs.mark_revision("a-0")
        _flip(tmp_path, first.offset + 200)
        index, _report = _reindex(blobs)
    assert _both(index, identify(1)) == ([latest], [])


def test_of_an_updated_study_scrub_reads_both_versions(blobs: BlobStore) -> None:
    _put(blobs, identify(1))
    _stage(blobs, identify(1))
    blobs.mark_revision("a-0")
    index, _report = _reindex(blobs)
    assert scrub(index=index, blobs=blobs).instances == 2
