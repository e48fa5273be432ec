"""Frames that need no image codec: native, packed bits, run-length (PS3.5 annex G), deflated (annex A.4.13)."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import imagecodecs
import numpy as np

from isocenter.dicom.pixels import PIXEL_DATA, PixelArray, PixelDescription
from isocenter.domain.errors import InvalidDataset, NotAcceptable

_CUT_OFF = "The frame is shorter than the image pixel attributes say."
_RLE_HEADER = struct.Struct("<16I")
_RLE_SLACK_BYTES = 128
"""One run may reach beyond the plane where a writer pads a segment."""


def decode_native(
    data: memoryview, description: PixelDescription, *, is_big_endian: bool, bit_offset: int = 0
) -> PixelArray:
    """Return a native frame; a view of the buffer where nothing needs to change."""
    if is_big_endian and description.pixel_tag == PIXEL_DATA and description.pixel_vr == "OW":
        data = _swap_words_of_bytes(data, description)
    if description.bits_allocated == 1:
        return unpack_bits(data, description, bit_offset=bit_offset)
    length = description.native_frame_bits // 8
    if len(data) < length:
        raise InvalidDataset(_CUT_OFF)
    samples = np.frombuffer(data[:length], dtype=description.dtype.newbyteorder(">" if is_big_endian else "<"))
    if is_big_endian:
        samples = samples.astype(description.dtype)
    if description.is_subsampled:
        return _upsample(samples, description)
    return arrange(samples, description)


def arrange(samples: PixelArray, description: PixelDescription) -> PixelArray:
    """Return samples in the shape of the frame, planes interleaved."""
    if description.samples_per_pixel > 1 and description.planar_configuration == 1:
        planes = samples.reshape(description.samples_per_pixel, description.rows, description.columns)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return samples.reshape(description.shape)


def unpack_bits(data: memoryview, description: PixelDescription, *, bit_offset: int = 0) -> PixelArray:
    """Return a frame of one bit per sample as zeros and ones (PS3.5 8.1.1: first sample in the lowest bit)."""
    count = description.samples_per_frame
    if not 0 <= bit_offset < 8 or len(data) * 8 < bit_offset + count:
        raise InvalidDataset(_CUT_OFF)
    used = data[: (bit_offset + count + 7) // 8]
    bits = np.unpackbits(np.frombuffer(used, dtype=np.uint8), bitorder="little")[bit_offset : bit_offset + count]
    return arrange(bits.view(description.dtype), description)


def decode_rle(data: memoryview, description: PixelDescription) -> PixelArray:
    """Return a run-length coded frame (PS3.5 annex G): one segment for each byte of each sample, high byte first."""
    item_size = description.dtype.itemsize
    segments = description.samples_per_pixel * item_size
    if description.bits_allocated == 1:
        plane_length = (description.samples_per_frame + 7) // 8
    else:
        plane_length = description.rows * description.columns
    stride = plane_length + _RLE_SLACK_BYTES
    storage = memoryview(bytearray(segments * stride))
    for index, segment in enumerate(_rle_segments(data, segments)):
        decoded = imagecodecs.packbits_decode(segment, out=storage[index * stride : (index + 1) * stride])
        if len(decoded) < plane_length:
            raise InvalidDataset(_CUT_OFF)
    if description.bits_allocated == 1:
        return unpack_bits(storage, description)
    planes = np.frombuffer(storage, dtype=np.uint8).reshape(segments, stride)
    ordered = planes[:, :plane_length].reshape(description.samples_per_pixel, item_size, plane_length)
    little_endian = ordered.transpose(2, 0, 1)[:, :, ::-1]
    samples = np.ascontiguousarray(little_endian).view(description.dtype.newbyteorder("<"))
    return samples.reshape(description.shape).astype(description.dtype, copy=False)


def _rle_segments(data: memoryview, expected: int) -> list[bytes]:
    if len(data) < _RLE_HEADER.size:
        raise InvalidDataset(_CUT_OFF)
    count, *offsets = _RLE_HEADER.unpack_from(data)
    if count != expected or count > len(offsets):
        raise InvalidDataset("The run-length segments do not fit the image pixel attributes.")
    bounds = [*offsets[:count], len(data)]
    if bounds[0] < _RLE_HEADER.size or any(start >= end for start, end in pairwise(bounds)):
        raise InvalidDataset("The run-length segments overlap or lie outside of the frame.")
    return [bytes(data[start:end]) for start, end in pairwise(bounds)]


def inflate_frame(data: memoryview, description: PixelDescription) -> memoryview:
    """Return the native bytes of a deflated frame, never more than the frame needs."""
    length = (description.native_frame_bits + 7) // 8
    try:
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, length)
    except zlib.error as error:
        raise InvalidDataset("The deflated frame is damaged.") from error
    if len(inflated) < length:
        raise InvalidDataset(_CUT_OFF)
    return memoryview(inflated)


def _upsample(samples: PixelArray, description: PixelDescription) -> PixelArray:
    """Return Y1 Y2 CB CR as two whole pixels; each pair shares its chrominance."""
    if description.columns % 2:
        raise InvalidDataset("Subsampled pixels need an even number of columns.")
    pairs = samples.reshape(description.rows, description.columns // 2, 4)
    frame = np.empty((description.rows, description.columns, 3), dtype=samples.dtype)
    frame[:, 0::2, 0] = pairs[:, :, 0]
    frame[:, 1::2, 0] = pairs[:, :, 1]
    frame[:, 0::2, 1:] = frame[:, 1::2, 1:] = pairs[:, :, 2:]
    return frame


def _swap_words_of_bytes(data: memoryview, description: PixelDescription) -> memoryview:
    """Return bytes that were written as big-endian words (OW) in their own order."""
    if description.bits_allocated > 8:
        return data
    if description.native_frame_bits % 16 and description.number_of_frames > 1:
        raise NotAcceptable("Big-endian frames that do not begin on a word are not decoded.")
    if len(data) % 2:
        raise InvalidDataset(_CUT_OFF)
    return memoryview(np.frombuffer(data, dtype=">u2").astype("<u2").tobytes())
