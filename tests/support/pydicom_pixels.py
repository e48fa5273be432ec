"""Pixels as pydicom sees them: the independent oracle of the codecs, and frames cut without our own frame table."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array

from isocenter.dicom.codecs import decode_frame
from isocenter.dicom.pixels import PIXEL_TAGS, PixelDescription, frame_bit_offset

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_ENCAPSULATED = ("1.2.840.10008.1.2.4", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8")


def read_dataset(path: Path) -> Dataset:
    """Return a file as pydicom reads it, without a word about what it repaired."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(path, force=True)


def has_pixels(dataset: Dataset) -> bool:
    """Tell whether there are pixels."""
    return any(keyword in dataset for keyword in PIXEL_KEYWORDS)


def pixel_keyword(dataset: Dataset) -> str:
    """Return the keyword of the element that holds the pixels."""
    return next(keyword for keyword in PIXEL_KEYWORDS if keyword in dataset)


def describe(dataset: Dataset) -> PixelDescription:
    """Return the description of the pixels, from the attributes that pydicom decoded."""
    keyword = pixel_keyword(dataset)
    attributes = {
        tag: str(dataset[tag].value) for tag in PIXEL_TAGS if tag in dataset and dataset[tag].value is not None
    }
    return PixelDescription.of(
        attributes,
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        pixel_tag=int(dataset[keyword].tag),
        pixel_vr=dataset[keyword].VR,
    )


def frames_of(dataset: Dataset) -> list[tuple[bytes, int]]:
    """Return the bytes of every frame, each with how many bits of its first byte belong to the frame before."""
    description = describe(dataset)
    value = dataset[pixel_keyword(dataset)].value
    count = description.number_of_frames
    if description.transfer_syntax_uid.startswith(_ENCAPSULATED):
        return [(frame, 0) for frame in generate_frames(value, number_of_frames=count)]
    if count == 1:
        return [(value, 0)]
    bits = description.native_frame_bits
    return [
        (value[bits * index // 8 : (bits * (index + 1) + 7) // 8], frame_bit_offset(description, index + 1))
        for index in range(count)
    ]


def decode_all(dataset: Dataset) -> npt.NDArray[Any]:
    """Return every frame as isocenter decodes it, stacked where there are several."""
    description = describe(dataset)
    frames = [decode_frame(data, description, bit_offset=offset) for data, offset in frames_of(dataset)]
    return np.stack(frames) if description.number_of_frames > 1 else frames[0]


def expected_pixels(dataset: Dataset) -> npt.NDArray[Any] | None:
    """Return every frame as pydicom decodes it, colours as stored; None where no plugin of it can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = pixel_array(dataset, raw=True)
        except (RuntimeError, NotImplementedError):
            return None
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
