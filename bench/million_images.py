"""What stands beside the million: a CT series of a thousand slices, and instances of a thousand frames, as in practice.

Their headers are as rich as a scanner's and their pictures of true size, so that a header is read from among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from isocenter.modality.template import fixed_width_uid
from isocenter.modality.workload import instance_values
from isocenter.modality.workload_dataset import make_workload_template
from isocenter.modality.workload_pixels import make_frames

SLICES = 1000
CT_EDGE = 512
FRAMES = 1000
FRAME_EDGE = 256
FRAME_BYTES = FRAME_EDGE * FRAME_EDGE * 2
_SERIES, _NATIVE, _ENCAPSULATED = "MS", "MN", "ME"
_SEED = 1
_PIXEL_DATA = b"\xe0\x7f\x10\x00"
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"


def series_path() -> str:
    """Return the address of the series below a root."""
    return _path(_SERIES, 2)


def native_path() -> str:
    """Return the address of the instance whose frames lie one behind the other."""
    return _path(_NATIVE, 3)


def encapsulated_path() -> str:
    """Return the address of the instance whose frames are compressed, without a table of their offsets."""
    return _path(_ENCAPSULATED, 3)


def _path(name: str, depth: int) -> str:
    uids = [fixed_width_uid(_SEED, name, 0), fixed_width_uid(_SEED, name, 0, 0), fixed_width_uid(_SEED, name, 0, 0, 0)]
    collections = ("studies", "series", "instances")
    return "".join(f"/{collection}/{uid}" for collection, uid in list(zip(collections, uids, strict=True))[:depth])


def images() -> Iterator[bytes]:
    """Yield the instances."""
    yield from _slices()
    yield _native()
    yield _encapsulated()


def _slices() -> Iterator[bytes]:
    template = make_workload_template(rows=CT_EDGE, columns=CT_EDGE, frames=1)
    frames = make_frames(_SEED, rows=CT_EDGE, columns=CT_EDGE)
    for number in range(SLICES):
        header = template.filled(instance_values(_SERIES, _SEED, study=0, series=0, number=number))
        yield bytes(header) + _native_pixels([frames[number % len(frames)]])


def _native() -> bytes:
    frames = make_frames(_SEED, rows=FRAME_EDGE, columns=FRAME_EDGE)
    return _multi_frame_header(_NATIVE) + _native_pixels([frames[number % len(frames)] for number in range(FRAMES)])


def _native_pixels(frames: list[bytes]) -> bytes:
    return _PIXEL_DATA + b"OW\0\0" + pack("<I", sum(map(len, frames))) + b"".join(frames)


def _encapsulated() -> bytes:
    """Return an instance with RLE frames and an empty basic offset table (PS3.5 A.4)."""
    header = _multi_frame_header(_ENCAPSULATED)
    native, rle = ExplicitVRLittleEndian.encode(), RLELossless.encode()
    frames = [_rle(frame) for frame in make_frames(_SEED, rows=FRAME_EDGE, columns=FRAME_EDGE)]
    items = b"".join(_item(frames[number % len(frames)]) for number in range(FRAMES))
    pixels = _PIXEL_DATA + b"OB\0\0" + pack("<I", _UNDEFINED_LENGTH) + _item(b"") + items + _SEQUENCE_END
    return header.replace(native, rle, 1) + pixels


def _multi_frame_header(name: str) -> bytes:
    template = make_workload_template(rows=FRAME_EDGE, columns=FRAME_EDGE, frames=FRAMES)
    return bytes(template.filled(instance_values(name, _SEED, study=0, series=0, number=0)))


def _item(fragment: bytes) -> bytes:
    return _ITEM + pack("<I", len(fragment)) + fragment


def _rle(frame: bytes) -> bytes:
    """Return a frame of 16 bits in two segments, the bytes of higher value first (PS3.5 G)."""
    planes = np.frombuffer(frame, "<u2").reshape(FRAME_EDGE, FRAME_EDGE).view("<u1").reshape(FRAME_EDGE, FRAME_EDGE, 2)
    segments = [_pack_bits(planes[:, :, index]) for index in (1, 0)]
    offsets = (64, 64 + len(segments[0]))
    return pack("<16I", 2, *offsets, *[0] * 13) + b"".join(segments)


def _pack_bits(plane: npt.NDArray[np.uint8]) -> bytes:
    """Encode rows as literal runs of 128 bytes, which every decoder reads."""
    runs = b"".join(
        b"\x7f" + row[start : start + 128].tobytes() for row in plane for start in range(0, FRAME_EDGE, 128)
    )
    return runs + b"\0" * (len(runs) % 2)
