"""Decode a frame of any transfer syntax to its samples.

Each codec is called only after the codestream's own header agreed with the image pixel attributes,
which are within limits; what it returns is measured again. Whatever a codec raises becomes
InvalidDataset. A native codec may still crash the process on hostile bytes, or hold it: a damaged JPEG-LS
frame, for half a minute. Whoever decodes what strangers sent does it in another process with a limit on its
time where `needs_codec` says so; a function of the kind `DecodeFrame` takes frames there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import imagecodecs
import numpy as np

from isocenter.dicom._codec_headers import (
    CodestreamHeader,
    check_end_of_image,
    check_jpeg_codestream,
    jpeg_2000_codestream,
    parse_jpeg_2000_header,
    parse_jpeg_header,
    parse_jpeg_xl_size,
)
from isocenter.dicom._codec_native import decode_native, decode_rle, inflate_frame
from isocenter.dicom._color import rgb_to_ybr_full
from isocenter.dicom.pixels import PIXEL_DATA, Buffer, PixelArray, PixelDescription
from isocenter.domain.errors import InvalidDataset, LimitExceeded, NotAcceptable

__all__ = [
    "DECODED_SYNTAXES",
    "DecodeFrame",
    "PixelDescription",
    "can_decode",
    "decode_frame",
    "decoded_photometric_interpretation",
    "needs_codec",
]

CODESTREAM_SLACK_BYTES = 1 << 20
"""A compressed frame may be larger than the native one by its headers and tables, not by more."""

_JPEG = ("50", "51", "52", "53", "54", "55", "56", "57", "70")
_JPEG_LS = ("80", "81")
_JPEG_2000 = ("90", "91", "201", "202", "203")
"""High-throughput ones too: OpenJPEG reads them and refuses damaged ones, which OpenJPH does not (decision 0003)."""
_JPEG_XL = ("110", "111", "112")
_BIG_ENDIAN = "1.2.840.10008.1.2.2"


def can_decode(transfer_syntax_uid: str) -> bool:
    """Tell whether frames of a transfer syntax can be decoded."""
    return transfer_syntax_uid in DECODED_SYNTAXES


def decode_frame(data: Buffer, description: PixelDescription, *, bit_offset: int = 0) -> PixelArray:
    """Return the samples of a frame as stored: rows × columns, or rows × columns × samples.

    Colours stay as `decoded_photometric_interpretation` names them. `bit_offset` is for native pixels of one bit,
    whose frames may begin within a byte (`frame_bit_offset`).
    """
    decoder = DECODED_SYNTAXES.get(description.transfer_syntax_uid)
    if decoder is None:
        raise NotAcceptable("Frames of this transfer syntax are not decoded.")
    view = memoryview(data).cast("B") if len(data) else memoryview(b"")
    if len(view) > 2 * (description.native_frame_bits // 8) + CODESTREAM_SLACK_BYTES:
        raise LimitExceeded("The frame has many more bytes than its image pixel attributes account for.")
    frame = decoder(view, description, bit_offset)
    if frame.shape != description.shape or frame.dtype != description.dtype:
        raise InvalidDataset("The decoded frame does not fit the image pixel attributes.")
    return frame


class DecodeFrame(Protocol):
    """Something that does what `decode_frame` does, perhaps elsewhere."""

    def __call__(self, data: Buffer, description: PixelDescription, *, bit_offset: int = 0) -> PixelArray:
        """Return the samples of a frame."""
        ...


def needs_codec(transfer_syntax_uid: str) -> bool:
    """Tell whether frames of a transfer syntax go through an image codec, which hostile ones may crash or hold.

    Native, run-length and deflated frames do not: what decodes them is bounded by the size of the frame.
    """
    return transfer_syntax_uid in _CODEC_SYNTAXES


def decoded_photometric_interpretation(description: PixelDescription) -> str:
    """Return what the samples of a decoded frame stand for."""
    stated = description.photometric_interpretation
    if description.samples_per_pixel == 1:
        return stated
    if stated in ("YBR_ICT", "YBR_RCT") or description.transfer_syntax_uid in _uids(_JPEG_XL):
        return "RGB"
    return {"YBR_FULL_422": "YBR_FULL", "YBR_PARTIAL_420": "YBR_PARTIAL_422"}.get(stated, stated)


def _uids(endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"1.2.840.10008.1.2.4.{ending}" for ending in endings)


def _native(data: memoryview, description: PixelDescription, bit_offset: int) -> PixelArray:
    is_big_endian = description.transfer_syntax_uid == _BIG_ENDIAN
    frame = decode_native(data, description, is_big_endian=is_big_endian, bit_offset=bit_offset)
    return _without_unused_bits(frame, description)


def _deflated(data: memoryview, description: PixelDescription, _: int) -> PixelArray:
    frame = decode_native(inflate_frame(data, description), description, is_big_endian=False)
    return _without_unused_bits(frame, description)


def _rle(data: memoryview, description: PixelDescription, _: int) -> PixelArray:
    try:
        return _without_unused_bits(decode_rle(data, description), description)
    except (RuntimeError, ValueError) as error:
        raise InvalidDataset("The run-length segments are damaged.") from error


def _jpeg(data: memoryview, description: PixelDescription, _: int) -> PixelArray:
    header = parse_jpeg_header(data)
    codestream = bytes(data)
    check_jpeg_codestream(codestream, header)
    _check_header(header, description)
    stored = "YCBCR" if header.adobe_transform == 1 else "RGB"
    wanted = "RGB" if description.photometric_interpretation == "RGB" else stored
    space = (stored, wanted) if description.samples_per_pixel == 3 else (None, None)
    frame = _decoded(lambda: imagecodecs.jpeg8_decode(codestream, colorspace=space[0], outcolorspace=space[1]))
    if header.adobe_transform == 0 and decoded_photometric_interpretation(description) == "YBR_FULL":
        frame = rgb_to_ybr_full(frame)
    return _as_stored(frame, description, header)


def _jpeg_ls(data: memoryview, description: PixelDescription, _: int) -> PixelArray:
    header = parse_jpeg_header(data)
    if header.process != 0xF7:
        raise InvalidDataset("The frame is not a JPEG-LS codestream.")
    _check_header(header, description)
    codestream = bytes(data)
    check_end_of_image(codestream)
    return _as_stored(_decoded(lambda: imagecodecs.jpegls_decode(codestream)), description, header)


def _jpeg_2000(data: memoryview, description: PixelDescription, _: int) -> PixelArray:
    codestream = jpeg_2000_codestream(data)
    header = parse_jpeg_2000_header(codestream)
    _check_header(header, description)
    frame = _decoded(lambda: imagecodecs.jpeg2k_decode(bytes(codestream), verbose=0, numthreads=1))
    return _as_stored(frame, description, header)


def _jpeg_xl(data: memoryview, description: PixelDescription, _: int) -> PixelArray:
    rows, columns = parse_jpeg_xl_size(data)
    header = CodestreamHeader(rows, columns, description.samples_per_pixel, description.bits_stored)
    _check_header(header, description)
    frame = _decoded(lambda: imagecodecs.jpegxl_decode(bytes(data), 0, keeporientation=True, numthreads=1))
    return _as_stored(frame, description, header)


def _check_header(header: CodestreamHeader, description: PixelDescription) -> None:
    size = (header.rows, header.columns, header.components)
    if size != (description.rows, description.columns, description.samples_per_pixel):
        raise InvalidDataset("The codestream has another size than the image pixel attributes.")
    if not 0 < header.precision <= max(8, description.bits_allocated) or description.pixel_tag != PIXEL_DATA:
        raise InvalidDataset("The precision of the codestream does not fit Bits Allocated.")


def _decoded(decode: Callable[[], PixelArray]) -> PixelArray:
    try:
        return decode()
    except (RuntimeError, ValueError, TypeError, MemoryError, OverflowError) as error:
        raise InvalidDataset("The codestream is damaged.") from error


def _as_stored(frame: PixelArray, description: PixelDescription, header: CodestreamHeader) -> PixelArray:
    """Return decoded samples with the size and the sign that the data set states.

    Codecs give the precision of the codestream, which may lack the sign bits or have a sign of its own.
    """
    if frame.dtype.kind not in "iu" or frame.size != description.samples_per_frame:
        raise InvalidDataset("The decoded frame does not fit the image pixel attributes.")
    stored = np.ascontiguousarray(frame.reshape(description.shape)).astype(description.dtype, copy=False)
    bits = 8 * description.dtype.itemsize
    if header.precision < bits and header.is_signed != bool(description.pixel_representation):
        return _shifted(stored, up=bits - header.precision, down=bits - header.precision)
    if header.precision > description.bits_stored:
        return _without_unused_bits(stored, description)
    return stored


def _without_unused_bits(frame: PixelArray, description: PixelDescription) -> PixelArray:
    """Return samples whose bits above and below the stored ones are gone and whose sign is extended (PS3.5 8.1.1)."""
    bits = 8 * description.dtype.itemsize
    if description.bits_stored in (1, bits) or frame.dtype.kind == "f":
        return frame
    return _shifted(frame, up=bits - 1 - description.high_bit, down=bits - description.bits_stored)


def _shifted(frame: PixelArray, *, up: int, down: int) -> PixelArray:
    shifted = np.left_shift(frame, up)
    return np.right_shift(shifted, down, out=shifted)


_CODEC_SYNTAXES = frozenset(_uids((*_JPEG, *_JPEG_LS, *_JPEG_2000, *_JPEG_XL)))
_Decoder = Callable[[memoryview, PixelDescription, int], PixelArray]
DECODED_SYNTAXES: Mapping[str, _Decoder] = MappingProxyType(
    {
        **dict.fromkeys(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", _BIG_ENDIAN, "1.2.840.10008.1.2.1.99"), _native),
        "1.2.840.10008.1.2.5": _rle,
        "1.2.840.10008.1.2.8.1": _deflated,
        **dict.fromkeys(_uids(_JPEG), _jpeg),
        **dict.fromkeys(_uids(_JPEG_LS), _jpeg_ls),
        **dict.fromkeys(_uids(_JPEG_2000), _jpeg_2000),
        **dict.fromkeys(_uids(_JPEG_XL), _jpeg_xl),
    }
)
"""Every transfer syntax whose frames are decoded, with what decodes it."""
