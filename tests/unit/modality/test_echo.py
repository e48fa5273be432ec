from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.echo import (
    BEAMS,
    SAMPLES,
    SYSTOLE,
    Echo,
    HeartShape,
    contraction,
    make_echo,
    valve_opening,
)
from isocenter.modality.solids import Picture


@pytest.fixture(scope="module")
def echo() -> Echo:
    return make_echo(np.random.default_rng(3), HeartShape())


def _frame(echo: Echo, phase: float) -> Picture:
    return echo.frame(phase, np.random.default_rng(1))


def _dark_share(echo: Echo, frame: Picture) -> float:
    """Return how much of the middle of the left ventricle's height is blood."""
    inside = (np.abs(echo.grid.z - 75) < 20) & (np.abs(echo.grid.x - 15) < 30)
    return float((frame[inside] < 0.3).mean())


def test_a_frame_is_brightness_along_the_beams(echo: Echo) -> None:
    frame = _frame(echo, 0.0)
    assert frame.shape == (SAMPLES, BEAMS)
    assert frame.min() >= 0
    assert 0.8 < frame.max() <= 1


def test_the_ventricle_is_smaller_in_systole_than_in_diastole(echo: Echo) -> None:
    assert _dark_share(echo, _frame(echo, SYSTOLE)) < 0.85 * _dark_share(echo, _frame(echo, 0.0))


def test_blood_is_dark_beside_muscle(echo: Echo) -> None:
    frame = _frame(echo, 0.0)
    blood = frame[(np.abs(echo.grid.x - 16) < 6) & (np.abs(echo.grid.z - 75) < 8)]
    septum = frame[(np.abs(echo.grid.x + 4) < 2) & (np.abs(echo.grid.z - 70) < 10)]
    assert septum.mean() > blood.mean() + 0.3


def test_speckle_is_granular(echo: Echo) -> None:
    septum = _frame(echo, 0.0)[(np.abs(echo.grid.x + 4) < 2) & (np.abs(echo.grid.z - 70) < 10)]
    assert 0.04 < septum.std() < 0.25


@pytest.mark.parametrize("phase", [0.0, 0.3, 1.3, 7.91])
def test_a_heart_beats_again_and_again(phase: float) -> None:
    assert contraction(phase) == pytest.approx(contraction(phase + 1), abs=1e-6)
    assert valve_opening(phase) == pytest.approx(valve_opening(phase + 1), abs=1e-6)


def test_valves_are_shut_while_the_ventricles_contract_and_open_as_they_fill() -> None:
    assert max(valve_opening(phase) for phase in np.linspace(0.05, 0.34, 9)) < 0.1
    assert valve_opening(0.58) > 0.9


def test_ventricles_are_smallest_at_the_end_of_systole() -> None:
    phases = np.linspace(0, 1, 101)
    assert phases[int(np.argmax([contraction(phase) for phase in phases]))] == pytest.approx(SYSTOLE, abs=0.011)
