"""Colours: from what a frame stores to red, green, blue (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from isocenter.dicom.pixels import PixelArray
from isocenter.domain.errors import NotAcceptable

_TO_YBR_FULL = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], dtype=np.float32
)
_FROM_YBR_PARTIAL = np.array([[1.1644, 0, 1.5960], [1.1644, -0.3917, -0.8130], [1.1644, 2.0173, 0]], dtype=np.float32)
_CENTRE = np.array([0, 128, 128], dtype=np.float32)
_FOOT = np.array([16, 128, 128], dtype=np.float32)


def to_rgb(frame: PixelArray, photometric_interpretation: str) -> PixelArray:
    """Return a frame of three samples as RGB of 8 bits."""
    if photometric_interpretation == "RGB":
        return frame
    if frame.dtype != np.uint8:
        raise NotAcceptable("Luminance and chrominance of more than 8 bits are not converted.")
    if photometric_interpretation == "YBR_FULL":
        return np.asarray(Image.fromarray(np.ascontiguousarray(frame), "YCbCr").convert("RGB"))
    if photometric_interpretation.startswith("YBR_PARTIAL"):
        return _rounded((frame.astype(np.float32) - _FOOT) @ _FROM_YBR_PARTIAL.T)
    raise NotAcceptable("Frames of this photometric interpretation are not converted to colours.")


def rgb_to_ybr_full(frame: PixelArray) -> PixelArray:
    """Return RGB of 8 bits as luminance and chrominance of the full range."""
    return _rounded(frame.astype(np.float32) @ _TO_YBR_FULL.T + _CENTRE)


def _rounded(values: PixelArray) -> PixelArray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
