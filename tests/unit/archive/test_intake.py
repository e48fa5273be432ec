from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest
from structlog.testing import capture_logs

from isocenter.archive.archive import Archive
from isocenter.archive.delete import delete
from isocenter.archive.store import begin_store
from isocenter.domain.errors import InstanceExists, Overloaded, StorageFailed, StorageFull
from isocenter.domain.outcome import Disposition, DuplicatePolicy, StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.ports.blobs import BlobAddress, BlobLabel, BlobPosition, BlobStore, Payload
from isocenter.ports.index import ChangeAction, NewInstance
from isocenter.storage.memory import MemoryBlobStore, MemoryInstanceIndex
from tests.support.faults import Fault, faulty_blobs
from tests.support.instances import identify, records_of, scope_of
from tests.support.memory_archive import ANSWER_TIMEOUT_S, memory_archive, store
from tests.support.small_instances import make_instance


class _Gate(MemoryInstanceIndex):
    """An index whose look for duplicates waits until a test lets it through, so that a queue can gather behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.may_pass = threading.Event()

    def require_room(self) -> None:
        self.entered.set()
        assert self.may_pass.wait(ANSWER_TIMEOUT_S)


def _submit(archive: Archive, content: bytes, policy: DuplicatePolicy | None = None) -> Future[StoreOutcome]:
    reception = begin_store(archive, LOCAL_OWNER, source="test", policy=policy)
    reception.write(content)
    return reception.finish()


def _dispositions(futures: list[Future[StoreOutcome]]) -> list[Disposition | type[BaseException]]:
    found: list[Disposition | type[BaseException]] = []
    for future in futures:
        error = future.exception(ANSWER_TIMEOUT_S)
        found.append(future.result().disposition if error is None else type(error))
    return found


@pytest.mark.parametrize(
    ("policy", "other"),
    [
        (DuplicatePolicy.REFUSE, InstanceExists),
        (DuplicatePolicy.REPLACE, Disposition.REPLACED),
        (DuplicatePolicy.KEEP, Disposition.REPLACED),
    ],
)
def test_duplicates_within_a_batch_are_judged_one_after_the_other(
    policy: DuplicatePolicy, other: Disposition | type[BaseException]
) -> None:
    index = _Gate()
    first, second = make_instance(identify(1)).content, make_instance(identify(1), seed=1).content
    with memory_archive(index=index) as archive:
        opening = _submit(archive, make_instance(identify(9)).content)
        index.entered.wait(ANSWER_TIMEOUT_S)
        futures = [_submit(archive, content, policy) for content in (first, first, second, second)]
        index.may_pass.set()
        assert opening.result(ANSWER_TIMEOUT_S).disposition is Disposition.STORED
        last = other if other is InstanceExists else Disposition.IDENTICAL
        assert _dispositions(futures) == [Disposition.STORED, Disposition.IDENTICAL, other, last]
    assert [change.sequence for change in index.changes()] == list(range(1, len(index.changes()) + 1))


def test_what_is_queued_is_answered_before_the_end() -> None:
    index = _Gate()
    with memory_archive(index=index) as archive:
        futures = [_submit(archive, make_instance(identify(number)).content) for number in range(1, 30)]
        index.entered.wait(ANSWER_TIMEOUT_S)
        index.may_pass.set()
    assert all(future.done() for future in futures)
    assert _dispositions(futures) == [Disposition.STORED] * 29
    assert index.totals().instances == 29


def test_after_the_end_nothing_is_taken() -> None:
    with memory_archive() as archive:
        store(archive, make_instance(identify(1)).content)
    with pytest.raises(Overloaded):
        store(archive, make_instance(identify(2)).content)


def test_a_full_queue_refuses_instead_of_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    content = make_instance(identify(1)).content
    monkeypatch.setattr("isocenter.archive.intake.QUEUE_SIZE_MAX_BYTES", 3 * len(content) // 2)
    index = _Gate()
    with memory_archive(index=index) as archive:
        opening = _submit(archive, make_instance(identify(9)).content)
        index.entered.wait(ANSWER_TIMEOUT_S)
        waiting = _submit(archive, content)
        with pytest.raises(Overloaded):
            _submit(archive, make_instance(identify(2)).content)
        index.may_pass.set()
        assert _dispositions([opening, waiting]) == [Disposition.STORED] * 2
        assert store(archive, make_instance(identify(2)).content).disposition is Disposition.STORED


def test_what_was_queued_before_an_io_error_is_refused_even_if_it_is_stored_already() -> None:
    index = _Gate()
    index.may_pass.set()
    fault = Fault(StorageFailed, at_call=1, is_after=False)
    here = make_instance(identify(1)).content
    with memory_archive(index=index, blobs=faulty_blobs(MemoryBlobStore(), fault)) as archive, capture_logs():
        store(archive, here)
        index.entered.clear()
        index.may_pass.clear()
        failing = _submit(archive, make_instance(identify(2)).content)
        index.entered.wait(ANSWER_TIMEOUT_S)
        queued = _submit(archive, here)
        fault.arm()
        index.may_pass.set()
        assert _dispositions([failing, queued]) == [StorageFailed, StorageFailed]
        assert isinstance(archive.intake.failure, StorageFailed)


def test_a_refusal_keeps_no_bytes_alive() -> None:
    fault = Fault(StorageFull, at_call=1, is_after=False)
    with memory_archive(blobs=faulty_blobs(MemoryBlobStore(), fault)) as archive, capture_logs():
        fault.arm()
        error = _submit(archive, make_instance(identify(1)).content).exception(ANSWER_TIMEOUT_S)
    assert isinstance(error, StorageFull)
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_a_refusal_after_an_io_error_does_not_grow_with_every_caller() -> None:
    fault = Fault(StorageFailed, at_call=1, is_after=False)
    with memory_archive(blobs=faulty_blobs(MemoryBlobStore(), fault)) as archive, capture_logs():
        fault.arm()
        for _ in range(3):
            with pytest.raises(StorageFailed):
                store(archive, make_instance(identify(1)).content)
        assert archive.intake.failure is not None
        assert archive.intake.failure.__traceback__ is None


def test_a_caller_cannot_take_back_what_is_on_its_way() -> None:
    index = _Gate()
    with memory_archive(index=index) as archive:
        futures = [_submit(archive, make_instance(identify(number)).content) for number in (1, 2)]
        index.entered.wait(ANSWER_TIMEOUT_S)
        assert not any(future.cancel() for future in futures)
        index.may_pass.set()
        assert _dispositions(futures) == [Disposition.STORED] * 2


def test_an_unreadable_duplicate_fails_alone() -> None:
    index = _Gate()
    index.may_pass.set()
    blobs = _UnreadableBlobs()
    with memory_archive(index=index, blobs=blobs) as archive, capture_logs():
        store(archive, make_instance(identify(1)).content)
        index.entered.clear()
        index.may_pass.clear()
        opening = _submit(archive, make_instance(identify(9)).content)
        index.entered.wait(ANSWER_TIMEOUT_S)
        blobs.is_unreadable = True
        futures = [_submit(archive, make_instance(identify(number)).content) for number in (1, 2)]
        index.may_pass.set()
        assert _dispositions([opening, *futures]) == [Disposition.STORED, StorageFailed, Disposition.STORED]


class _UnreadableBlobs(MemoryBlobStore):
    """A store whose blobs cannot be read for a while, as on a bad sector."""

    is_unreadable = False

    def iter_chunks(
        self, address: BlobAddress, *, start: int = 0, length: int | None = None, chunk_size_bytes: int = 1 << 20
    ) -> Iterator[bytes]:
        if self.is_unreadable:
            raise StorageFailed()
        return super().iter_chunks(address, start=start, length=length, chunk_size_bytes=chunk_size_bytes)


def test_a_delete_between_decision_and_commit_makes_a_replacement_a_new_instance() -> None:
    index = _Gate()
    index.may_pass.set()
    with memory_archive(index=index) as archive:
        store(archive, make_instance(identify(1)).content)
        index.entered.clear()
        index.may_pass.clear()
        replacing = _submit(archive, make_instance(identify(1), seed=1).content, DuplicatePolicy.REPLACE)
        index.entered.wait(ANSWER_TIMEOUT_S)  # decided, not yet written
        delete(archive, LOCAL_OWNER, scope_of(identify(1)))
        index.may_pass.set()
        replacing.result(ANSWER_TIMEOUT_S)
    actions = [change.action for change in index.changes()]
    assert actions == [ChangeAction.CREATE, ChangeAction.DELETE, ChangeAction.CREATE]
    [row] = index.instances(scope_of(identify(1)))
    blobs: BlobStore = archive.blobs
    assert blobs.read(row.address) == make_instance(identify(1), seed=1).content


class _CommitGate(MemoryInstanceIndex):
    """An index whose commits wait until a test lets them through, or fails one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.may_pass = threading.Semaphore(0)
        self.refusal: Exception | None = None

    def commit(
        self,
        instances: Sequence[NewInstance],
        *,
        now: float,
        erase_due_at: float,
        positions: Sequence[BlobPosition] = (),
    ) -> list[int]:
        self.entered.release()
        assert self.may_pass.acquire(timeout=ANSWER_TIMEOUT_S)
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal
        return super().commit(instances, now=now, erase_due_at=erase_due_at, positions=positions)


