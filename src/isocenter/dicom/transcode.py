"""Change the transfer syntax of a frame or of a whole instance; and tell when a viewer needs that.

Samples are never changed but where the source was already decoded lossily; attributes that say otherwise
(photometric interpretation, planar configuration) follow the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import imagecodecs
import numpy as np

from isocenter.dicom._codec_headers import parse_jpeg_header
from isocenter.dicom._color import rgb_to_ybr_full
from isocenter.dicom._rewrite import Values, element_header, header_writer, write_file_start
from isocenter.dicom.codecs import DecodeFrame, decode_frame, decoded_photometric_interpretation
from isocenter.dicom.frames import FrameTable
from isocenter.dicom.model import UNDEFINED_LENGTH, PixelElement, ScannedInstance
from isocenter.dicom.part10 import OpenedFile, open_file
from isocenter.dicom.pixels import (
    HIGH_BIT,
    PHOTOMETRIC_INTERPRETATION,
    PIXEL_DATA,
    PLANAR_CONFIGURATION,
    Buffer,
    PixelArray,
    PixelDescription,
    frame_bit_offset,
)
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS
from isocenter.domain.errors import InvalidDataset, NotAcceptable

JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
TARGET_SYNTAXES = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, JPEG_2000_LOSSLESS})
"""What an instance can be transcoded to: for web clients all but the implicit one, which every DIMSE receiver takes."""
CHUNK_SIZE_BYTES = 1 << 20
"""Native pixels are handed out in pieces of this size."""
JPEG_2000_BITS_MAX = 24
"""What the encoder was found to keep without loss."""
VALUE_LENGTH_MAX = 0xFFFFFFFE
"""The longest value of defined length (PS3.5 7.1.2)."""

_VIEWABLE = frozenset(
    {EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS}
    | {f"1.2.840.10008.1.2.4.{ending}" for ending in ("50", "80", "81", "90", "91", "201", "202", "203")}
)
_JPEG_LOSSLESS = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
_LITTLE_ENDIAN_NATIVE = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.1.99"})


class FrameTranscoder(Protocol):
    """Something that writes a frame in another transfer syntax."""

    def __call__(
        self, data: Buffer, description: PixelDescription, *, bit_offset: int = 0, decode: DecodeFrame = decode_frame
    ) -> bytes:
        """Return the frame's bytes."""
        ...


def viewer_transfer_syntax(transfer_syntax_uid: str, first_frame: Buffer = b"") -> str:
    """Return the syntax in which a web viewer shows frames rightly: the stored one, or Explicit VR Little Endian.

    Lossless JPEG passes only without point transform, for which its first frame is looked at (viewer-ui 2.3).
    """
    if transfer_syntax_uid in _VIEWABLE:
        return transfer_syntax_uid
    if transfer_syntax_uid in _JPEG_LOSSLESS and _is_whole(first_frame):
        return transfer_syntax_uid
    return EXPLICIT_VR_LITTLE_ENDIAN


def _is_whole(frame: Buffer) -> bool:
    try:
        return parse_jpeg_header(memoryview(frame)).point_transform == 0
    except (InvalidDataset, NotAcceptable):
        return False


def transcode_frame_to_native(
    data: Buffer, description: PixelDescription, *, bit_offset: int = 0, decode: DecodeFrame = decode_frame
) -> bytes:
    """Return a frame as it lies in Explicit VR Little Endian, fitting the attributes as they are stated.

    Planar configuration and subsampling stay what the data set says, since its metadata go out unchanged. Only
    YBR_ICT and YBR_RCT, which exist in JPEG 2000 alone, become RGB.
    """
    if description.transfer_syntax_uid in _LITTLE_ENDIAN_NATIVE:
        return bytes(data)
    frame = decode(data, description, bit_offset=bit_offset)
    if description.samples_per_pixel == 3:
        frame = _as_stated(frame, description)
    return _native_bytes(frame, description)


def transcode_frame_to_jpeg_2000(
    data: Buffer, description: PixelDescription, *, bit_offset: int = 0, decode: DecodeFrame = decode_frame
) -> bytes:
    """Return a frame as a JPEG 2000 lossless codestream, whose decoder gives the samples that the attributes state.

    Raises NotAcceptable where JPEG 2000 does not hold such samples, or they cannot be decoded.
    """
    _require_jpeg_2000(description)
    frame = decode(data, description, bit_offset=bit_offset)
    return _encode_jpeg_2000(frame, description, is_rgb=_is_rgb(description))


