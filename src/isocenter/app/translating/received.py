"""An instance that a service sent: which it is and how it is encoded, by its file meta information alone.

Nothing behind that is looked at, or copied: what is sent on are the pieces that came.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.app.translating.spool import Spool
from isocenter.dicom.element_view import view_dataset
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import META_LENGTH_MAX, META_OFFSET, encoding_of, read_encoding
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import InvalidDataset, Unavailable
from isocenter.ports.blobs import Buffer

_MEDIA_STORAGE_SOP_INSTANCE_UID, _SOP_INSTANCE_UID = 0x00020003, 0x00080018
_ELEMENT_HEAD_LENGTH = 8
"""So much must follow file meta information for its end to be seen."""


@dataclass(frozen=True, slots=True)
class Received:
    """An instance as it came."""

    spool: Spool
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset_offset: int

    def dataset(self) -> list[Buffer]:
        """Return the pieces of its data set."""
        left, pieces = self.dataset_offset, []
        for piece in self.spool.pieces():
            if left < len(piece):
                pieces.append(memoryview(piece)[left:] if left else piece)
            left = max(0, left - len(piece))
        return pieces


def receive(spool: Spool) -> Received:
    """Return what came; raises Unavailable for what is no instance."""
    try:
        head, (encoding, offset) = _head(spool)
        meta = view_dataset(memoryview(head)[META_OFFSET:offset], encoding_of(EXPLICIT_VR_LITTLE_ENDIAN))
        uid = meta.text_of(_MEDIA_STORAGE_SOP_INSTANCE_UID) or _scanned_uid(spool)
    except InvalidDataset as error:
        raise Unavailable("The service sent something that is no DICOM instance.") from error
    return Received(spool, uid, encoding.transfer_syntax_uid, offset)


def _head(spool: Spool) -> tuple[Buffer, tuple[Encoding, int]]:
    """Return the beginning of a file with all its file meta information, the encoding, and where the data set begins.

    Raises InvalidDataset.
    """
    head: Buffer = b""
    for piece in spool.pieces():
        head = piece if not head else bytes(head) + bytes(piece)
        try:
            read = read_encoding(head)
        except InvalidDataset:
            if len(head) > META_LENGTH_MAX:
                raise
        else:
            if read[1] + _ELEMENT_HEAD_LENGTH <= len(head):
                return head, read
    return head, read_encoding(head)


def _scanned_uid(spool: Spool) -> str:
    scanned = scan_instance(spool.content(), wanted=frozenset({_SOP_INSTANCE_UID}))
    return scanned.attributes.get(_SOP_INSTANCE_UID, "")
