from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from isocenter.modality.chest import Build
from isocenter.modality.device_output import Writing
from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import CrSeriesPlan, DxSeriesPlan, StudyPlan, reduced
from isocenter.modality.studies import iter_study

PLAN = reduced(
    StudyPlan(
        STORY_PATIENTS[1],
        datetime(2022, 11, 22, 9, 3),
        "ACC1",
        "CHEST PA",
        (DxSeriesPlan("PA"),),
        build=Build(arms_raised=False),
    ),
    16,
)


def _read(plan: StudyPlan) -> FileDataset:
    (part10,) = iter_study(plan, 7)
    return dcmread(BytesIO(part10))


@pytest.fixture(scope="module")
def radiograph() -> FileDataset:
    return _read(PLAN)


def test_it_is_a_digital_radiograph_for_presentation(radiograph: FileDataset) -> None:
    assert (radiograph.Modality, radiograph.PresentationIntentType) == ("DX", "FOR PRESENTATION")
    assert radiograph.pixel_array.shape == (128, 104)


@pytest.mark.parametrize(("view", "meaning"), [("PA", "postero-anterior"), ("AP", "antero-posterior")])
def test_the_view_is_coded(view: str, meaning: str) -> None:
    instance = _read(replace(PLAN, series=(DxSeriesPlan(view, view, rows=64, columns=52, pixel_mm=6.72),)))
    assert (instance.ViewPosition, instance.ViewCodeSequence[0].CodeMeaning) == (view, meaning)


def test_it_shows_what_a_plate_would_show(radiograph: FileDataset) -> None:
    plate = _read(replace(PLAN, series=(CrSeriesPlan("PA", rows=128, columns=104, pixel_mm=3.36),)))
    assert np.corrcoef(plate.pixel_array.ravel(), radiograph.pixel_array.ravel())[0, 1] > 0.99


def test_text_is_burned_in_when_asked_for(radiograph: FileDataset) -> None:
    lettered = _read(replace(PLAN, writing=Writing(burned_in_text=True)))
    assert (radiograph.BurnedInAnnotation, lettered.BurnedInAnnotation) == ("NO", "YES")
    assert (lettered.pixel_array != radiograph.pixel_array).any()
