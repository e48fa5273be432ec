from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.chest import Build, make_chest
from isocenter.modality.materials import ATTENUATION_PER_MM
from isocenter.modality.radiograph import PlateReadout, enlarge, read_plate, sum_rays
from isocenter.modality.solids import Layer, Scene, ball

READOUT = PlateReadout(160, 128, 2.72)


def test_a_ray_through_a_ball_is_weakened_by_its_diameter() -> None:
    scene = Scene((Layer("muscle", ball((0, 0, 0), 60)),))
    integral = sum_rays(scene, PlateReadout(320, 256, 0.68), centre_mm=0, depth_mm=(-80, 80))
    middle = integral[78:82, 62:66].mean()
    assert float(middle) == pytest.approx(120 * ATTENUATION_PER_MM["muscle"], rel=0.02)
    assert integral[0, 0] == 0


def test_a_chest_has_dark_lungs_beside_a_bright_mediastinum() -> None:
    chest = make_chest(np.random.default_rng(5), Build(arms_raised=False))
    integral = sum_rays(chest, READOUT, centre_mm=0, depth_mm=(-150, 130))
    picture = read_plate(integral, READOUT, np.random.default_rng(6)).astype(float)
    rows = slice(55, 85)
    right, middle, left = (picture[rows, columns].mean() for columns in (slice(32, 48), slice(58, 72), slice(84, 96)))
    assert middle > right + 400
    assert middle > left + 400


def test_a_plate_is_read_with_twelve_bits() -> None:
    integral = np.linspace(0, 8, 80 * 64, dtype=np.float32).reshape(80, 64)
    picture = read_plate(integral, READOUT, np.random.default_rng(1))
    assert picture.shape == (160, 128)
    assert picture.max() <= 4095


def test_enlarging_keeps_a_slope() -> None:
    slope = np.arange(10, dtype=np.float32)[None, :].repeat(10, axis=0)
    large = enlarge(slope, 40, 40)
    assert np.allclose(np.diff(large[:, 10:-10], axis=1), 0.25, atol=1e-5)
