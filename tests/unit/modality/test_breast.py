from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.breast import MG_MAXIMUM, BreastView, draw_breast
from isocenter.modality.solids import Picture

FROM_ABOVE = BreastView(False, 92, 88, 106)
OBLIQUE = BreastView(True, 100, 90, 132)
SHAPE, PIXEL_MM = (430, 360), 0.5


def _draw(view: BreastView, *, density: float = 0.5, seed: int = 3) -> Picture:
    return draw_breast(np.random.default_rng(seed), view, shape=SHAPE, pixel_mm=PIXEL_MM, density=density)


@pytest.fixture(scope="module")
def from_above() -> Picture:
    return _draw(FROM_ABOVE)


@pytest.fixture(scope="module")
def oblique() -> Picture:
    return _draw(OBLIQUE)


def test_values_fit_twelve_bits(from_above: Picture, oblique: Picture) -> None:
    for picture in (from_above, oblique):
        assert np.isfinite(picture).all()
        assert picture.min() >= 0
        assert picture.max() <= MG_MAXIMUM


def test_air_around_the_breast_is_black(from_above: Picture) -> None:
    assert from_above[:, -40:].max() == 0
    assert from_above[:10].max() == 0


def test_the_chest_wall_is_at_the_left_edge(from_above: Picture) -> None:
    assert from_above[212, 0] > 500


def test_the_skin_line_is_brighter_than_the_fat_behind_it(from_above: Picture) -> None:
    row = from_above[300]
    skin = int(np.nonzero(row > 200)[0].max())
    assert row[skin - 4 : skin].max() > row[skin - 16 : skin - 8].mean()


def test_dense_breasts_are_brighter() -> None:
    fatty, dense = _draw(FROM_ABOVE, density=0.1), _draw(FROM_ABOVE, density=0.9)
    assert dense[dense > 0].mean() > 1.15 * fatty[fatty > 0].mean()


def test_the_pectoral_muscle_is_in_the_upper_corner_of_an_oblique_view_only(
    from_above: Picture, oblique: Picture
) -> None:
    assert oblique[4:40, 4:40].mean() > 1800
    assert from_above[4:20, 4:40].mean() < 300


def test_the_same_generator_makes_the_same_breast(oblique: Picture) -> None:
    assert np.array_equal(oblique, _draw(OBLIQUE))
