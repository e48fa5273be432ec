"""Turn a decoded frame into a picture for people: JPEG, PNG or WebP of 8 bits.

    decoded samples → region → modality → VOI → shades or colours → size → file

Grey frames of up to 16 bits go through one table of shades, made once for each set of parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image

from isocenter.dicom._color import to_rgb
from isocenter.dicom._lookup_table import LookupTable
from isocenter.dicom.pixels import PixelArray
from isocenter.dicom.rendering import RenderingAttributes, Window
from isocenter.domain.errors import InvalidRequest, NotAcceptable

QUALITY_MAX = 100
VIEWPORT_MAX = 8192
"""Sides of the largest picture that is asked for by size: twice the widest medical display."""
MAGNIFICATION_MAX = 8.0
"""Beyond this a picture grows without showing more."""
WEBP_SIDE_MAX = 16_383
"""A limit of the format."""
SHADES_CACHE_SIZE = 64
"""Tables of 64 KiB; the series that are looked at in a moment share a handful."""

_PILLOW_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
_PNG_COMPRESS_LEVEL = 1
"""Twice as fast as the default for files a tenth larger."""
_FULL_CHROMINANCE_QUALITY = 90
"""From this quality on colour edges are kept."""


@dataclass(frozen=True, slots=True)
class Viewport:
    """The size that a picture must fit in, and the region that it shows (PS3.18 8.3.5.1.3)."""

    width: int
    height: int
    x: float = 0.0
    y: float = 0.0
    region_width: float | None = None
    """Columns shown; negative mirrors. None: to the edge."""
    region_height: float | None = None


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What the caller asks of a picture."""

    media_type: str = "image/jpeg"
    quality: int = 90
    viewport: Viewport | None = None
    window: Window | None = None


_NO_OPTIONS = RenderOptions()
_MASK_WINDOW = Window(0.5, 1.0, "LINEAR_EXACT")
"""From 0 to 1: a mask without a pixel is black, and one without a gap is white."""


def render_frame(frame: PixelArray, rendering: RenderingAttributes, options: RenderOptions = _NO_OPTIONS) -> bytes:
    """Return a decoded frame as a file of the media type asked for."""
    _check(options)
    if options.viewport is not None:
        frame = _region(frame, options.viewport)
    image = Image.fromarray(np.ascontiguousarray(_displayed(frame, rendering, options.window)))
    if options.viewport is not None:
        image = _fitted(image, options.viewport)
    return _encoded(image, options)


def shown_window(frame: PixelArray, rendering: RenderingAttributes) -> Window:
    """Return the window in which a frame of shades is shown where nobody asks for another.

    Where the frame is shown by a table, or names no window, that is the one that spans its values. Raises NotAcceptable
    for colours.
    """
    if frame.ndim == 3 or rendering.photometric_interpretation == "PALETTE COLOR":
        raise NotAcceptable("Only frames of shades have a window.")
    if rendering.window is not None:
        return rendering.window
    return _automatic_window(_modality(_extremes(frame, rendering), rendering))


def _check(options: RenderOptions) -> None:
    if options.media_type not in _PILLOW_FORMATS:
        raise NotAcceptable("Frames are rendered as image/jpeg, image/png or image/webp.")
    if not 1 <= options.quality <= QUALITY_MAX:
        raise InvalidRequest("Image quality must be between 1 and 100 inclusive")
    viewport, window = options.viewport, options.window
    if viewport and not (0 < viewport.width <= VIEWPORT_MAX and 0 < viewport.height <= VIEWPORT_MAX):
        raise InvalidRequest(f"The sides of a viewport must be between 1 and {VIEWPORT_MAX}.")
    if window and (window.width <= 0 or (window.function == "LINEAR" and window.width < 1)):
        raise InvalidRequest("The width of a window must be positive, and at least 1 for the function LINEAR.")


def _displayed(frame: PixelArray, rendering: RenderingAttributes, window: Window | None) -> PixelArray:
    """Return shades (rows × columns) or colours (rows × columns × 3) of 8 bits."""
    if frame.ndim == 3:
        return _colours(frame, rendering)
    if frame.dtype.kind in "iu" and frame.dtype.itemsize <= 2:
        if rendering.photometric_interpretation == "PALETTE COLOR" and rendering.palette is not None:
            return _indexed(_table_of_colours(frame.dtype.str, rendering.palette), frame)
        return _shades_by_table(frame, rendering, window)
    return _inverted(_shades(_modality(frame.astype(np.float64), rendering), rendering, window), rendering)


def _colours(frame: PixelArray, rendering: RenderingAttributes) -> PixelArray:
    if frame.dtype.kind not in "iu" or frame.shape[2] != 3:
        raise NotAcceptable("Frames of this photometric interpretation are not rendered.")
    if frame.dtype != np.uint8:
        shift = rendering.bits_stored - 8
        scaled = frame >> shift if shift >= 0 else frame << -shift
        frame = np.clip(scaled, 0, 255).astype(np.uint8)
    elif rendering.bits_stored < 8:
        frame = np.left_shift(frame, 8 - rendering.bits_stored)
    return to_rgb(frame, rendering.photometric_interpretation)


