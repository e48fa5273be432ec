"""Decode damaged frames by the hundred; run as a program, because a native codec may take its process with it.

    python -m tests.support.hostile_frames jpeg 200 7

prints how many were decoded and how many refused. Anything but a value or a domain error ends it with a traceback.
"""

from __future__ import annotations

import random
import resource
import sys
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np

from isocenter.dicom.codecs import decode_frame
from isocenter.dicom.pixels import PixelArray, PixelDescription
from isocenter.domain.errors import Refused

MEMORY_MAX_BYTES = 2 << 30
"""Enough for Python and every codec; an allocation beyond comes from a lying header."""

_Y, _X = np.mgrid[0:48, 0:64]
GREY: PixelArray = (1000 + (_X * _Y) % 731).astype(np.uint16)
COLOURS: PixelArray = np.stack([_X * 3, _Y * 4, (_X + _Y) * 2], axis=-1).astype(np.uint8)


def run_length(pixels: PixelArray) -> bytes:
    """Return pixels as an RLE frame of literal runs only."""
    planes = [*pixels.astype(">u2").reshape(-1, 1).view(np.uint8).T] if pixels.ndim == 2 else [*pixels.reshape(-1, 3).T]
    segments = [
        b"".join(
            bytes([len(part) - 1]) + part for part in (plane.tobytes()[i : i + 64] for i in range(0, len(plane), 64))
        )
        for plane in planes
    ]
    offsets = [64 + sum(map(len, segments[:index])) for index in range(len(segments))]
    words = [len(segments), *offsets, *[0] * (15 - len(offsets))]
    return b"".join(word.to_bytes(4, "little") for word in words) + b"".join(segments)


def deflated(pixels: PixelArray) -> bytes:
    """Return pixels as a deflated frame."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(pixels.tobytes()) + deflater.flush()


ENCODERS: dict[str, tuple[str, Callable[[PixelArray], bytes | bytearray]]] = {
    "jpeg": ("4.50", lambda pixels: imagecodecs.jpeg8_encode(np.clip(pixels, 0, 255).astype(np.uint8), 90)),
    "jpeg-lossless": ("4.70", lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1)),
    "jpeg-ls": ("4.80", imagecodecs.jpegls_encode),
    "jpeg-2000": ("4.90", lambda pixels: imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True)),
    "htj2k": ("4.201", lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True)),
    "jpeg-xl": ("4.110", lambda pixels: imagecodecs.jpegxl_encode(pixels, lossless=True)),
    "rle": ("5", run_length),
    "deflated": ("8.1", deflated),
}


def describe(pixels: PixelArray, suffix: str) -> PixelDescription:
    """Return the description that fits encoded pixels."""
    bits = 8 if suffix == "4.50" else 8 * pixels.dtype.itemsize
    return PixelDescription(
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1 if pixels.ndim == 2 else 3,
        photometric_interpretation="MONOCHROME2" if pixels.ndim == 2 else "RGB",
        planar_configuration=0,
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
        pixel_representation=0,
        number_of_frames=1,
        transfer_syntax_uid=f"1.2.840.10008.1.2.{suffix}",
    )


def damaged(data: bytes | bytearray, chance: random.Random) -> bytes:
    """Return a frame cut off, or with some bytes changed, the more often near its beginning."""
    out = bytearray(data)
    if chance.random() < 0.3:
        return bytes(out[: chance.randrange(len(out))])
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        index = chance.randrange(min(len(out), 200) if chance.random() < 0.5 else len(out))
        out[index] = chance.choice((0, 255, chance.randrange(256), out[index] ^ 1 << chance.randrange(8)))
    return bytes(out)


def main(name: str, count: int, seed: int) -> None:
    """Decode `count` damaged frames of a codec."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    suffix, encode = ENCODERS[name]
    sound = [(encode(pixels), describe(pixels, suffix)) for pixels in (GREY, COLOURS)]
    for data, description in sound:
        decode_frame(data, description)
    chance = random.Random(seed)
    decoded = refused = 0
    for _ in range(count):
        data, description = chance.choice(sound)
        try:
            decode_frame(damaged(data, chance), description)
            decoded += 1
        except Refused:
            refused += 1
    sys.stdout.write(f"{decoded} {refused}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
