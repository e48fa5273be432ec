"""Pictures show the shades that the standard's formulas give, computed here by pydicom and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import Dataset
from pydicom.pixels.processing import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi_lut,
    apply_windowing,
    convert_color_space,
)

from isocenter.dicom.codecs import decode_frame, decoded_photometric_interpretation
from isocenter.dicom.render import RenderOptions, Viewport, render_frame, shown_window
from isocenter.dicom.rendering import RENDERING_TAGS, RenderingAttributes, Window, rendering_attributes
from isocenter.dicom.scan import scan_instance
from isocenter.domain.errors import InvalidRequest, NotAcceptable
from tests.support.pydicom_pixels import describe, frames_of, has_pixels, read_dataset
from tests.support.shared_data import ManifestRow, manifest_rows, path_of, read_bytes

Pixels = npt.NDArray[Any]
PNG = RenderOptions("image/png")
GREY = RenderingAttributes("MONOCHROME2", 16)
RAMP: Pixels = np.arange(256, dtype=np.uint16).reshape(16, 16)


def shown(frame: Pixels, rendering: RenderingAttributes = GREY, options: RenderOptions = PNG) -> Pixels:
    return np.asarray(Image.open(BytesIO(render_frame(frame, rendering, options))))


def _is_image(row: ManifestRow) -> bool:
    return (
        row.folder in ("transfer-syntax", "sop-classes")
        and bool(row.rows)
        and "embedded-sequence-delimiter" not in row.path
    )


def images() -> Iterator[tuple[str, Dataset, Pixels, RenderingAttributes]]:
    """Yield path, data set, first frame and rendering of every shared image."""
    for row in manifest_rows(_is_image):
        dataset = read_dataset(path_of(row))
        if has_pixels(dataset):
            data = read_bytes(row)
            rendering = rendering_attributes(data, scan_instance(data, wanted=RENDERING_TAGS))
            yield row.path, dataset, decode_frame(frames_of(dataset)[0][0], describe(dataset)), rendering


def expected_shades(dataset: Dataset, frame: Pixels) -> Pixels | None:
    """Return what pydicom makes of the first window or table; None where there is none of them."""
    if "WindowWidth" not in dataset and "VOILUTSequence" not in dataset:
        return None
    values = apply_modality_lut(frame, dataset)
    if "VOILUTSequence" in dataset:
        bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        return np.asarray(apply_voi_lut(values, dataset) * (255 / (2**bits - 1)))
    windowed = apply_windowing(values, dataset)
    low, high = apply_windowing(np.array([-1e9, 1e9]), dataset)
    return np.asarray((windowed - low) / (high - low) * 255)


def expected_colours(dataset: Dataset, frame: Pixels) -> Pixels | None:
    """Return the colours that pydicom gives; None for a grey image."""
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(frame, dataset)
        return colours if colours.dtype == np.uint8 else colours >> 8
    if frame.ndim == 2:
        return None
    scaled = (frame >> (8 * frame.dtype.itemsize - 8)).astype(np.uint8)
    stands_for = decoded_photometric_interpretation(describe(dataset))
    return scaled if stands_for == "RGB" else convert_color_space(scaled, stands_for, "RGB")


def test_every_grey_image_with_a_window_or_table_shows_the_shades_of_pydicom() -> None:
    largest: dict[str, float] = {}
    for path, dataset, frame, rendering in images():
        expected = expected_shades(dataset, frame)
        if expected is not None and frame.dtype.kind != "f":
            expected = 255 - expected if dataset.PhotometricInterpretation == "MONOCHROME1" else expected
            largest[path] = float(np.abs(shown(frame, rendering) - expected).max())
    assert {path: difference for path, difference in largest.items() if difference > 1} == {}
    assert len(largest) >= 30


def test_every_colour_image_shows_the_colours_of_pydicom() -> None:
    largest: dict[str, float] = {}
    for path, dataset, frame, rendering in images():
        expected = expected_colours(dataset, frame)
        if expected is not None:
            largest[path] = float(np.abs(shown(frame, rendering).astype(int) - expected).max())
    assert {path: difference for path, difference in largest.items() if difference > 2} == {}
    assert len(largest) >= 30


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        # PS3.3 C.11.2.1.2.1: for center 100, width 41 the values 80 to 120 are spread.
        (Window(100, 41), [(0, 0), (79, 0), (100, 131), (120, 255), (200, 255)]),
        (Window(100, 40, "LINEAR_EXACT"), [(80, 0), (100, 128), (120, 255), (121, 255)]),
        (Window(100, 40, "SIGMOID"), [(100, 128), (60, 5), (140, 250)]),
        (Window(100, 1), [(99, 0), (100, 255)]),
    ],
)
def test_windows_follow_the_formulas_of_the_standard(window: Window, expected: list[tuple[int, int]]) -> None:
    shades = shown(RAMP, options=RenderOptions("image/png", window=window)).ravel()
    for value, shade in expected:
        assert abs(int(shades[value]) - shade) <= 1


def test_a_window_asked_for_replaces_the_one_of_the_image() -> None:
    rendering = RenderingAttributes("MONOCHROME2", 16, window=Window(10, 10))
    shades = shown(RAMP, rendering, RenderOptions("image/png", window=Window(200.5, 101)))
    assert (shades.ravel()[150], shades.ravel()[250]) == (0, 255)


def test_without_a_window_the_values_that_occur_are_spread() -> None:
    shades = shown(RAMP + 1000)
    assert (shades.min(), shades.max()) == (0, 255)


def test_padding_takes_no_part_in_an_automatic_window() -> None:
    frame = (RAMP.astype(np.int16) + 1000).copy()
    frame[0, 0] = -2000
    shades = shown(frame, RenderingAttributes("MONOCHROME2", 16, padding_value=-2000))
    assert shades.ravel()[128] == pytest.approx(128, abs=2)


def test_a_uniform_image_is_black_and_not_an_error() -> None:
    assert shown(np.full((4, 4), 77, np.uint16)).max() == 0


def test_monochrome1_is_inverted() -> None:
    np.testing.assert_array_equal(shown(RAMP, RenderingAttributes("MONOCHROME1", 16)), 255 - shown(RAMP))


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_is_black_and_white_even_where_all_is_one(value: int) -> None:
    shades = shown(np.full((4, 4), value, np.uint8), RenderingAttributes("MONOCHROME2", 1))
    assert set(shades.ravel()) == {255 * value}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint32, np.int32])
def test_wide_and_real_values_are_spread(dtype: Any) -> None:
    shades = shown((RAMP.astype(np.float64) * 1000).astype(dtype))
    np.testing.assert_allclose(shades.ravel(), np.arange(256), atol=1)


def test_values_that_are_no_numbers_do_not_spoil_the_picture() -> None:
    frame = RAMP.astype(np.float32)
    frame[0, 0], frame[0, 1] = np.nan, np.inf
    shades = shown(frame)
    assert (shades[15, 15], shades[0, 2]) == (255, 0)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp"])
def test_every_media_type_comes_as_what_it_says(media_type: str) -> None:
    image = Image.open(BytesIO(render_frame(RAMP, GREY, RenderOptions(media_type))))
    assert Image.MIME[image.format or ""] == media_type
    assert image.size == (16, 16)


def test_a_viewport_keeps_the_proportions_and_is_not_exceeded() -> None:
    frame = np.zeros((100, 200), np.uint16)
    assert shown(frame, options=RenderOptions("image/png", viewport=Viewport(50, 50))).shape == (25, 50)


def test_a_viewport_does_not_magnify_without_end() -> None:
    frame = np.zeros((4, 4), np.uint16)
    assert shown(frame, options=RenderOptions("image/png", viewport=Viewport(8000, 8000))).shape == (32, 32)


def test_a_viewport_shows_its_region_mirrored_where_its_sides_are_negative() -> None:
    window = Window(127.5, 255, "LINEAR_EXACT")
    region = Viewport(4, 2, x=2, y=1, region_width=-4, region_height=2)
    shades = shown(RAMP, options=RenderOptions("image/png", viewport=region, window=window))
    np.testing.assert_array_equal(shades, RAMP[1:3, 2:6][:, ::-1])


@pytest.mark.parametrize(
    "options",
    [
        RenderOptions(quality=0),
        RenderOptions(quality=101),
        RenderOptions(viewport=Viewport(0, 5)),
        RenderOptions(viewport=Viewport(100_000, 5)),
        RenderOptions(viewport=Viewport(5, 5, x=99, y=99)),
        RenderOptions(viewport=Viewport(5, 5, x=float("nan"))),
        RenderOptions(window=Window(5, 0)),
    ],
)
def test_what_makes_no_sense_is_refused(options: RenderOptions) -> None:
    with pytest.raises(InvalidRequest):
        render_frame(RAMP, GREY, options)


def test_an_unknown_media_type_is_not_acceptable() -> None:
    with pytest.raises(NotAcceptable):
        render_frame(RAMP, GREY, RenderOptions("image/gif"))


def test_the_window_that_a_frame_is_shown_in_is_its_own_or_that_of_its_values() -> None:
    own = RenderingAttributes("MONOCHROME2", 16, window=Window(40, 400))
    assert shown_window(RAMP, own) == Window(40, 400)
    scaled = RenderingAttributes("MONOCHROME2", 16, slope=2.0, intercept=-100.0, padding_value=255)
    window = shown_window(RAMP, scaled)
    assert (window.center - window.width / 2, window.center + window.width / 2) == (-100, 2 * 254 - 100)
    assert np.array_equal(shown(RAMP, scaled), shown(RAMP, scaled, RenderOptions("image/png", window=window)))


@pytest.mark.parametrize("photometric_interpretation", ["RGB", "PALETTE COLOR"])
def test_colours_have_no_window(photometric_interpretation: str) -> None:
    frame = np.zeros((2, 2, 3) if photometric_interpretation == "RGB" else (2, 2), np.uint8)
    with pytest.raises(NotAcceptable, match="shades"):
        shown_window(frame, RenderingAttributes(photometric_interpretation, 8))
