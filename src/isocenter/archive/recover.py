"""Start-up: bring packs and index to agree after a crash, in bounded time (reliability R1, R12).

A batch is written to the pack before it is committed to the index, so after a crash a pack may be
longer than what the index knows: a tail. What of it is intact was sent by someone and harms
nothing: it is adopted. What is torn is cut off. New versions of a revision are staged, and become current
where its mark is found behind them. Nothing before the recorded fill is looked at, so
the time does not grow with the archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from isocenter.archive.identify import SOP_CLASS_UID, WANTED_TAGS, identify, number_of_frames
from isocenter.archive.query_tag_values import NO_QUERY_TAGS, look_again
from isocenter.archive.validate import Findings, validate, validation_of
from isocenter.dicom.frames import build_frame_table
from isocenter.dicom.model import ScannedInstance
from isocenter.dicom.scan import scan_header, scan_instance
from isocenter.dicom.shapes import HeaderShapes
from isocenter.dicom.walk import Buffer
from isocenter.domain.errors import Conflict, InvalidDataset, StorageFailed
from isocenter.domain.query_tag import QueryTag
from isocenter.ports.blobs import BlobAddress, BlobPosition, BlobRecord, BlobStore, RevisionMark
from isocenter.ports.clock import Clock
from isocenter.ports.index import InstanceIndex, Membership, NewInstance

_log = structlog.get_logger()

TAIL_SIZE_MAX_BYTES = 4 * 1024**3
"""Far more than any crash leaves (a batch, or one large instance). A longer tail means an index that is older than its
packs, as after restoring a backup of the index alone; walking it at start would take unbounded time."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a start found behind the fill that the index knows."""

    adopted: int
    cut_bytes: int


def recover(*, index: InstanceIndex, blobs: BlobStore, clock: Clock) -> Recovery:
    """Adopt the intact records of every tail, cut off the rest.

    Raises StorageFailed where the tails are longer than any crash leaves: the index must be rebuilt.
    """
    known = index.positions()
    tails = [
        (BlobPosition(position.container, known.get(position.container, 0)), position)
        for position in blobs.positions()
        if position.length > known.get(position.container, 0)
    ]
    size_bytes = sum(end.length - start.length for start, end in tails)
    if size_bytes > TAIL_SIZE_MAX_BYTES:
        raise StorageFailed(
            f"The packs hold {size_bytes} bytes that the index does not know: it is older than the packs. "
            "Run `isocenter reindex`."
        )
    _report_missing(known, blobs)
    adopted = cut_bytes = 0
    for start, end in tails:
        count, kept_length = _adopt_tail(index, blobs, clock, start)
        adopted += count
        cut_bytes += _cut(blobs, end, max(kept_length, start.length))
        now = clock.now().timestamp()
        index.commit([], now=now, erase_due_at=now, positions=[blobs.position(start.container)])
    if adopted or cut_bytes:
        _log.warning("recovery.repaired", adopted_instances=adopted, cut_bytes=cut_bytes)
    return Recovery(adopted=adopted, cut_bytes=cut_bytes)


def _report_missing(known: Mapping[int, int], blobs: BlobStore) -> None:
    """Say aloud where the index refers to bytes that are gone; what is left is served all the same."""
    filled = {position.container: position.length for position in blobs.positions()}
    for container, length in known.items():
        if filled.get(container, 0) < length:
            _log.error("recovery.pack_shorter_than_index", container=container, missing_bytes=length)


def _adopt_tail(index: InstanceIndex, blobs: BlobStore, clock: Clock, start: BlobPosition) -> tuple[int, int]:
    adopted, kept_length = 0, 0
    for record in blobs.iter_records(after=start):
        if record.position.container != start.container:
            break
        kept_length = record.position.length
        if isinstance(record, RevisionMark):
            conclude_marked(index, clock, record)
        else:
            adopted += _adopt_or_erase(index, blobs, clock, record)
    return adopted, kept_length


def conclude_marked(index: InstanceIndex, clock: Clock, mark: RevisionMark) -> None:
    """Make current what a mark says counts; left as it is staged where other query tags are looked for by now."""
    now = clock.now().timestamp()
    try:
        index.revisions.conclude(mark.revision_id, now=now, erase_due_at=now)
    except Conflict as error:  # the operation that it belongs to goes on, and begins that study again
        _log.warning("recovery.not_concluded", revision_id=mark.revision_id, reason=error.message)


