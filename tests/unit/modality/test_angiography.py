from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from isocenter.modality.device_output import Writing
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import StudyPlan, XaSeriesPlan
from isocenter.modality.studies import iter_study

SERIES = XaSeriesPlan("LCA RAO 30", frames=3, edge=64)
PLAN = StudyPlan(STORY_PATIENTS[1], datetime(2022, 9, 5, 8, 40), "ACC1", "CORONARY ANGIOGRAPHY", (SERIES,))


def _read(plan: StudyPlan) -> FileDataset:
    (part10,) = iter_study(plan, 7)
    return dcmread(BytesIO(part10))


@pytest.fixture(scope="module")
def run() -> FileDataset:
    return _read(PLAN)


def test_a_run_has_its_frames_and_how_fast_to_show_them(run: FileDataset) -> None:
    assert run.pixel_array.shape == (3, 64, 64)
    assert (run.NumberOfFrames, run.CineRate) == (3, 15)
    assert run.FrameIncrementPointer == 0x00181063


def test_a_run_says_from_where_it_was_seen(run: FileDataset) -> None:
    assert (run.PositionerPrimaryAngle, run.PositionerSecondaryAngle) == (-30, 0)
    assert run.DistanceSourceToDetector > run.DistanceSourceToPatient


def test_text_comes_into_every_frame_when_asked_for(run: FileDataset) -> None:
    lettered = _read(replace(PLAN, writing=Writing(burned_in_text=True)))
    assert (run.BurnedInAnnotation, lettered.BurnedInAnnotation) == ("NO", "YES")
    assert (lettered.pixel_array != run.pixel_array).any(axis=(1, 2)).all()
