"""Stored instances and frames in another transfer syntax than they came in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.archive.decoding import decoding_by
from isocenter.archive.header import not_acceptable_if_invalid, read_scanned_header
from isocenter.archive.retrieve import FrameReader, open_frames, read_whole
from isocenter.dicom import codecs
from isocenter.dicom.frames import FrameTable
from isocenter.dicom.pixels import PIXEL_TAGS
from isocenter.dicom.scan import scan_instance
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, transfer_syntax
from isocenter.dicom.transcode import (
    JPEG_2000_LOSSLESS,
    TARGET_SYNTAXES,
    FrameTranscoder,
    transcode_frame_to_jpeg_2000,
    transcode_frame_to_native,
    transcode_instance,
    viewer_transfer_syntax,
)
from isocenter.domain.errors import NotAcceptable
from isocenter.ports.index import InstanceRow

AS_STORED = "*"
FOR_VIEWER = "viewer"
"""As stored, unless browsers' decoders read it wrongly or not at all (viewer-ui 2.3)."""

_TOO_BIG = (
    "The specified instance is too large to be transcoded. Retrieve it in its original transfer syntax by specifying "
    "'transfer-syntax=*' in the Accept header."
)


def check_target(archive: Archive, row: InstanceRow, transfer_syntax_uid: str) -> None:
    """Raise NotAcceptable where an instance cannot be given in a transfer syntax."""
    if transfer_syntax_uid in (AS_STORED, row.transfer_syntax_uid):
        return
    if transfer_syntax_uid not in TARGET_SYNTAXES:
        raise NotAcceptable()
    if row.address.length > archive.settings.transcode_size_max_bytes:
        raise NotAcceptable(_TOO_BIG)
    has_pixels = row.header_length < row.address.length
    if has_pixels and transfer_syntax(row.transfer_syntax_uid).is_encapsulated:
        _check_decodable(row.transfer_syntax_uid)


def _check_decodable(transfer_syntax_uid: str) -> None:
    if not codecs.can_decode(transfer_syntax_uid):
        raise NotAcceptable(f"Instances stored in transfer syntax {transfer_syntax_uid} cannot be transcoded.")


def iter_transcoded(archive: Archive, row: InstanceRow, transfer_syntax_uid: str) -> Iterator[bytes]:
    """Yield an instance as a Part 10 file in another transfer syntax.

    Raises NotAcceptable where its pixels cannot be decoded.
    """
    content = read_whole(archive, row)
    scanned = scan_instance(content, wanted=PIXEL_TAGS)
    encoded = archive.index.frame_table(row.instance_key)
    table = FrameTable.decode(encoded) if encoded else None
    with not_acceptable_if_invalid():
        yield from transcode_instance(content, scanned, table, transfer_syntax_uid, decode=decoding_by(archive.decoder))


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's bytes, and the transfer syntax they are in."""

    content: bytes
    transfer_syntax_uid: str


def needs_decoding(row: InstanceRow, transfer_syntax_uid: str) -> bool:
    """Tell whether frames in a transfer syntax, `AS_STORED` or `FOR_VIEWER`, may go through an image codec."""
    stored = row.transfer_syntax_uid
    if transfer_syntax_uid == FOR_VIEWER:
        transfer_syntax_uid = viewer_transfer_syntax(stored)
    if transfer_syntax_uid in (AS_STORED, stored):
        return False
    return codecs.needs_codec(stored) or transfer_syntax_uid != EXPLICIT_VR_LITTLE_ENDIAN


def read_frames(
    archive: Archive, row: InstanceRow, frame_numbers: Sequence[int], *, transfer_syntax_uid: str
) -> Iterator[Frame]:
    """Return frames in a transfer syntax, `AS_STORED` or `FOR_VIEWER`, each read when it is asked for.

    Frames count from 1. Raises NotFound for one that is not there, NotAcceptable where it cannot be transcoded.
    """
    reader = open_frames(archive, row, frame_numbers)
    return (_frame(reader, number, transfer_syntax_uid) for number in frame_numbers)


def _frame(reader: FrameReader, frame_number: int, wanted: str) -> Frame:
    row = reader.row
    stored = row.transfer_syntax_uid
    content = reader.read(frame_number)
    if wanted == FOR_VIEWER:
        wanted = viewer_transfer_syntax(stored, content)
    if wanted == JPEG_2000_LOSSLESS and stored != wanted:
        _check_decodable(stored)
        return Frame(_transcoded(reader, frame_number, transcode_frame_to_jpeg_2000), JPEG_2000_LOSSLESS)
    if reader.bit_offset(frame_number):  # the frame begins within a byte: it is moved to the beginning of one
        return Frame(_transcoded(reader, frame_number, transcode_frame_to_native), stored)
    if wanted in (AS_STORED, stored):
        return Frame(content, stored)
    if wanted == EXPLICIT_VR_LITTLE_ENDIAN and _is_little_endian_native(stored):
        return Frame(content, EXPLICIT_VR_LITTLE_ENDIAN)
    if wanted != EXPLICIT_VR_LITTLE_ENDIAN:
        raise NotAcceptable()
    _check_decodable(stored)
    return Frame(_transcoded(reader, frame_number, transcode_frame_to_native), EXPLICIT_VR_LITTLE_ENDIAN)


def _is_little_endian_native(transfer_syntax_uid: str) -> bool:
    syntax = transfer_syntax(transfer_syntax_uid)
    return syntax.is_little_endian and not syntax.is_encapsulated


def _transcoded(reader: FrameReader, frame_number: int, transcode: FrameTranscoder) -> bytes:
    content = reader.read_to_decode(frame_number)
    with not_acceptable_if_invalid():
        description = read_scanned_header(reader.archive, reader.row, PIXEL_TAGS).describe_pixels()
        decode = decoding_by(reader.archive.decoder)
        return transcode(content, description, bit_offset=reader.bit_offset(frame_number), decode=decode)