def _adopt_or_erase(index: InstanceIndex, blobs: BlobStore, clock: Clock, record: BlobRecord) -> int:
    """Index an intact record, or destroy what is no instance.

    Where the instance is stored, the record is a later version of it and follows it as by a reindex, unless a start
    that was cut short did that already. One of a revision is staged, unless what it replaces is gone.
    """
    try:
        instance = new_instance_of(blobs, record, index.query_tags.active())
    except InvalidDataset:
        blobs.erase(record.address)
        return 0
    stored = index.find_stored([record.label.identifier]).get(record.label.identifier)
    if stored is not None and _place(stored.address) >= _place(record.address):
        return 0
    if record.label.revision_id:
        return _stage_or_erase(index, blobs, clock, record, instance)
    now = clock.now().timestamp()
    index.commit([instance], now=now, erase_due_at=now)
    return 1


def _stage_or_erase(
    index: InstanceIndex, blobs: BlobStore, clock: Clock, record: BlobRecord, instance: NewInstance
) -> int:
    staged = as_staged(index, record, instance)
    if staged.membership is None or staged.membership.replaced_key is None:
        blobs.erase(record.address)
        return 0
    now = clock.now().timestamp()
    index.commit([staged], now=now, erase_due_at=now)
    return 1


def as_staged(index: InstanceIndex, record: BlobRecord, instance: NewInstance) -> NewInstance:
    """Return a version with its revision and the current version that it replaces."""
    replaced = record.label.replaces or record.label.identifier
    row = index.find_stored([replaced]).get(replaced)
    key = None if row is None else row.instance_key
    return replace(instance, membership=Membership(record.label.revision_id, key))


def _place(address: BlobAddress) -> tuple[int, int]:
    """Return what grows in the order in which blobs were written."""
    return address.container, address.offset


def new_instance_of(blobs: BlobStore, record: BlobRecord, query_tags: tuple[QueryTag, ...] = ()) -> NewInstance:
    """Scan a record's bytes again and return what the index is to keep of it, and what it has of query tags.

    Raises InvalidDataset where the bytes are no instance by today's rules.
    """
    with blobs.view(record.address) as content:
        return describe_instance(content, record, query_tags)


def describe_instance(content: Buffer, record: BlobRecord, query_tags: tuple[QueryTag, ...] = ()) -> NewInstance:
    """Do the same for bytes that are, or are about to become, those of a record."""
    scanned, findings = _scan(content, source=record.label.source)
    table = build_frame_table(content, scanned, number_of_frames=number_of_frames(scanned))
    invalid_paths = () if findings is None else findings.invalid_paths
    looked_up = look_again(content, query_tags, invalid_paths) if query_tags else NO_QUERY_TAGS
    return NewInstance(
        identifier=identify(scanned, partition_name=record.label.identifier.partition_name),
        sop_class_uid=scanned.attributes[SOP_CLASS_UID],
        transfer_syntax_uid=scanned.encoding.transfer_syntax_uid,
        attributes=dict(scanned.attributes if findings is None else findings.attributes),
        address=record.address,
        header_length=min(scanned.header_length, record.address.length),
        frame_table=table.encode() if table is not None else b"",
        received_at=record.label.received_at,
        source=record.label.source,
        keep_previous=record.label.supersedes,
        invalid_paths=invalid_paths,
        query_tag_keys=looked_up.keys,
        query_tag_values=looked_up.values,
    )


def _scan(content: Buffer, *, source: str) -> tuple[ScannedInstance, Findings | None]:
    """Scan a record and validate it as when it came in; what was kept then is kept, whatever the rules say today."""
    validation = validation_of(source)
    if validation is None:
        return scan_instance(content, wanted=WANTED_TAGS), None
    header = scan_header(content, wanted=WANTED_TAGS, shapes=HeaderShapes(), takes_all=validation.looks_at_all)
    try:
        return header.scanned, validate(header, validation)
    except InvalidDataset:
        return header.scanned, None


def _cut(blobs: BlobStore, end: BlobPosition, kept_length: int) -> int:
    if kept_length >= end.length:
        return 0
    blobs.truncate(BlobPosition(end.container, kept_length))
    return end.length - kept_length