@lru_cache(maxsize=SHADES_CACHE_SIZE)
def _table_of_colours(dtype: str, palette: tuple[LookupTable, LookupTable, LookupTable]) -> PixelArray:
    """Return the colour of every value that a sample can have, in the order of its bits."""
    values = _all_values(dtype)
    channels = [np.rint(table.look_up(values) * (255.0 / table.entry_max)) for table in palette]
    colours = np.stack(channels, axis=-1).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def _all_values(dtype: str) -> PixelArray:
    item_size = np.dtype(dtype).itemsize
    return np.arange(1 << (8 * item_size), dtype=f"u{item_size}").view(dtype).astype(np.float64)


def _indexed(table: PixelArray, frame: PixelArray) -> PixelArray:
    return table.take(frame.view(f"u{frame.dtype.itemsize}"), axis=0)


def _shades_by_table(frame: PixelArray, rendering: RenderingAttributes, window: Window | None) -> PixelArray:
    if window is None and rendering.voi_table is None and rendering.window is None:
        is_mask = rendering.bits_stored == 1
        window = _MASK_WINDOW if is_mask else _automatic_window(_modality(_extremes(frame, rendering), rendering))
    return _indexed(_table_of_shades(frame.dtype.str, rendering, window), frame)


@lru_cache(maxsize=SHADES_CACHE_SIZE)
def _table_of_shades(dtype: str, rendering: RenderingAttributes, window: Window | None) -> PixelArray:
    """Return the shade of every value that a sample can have, in the order of its bits."""
    table = _inverted(_shades(_modality(_all_values(dtype), rendering), rendering, window), rendering)
    table.setflags(write=False)
    return table


def _extremes(frame: PixelArray, rendering: RenderingAttributes) -> PixelArray:
    """Return stored values that span those of the image: two of them unless a table is to be looked up."""
    if rendering.padding_value is not None:
        kept = frame[frame != rendering.padding_value]
        frame = kept if kept.size else frame
    if rendering.modality_table is not None:
        return np.unique(frame).astype(np.float64)
    return np.array([frame.min(), frame.max()], dtype=np.float64)


def _modality(values: PixelArray, rendering: RenderingAttributes) -> PixelArray:
    if rendering.modality_table is not None:
        return rendering.modality_table.look_up(values).astype(np.float64)
    if rendering.slope == 1.0 and rendering.intercept == 0.0:
        return values
    return values * rendering.slope + rendering.intercept


def _automatic_window(values: PixelArray) -> Window:
    """Return the window that spans the finite values."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Window(0.5, 1.0, "LINEAR_EXACT")
    low, high = float(finite.min()), float(finite.max())
    width = high - low or 1.0
    return Window(low + width / 2, width, "LINEAR_EXACT")


def _shades(values: PixelArray, rendering: RenderingAttributes, window: Window | None) -> PixelArray:
    """Return output of the modality step as shades (PS3.3 C.11.2)."""
    if window is None and rendering.voi_table is not None:
        table = rendering.voi_table
        return np.rint(table.look_up(values) * (255.0 / table.entry_max)).astype(np.uint8)
    window = window or rendering.window or _automatic_window(values)
    spread = _spread(np.nan_to_num(values), window)
    return np.rint(np.clip(spread, 0.0, 1.0) * 255.0).astype(np.uint8)


def _spread(values: PixelArray, window: Window) -> PixelArray:
    if window.function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - window.center) / window.width, -700.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))
    if window.function == "LINEAR_EXACT":
        return (values - window.center) / window.width + 0.5
    if window.width <= 1.0:
        return (values > window.center - 0.5).astype(np.float64)
    return (values - (window.center - 0.5)) / (window.width - 1.0) + 0.5


def _inverted(shades: PixelArray, rendering: RenderingAttributes) -> PixelArray:
    return 255 - shades if rendering.photometric_interpretation == "MONOCHROME1" else shades


def _region(frame: PixelArray, viewport: Viewport) -> PixelArray:
    """Return the region that a viewport shows, mirrored where its sides are negative."""
    rows, columns = frame.shape[:2]
    vertical, is_flipped = _span(viewport.y, viewport.region_height, rows)
    horizontal, is_mirrored = _span(viewport.x, viewport.region_width, columns)
    region = frame[vertical, horizontal]
    if not region.size:
        raise InvalidRequest("The viewport lies outside of the image.")
    return region[:: -1 if is_flipped else 1, :: -1 if is_mirrored else 1]


def _span(start: float, length: float | None, size: int) -> tuple[slice, bool]:
    try:
        first = round(start)
        last = size if length is None else round(start + abs(length))
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("The viewport is not made of numbers.") from error
    return slice(max(0, first), max(0, last)), length is not None and length < 0


def _fitted(image: Image.Image, viewport: Viewport) -> Image.Image:
    scale = min(viewport.width / image.width, viewport.height / image.height, MAGNIFICATION_MAX)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _encoded(image: Image.Image, options: RenderOptions) -> bytes:
    out = BytesIO()
    if options.media_type == "image/png":
        image.save(out, "PNG", compress_level=_PNG_COMPRESS_LEVEL)
    elif options.media_type == "image/webp":
        if max(image.size) > WEBP_SIDE_MAX:
            raise NotAcceptable("The frame is larger than WebP can hold.")
        image.save(out, "WEBP", quality=options.quality, method=0)
    else:
        subsampling = "4:4:4" if options.quality >= _FULL_CHROMINANCE_QUALITY else "4:2:0"
        image.save(out, "JPEG", quality=options.quality, subsampling=subsampling)
    return out.getvalue()
