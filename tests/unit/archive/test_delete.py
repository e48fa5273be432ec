from __future__ import annotations

import pytest

from isocenter.archive.archive import ArchiveSettings
from isocenter.archive.delete import delete, erase_due, oldest_erasure_age_s
from isocenter.domain.errors import Forbidden, NotFound
from isocenter.domain.outcome import Disposition, DuplicatePolicy
from isocenter.domain.principal import LOCAL_OWNER, READER_ACTIONS, Principal
from isocenter.ports.index import ChangeAction
from isocenter.storage.memory import MemoryBlobStore
from tests.support.instances import identify, scope_of
from tests.support.memory_archive import FakeClock, memory_archive, store
from tests.support.small_instances import make_instance

GRACE = ArchiveSettings(erase_after_s=10.0)


@pytest.mark.parametrize(("depth", "going"), [(3, 1), (2, 2), (1, 3)])
def test_what_a_scope_holds_goes_and_nothing_else(depth: int, going: int) -> None:
    identifiers = [identify(1, 1, 1), identify(1, 1, 2), identify(1, 2, 1), identify(2)]
    with memory_archive() as archive:
        for identifier in identifiers:
            store(archive, make_instance(identifier).content)
        assert delete(archive, LOCAL_OWNER, scope_of(identifiers[0], depth=depth)) == going
        assert archive.index.totals().instances == len(identifiers) - going
        deletes = [change for change in archive.index.changes() if change.action is ChangeAction.DELETE]
        assert len(deletes) == going


@pytest.mark.parametrize(("depth", "word"), [(3, "instance"), (2, "series"), (1, "study")])
def test_deleting_twice_finds_nothing(depth: int, word: str) -> None:
    with memory_archive() as archive:
        store(archive, make_instance(identify(1)).content)
        delete(archive, LOCAL_OWNER, scope_of(identify(1), depth=depth))
        with pytest.raises(NotFound, match=word):
            delete(archive, LOCAL_OWNER, scope_of(identify(1), depth=depth))


def test_a_reader_may_not_delete() -> None:
    with memory_archive() as archive:
        store(archive, make_instance(identify(1)).content)
        with pytest.raises(Forbidden):
            delete(archive, Principal("reader", READER_ACTIONS), scope_of(identify(1)))
        assert archive.index.totals().instances == 1


def test_bytes_stay_for_readers_until_the_grace_is_over_and_are_gone_after() -> None:
    blobs, clock = MemoryBlobStore(), FakeClock()
    with memory_archive(GRACE, blobs=blobs, clock=clock) as archive:
        store(archive, make_instance(identify(1)).content)
        [row] = archive.index.instances(scope_of(identify(1)))
        delete(archive, LOCAL_OWNER, scope_of(identify(1)))
        clock.advance(9)
        assert erase_due(archive) == 0
        assert blobs.read(row.address) == make_instance(identify(1)).content
        clock.advance(2)
        assert erase_due(archive) == 1
        assert not blobs.verify(row.address)
        assert erase_due(archive) == 0


def test_both_versions_go_with_a_delete() -> None:
    blobs, clock = MemoryBlobStore(), FakeClock()
    with memory_archive(GRACE, blobs=blobs, clock=clock) as archive:
        store(archive, make_instance(identify(1)).content)
        store(archive, make_instance(identify(1), seed=1).content, policy=DuplicatePolicy.KEEP)
        delete(archive, LOCAL_OWNER, scope_of(identify(1)))
        clock.advance(11)
        assert erase_due(archive) == 2
        assert list(blobs.iter_records()) == []


def test_what_was_deleted_can_be_stored_again_before_its_bytes_are_gone() -> None:
    clock = FakeClock()
    content = make_instance(identify(1)).content
    with memory_archive(GRACE, clock=clock) as archive:
        store(archive, content)
        delete(archive, LOCAL_OWNER, scope_of(identify(1)))
        assert store(archive, content).disposition is Disposition.STORED
        clock.advance(11)
        erase_due(archive)
        [row] = archive.index.instances(scope_of(identify(1)))
        assert archive.blobs.read(row.address) == content


def test_what_waits_longest_to_be_erased_tells_its_age() -> None:
    clock = FakeClock()
    with memory_archive(GRACE, clock=clock) as archive:
        assert oldest_erasure_age_s(archive) == 0
        for number in (1, 2):
            store(archive, make_instance(identify(number)).content)
            delete(archive, LOCAL_OWNER, scope_of(identify(number)))
            clock.advance(7)
        assert oldest_erasure_age_s(archive) == pytest.approx(14)
        assert erase_due(archive) == 1
        assert oldest_erasure_age_s(archive) == pytest.approx(7)
