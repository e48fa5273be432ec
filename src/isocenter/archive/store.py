"""Store an instance: collect its bytes, scan, identify, and hand it to the group commit.

reception = begin_store(archive, principal, source="stow")
reception.write(chunk) …               memory up to a threshold, then a spool on disk
future = reception.finish()            scanned, identified, queued
future.result()                        a StoreOutcome: durable
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from isocenter.archive.archive import Archive
from isocenter.archive.identify import (
    SOP_CLASS_UID,
    STUDY_INSTANCE_UID,
    WANTED_TAGS,
    comment_on,
    identify,
    number_of_frames,
)
from isocenter.archive.intake import Arrival
from isocenter.archive.planning import Planner
from isocenter.archive.query_tag_values import NO_QUERY_TAGS, look_for
from isocenter.archive.validate import Findings, validate, validation_of
from isocenter.dicom.frames import build_frame_table
from isocenter.dicom.model import ScannedInstance
from isocenter.dicom.part10 import PREAMBLE_LENGTH
from isocenter.dicom.query_tag_values import tags_to_locate
from isocenter.dicom.scan import ScannedHeader, scan_beginning, scan_header, scan_instance, scan_known_header
from isocenter.dicom.shapes import HEADER_LENGTH_MAX
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.errors import StudyMismatch, TooLarge, UnexpectedInstance
from isocenter.domain.external_metadata import ExternalValue
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.outcome import DuplicatePolicy, StoreOutcome
from isocenter.domain.principal import DataAction, Principal
from isocenter.domain.query_tag import QueryTag
from isocenter.ports.blobs import BlobSpool, Buffer, Payload


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a sender said of an instance before its data set came, and the head of a file that is put before that."""

    sop_class_uid: str
    sop_instance_uid: str
    head: bytes
    """Preamble and file meta information. An instance that is stored with another head is the same instance."""


