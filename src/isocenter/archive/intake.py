"""Group commit: the two steps through which every edge's instances become durable.

    edge ── submit ──▶ queue ──▶ a batch: decide duplicates
                                          append to the pack, one sync
                                          ── in the order of the batches ──
                                          commit index + feed + deliveries, one sync
                                          answer every future of the batch

While a batch waits for the disk, the next one gathers in the queue; that is where the speed comes from. Two threads
take batches in turn, so that one batch goes to the pack while the one before it is committed. Senders of small
instances that wait for each answer come back together a moment after it: they are waited for, so that they share a
batch and do not take turns. Nothing is acknowledged before both syncs. If either fails, the whole batch is refused
with the reason and what it wrote is destroyed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from isocenter.archive.query_tag_values import NO_QUERY_TAGS, QueryTagValues, look_again
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.walk import PIXEL_HEADER_LENGTH
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.errors import (
    Broken,
    CorruptInstance,
    InstanceExists,
    IsocenterError,
    Overloaded,
    QueryTagsChanged,
    StorageFailed,
    Unavailable,
)
from isocenter.domain.external_metadata import ExternalValue
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.outcome import Disposition, DuplicatePolicy, StoreOutcome
from isocenter.ports.blobs import BlobAddress, BlobLabel, BlobPosition, BlobSpool, BlobStore, Payload, joined
from isocenter.ports.clock import Clock
from isocenter.ports.failpoints import Failpoints
from isocenter.ports.index import InstanceIndex, InstanceRow, Membership, NewInstance

_log = structlog.get_logger()

T = TypeVar("T")

BATCH_COUNT_MAX = 512
"""More instances a commit bring no speed (SQLite levels off at about a hundred rows) and delay the first."""
BATCH_SIZE_MAX_BYTES = 16 * 1024**2
"""About 0.1 s of a slow disk: the longest that one batch may hold up the next."""
QUEUE_SIZE_MAX_BYTES = 256 * 1024**2
"""Instances in memory that wait for the disk; beyond it new ones are refused, so memory stays bounded."""
TAG_CHANGES_MAX = 8
"""How often one batch is looked at anew because extended query tags changed; people change them, not programs."""
COMPARE_CHUNK_BYTES = 1024**2
GATHER_S = 0.001
"""How long a batch waits for the senders of the one before: what a few of them take to send the next instance."""
GATHER_COUNT_MAX = 16
"""A batch of so many gains little by waiting for more."""
GATHER_SIZE_MAX_BYTES = 256 * 1024
"""What takes the disk as long as a sync does is not held up: others arrive while it is written."""
FRUITLESS_GATHERS_MAX = 6
"""After so many in a row in vain (senders that take their time) one in 2^6 batches still tries."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An instance that was scanned and validated and waits to become durable.

    Its bytes are in `content`, or already on disk in `spool`.
    """

    identifier: InstanceIdentifier
    sop_class_uid: str
    transfer_syntax_uid: str
    attributes: dict[int, str]
    header_length: int
    frame_table: bytes
    source: str
    policy: DuplicatePolicy
    content: Payload | None = None
    spool: BlobSpool | None = None
    size_bytes: int = 0
    deliveries: tuple[DeliveryPlan, ...] = ()
    """Where it goes from here; of an instance that is stored already, those begin that it has none of yet."""
    added_head_length: int = 0
    """Bytes at the beginning that did not come with the data set but were put before it (DIMSE sends none): an instance
    that is stored with others in their place is the same."""
    invalid_paths: tuple[str, ...] = ()
    """Elements that metadata is to leave out."""
    query_tags: QueryTagValues = NO_QUERY_TAGS
    """What it is to be found by beside the attributes of every archive."""
    external_metadata: tuple[ExternalValue, ...] = ()
    """What came beside it for its study."""
    membership: Membership | None = None
    """Of a new version of a revision: it is staged, whatever is stored under its identifiers."""
    replaces: InstanceIdentifier | None = None
    """Whose place it takes, where that had other identifiers."""

    @property
    def memory_bytes(self) -> int:
        """Return how much of memory it holds while it waits."""
        return 0 if self.content is None else self.size_bytes

    def view(self) -> memoryview:
        """Return its bytes in one piece; the caller releases them."""
        if self.content is not None:
            return memoryview(joined(self.content))
        return self.spool.view() if self.spool is not None else memoryview(b"")


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    future: Future[StoreOutcome]


@dataclass(slots=True)
class _Accepted:
    waiting: _Waiting
    disposition: Disposition
    address: BlobAddress | None = None
    heals: bool = False
    """The stored bytes are damaged and these are what they were."""
    stored_key: int = 0
    """Of the instance that is there already, where this one is identical."""


@dataclass(frozen=True, slots=True)
class _Written:
    """What of a batch lies in the packs, durable, and is to be committed."""

    fresh: list[_Accepted]
    again: list[_Accepted]
    """What was there already; deliveries of it are still to begin."""
    now: float
    positions: list[BlobPosition]
    """How far the containers are filled with this batch and those before it; the next may be in the pack already."""


class Intake:
    """Take arrivals from any thread and make them durable in batches."""

    def __init__(
        self,
        *,
        index: InstanceIndex,
        blobs: BlobStore,
        clock: Clock,
        failpoints: Failpoints,
        erase_after_s: float,
    ) -> None:
        self._index = index
        self._blobs = blobs
        self._clock = clock
        self._failpoint = failpoints.hit
        self._erase_after_s = erase_after_s
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._wake = threading.Condition()
        self._closing = False
        self._wanted = 1
        """How many are to be queued before the thread is woken."""
        self._last_batch = 0
        self._fruitless_gathers = 0
        self._batches_until_gather = 0
        self._failure: Unavailable | None = None
        self._appending = threading.Lock()
        """Held from taking a batch to its turn to be committed."""
        self._committing = threading.Lock()
        self._in_commit: frozenset[InstanceIdentifier] = frozenset()
        """Whoever sends one of these again is judged when it is stored."""
        self._threads = [threading.Thread(target=self._run, name=f"intake_{n}", daemon=True) for n in range(2)]
        for thread in self._threads:
            thread.start()

    @property
    def failure(self) -> Unavailable | None:
        """Return why the intake no longer takes instances, or None while it does (R10)."""
        return self._failure

    def submit(self, arrival: Arrival) -> Future[StoreOutcome]:
        """Queue an arrival; the future ends when it is durable, or with the reason why it is not.

        Raises Overloaded when the queue is full, StorageFailed after an I/O error of the storage.
        """
        future: Future[StoreOutcome] = Future()
        future.set_running_or_notify_cancel()  # from here on its caller can no longer take it back
        with self._wake:
            if self._failure is not None:
                raise self._failure.without_frames()
            if self._closing or self._queued_bytes + arrival.memory_bytes > QUEUE_SIZE_MAX_BYTES:
                raise Overloaded()
            self._queue.append(_Waiting(arrival, future))
            self._queued_bytes += arrival.memory_bytes
            if len(self._queue) >= self._wanted:
                self._wake.notify()
        return future

    def close(self) -> None:
        """Finish what is queued and stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while self._take_a_batch_through():
            pass

    def _take_a_batch_through(self) -> bool:
        """Append a batch, then commit it, each step one batch at a time and in order; tell whether more may come."""
        with self._appending:
            taken = self._take()
            if not taken:
                return False
            batch = self._first_of_each(taken)
            if not batch:
                with self._committing:  # all of them wait for the batch that is being committed
                    return True
            written = self._guard(batch, lambda: self._append(batch))
            self._committing.acquire()
            self._in_commit = frozenset(waiting.arrival.identifier for waiting in batch)
        try:
            if written is not None:
                self._guard(batch, lambda: self._commit_and_answer(written))
        finally:
            self._in_commit = frozenset()
            self._committing.release()
        return True

    def _guard(self, batch: list[_Waiting], step: Callable[[], T]) -> T | None:
        """Run a step of a batch; where it fails, answer all that are not answered with the reason."""
        try:
            self._require_sound()
            return step()
        except IsocenterError as error:
            _log.warning("intake.refused", reason=error.message, instances=len(batch))
            _fail(batch, error)
        except Exception:  # the outermost loop: the threads outlive any fault of one batch
            _log.exception("intake.broken", instances=len(batch))
            _fail(batch, Broken())
        return None

    def _require_sound(self) -> None:
        """Refuse what was queued before an I/O error: not even "stored already" is certain after one."""
        if self._failure is not None:
            raise self._failure.without_frames()

    def _take(self) -> list[_Waiting]:
        with self._wake:
            expected = self._last_batch + len(self._queue)
            while not self._queue and not self._closing:
                self._wake.wait()
            self._gather(min(expected, GATHER_COUNT_MAX))
            batch: list[_Waiting] = []
            size_bytes = 0
            while self._queue and len(batch) < BATCH_COUNT_MAX:
                length = self._queue[0].arrival.memory_bytes
                if batch and size_bytes + length > BATCH_SIZE_MAX_BYTES:
                    break
                batch.append(self._queue.popleft())
                size_bytes += length
            self._queued_bytes -= size_bytes
            self._last_batch = len(batch)
            return batch

    def _gather(self, expected: int) -> None:
        """Wait a moment for those who sent the last batch, unless they were waited for in vain lately."""
        if len(self._queue) >= expected or self._queued_bytes > GATHER_SIZE_MAX_BYTES or self._closing:
            return
        if self._batches_until_gather:
            self._batches_until_gather -= 1
            return
        self._wanted = expected
        if self._wake.wait_for(lambda: len(self._queue) >= expected or self._closing, GATHER_S):
            self._fruitless_gathers = 0
        else:
            self._fruitless_gathers = min(self._fruitless_gathers + 1, FRUITLESS_GATHERS_MAX)
            self._batches_until_gather = 2**self._fruitless_gathers
        self._wanted = 1

    def _first_of_each(self, taken: list[_Waiting]) -> list[_Waiting]:
        """Return the first arrival of each identity; a second waits for the next batch, when the first is stored."""
        in_commit = self._in_commit
        batch: dict[InstanceIdentifier, _Waiting] = {}
        again: list[_Waiting] = []
        for waiting in taken:
            identifier = waiting.arrival.identifier
            if identifier in batch or identifier in in_commit:
                again.append(waiting)
            else:
                batch[identifier] = waiting
        if again:
            self._put_back(again)
        return list(batch.values())

    def _append(self, batch: list[_Waiting]) -> _Written | None:
        """Write what is to be stored of a batch to the pack and have it durable there; None where that is nothing."""
        decided = self._decide(batch)
        fresh = [entry for entry in decided if entry.disposition is not Disposition.IDENTICAL]
        again = [entry for entry in decided if entry.disposition is Disposition.IDENTICAL]
        now = self._clock.now().timestamp()
        if not fresh:
            return _Written(fresh, again, now, []) if again else None
        try:
            self._index.require_room()
            self._failpoint("archive.before_append")
            self._write(fresh, now)
            containers = sorted({entry.address.container for entry in fresh if entry.address is not None})
            return _Written(fresh, again, now, [self._blobs.position(container) for container in containers])
        except StorageFailed as error:
            self._failure = error.without_frames()
            raise
        except Exception:  # also a fault of ours, raised again: nothing of the batch may stay behind half done
            self._roll_back(fresh)
            raise

    def _commit_and_answer(self, written: _Written) -> None:
        if written.fresh:
            self._acknowledge(written.fresh, self._commit(written))
        if written.again:
            self._deliver_again(written.again, now=written.now)

    def _acknowledge(self, entries: list[_Accepted], keys: list[int]) -> None:
        self._failpoint("archive.before_acknowledge")
        for entry, key in zip(entries, keys, strict=True):
            entry.waiting.future.set_result(_outcome(entry.waiting.arrival, entry.disposition, key))
        self._failpoint("archive.after_acknowledge")

    def _deliver_again(self, again: list[_Accepted], *, now: float) -> None:
        """Begin the deliveries that instances which came again have none of yet, and acknowledge them.

        One that was deleted or replaced meanwhile is judged anew, so that its deliveries are not lost with it.
        """
        planned = [(entry.stored_key, plan) for entry in again for plan in entry.waiting.arrival.deliveries]
        try:
            self._failpoint("archive.before_commit")
            self._index.ledger.begin(planned, now=now)
            standing = self._index.instances_of_keys([entry.stored_key for entry in again])
        except StorageFailed as error:
            self._failure = error.without_frames()
            raise
        kept = [entry for entry in again if entry.stored_key in standing]
        for entry in kept:
            _discard(entry.waiting.arrival)
        self._acknowledge(kept, [entry.stored_key for entry in kept])
        self._put_back([entry.waiting for entry in again if entry.stored_key not in standing])

    def _decide(self, batch: list[_Waiting]) -> list[_Accepted]:
        """Sort out duplicates: answer the identical and the refused, return what is to be written."""
        stored = self._index.find_stored([waiting.arrival.identifier for waiting in batch])
        accepted: list[_Accepted] = []
        for waiting in batch:
            if waiting.arrival.membership is not None:
                accepted.append(_Accepted(waiting, Disposition.REPLACED))
                continue
            row = stored.get(waiting.arrival.identifier)
            if row is None:
                accepted.append(_Accepted(waiting, Disposition.STORED))
                continue
            try:
                accepted += self._decide_duplicate(waiting, row)
            except IsocenterError as error:  # its stored bytes cannot be read: no fault of the others in the batch
                _fail([waiting], error)
        return accepted

    def _decide_duplicate(self, waiting: _Waiting, row: InstanceRow) -> list[_Accepted]:
        arrival = waiting.arrival
        try:
            is_identical = self._is_identical(arrival, row)
        except CorruptInstance:
            if self._heals(arrival, row):
                _log.warning("intake.healed", sop_instance_uid=arrival.identifier.sop_instance_uid)
                return [_Accepted(waiting, Disposition.REPLACED, heals=True)]
            is_identical = False
        if is_identical and arrival.deliveries:
            return [_Accepted(waiting, Disposition.IDENTICAL, stored_key=row.instance_key)]
        if is_identical:
            _discard(arrival)
            waiting.future.set_result(_outcome(arrival, Disposition.IDENTICAL, row.instance_key))
            return []
        if arrival.policy is DuplicatePolicy.REFUSE:
            _discard(arrival)
            waiting.future.set_exception(InstanceExists())
            return []
        return [_Accepted(waiting, Disposition.REPLACED)]

    def _is_identical(self, arrival: Arrival, row: InstanceRow) -> bool:
        """Tell whether the same bytes are stored: file by file, or data set by data set where only that was sent."""
        start = 0
        if arrival.added_head_length:
            start = self._dataset_offset(row)
        if (
            row.address.length - start != arrival.size_bytes - arrival.added_head_length
            or row.transfer_syntax_uid != arrival.transfer_syntax_uid
        ):
            return False
        content = arrival.view()
        offset = arrival.added_head_length
        try:
            for chunk in self._blobs.iter_chunks(row.address, start=start, chunk_size_bytes=COMPARE_CHUNK_BYTES):
                if bytes(content[offset : offset + len(chunk)]) != chunk:  # views are compared item by item
                    return False
                offset += len(chunk)
            return True
        finally:
            content.release()

    def _dataset_offset(self, row: InstanceRow) -> int:
        return read_encoding(self._blobs.read(row.address, start=0, length=row.header_length))[1]

    def _heals(self, arrival: Arrival, row: InstanceRow) -> bool:
        """Tell whether an arrival has the bytes that a damaged instance had: it takes its place by any policy."""
        with arrival.view() as content:
            return self._blobs.is_address_of(row.address, content)

    def _put_back(self, again: Sequence[_Waiting]) -> None:
        with self._wake:
            self._queue.extendleft(reversed(again))
            self._queued_bytes += sum(waiting.arrival.memory_bytes for waiting in again)
            self._wake.notify()

    def _write(self, fresh: list[_Accepted], now: float) -> None:
        in_memory = [entry for entry in fresh if entry.waiting.arrival.content is not None]
        blobs = [(_label(entry, now), entry.waiting.arrival.content or b"") for entry in in_memory]
        if blobs:
            for entry, address in zip(in_memory, self._blobs.append(blobs), strict=True):
                entry.address = address
        for entry in fresh:
            spool = entry.waiting.arrival.spool
            if spool is not None:
                entry.address = spool.seal(_label(entry, now))

    def _commit(self, written: _Written) -> list[int]:
        try:
            self._failpoint("archive.before_commit")
            return self._commit_as_looked_at(written)
        except StorageFailed as error:
            # Whether the commit took is unknown now, so the bytes stay; the next start adopts or drops them (R10).
            self._failure = error.without_frames()
            raise
        except Unavailable:
            self._roll_back(written.fresh)
            raise
        except Exception:  # a fault of ours, raised again: nothing of the batch may stay behind half done
            self._roll_back(self._not_committed(written.fresh))
            raise

    def _commit_as_looked_at(self, written: _Written) -> list[int]:
        for _ in range(TAG_CHANGES_MAX):
            try:
                return self._index.commit(
                    [_new_instance(entry, written.now) for entry in written.fresh],
                    now=written.now,
                    erase_due_at=written.now + self._erase_after_s,
                    positions=written.positions,
                )
            except QueryTagsChanged:
                self._look_again(written.fresh)
        raise Overloaded()

    def _look_again(self, fresh: list[_Accepted]) -> None:
        """Look at what was written for the extended query tags that there are now."""
        query_tags = self._index.query_tags.active()
        for entry in fresh:
            arrival, address = entry.waiting.arrival, entry.address
            if address is not None:
                header = self._blobs.read(address, start=0, length=arrival.header_length + PIXEL_HEADER_LENGTH)
                looked_up = look_again(header, query_tags, arrival.invalid_paths)
                entry.waiting.arrival = replace(arrival, query_tags=looked_up)

    def _roll_back(self, fresh: list[_Accepted]) -> None:
        """Destroy what was written: it is in no index and was never acknowledged, so no reindex may bring it back."""
        for entry in fresh:
            _discard(entry.waiting.arrival)
        try:
            for entry in fresh:
                if entry.address is not None:
                    self._blobs.erase(entry.address)
        except StorageFailed as error:
            self._failure = error.without_frames()
            raise

    def _not_committed(self, fresh: list[_Accepted]) -> list[_Accepted]:
        """Return those that the index does not have, after a commit that ended in a way that nobody foresaw."""
        try:
            stored = self._index.find_stored([entry.waiting.arrival.identifier for entry in fresh])
            known = {row.address for row in stored.values()} | self._staged_addresses(fresh)
        except Exception:
            self._failure = StorageFailed()  # nobody knows: the bytes stay for the next start
            raise
        return [entry for entry in fresh if entry.address not in known]

    def _staged_addresses(self, fresh: list[_Accepted]) -> set[BlobAddress]:
        memberships = (entry.waiting.arrival.membership for entry in fresh)
        revisions = {membership.revision_id for membership in memberships if membership is not None}
        return {staged.address for one in revisions for staged in self._index.revisions.staged(one)}