class _NotingBlobs(MemoryBlobStore):
    """A store that tells when something was appended."""

    def __init__(self) -> None:
        super().__init__()
        self.appended = threading.Semaphore(0)

    def append(self, blobs: Sequence[tuple[BlobLabel, Payload]]) -> list[BlobAddress]:
        addresses = super().append(blobs)
        self.appended.release()
        return addresses


def _wait_for(event: threading.Semaphore) -> None:
    assert event.acquire(timeout=ANSWER_TIMEOUT_S)


def test_a_batch_goes_to_the_pack_while_the_one_before_is_committed_and_follows_it() -> None:
    index, blobs = _CommitGate(), _NotingBlobs()
    with memory_archive(index=index, blobs=blobs) as archive:
        first = _submit(archive, make_instance(identify(1)).content)
        _wait_for(index.entered)
        _wait_for(blobs.appended)
        second = _submit(archive, make_instance(identify(2)).content)
        _wait_for(blobs.appended)
        assert not first.done()
        index.may_pass.release()
        first.result(ANSWER_TIMEOUT_S)
        _wait_for(index.entered)
        assert not second.done()
        [row] = index.instances(scope_of(identify(1)))
        end = row.address.offset + row.address.length
        assert index.positions() == {row.address.container: end}  # so that a start after a crash adopts the second
        index.may_pass.release()
        second.result(ANSWER_TIMEOUT_S)
    assert [change.identifier for change in index.changes()] == [identify(1), identify(2)]


