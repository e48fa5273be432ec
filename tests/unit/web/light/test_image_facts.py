from __future__ import annotations

from typing import Any

import pytest

from isocenter.dicom.dictionary import tag_of
from isocenter.web.light.geometry import Edges
from isocenter.web.light.image_facts import RATE_DEFAULT, image_facts
from isocenter.web.light.place import Window


def dataset(**values: Any) -> dict[str, Any]:
    """Return a data set in the JSON model, of attributes by keyword; lists are values, dicts the one item."""
    return {
        f"{tag_of(keyword) or 0:08X}": {"Value": value if isinstance(value, list) else [value]}
        for keyword, value in values.items()
    }


def test_a_slice_tells_window_letters_and_scale() -> None:
    facts = image_facts(
        dataset(
            Rows=512,
            Columns=512,
            PhotometricInterpretation="MONOCHROME2",
            WindowCenter=[40, 400],
            WindowWidth=[80, 2000],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            PixelSpacing=[0.25, 0.5],
        )
    )
    assert facts.window == Window(40, 80)
    assert facts.edges == Edges("R", "L", "A", "P")
    assert facts.bar is not None
    assert (facts.bar.columns, facts.bar.label) == (200, "10 cm")
    assert facts.is_grey
    assert not facts.is_inverted


def test_functional_groups_of_the_frame_count_before_shared_ones() -> None:
    window = dataset(WindowCenter=1, WindowWidth=2)
    enhanced = dataset(
        Columns=100,
        SharedFunctionalGroupsSequence=dataset(
            FrameVOILUTSequence=dataset(WindowCenter=10, WindowWidth=20),
            PlaneOrientationSequence=dataset(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
            PixelMeasuresSequence=dataset(PixelSpacing=[1, 1]),
        ),
        PerFrameFunctionalGroupsSequence=[{}, dataset(FrameVOILUTSequence=window)],
    )
    assert image_facts(enhanced, 1).window == Window(10, 20)
    assert image_facts(enhanced, 2).window == Window(1, 2)
    assert image_facts(enhanced, 2).edges == Edges("A", "P", "H", "F")
    assert image_facts(enhanced, 2).bar is not None


def test_a_scale_at_the_detector_says_so() -> None:
    bar = image_facts(dataset(Columns=2000, ImagerPixelSpacing=[0.1, 0.1])).bar
    assert bar is not None
    assert bar.label == "5 cm at the detector"


def test_an_ultrasound_picture_has_the_scale_of_its_region() -> None:
    region = dataset(PhysicalUnitsXDirection=3, PhysicalDeltaX=0.05)
    bar = image_facts(dataset(Columns=640, SequenceOfUltrasoundRegions=region)).bar
    assert bar is not None
    assert bar.columns == 200
    seconds = dataset(PhysicalUnitsXDirection=4, PhysicalDeltaX=0.05)
    assert image_facts(dataset(Columns=640, SequenceOfUltrasoundRegions=seconds)).bar is None


@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ({"FrameTime": 40}, 25.0),
        ({"CineRate": 30, "FrameTime": 40}, 30.0),
        ({"RecommendedDisplayFrameRate": 12, "CineRate": 30}, 12.0),
        ({"FrameTimeVector": [0, 100, 50, 50]}, 15.0),
        ({"FrameTime": 0}, RATE_DEFAULT),
        ({"FrameTime": 100_000}, 1.0),
        ({"CineRate": 4000}, 60.0),
        ({"CineRate": "fast"}, RATE_DEFAULT),
        ({}, RATE_DEFAULT),
    ],
)
def test_the_rate_is_that_of_the_file_within_reason(values: dict[str, Any], rate: float) -> None:
    assert image_facts(dataset(**values)).rate == rate


@pytest.mark.parametrize("nonsense", [{}, {"00280010": None}, {"00280010": {"Value": {"a": 1}}}, {"52009229": 7}])
def test_whatever_the_header_holds_there_is_an_answer(nonsense: dict[str, Any]) -> None:
    facts = image_facts(nonsense, 3)
    assert (facts.rows, facts.window, facts.bar) == (0, None, None)


def test_colours_have_no_window_and_monochrome1_is_inverted() -> None:
    assert not image_facts(dataset(PhotometricInterpretation="RGB")).is_grey
    assert image_facts(dataset(PhotometricInterpretation="MONOCHROME1")).is_inverted
