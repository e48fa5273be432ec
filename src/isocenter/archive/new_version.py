"""A new version of a stored instance: its bytes with some attributes changed, staged by the group commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from isocenter.archive.archive import Archive
from isocenter.archive.intake import Arrival
from isocenter.archive.query_tag_values import QueryTagValues
from isocenter.archive.recover import describe_instance
from isocenter.dicom.amend import Copied, Piece, amend_file
from isocenter.dicom.amend_text import Texts
from isocenter.dicom.change_set import SERIES_INSTANCE_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from isocenter.domain.errors import Broken
from isocenter.domain.identifiers import InstanceIdentifier
from isocenter.domain.outcome import DuplicatePolicy, StoreOutcome
from isocenter.ports.blobs import BlobAddress, BlobLabel, BlobRecord, BlobSpool, Buffer
from isocenter.ports.index import InstanceRow, Membership, NewInstance

GROWTH_MAX_BYTES = 1024**2
"""More than new values and their headers take."""
CHUNK_BYTES = 1024**2


class NewVersions:
    """Make the new versions of a revision."""

    def __init__(self, archive: Archive, *, revision_id: str, texts: Texts) -> None:
        self._archive = archive
        self._revision_id = revision_id
        self._texts = texts

    def submit(self, row: InstanceRow) -> Future[StoreOutcome]:
        """Queue the new version of an instance; the future ends when it is staged durably.

        Raises InvalidDataset where the values cannot be written into it, CorruptInstance, Unavailable.
        """
        with self._archive.blobs.view(row.address) as content:
            pieces = self._bytes(row, amend_file(content, self._texts))
            if row.address.length + GROWTH_MAX_BYTES > self._archive.settings.spool_threshold_bytes:
                return self._submit_from_disk(row, pieces)
            return self._submit_from_memory(row, b"".join(pieces))

    def _bytes(self, row: InstanceRow, pieces: Iterable[Piece]) -> Iterator[bytes]:
        """Yield the bytes of pieces, what is copied read anew and verified."""
        for piece in pieces:
            if isinstance(piece, Copied):
                yield from self._archive.blobs.iter_chunks(
                    row.address, start=piece.start, length=piece.end - piece.start, chunk_size_bytes=CHUNK_BYTES
                )
            else:
                yield piece

    def _submit_from_memory(self, row: InstanceRow, content: bytes) -> Future[StoreOutcome]:
        return self._archive.intake.submit(self._arrival(row, content, content=content, size_bytes=len(content)))

    def _submit_from_disk(self, row: InstanceRow, pieces: Iterable[bytes]) -> Future[StoreOutcome]:
        spool = self._archive.blobs.open_spool()
        try:
            size_bytes = 0
            for chunk in pieces:
                spool.write(chunk)
                size_bytes += len(chunk)
            with spool.view() as view:
                arrival = self._arrival(row, view, spool=spool, size_bytes=size_bytes)
            return self._archive.intake.submit(arrival)
        except BaseException:
            spool.discard()
            raise

    def _arrival(
        self,
        row: InstanceRow,
        buffer: Buffer,
        *,
        size_bytes: int,
        content: bytes | None = None,
        spool: BlobSpool | None = None,
    ) -> Arrival:
        new = self._describe(row, buffer, size_bytes=size_bytes)
        return Arrival(
            identifier=new.identifier,
            sop_class_uid=new.sop_class_uid,
            transfer_syntax_uid=new.transfer_syntax_uid,
            attributes=dict(new.attributes),
            header_length=new.header_length,
            frame_table=new.frame_table,
            source=row.source,
            policy=DuplicatePolicy.KEEP,
            content=content,
            spool=spool,
            size_bytes=size_bytes,
            invalid_paths=new.invalid_paths,
            query_tags=QueryTagValues(new.query_tag_keys, new.query_tag_values),
            membership=Membership(self._revision_id, row.instance_key),
            replaces=row.identifier if new.identifier != row.identifier else None,
        )

    def _describe(self, row: InstanceRow, buffer: Buffer, *, size_bytes: int) -> NewInstance:
        """Scan what was made, as everything that comes in is, and hold it against what it was to become."""
        expected = self._expected(row.identifier)
        label = BlobLabel(expected, row.transfer_syntax_uid, row.received_at, row.source)
        record = BlobRecord(label, BlobAddress(0, 0, size_bytes, b""))
        new = describe_instance(buffer, record, self._archive.index.query_tags.active())
        if new.identifier != expected or new.sop_class_uid != row.sop_class_uid:
            raise Broken("The new version is not of the instance that it was made from.")
        return new

    def _expected(self, before: InstanceIdentifier) -> InstanceIdentifier:
        def uid(tag: int, own: str) -> str:
            return self._texts[tag][1] if tag in self._texts else own

        return InstanceIdentifier(
            uid(STUDY_INSTANCE_UID, before.study_instance_uid),
            uid(SERIES_INSTANCE_UID, before.series_instance_uid),
            uid(SOP_INSTANCE_UID, before.sop_instance_uid),
            before.partition_name,
        )