def test_what_is_being_committed_is_known_to_whoever_sends_it_again() -> None:
    index = _CommitGate()
    with memory_archive(index=index) as archive:
        content = make_instance(identify(1)).content
        first = _submit(archive, content)
        _wait_for(index.entered)
        again = [_submit(archive, content), _submit(archive, make_instance(identify(1), seed=1).content)]
        index.may_pass.release()
        assert _dispositions([first, *again]) == [Disposition.STORED, Disposition.IDENTICAL, InstanceExists]


def test_a_batch_that_cannot_be_committed_is_destroyed_and_the_next_one_stored() -> None:
    index, blobs = _CommitGate(), _NotingBlobs()
    with memory_archive(index=index, blobs=blobs) as archive, capture_logs():
        first = _submit(archive, make_instance(identify(1)).content)
        _wait_for(index.entered)
        _wait_for(blobs.appended)
        second = _submit(archive, make_instance(identify(2)).content)
        _wait_for(blobs.appended)
        index.refusal = StorageFull()
        for _ in range(2):
            index.may_pass.release()
        assert _dispositions([first, second]) == [StorageFull, Disposition.STORED]
    assert [record.label.identifier for record in records_of(blobs)] == [identify(2)]


def test_after_an_io_error_of_the_index_the_batch_behind_is_refused_too() -> None:
    index, blobs = _CommitGate(), _NotingBlobs()
    with memory_archive(index=index, blobs=blobs) as archive, capture_logs():
        first = _submit(archive, make_instance(identify(1)).content)
        _wait_for(index.entered)
        _wait_for(blobs.appended)
        second = _submit(archive, make_instance(identify(2)).content)
        _wait_for(blobs.appended)
        index.refusal = StorageFailed()
        index.may_pass.release()
        assert _dispositions([first, second]) == [StorageFailed, StorageFailed]
    assert len(list(blobs.iter_records())) == 2  # whether they count is decided by the next start
