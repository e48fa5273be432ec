from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.angiogram import INJECTED_FROM_S, Frame, Gantry, concentration, make_run
from isocenter.modality.chest import Build

EDGE = 128


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    run = make_run(np.random.default_rng(4), Gantry(-30, 0), Build(), edge=EDGE, has_stenosis=False)
    return list(run.iter_frames(30, 0.1, np.random.default_rng(1)))


def test_vessels_darken_the_picture_as_contrast_comes_and_leave_as_it_goes(frames: list[Frame]) -> None:
    middle = np.s_[30:110, 40:120]
    before, filled, after = (float(frames[number][middle].mean()) for number in (1, 16, 29))
    assert filled < before - 1.5
    assert after > filled + 1.0


def test_the_shutter_blackens_the_corners(frames: list[Frame]) -> None:
    for frame in frames[::10]:
        assert max(frame[0, 0], frame[0, -1], frame[-1, 0], frame[-1, -1]) < 20
        assert frame[EDGE // 2, EDGE // 2] > 30


def test_contrast_reaches_far_places_later() -> None:
    path = np.array([0.0, 60.0, 120.0])
    early = concentration(path, INJECTED_FROM_S + 0.4)
    assert early[0] == 1.0
    assert early[0] >= early[1] > early[2]


def test_there_is_no_contrast_before_the_injection() -> None:
    assert not concentration(np.array([0.0, 50.0]), INJECTED_FROM_S).any()


def test_what_is_in_front_moves_to_the_right_as_the_gantry_turns_to_the_right_of_the_patient() -> None:
    front = np.array([[0.0, -50.0, 0.0]])
    assert Gantry(-30, 0).project(front)[0, 0] == pytest.approx(25.0)
    assert Gantry(0, 0).project(front)[0, 0] == pytest.approx(0.0)
