from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import (
    HTJ2K,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from isocenter.modality.encodings import (
    DEFLATED_IMAGE_FRAME,
    ENCODINGS,
    JPEG_XL,
    JPEG_XL_LOSSLESS,
    EncodedInstance,
    iter_encodings,
)

BEGUN = datetime(2026, 3, 2, 10, 15)
EDGE = 128
MEAN_ERROR_MAX = 12.0
"""Of 255 or 4095: chroma at a quarter of the pixels is what costs most."""
OTHER_DECODERS: dict[str, Callable[[bytes], Any]] = {
    JPEGExtended12Bit: imagecodecs.jpeg8_decode,
    JPEGLossless: imagecodecs.jpeg8_decode,
    JPEGLosslessSV1: imagecodecs.jpeg8_decode,
    JPEGLSLossless: imagecodecs.jpegls_decode,
    JPEGLSNearLossless: imagecodecs.jpegls_decode,
    HTJ2K: imagecodecs.jpeg2k_decode,
    HTJ2KLossless: imagecodecs.jpeg2k_decode,
    HTJ2KLosslessRPCL: imagecodecs.jpeg2k_decode,
    JPEG_XL: imagecodecs.jpegxl_decode,
    JPEG_XL_LOSSLESS: imagecodecs.jpegxl_decode,
    DEFLATED_IMAGE_FRAME: lambda frame: np.frombuffer(
        zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame), "<u2"
    ).reshape(EDGE, EDGE),
}
"""For what pydicom has no decoder of its own; everything else is decoded by pydicom."""


@pytest.fixture(scope="module")
def encoded() -> dict[str, EncodedInstance]:
    return {e.encoding.name: e for e in iter_encodings(9, started_at=BEGUN, edge=EDGE)}


@pytest.mark.parametrize("name", [encoding.name for encoding in ENCODINGS])
def test_the_picture_comes_back_from_its_encoding(encoded: dict[str, EncodedInstance], name: str) -> None:
    instance = encoded[name]
    dataset = dcmread(BytesIO(instance.part10))
    decode = OTHER_DECODERS.get(dataset.file_meta.TransferSyntaxUID)
    found = decode(next(generate_frames(dataset.PixelData))) if decode else dataset.pixel_array
    if instance.encoding.is_lossless:
        assert np.array_equal(found, instance.pixels)
    else:
        error = np.abs(found.astype(float) - instance.pixels).mean()
        assert 0 < error < MEAN_ERROR_MAX


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_the_file_says_which_encoding_it_is_in(encoded: dict[str, EncodedInstance], encoding: Any) -> None:
    dataset = dcmread(BytesIO(encoded[encoding.name].part10))
    assert dataset.file_meta.TransferSyntaxUID == encoding.transfer_syntax_uid
    assert dataset.PhotometricInterpretation == encoding.photometric_interpretation
    assert (dataset.get("LossyImageCompression") == "01") is not encoding.is_lossless


def test_each_encoding_is_a_study_of_its_own(encoded: dict[str, EncodedInstance]) -> None:
    studies = {dcmread(BytesIO(e.part10)).StudyInstanceUID for e in encoded.values()}
    assert len(studies) == len(ENCODINGS)


def test_the_same_seed_makes_the_same_bytes(encoded: dict[str, EncodedInstance]) -> None:
    again = {e.encoding.name: e.part10 for e in iter_encodings(9, started_at=BEGUN, edge=EDGE)}
    assert again == {name: e.part10 for name, e in encoded.items()}