def _as_stated(frame: PixelArray, description: PixelDescription) -> PixelArray:
    stated = description.photometric_interpretation
    if stated.startswith("YBR_FULL") and decoded_photometric_interpretation(description) == "RGB":
        frame = rgb_to_ybr_full(frame)
    if stated == "YBR_FULL_422":
        if description.columns % 2:
            raise NotAcceptable("Subsampled pixels need an even number of columns.")
        return np.stack([frame[:, 0::2, 0], frame[:, 1::2, 0], frame[:, 0::2, 1], frame[:, 0::2, 2]], axis=-1)
    return frame.transpose(2, 0, 1) if description.planar_configuration == 1 else frame


def _native_bytes(frame: PixelArray, description: PixelDescription) -> bytes:
    if description.bits_allocated == 1:
        return np.packbits(frame.view(np.uint8).ravel(), bitorder="little").tobytes()
    return frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()


def transcode_instance(
    buffer: Buffer,
    scanned: ScannedInstance,
    frame_table: FrameTable | None,
    target_transfer_syntax_uid: str,
    *,
    decode: DecodeFrame = decode_frame,
) -> Iterator[bytes]:
    """Return the pieces of the instance as a file in the target syntax; frames are decoded as they are taken.

    The first frame is decoded before this returns, so that what cannot be transcoded is refused before a byte went out.
    Raises NotAcceptable or InvalidDataset.
    """
    if target_transfer_syntax_uid not in TARGET_SYNTAXES:
        raise NotAcceptable("Instances are transcoded to little-endian native syntaxes or JPEG 2000 lossless only.")
    opened = open_file(buffer)
    if scanned.pixel_element is None:
        return iter([write_file_start(opened, transfer_syntax_uid=target_transfer_syntax_uid, replaced={})])
    source = _Source(opened, scanned.pixel_element, PixelDescription.of_scanned(scanned), frame_table, decode)
    if target_transfer_syntax_uid == JPEG_2000_LOSSLESS:
        return _begun(_to_jpeg_2000(source))
    if not scanned.encoding.is_encapsulated:
        return _begun(_native_to_native(source, target_transfer_syntax_uid))
    return _begun(_to_native(source, target_transfer_syntax_uid))


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the pieces with the first two made already: the header, and the first of the pixels."""
    header = next(pieces)
    first = next(pieces, b"")

    def resumed() -> Iterator[bytes]:
        yield header
        yield first
        yield from pieces

    return resumed()


class _Source:
    """An instance with pixels that is being transcoded."""

    __slots__ = ("decode", "description", "frame_table", "opened", "pixel_element")

    def __init__(
        self,
        opened: OpenedFile,
        pixel_element: PixelElement,
        description: PixelDescription,
        frame_table: FrameTable | None,
        decode: DecodeFrame,
    ) -> None:
        self.opened = opened
        self.pixel_element = pixel_element
        self.description = description
        self.frame_table = frame_table
        self.decode = decode

    def header(self, transfer_syntax_uid: str, replaced: Values) -> bytes:
        return write_file_start(self.opened, transfer_syntax_uid=transfer_syntax_uid, replaced=replaced)

    def frames(self) -> Iterator[PixelArray]:
        """Yield every frame, decoded."""
        if self.frame_table is None:
            raise NotAcceptable("The frames of the instance cannot be told apart.")
        if self.frame_table.number_of_frames != self.description.number_of_frames:
            raise NotAcceptable("The pixel data does not hold as many frames as the attributes say.")
        is_native = not self.opened.encoding.is_encapsulated
        for index in range(self.description.number_of_frames):
            bit_offset = frame_bit_offset(self.description, index + 1) if is_native else 0
            yield self.decode(self._frame(self.frame_table, index), self.description, bit_offset=bit_offset)

    def _frame(self, frame_table: FrameTable, index: int) -> bytes:
        view, element = memoryview(self.opened.buffer), self.pixel_element
        if element.length != UNDEFINED_LENGTH and self.description.number_of_frames == 1:
            return bytes(view[element.value_offset : element.value_offset + element.length])
        return b"".join(bytes(view[offset : offset + length]) for offset, length in frame_table.frame_ranges(index))


def _native_to_native(source: _Source, target: str) -> Iterator[bytes]:
    element = source.pixel_element
    yield source.header(target, {})
    length = element.length + element.length % 2
    vr = "OW" if source.description.bits_allocated > 8 and element.tag == PIXEL_DATA else element.vr
    yield header_writer(target)(element.tag, vr, length)
    view = memoryview(source.opened.buffer)[element.value_offset : element.value_offset + element.length]
    swap = _swap(source.description, vr, source.opened.encoding.is_little_endian)
    for start in range(0, len(view), CHUNK_SIZE_BYTES):
        yield swap(bytes(view[start : start + CHUNK_SIZE_BYTES]))
    if element.length % 2:
        yield b"\0"


def _swap(description: PixelDescription, vr: str, is_little_endian: bool) -> Callable[[bytes], bytes]:
    """Return what brings words into little-endian order."""
    size = 1 if vr == "OB" else max(2, description.bits_allocated // 8)
    if is_little_endian or size == 1:
        return bytes
    return lambda chunk: np.frombuffer(chunk[: len(chunk) // size * size], f">u{size}").astype(f"<u{size}").tobytes()


def _to_native(source: _Source, target: str) -> Iterator[bytes]:
    description = source.description
    bits = description.samples_per_frame * description.bits_allocated * description.number_of_frames
    length = (bits + 7) // 8
    if length + length % 2 > VALUE_LENGTH_MAX:
        raise NotAcceptable("The pixel data is too long to be uncompressed.")
    yield source.header(target, _decoded_attributes(description))
    vr = "OB" if description.bits_allocated <= 8 else "OW"
    packer = _Packer(description)
    start = header_writer(target)(description.pixel_tag, vr, length + length % 2)
    for frame in source.frames():
        yield start + packer.add(frame)
        start = b""
    yield packer.rest() + (b"\0" if length % 2 else b"")


class _Packer:
    """Joins frames as native pixel data joins them: those of one bit without regard to bytes (PS3.5 8.1.1)."""

    __slots__ = ("_bits", "_description")

    def __init__(self, description: PixelDescription) -> None:
        self._description = description
        self._bits = np.empty(0, dtype=np.uint8)

    def add(self, frame: PixelArray) -> bytes:
        if self._description.bits_allocated > 1:
            return _native_bytes(frame, self._description)
        bits = np.concatenate([self._bits, frame.view(np.uint8).ravel()])
        whole = len(bits) // 8 * 8
        self._bits = bits[whole:]
        return np.packbits(bits[:whole], bitorder="little").tobytes()

    def rest(self) -> bytes:
        return np.packbits(self._bits, bitorder="little").tobytes()


def _decoded_attributes(description: PixelDescription) -> Values:
    values = {HIGH_BIT: ("US", (description.bits_stored - 1).to_bytes(2, "little"))}
    if description.samples_per_pixel > 1:
        interpretation = decoded_photometric_interpretation(description)
        values[PHOTOMETRIC_INTERPRETATION] = ("CS", interpretation.encode("ascii"))
        values[PLANAR_CONFIGURATION] = ("US", b"\0\0")
    return values


def _to_jpeg_2000(source: _Source) -> Iterator[bytes]:
    description = source.description
    _require_jpeg_2000(description)
    values = dict(_decoded_attributes(description))
    is_rgb = _is_rgb(description)
    if is_rgb:
        values[PHOTOMETRIC_INTERPRETATION] = ("CS", b"YBR_RCT")
    yield source.header(JPEG_2000_LOSSLESS, values)
    start = element_header(PIXEL_DATA, "OB", UNDEFINED_LENGTH) + _item(b"")
    for frame in source.frames():
        yield start + _item(_encode_jpeg_2000(frame, description, is_rgb=is_rgb))
        start = b""
    yield bytes.fromhex("feffdde000000000")


def _require_jpeg_2000(description: PixelDescription) -> None:
    if description.pixel_tag != PIXEL_DATA or description.bits_stored > JPEG_2000_BITS_MAX:
        raise NotAcceptable("JPEG 2000 lossless holds integers of up to 24 bits.")


def _is_rgb(description: PixelDescription) -> bool:
    return description.samples_per_pixel == 3 and decoded_photometric_interpretation(description) == "RGB"


def _encode_jpeg_2000(frame: PixelArray, description: PixelDescription, *, is_rgb: bool) -> bytes:
    if description.bits_stored <= 8:
        frame = frame.astype(f"{frame.dtype.kind}1")
    try:
        return bytes(
            imagecodecs.jpeg2k_encode(
                frame,
                level=0,
                codecformat="j2k",
                bitspersample=description.bits_stored,
                reversible=True,
                mct=is_rgb,
                verbose=0,
                numthreads=1,
            )
        )
    except (RuntimeError, ValueError) as error:
        raise NotAcceptable("The frame cannot be held in JPEG 2000.") from error


def _item(value: bytes) -> bytes:
    padding = b"\0" if len(value) % 2 else b""
    return bytes.fromhex("feff00e0") + (len(value) + len(padding)).to_bytes(4, "little") + value + padding
