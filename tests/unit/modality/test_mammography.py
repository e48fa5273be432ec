from __future__ import annotations

from datetime import datetime
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from isocenter.modality.patients import STORY_PATIENTS
from isocenter.modality.plans import MgSeriesPlan, StudyPlan, reduced
from isocenter.modality.studies import iter_study

PLAN = reduced(
    StudyPlan(
        STORY_PATIENTS[2], datetime(2022, 11, 22, 9, 3), "ACC1", "SCREENING MAMMOGRAM", (MgSeriesPlan("Screening"),)
    ),
    12,
)


@pytest.fixture(scope="module")
def views() -> list[FileDataset]:
    return [dcmread(BytesIO(part10)) for part10 in iter_study(PLAN, 7)]


def test_a_screening_has_four_views(views: list[FileDataset]) -> None:
    assert [(v.ImageLaterality, v.ViewPosition) for v in views] == [
        ("R", "CC"),
        ("L", "CC"),
        ("R", "MLO"),
        ("L", "MLO"),
    ]
    assert PLAN.number_of_instances == 4


def test_breasts_hang_back_to_back(views: list[FileDataset]) -> None:
    for view in views:
        pixels = view.pixel_array[60:140]
        near_left, near_right = pixels[:, :20].mean(), pixels[:, -20:].mean()
        assert (near_left > near_right) == (view.ImageLaterality == "L")
        assert view.PatientOrientation[0] == ("A" if view.ImageLaterality == "L" else "P")


def test_the_view_is_coded(views: list[FileDataset]) -> None:
    assert [v.ViewCodeSequence[0].CodeMeaning for v in views] == ["cranio-caudal"] * 2 + ["medio-lateral oblique"] * 2


def test_a_marker_says_which_view_it_is(views: list[FileDataset]) -> None:
    for view in views:
        rows, columns = view.pixel_array.shape
        half = view.pixel_array[: rows // 8, columns // 2 :] if view.ImageLaterality == "L" else None
        corner = half if half is not None else view.pixel_array[: rows // 8, : columns // 2]
        assert corner.max() > 3500


def test_the_breasts_of_a_patient_are_alike_but_not_the_same(views: list[FileDataset]) -> None:
    right, left = views[0].pixel_array[:, ::-1], views[1].pixel_array
    assert abs(int((right > 300).sum()) - int((left > 300).sum())) < 0.05 * (left > 300).sum()
    assert (right != left).any()


def test_they_are_for_presentation(views: list[FileDataset]) -> None:
    assert {v.PresentationIntentType for v in views} == {"FOR PRESENTATION"}
    assert {v.BurnedInAnnotation for v in views} == {"NO"}
