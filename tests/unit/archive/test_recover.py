from __future__ import annotations

from dataclasses import replace

from isocenter.archive.recover import recover
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobAddress, BlobPosition
from isocenter.ports.revisions import StagedVersion
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from tests.support.instances import identify, label_of, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance


def _stored(numbers: range) -> tuple[MemoryBlobStore, MemoryInstanceIndex]:
    blobs, index = MemoryBlobStore(), MemoryInstanceIndex()
    with memory_archive(blobs=blobs, index=index) as archive:
        for number in numbers:
            store(archive, make_instance(identify(number)).content)
    return blobs, index


def _recover(blobs: MemoryBlobStore, index: MemoryInstanceIndex) -> int:
    return recover(index=index, blobs=blobs, clock=FakeClock()).adopted


def test_after_a_clean_end_there_is_nothing_to_do() -> None:
    blobs, index = _stored(range(1, 4))
    assert _recover(blobs, index) == 0
    assert index.latest_sequence() == 3


def test_what_was_written_and_not_committed_is_adopted_once() -> None:
    blobs, index = _stored(range(1, 3))
    content = make_instance(identify(3)).content
    blobs.append([(label_of(identify(3)), content)])
    assert [_recover(blobs, index), _recover(blobs, index)] == [1, 0]
    [row] = index.instances(scope_of(identify(3)))
    assert blobs.read(row.address) == content
    assert [change.sequence for change in index.changes()] == [1, 2, 3]


def test_a_tail_that_is_no_instance_is_destroyed() -> None:
    blobs, index = _stored(range(1, 2))
    [address] = blobs.append([(label_of(identify(2)), b"no instance at all")])
    assert _recover(blobs, index) == 0
    assert not blobs.verify(address)
    assert index.totals().instances == 1


def test_an_index_that_knows_nothing_learns_all_of_a_short_tail() -> None:
    blobs, _ = _stored(range(1, 6))
    index = MemoryInstanceIndex()
    assert _recover(blobs, index) == 5
    assert index.totals().instances == 5


def test_packs_that_are_shorter_than_the_index_are_served_all_the_same() -> None:
    blobs, index = _stored(range(1, 3))
    [container] = index.positions()
    index.commit([], now=0.0, erase_due_at=0.0, positions=[BlobPosition(container, 10**9)])
    assert _recover(blobs, index) == 0
    assert index.totals().instances == 2


# revisions


def _stage(blobs: MemoryBlobStore, identifier: InstanceIdentifier, *, of: InstanceIdentifier) -> BlobAddress:
    """Write a version as an update does, and no more: the node was killed before it was committed."""
    replaces = None if of == identifier else of
    label = replace(label_of(identifier, supersedes=True), revision_id="0123-0", replaces=replaces)
    return blobs.append([(label, make_instance(identifier, seed=1).content)])[0]


def test_a_version_without_a_mark_is_staged_and_not_seen() -> None:
    blobs, index = _stored(range(1, 2))
    [before] = index.instances(scope_of(identify(1)))
    address = _stage(blobs, identify(1), of=identify(1))
    assert [_recover(blobs, index), _recover(blobs, index)] == [1, 0]
    assert index.instances(scope_of(identify(1))) == [before]
    assert index.revisions.staged("0123-0") == [StagedVersion(before.instance_key, address)]
    assert index.latest_sequence() == 1


def test_behind_a_mark_all_versions_are_current() -> None:
    blobs, index = _stored(range(1, 3))
    addresses = [_stage(blobs, identify(number), of=identify(number)) for number in (1, 2)]
    blobs.mark_revision("0123-0")
    for _ in range(2):
        _recover(blobs, index)
        rows = [index.instances(scope_of(identify(number)))[0] for number in (1, 2)]
        assert [row.address for row in rows] == addresses
        assert all(row.has_original for row in rows)
        assert index.due_erasures(now=1e12, limit=9) == []
    assert index.revisions.concluded("0123-0") == 2
    assert index.latest_sequence() == 4


def test_a_start_that_was_cut_short_is_done_again() -> None:
    blobs, index = _stored(range(1, 2))
    address = _stage(blobs, identify(9), of=identify(1))
    blobs.mark_revision("0123-0")
    positions = index.positions()
    _recover(blobs, index)
    index._positions = dict(positions)  # what a start records last
    _recover(blobs, index)
    assert [row.address for row in index.instances(scope_of(identify(9)))] == [address]
    assert blobs.verify(address)
    assert index.due_erasures(now=1e12, limit=9) == []


def test_a_version_of_what_is_gone_is_destroyed() -> None:
    blobs, index = _stored(range(1, 2))
    address = _stage(blobs, identify(9), of=identify(1))
    blobs.mark_revision("0123-0")
    index.delete(scope_of(identify(1)), now=1.0, erase_due_at=1.0)
    _recover(blobs, index)
    assert not blobs.verify(address)
    assert index.totals().instances == 0