def _label(entry: _Accepted, now: float) -> BlobLabel:
    arrival = entry.waiting.arrival
    return BlobLabel(
        identifier=arrival.identifier,
        transfer_syntax_uid=arrival.transfer_syntax_uid,
        received_at=now,
        source=arrival.source,
        supersedes=entry.disposition is Disposition.REPLACED,
        revision_id="" if arrival.membership is None else arrival.membership.revision_id,
        replaces=arrival.replaces,
    )


def _new_instance(entry: _Accepted, now: float) -> NewInstance:
    arrival = entry.waiting.arrival
    if entry.address is None:
        raise StorageFailed()
    return NewInstance(
        identifier=arrival.identifier,
        sop_class_uid=arrival.sop_class_uid,
        transfer_syntax_uid=arrival.transfer_syntax_uid,
        attributes=arrival.attributes,
        address=entry.address,
        header_length=arrival.header_length,
        frame_table=arrival.frame_table,
        received_at=now,
        source=arrival.source,
        keep_previous=arrival.policy is DuplicatePolicy.KEEP and not entry.heals,
        deliveries=arrival.deliveries,
        invalid_paths=arrival.invalid_paths,
        query_tag_keys=arrival.query_tags.keys,
        query_tag_values=arrival.query_tags.values,
        external_metadata=arrival.external_metadata,
        membership=arrival.membership,
    )


def _outcome(arrival: Arrival, disposition: Disposition, key: int) -> StoreOutcome:
    return StoreOutcome(
        identifier=arrival.identifier,
        sop_class_uid=arrival.sop_class_uid,
        transfer_syntax_uid=arrival.transfer_syntax_uid,
        disposition=disposition,
        instance_key=key,
    )


def _discard(arrival: Arrival) -> None:
    if arrival.spool is not None:
        arrival.spool.discard()


def _fail(batch: Sequence[_Waiting], error: IsocenterError) -> None:
    for waiting in batch:
        if not waiting.future.done():
            _discard(waiting.arrival)
            waiting.future.set_exception(error.without_frames())
