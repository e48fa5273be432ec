from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from isocenter.modality.lettering import burn, draw_lines, identity_lines, letter_size, put_letters
from isocenter.modality.patients import JAPANESE_PATIENT, STORY_PATIENTS
from isocenter.modality.plans import StudyPlan

BEGUN = datetime(2026, 3, 2, 10, 15)


def _plan() -> StudyPlan:
    return StudyPlan(STORY_PATIENTS[0], BEGUN, "ACC1", "Test", ())


def test_the_lines_name_patient_and_day() -> None:
    lines = " ".join(identity_lines(_plan()))
    assert "Schmeler639, Jule420" in lines
    assert STORY_PATIENTS[0].patient_id in lines
    assert "28.08.1985" in lines
    assert "02.03.2026" in lines


def test_only_the_alphabetic_group_of_a_name_is_written() -> None:
    assert identity_lines(StudyPlan(JAPANESE_PATIENT, BEGUN, "A", "T", ()))[0] == "Aoki, Akane"


def test_letters_stand_in_the_upper_left_corner_only() -> None:
    pixels = np.zeros((512, 512), np.uint16)
    put_letters(pixels, _plan(), 900)
    assert pixels.max() == 900
    assert not pixels[256:].any()


def test_letters_cover_about_a_tenth_to_a_half_of_their_line() -> None:
    share = draw_lines(["Schmeler639"], size=20) / 255
    assert 0.08 < share.mean() < 0.5


@pytest.mark.parametrize("at", [(0, 0), (-0, 60), (30, 30), (64, 0)])
def test_what_does_not_fit_is_cut_off(at: tuple[int, int]) -> None:
    pixels = np.zeros((64, 64), np.uint8)
    burn(pixels, ["A name that is wider than the picture"] * 9, at=at, size=letter_size(64), value=255)
    assert pixels.shape == (64, 64)
    assert pixels.any() == (at[0] < 64)