class Reception:
    """One instance while its bytes come in."""

    def __init__(
        self,
        archive: Archive,
        *,
        source: str,
        policy: DuplicatePolicy,
        partition_name: str,
        study_instance_uid: str | None,
        announced: Announcement | None = None,
    ) -> None:
        self._archive = archive
        self._source = source
        self._policy = policy
        self._partition_name = partition_name
        self._study_instance_uid = study_instance_uid
        self._chunks: list[Buffer] = []
        self._size_bytes = 0
        self._spool: BlobSpool | None = None
        self._announced = announced
        self._validation = validation_of(source, is_full=archive.settings.validates_fully)
        self._query_tags: tuple[QueryTag, ...] = ()
        self.external_metadata: tuple[ExternalValue, ...] = ()
        """What comes beside it for its study, of tags that are registered; set before it is finished."""
        self.planner: Planner | None = None
        """Says where it goes, so that its deliveries commit with it; set before it is finished."""
        self.scanned: ScannedInstance | None = None
        self.findings: Findings | None = None
        """What validation found, where one was asked for and the instance can be kept."""
        if announced is not None:
            self.write(announced.head)

    @property
    def size_bytes(self) -> int:
        """Return how many bytes have come."""
        return self._size_bytes

    @property
    def is_on_disk(self) -> bool:
        """Tell whether the bytes are on disk already."""
        return self._spool is not None

    def is_for_disk(self, length: int) -> bool:
        """Tell whether writing so many more bytes goes to disk and should not run where it would hold others up."""
        return self.is_on_disk or self._size_bytes + length > self._archive.settings.spool_threshold_bytes

    def write(self, chunk: Buffer) -> None:
        """Take the next bytes.

        Raises TooLarge beyond the archive's limit, StorageFull or StorageFailed from the spool.
        """
        left = PREAMBLE_LENGTH - self._size_bytes
        if left > 0 and self._archive.settings.zeroes_preambles and any(chunk[:left]):
            self._take(bytes(min(left, len(chunk))))
            chunk = memoryview(chunk)[left:]
        self._take(chunk)

    def _take(self, chunk: Buffer) -> None:
        self._size_bytes += len(chunk)
        if self._size_bytes > self._archive.settings.instance_size_max_bytes:
            self.abort()
            limit = self._archive.settings.instance_size_max_bytes
            raise TooLarge(f"The request exceeded the allowed limit of {limit} bytes.")
        if self._spool is not None:
            self._spool.write(chunk)
            return
        self._chunks.append(chunk)
        if self._size_bytes > self._archive.settings.spool_threshold_bytes:
            self._move_to_disk()

    def go_to_disk(self) -> None:
        """Free the memory: what came and what comes lies on disk from here on. Raises StorageFull, StorageFailed."""
        if self._spool is None:
            self._move_to_disk()

    def _move_to_disk(self) -> None:
        self._spool = self._archive.blobs.open_spool()
        for chunk in self._chunks:
            self._spool.write(chunk)
        self._chunks.clear()

    def finish(self) -> Future[StoreOutcome]:
        """Scan, identify and queue the instance.

        Raises InvalidDataset for bytes that are no instance that can be kept, Overloaded, StorageFailed.
        """
        return self._submit(self._scan_all)

    def finish_known(self) -> Future[StoreOutcome] | None:
        """Do the same if the header is like one that was scanned lately, which costs little; None where it is not.

        After None the instance is still to be finished.
        """
        if self._spool is not None or len(self._chunks) < 2:
            return None
        scanned = self._scan_beginning(self._beginning())
        if scanned is None:
            return None
        content = tuple(self._chunks)
        return self._submit(lambda: self._arrival(scanned, content, b""))

    def _scan_beginning(self, beginning: Buffer) -> ScannedInstance | ScannedHeader | None:
        size_bytes, shapes, validation = self._size_bytes, self._archive.header_shapes, self._validation
        self._query_tags = self._archive.index.query_tags.active()
        if self._needs_no_values:
            return scan_beginning(beginning, size_bytes=size_bytes, wanted=WANTED_TAGS, shapes=shapes)
        return scan_known_header(
            beginning,
            size_bytes=size_bytes,
            wanted=WANTED_TAGS,
            shapes=shapes,
            takes_all=validation is not None and validation.looks_at_all,
            located=self._located,
        )

    @property
    def _needs_no_values(self) -> bool:
        """Tell whether nobody looks at values but the index."""
        return self._validation is None and not self._query_tags and self.planner is None

    @property
    def _located(self) -> frozenset[int]:
        """Return what others than the index look at."""
        located = tags_to_locate(self._query_tags)
        return located if self.planner is None else located | self.planner.tags

    def _submit(self, make_arrival: Callable[[], Arrival]) -> Future[StoreOutcome]:
        try:
            arrival = make_arrival()
            future = self._archive.intake.submit(arrival)
            if self.planner is not None:
                future.add_done_callback(partial(_tell, self.planner, arrival.deliveries))
            return future
        except BaseException:
            self.abort()
            raise
        finally:
            self._chunks.clear()

    def _beginning(self) -> Buffer:
        """Return the bytes in which the header of a known shape lies, in one piece."""
        if len(self._chunks[0]) >= HEADER_LENGTH_MAX:
            return self._chunks[0]
        beginning = bytearray()
        for chunk in self._chunks:
            beginning += chunk[: HEADER_LENGTH_MAX - len(beginning)]
            if len(beginning) == HEADER_LENGTH_MAX:
                break
        return beginning

    def abort(self) -> None:
        """Drop what came in; harmless at any time before `finish` and after a failed one."""
        self._chunks.clear()
        if self._spool is not None:
            self._spool.discard()
            self._spool = None

    def _scan_all(self) -> Arrival:
        if self._spool is None:
            content = b"".join(self._chunks)
            return self._scan(content, content)
        with self._spool.view() as view:
            return self._scan(view, None)

    def _scan(self, buffer: Buffer, content: Buffer | None) -> Arrival:
        shapes, validation = self._archive.header_shapes, self._validation
        self._query_tags = self._archive.index.query_tags.active()
        if self._needs_no_values:
            return self._arrival(scan_instance(buffer, wanted=WANTED_TAGS, shapes=shapes), content, buffer)
        header = scan_header(
            buffer,
            wanted=WANTED_TAGS,
            shapes=shapes,
            takes_all=validation is not None and validation.looks_at_all,
            located=self._located,
        )
        return self._arrival(header, content, buffer)

    def _arrival(self, found: ScannedInstance | ScannedHeader, content: Payload | None, buffer: Buffer) -> Arrival:
        """Return what is to become durable; `buffer` is asked for where pixel data is encapsulated."""
        self.scanned = scanned = found.scanned if isinstance(found, ScannedHeader) else found
        if isinstance(found, ScannedHeader) and self._validation is not None:
            self.findings = validate(found, self._validation)
        looked_up = NO_QUERY_TAGS
        if isinstance(found, ScannedHeader) and self._query_tags:
            looked_up, self.findings = look_for(found, self._query_tags, self._validation, self.findings)
        identifier = identify(scanned, partition_name=self._partition_name)
        expected = self._study_instance_uid
        if expected is not None and identifier.study_instance_uid != expected:
            raise StudyMismatch(comments=(comment_on(STUDY_INSTANCE_UID, _STUDY_MISMATCH),))
        if self._announced is not None:
            _require_announced(self._announced, identifier.sop_instance_uid, scanned.attributes[SOP_CLASS_UID])
        table = build_frame_table(buffer, scanned, number_of_frames=number_of_frames(scanned))
        return Arrival(
            identifier=identifier,
            sop_class_uid=scanned.attributes[SOP_CLASS_UID],
            transfer_syntax_uid=scanned.encoding.transfer_syntax_uid,
            attributes=dict(scanned.attributes if self.findings is None else self.findings.attributes),
            header_length=min(scanned.header_length, self._size_bytes),
            frame_table=table.encode() if table is not None else b"",
            source=self._source,
            policy=self._policy,
            content=content,
            spool=self._spool,
            size_bytes=self._size_bytes,
            added_head_length=len(self._announced.head) if self._announced is not None else 0,
            invalid_paths=() if self.findings is None else self.findings.invalid_paths,
            query_tags=looked_up,
            external_metadata=self.external_metadata,
            deliveries=self._plan(found),
        )

    def _plan(self, found: ScannedInstance | ScannedHeader) -> tuple[DeliveryPlan, ...]:
        if self.planner is None or not isinstance(found, ScannedHeader):
            return ()
        return self.planner.plan(found, size_bytes=self._size_bytes)


