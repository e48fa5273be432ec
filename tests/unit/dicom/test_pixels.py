"""Image pixel attributes are checked before anything is allocated for them."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.dicom.pixels import (
    BITS_ALLOCATED,
    BITS_STORED,
    COLUMNS,
    DOUBLE_FLOAT_PIXEL_DATA,
    FLOAT_PIXEL_DATA,
    HIGH_BIT,
    NUMBER_OF_FRAMES,
    PHOTOMETRIC_INTERPRETATION,
    PIXEL_REPRESENTATION,
    PLANAR_CONFIGURATION,
    ROWS,
    SAMPLES_PER_PIXEL,
    PixelDescription,
    frame_bit_offset,
)
from isocenter.domain.errors import InvalidDataset, LimitExceeded

SOUND = {ROWS: "4", COLUMNS: "6", BITS_ALLOCATED: "16", BITS_STORED: "12", PIXEL_REPRESENTATION: "1"}
SYNTAX = "1.2.840.10008.1.2.1"


def describe(changes: dict[int, str]) -> PixelDescription:
    return PixelDescription.of({**SOUND, **changes}, transfer_syntax_uid=SYNTAX)


def test_what_is_absent_takes_the_obvious_value() -> None:
    description = describe({})
    assert (description.samples_per_pixel, description.photometric_interpretation) == (1, "MONOCHROME2")
    assert (description.high_bit, description.number_of_frames) == (11, 1)
    assert (description.dtype, description.shape) == (np.dtype(np.int16), (4, 6))


@pytest.mark.parametrize(("tag", "dtype"), [(FLOAT_PIXEL_DATA, np.float32), (DOUBLE_FLOAT_PIXEL_DATA, np.float64)])
def test_real_numbers_need_no_bits_to_be_stated(tag: int, dtype: type) -> None:
    described = PixelDescription.of({ROWS: "4", COLUMNS: "6"}, transfer_syntax_uid=SYNTAX, pixel_tag=tag)
    assert described.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    "changes",
    [
        {ROWS: "0"},
        {ROWS: "65536"},
        {ROWS: "x"},
        {ROWS: ""},
        {COLUMNS: "-1"},
        {BITS_ALLOCATED: "12"},
        {BITS_STORED: "0"},
        {BITS_STORED: "17"},
        {HIGH_BIT: "3"},
        {HIGH_BIT: "16"},
        {SAMPLES_PER_PIXEL: "2"},
        {PIXEL_REPRESENTATION: "2"},
        {PLANAR_CONFIGURATION: "2"},
        {NUMBER_OF_FRAMES: str(2**31)},
        {NUMBER_OF_FRAMES: "-1"},
        {NUMBER_OF_FRAMES: "9" * 5000},
    ],
)
def test_attributes_that_contradict_each_other_are_refused(changes: dict[int, str]) -> None:
    with pytest.raises(InvalidDataset):
        describe(changes)


def test_a_vast_frame_is_refused() -> None:
    with pytest.raises(LimitExceeded):
        describe({ROWS: "60000", COLUMNS: "60000"})


def test_subsampled_pixels_take_two_bytes_each() -> None:
    colours = {
        SAMPLES_PER_PIXEL: "3",
        PHOTOMETRIC_INTERPRETATION: "YBR_FULL_422",
        BITS_ALLOCATED: "8",
        BITS_STORED: "8",
    }
    assert describe(colours).native_frame_bits == 4 * 6 * 2 * 8


def test_frames_of_one_bit_begin_within_a_byte() -> None:
    mask = describe({COLUMNS: "5", BITS_ALLOCATED: "1", BITS_STORED: "1"})
    assert [frame_bit_offset(mask, number) for number in (1, 2, 3)] == [0, 4, 0]
