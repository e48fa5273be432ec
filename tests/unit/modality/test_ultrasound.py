from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from isocenter.modality.device_output import Writing
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import StudyPlan, UsSeriesPlan
from isocenter.modality.studies import iter_study
from isocenter.modality.ultrasound import frames_of_a_beat

SERIES = UsSeriesPlan("Apical four chamber", frames=8, rows=120, columns=160, frame_time_ms=166.6)
PLAN = StudyPlan(STORY_PATIENTS[2], datetime(2022, 11, 22, 9, 3), "ACC1", "ECHOCARDIOGRAM", (SERIES,))


def _read(plan: StudyPlan) -> FileDataset:
    (part10,) = iter_study(plan, 7)
    return dcmread(BytesIO(part10))


@pytest.fixture(scope="module")
def loop() -> FileDataset:
    return _read(PLAN)


def test_a_loop_has_the_frames_that_were_asked_for(loop: FileDataset) -> None:
    assert loop.NumberOfFrames == 8
    assert loop.pixel_array.shape == (8, 120, 160)


def test_the_heart_moves(loop: FileDataset) -> None:
    frames = loop.pixel_array.astype(int)
    assert np.abs(frames[2] - frames[0]).mean() > 4


def test_the_name_is_burned_in_unless_the_device_is_told_otherwise(loop: FileDataset) -> None:
    plain = _read(replace(PLAN, writing=Writing(burned_in_text=False)))
    assert (loop.BurnedInAnnotation, plain.BurnedInAnnotation) == ("YES", "NO")
    assert loop.pixel_array[0, :14, :60].max() > 100
    assert not plain.pixel_array[0, :14, :60].any()


def test_the_fan_is_calibrated(loop: FileDataset) -> None:
    (region,) = loop.SequenceOfUltrasoundRegions
    assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
    height_cm = (region.RegionLocationMaxY1 - region.RegionLocationMinY0) * region.PhysicalDeltaY
    assert height_cm == pytest.approx(16.5, abs=0.2)


def test_a_huge_loop_repeats_its_beats_rather_than_taking_long(loop: FileDataset) -> None:
    beat = frames_of_a_beat(SERIES)
    huge = _read(replace(PLAN, series=(replace(SERIES, frames=40 * beat),)))
    fan = np.s_[:, 20:100, 40:120]
    assert huge.NumberOfFrames == 40 * beat
    assert np.array_equal(huge.pixel_array[0][20:100, 40:120], huge.pixel_array[-beat][20:100, 40:120])
    assert huge.pixel_array[fan].shape[0] == 40 * beat


def test_an_odd_number_of_bytes_is_padded() -> None:
    odd = _read(replace(PLAN, series=(replace(SERIES, frames=1, rows=119, columns=159),)))
    assert len(odd.PixelData) == 119 * 159 + 1
    assert odd.pixel_array.shape == (119, 159)
