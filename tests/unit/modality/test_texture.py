from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.solids import Plane
from isocenter.modality.texture import make_field, make_grain

WHOLE = (slice(0, 40), slice(0, 40))


def test_a_field_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = (
        make_field(
            np.random.default_rng(seed), lower=(-30, -30, -30), upper=(30, 30, 30), spacing_mm=3, wavelength_mm=20
        ).samples
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_field_has_one_value_at_one_place_whatever_the_plane() -> None:
    field = make_field(
        np.random.default_rng(4), lower=(-30, -30, -30), upper=(30, 30, 30), spacing_mm=3, wavelength_mm=20
    )
    axial = field.on(Plane(1, 0, (-20, -20, 5), 1, 1, 40, 40), WHOLE)
    coronal = field.on(Plane(2, 0, (-20, -4, 20), -1, 1, 40, 40), WHOLE)
    assert np.allclose(axial[16], coronal[15], atol=1e-4)


def test_grain_has_unit_variance_and_no_mean() -> None:
    tile = make_grain(np.random.default_rng(1), edge=256).tile
    assert float(tile.std()) == pytest.approx(1, abs=0.01)
    assert float(tile.mean()) == pytest.approx(0, abs=0.01)


def test_grain_is_cut_to_the_size_asked_for() -> None:
    assert make_grain(np.random.default_rng(1), edge=128).cut(np.random.default_rng(2), 100, 90).shape == (100, 90)
