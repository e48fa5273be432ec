"""DICOM files on their way out by C-STORE: what each holds, and its data set, as it is or turned into another syntax.

Files are mapped, not read: a data set of any size goes out piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from mmap import ACCESS_READ, mmap

from isocenter.app.part10_files import FoundFile
from isocenter.archive.decoding import decoding_by
from isocenter.archive.identify import SOP_CLASS_UID, SOP_INSTANCE_UID
from isocenter.dicom.frames import build_frame_table
from isocenter.dicom.part10 import read_encoding
from isocenter.dicom.pixels import PIXEL_TAGS, PixelDescription
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.transcode import transcode_instance
from isocenter.dimse.scu.context_plan import InstanceKind
from isocenter.domain.errors import InvalidDataset
from isocenter.domain.identifiers import is_uid
from isocenter.ports.blobs import Buffer
from isocenter.ports.frame_decoder import FrameDecoder

PIECE_BYTES = 1024**2
"""What is handed to the association at once."""
WHOLE_MAX_BYTES = 64 * 1024**2
"""Up to this size a frame that cannot be decoded fails its file; beyond it, its association ends too."""


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file that holds an instance."""

    file: FoundFile
    kind: InstanceKind
    sop_instance_uid: str
    dataset_offset: int


def look_into(file: FoundFile) -> OutgoingFile:
    """Return what a file holds; raises InvalidDataset, and OSError where it cannot be read."""
    content = _mapped(file)
    scanned = scan_instance(content, wanted=frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID}))
    sop_class_uid = scanned.attributes.get(SOP_CLASS_UID, "")
    sop_instance_uid = scanned.attributes.get(SOP_INSTANCE_UID, "")
    if not is_uid(sop_class_uid) or not is_uid(sop_instance_uid):
        raise InvalidDataset("SOPClassUID or SOPInstanceUID is missing, or no UID.")
    kind = InstanceKind(sop_class_uid, scanned.encoding.transfer_syntax_uid)
    return OutgoingFile(file, kind, sop_instance_uid, scanned.dataset_offset)


def iter_dataset(outgoing: OutgoingFile) -> Iterator[Buffer]:
    """Yield the data set of a file as it is."""
    content = _mapped(outgoing.file)
    for start in range(outgoing.dataset_offset, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


def iter_converted(outgoing: OutgoingFile, transfer_syntax_uid: str, decoder: FrameDecoder) -> Iterator[Buffer]:
    """Yield the data set of a file in another transfer syntax, its samples unchanged.

    A small one is converted before this returns. Raises NotAcceptable or InvalidDataset where it cannot be.
    """
    content = _mapped(outgoing.file)
    scanned = scan_instance(content, wanted=PIXEL_TAGS)
    has_pixels = scanned.pixel_element is not None
    frames = PixelDescription.of_scanned(scanned).number_of_frames if has_pixels else None
    table = build_frame_table(content, scanned, number_of_frames=frames) if has_pixels else None
    pieces = transcode_instance(content, scanned, table, transfer_syntax_uid, decode=decoding_by(decoder))
    first = next(pieces)
    made = [first[read_encoding(first)[1] :]]
    size_bytes = len(first)
    for piece in pieces:
        made.append(piece)
        size_bytes += len(piece)
        if size_bytes > WHOLE_MAX_BYTES:
            return chain(made, pieces)
    return iter(made)


def begin(pieces: Iterator[Buffer]) -> list[bytes] | Iterator[Buffer]:
    """Return a data set of one piece read into memory, a longer one to be read piece by piece."""
    first, second = next(pieces, b""), next(pieces, None)
    return [bytes(first)] if second is None else chain([first, second], pieces)


def _mapped(file: FoundFile) -> memoryview:
    with open(file.path, "rb") as opened:
        # Not closed by hand: pieces are views of it. It goes with the last of them.
        return memoryview(mmap(opened.fileno(), 0, access=ACCESS_READ))
