from __future__ import annotations

from isocenter.archive.recover import recover
from isocenter.ports.blobs import BlobPosition
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