def _tell(planner: Planner, plans: tuple[DeliveryPlan, ...], future: Future[StoreOutcome]) -> None:
    if future.exception() is None:
        planner.begun(plans)


def _require_announced(announced: Announcement, sop_instance_uid: str, sop_class_uid: str) -> None:
    if sop_class_uid != announced.sop_class_uid:
        raise UnexpectedInstance("The SOP class of the data set is not the one announced.")
    if sop_instance_uid != announced.sop_instance_uid:
        raise UnexpectedInstance("The SOP instance of the data set is not the one announced.")


_STUDY_MISMATCH = "The StudyInstanceUid in the payload does not match the specified StudyInstanceUid."


def begin_store(
    archive: Archive,
    principal: Principal,
    *,
    source: str,
    policy: DuplicatePolicy | None = None,
    partition_name: str = DEFAULT_PARTITION,
    study_instance_uid: str | None = None,
    announced: Announcement | None = None,
) -> Reception:
    """Begin to take in one instance; with `study_instance_uid`, only one of that study.

    With `announced`, what is written is a data set, and only that of this instance. How valid its
    values must be depends on the source (`validate`). Raises Forbidden where the principal may not write.
    """
    principal.require(DataAction.WRITE)
    return Reception(
        archive,
        source=source,
        policy=policy or archive.settings.duplicate_policy,
        partition_name=partition_name,
        study_instance_uid=study_instance_uid,
        announced=announced,
    )
