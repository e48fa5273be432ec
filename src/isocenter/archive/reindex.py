"""Rebuild the index from packs alone: walk every record, scan it again, commit in the order of arrival.

What a pack says of an instance is its bytes and its label; the rest is derived. A record whose label
says that it supersedes one becomes a new version of what stands before it. A second record without
that word is an instance that was stored again after a delete: it takes the place of the first, whose
bytes were still to be erased. The new versions of a revision count where its mark stands. Whoever has
the old index should pass its pending erasures, so that what was deleted less than the grace ago stays
deleted; they are carried out first, which also mends those that a crash left half done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from isocenter.archive.recover import as_staged, conclude_marked, new_instance_of
from isocenter.domain.errors import InvalidDataset, IsocenterError
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.ports.blobs import BlobAddress, BlobPosition, BlobRecord, BlobStore, DamagedRecord, RevisionMark
from isocenter.ports.clock import Clock
from isocenter.ports.index import InstanceIndex, NewInstance

BATCH_COUNT_MAX = 500
"""More instances a commit bring no speed (SQLite levels off at about a hundred rows)."""
REPORT_COUNT_MAX = 1000
"""How many damaged or refused records are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """An intact record that today's rules do not take for an instance."""

    identifier: InstanceIdentifier
    reason: str


@dataclass(slots=True)
class ReindexReport:
    """What a rebuild found, while it runs and at its end."""

    total_bytes: int = 0
    done_bytes: int = 0
    instances: int = 0
    """Records that are in the new index, every version counted."""
    skipped_erasures: int = 0
    damaged_count: int = 0
    damaged: list[DamagedRecord] = field(default_factory=list)
    refused_count: int = 0
    refused: list[RefusedRecord] = field(default_factory=list)
    unfinished_count: int = 0
    """Intact new versions of instances that do not count, because no mark of their revision was found."""
    has_lost_records: bool = False
    """What no pack knows (work list, performed steps, workitems, deliveries) could not be taken from the old index."""


def reindex(
    *,
    index: InstanceIndex,
    blobs: BlobStore,
    clock: Clock,
    erased: Collection[BlobAddress] = (),
    on_progress: Callable[[ReindexReport], None] | None = None,
) -> ReindexReport:
    """Fill an empty index from the packs.

    `erased` are blobs whose erasure was still to come; they are erased here, not indexed.
    Raises StorageFull or StorageFailed with the index left half filled: throw it away and begin again.
    """
    positions = blobs.positions()
    rebuild = _Rebuild(index, blobs, clock, ReindexReport(total_bytes=sum(p.length for p in positions)))
    for address in erased:
        blobs.erase(address)
        rebuild.report.skipped_erasures += 1
    starts = _starts(positions)
    for record in blobs.iter_records(on_damage=rebuild.note_damage):
        if isinstance(record, RevisionMark):
            rebuild.conclude(record)
        elif record.label.revision_id:
            rebuild.keep_aside(record)
        else:
            rebuild.add(record)
        rebuild.report.done_bytes = starts.get(record.position.container, 0) + record.position.length
        if on_progress is not None:
            on_progress(rebuild.report)
    rebuild.end()
    now = clock.now().timestamp()
    index.commit([], now=now, erase_due_at=now, positions=positions)
    rebuild.report.done_bytes = rebuild.report.total_bytes
    return rebuild.report


def _starts(positions: list[BlobPosition]) -> dict[int, int]:
    starts: dict[int, int] = {}
    total = 0
    for position in positions:
        starts[position.container] = total
        total += position.length
    return starts


class _Rebuild:
    """The batch that gathers, and the report that grows."""

    def __init__(self, index: InstanceIndex, blobs: BlobStore, clock: Clock, report: ReindexReport) -> None:
        self.report = report
        self._index = index
        self._blobs = blobs
        self._clock = clock
        self._batch: list[NewInstance] = []
        self._identifiers: set[InstanceIdentifier] = set()
        self._aside: dict[str, list[BlobRecord]] = {}
        """New versions that wait for the mark of their revision, which is about one study: some hundred bytes each."""

    def note_damage(self, damage: DamagedRecord) -> None:
        self.report.damaged_count += 1
        if len(self.report.damaged) < REPORT_COUNT_MAX:
            self.report.damaged.append(damage)

    def add(self, record: BlobRecord) -> None:
        """Take a record into the batch; a second version of one instance begins the next batch."""
        try:
            instance = new_instance_of(self._blobs, record, self._index.query_tags.active())
        except InvalidDataset as error:
            self._note_refusal(record, error)
            return
        if instance.identifier in self._identifiers or len(self._batch) >= BATCH_COUNT_MAX:
            self.flush()
        self._batch.append(instance)
        self._identifiers.add(instance.identifier)

    def keep_aside(self, record: BlobRecord) -> None:
        """Take a new version of a revision, which counts from its mark on."""
        self._aside.setdefault(record.label.revision_id, []).append(record)

    def conclude(self, mark: RevisionMark) -> None:
        """Let the new versions of a revision count: together, and after all that came before the mark."""
        records = self._aside.pop(mark.revision_id, [])
        self.flush()
        self.report.instances += self._stage(records)
        conclude_marked(self._index, self._clock, mark)

    def _stage(self, records: list[BlobRecord]) -> int:
        count = 0
        for start in range(0, len(records), BATCH_COUNT_MAX):
            staged: list[NewInstance] = []
            for record in records[start : start + BATCH_COUNT_MAX]:
                try:
                    staged.append(
                        as_staged(
                            self._index, record, new_instance_of(self._blobs, record, self._index.query_tags.active())
                        )
                    )
                except InvalidDataset as error:
                    self._note_refusal(record, error)
            self._commit(staged)
            count += len(staged)
        return count

    def end(self) -> None:
        """Commit what is left. What belongs to a revision without a mark never counted, unless the mark is damaged.

        Its operation, if it is still open, goes on with it; else the next start destroys it.
        """
        self.flush()
        for records in self._aside.values():
            self.report.unfinished_count += len(records)
            if not self.report.damaged_count:
                self._stage(records)

    def _commit(self, instances: list[NewInstance]) -> None:
        now = self._clock.now().timestamp()
        self._index.commit(instances, now=now, erase_due_at=now)

    def flush(self) -> None:
        if self._batch:
            self._commit(self._batch)
            self.report.instances += len(self._batch)
            self._batch = []
            self._identifiers = set()

    def _note_refusal(self, record: BlobRecord, error: IsocenterError) -> None:
        self.report.refused_count += 1
        if len(self.report.refused) < REPORT_COUNT_MAX:
            self.report.refused.append(RefusedRecord(record.label.identifier, error.message))
