from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.echo import BEAMS, DEPTH_MM, HALF_ANGLE, SAMPLES
from isocenter.modality.ultrasound_screen import Screen, electrocardiogram

SCREEN = Screen(240, 320)


def test_the_fan_covers_its_sector_and_nothing_else() -> None:
    shown = SCREEN.show(np.ones((SAMPLES, BEAMS), np.float32), np.zeros((240, 320), np.uint8)) > 0
    left, top, right, bottom = SCREEN.fan
    rows, columns = np.nonzero(shown)
    assert left - 1 <= columns.min()
    assert columns.max() <= right + 1
    assert top <= rows.min()
    assert rows.max() <= bottom
    expected = HALF_ANGLE * (DEPTH_MM / SCREEN.pixel_mm) ** 2
    assert shown.sum() == pytest.approx(expected, rel=0.02)


def test_a_beam_comes_out_where_it_points() -> None:
    beams = np.zeros((SAMPLES, BEAMS), np.float32)
    beams[:, BEAMS // 2 - 1 : BEAMS // 2 + 1] = 1
    shown = SCREEN.show(beams, np.zeros((240, 320), np.uint8))
    _, columns = np.nonzero(shown > 128)
    assert np.abs(columns - SCREEN.apex[1]).max() <= 2


def test_text_stands_outside_the_fan() -> None:
    background = SCREEN.background(["NAME, OF SOMEBODY"], ["MI 1.1"])
    left, top, _, _ = SCREEN.fan
    assert background[:top].any()
    assert background[top : top + 60, :left].any() or background[top : top + 60, : left + 40].any()
    assert not background[top + 20 :, SCREEN.apex[1] - 5 : SCREEN.apex[1] + 5].any()


def test_no_identity_leaves_the_upper_band_empty() -> None:
    assert not Screen(240, 320).background([], [])[:28, :200].any()


def test_the_mark_on_the_trace_moves_with_time() -> None:
    early, late = np.zeros((240, 320), np.uint8), np.zeros((240, 320), np.uint8)
    SCREEN.add_trace(early, 0.2)
    SCREEN.add_trace(late, 1.2)
    assert int(np.argmax((early == 255).sum(axis=0))) < int(np.argmax((late == 255).sum(axis=0)))


def test_the_r_wave_is_the_highest_and_comes_once_a_beat() -> None:
    beats = np.linspace(0, 2, 2001)
    trace = electrocardiogram(beats)
    assert sorted(set(np.round(beats[trace > 0.95], 1))) == [0.0, 1.0, 2.0]
