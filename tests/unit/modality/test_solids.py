from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.solids import Capsule, Egg, Ellipsoid, Layer, Plane, Scene, Solid, ball, paint, tube, turned

AXIAL = Plane(1, 0, (-31.5, -31.5, 0.0), 1.0, 1.0, 64, 64)


def _painted(solid: Solid, plane: Plane = AXIAL) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    picture = np.zeros((plane.rows, plane.columns), np.float32)
    paint(picture, plane, Layer("muscle", solid), 1.0)
    return picture


@pytest.mark.parametrize(
    ("solid", "area"),
    [
        (ball((0, 0, 0), 20), np.pi * 400),
        (ball((0, 0, 12), 20), np.pi * (400 - 144)),
        (ball((0, 0, 0), 20, 10, 5), np.pi * 200),
        (Capsule((0, 0, -50), (0, 0, 50), 15, 15), np.pi * 225),
        (Capsule((-10, 0, 0), (10, 0, 0), 5, 5), np.pi * 25 + 200),
        (Ellipsoid((0, 0, 0), (20, 10, 8), turned(30)), np.pi * 200),
        (Egg((0, 0, 0), (10, 10, 10), (20, 10, 10)), np.pi * 150),
    ],
)
def test_a_cut_covers_the_area_of_the_solid(solid: Solid, area: float) -> None:
    assert _painted(solid).sum() == pytest.approx(area, rel=0.03)


def test_a_plane_beside_a_solid_stays_as_it_was() -> None:
    assert not _painted(ball((0, 0, 30), 20)).any()


def test_a_coronal_plane_shows_the_head_above() -> None:
    coronal = Plane(2, 0, (-31.5, 0.0, 31.5), -1.0, 1.0, 64, 64)
    picture = _painted(ball((12, 0, 20), 6), coronal)
    row, column = (float(np.average(np.arange(64), weights=picture.sum(axis=axis))) for axis in (1, 0))
    assert row == pytest.approx(31.5 - 20, abs=0.1)
    assert column == pytest.approx(31.5 + 12, abs=0.1)


def test_three_planes_through_a_solid_agree_where_they_cross() -> None:
    solid = Ellipsoid((3, -2, 5), (20, 12, 9), turned(25, 10))
    sagittal = Plane(2, 1, (0.5, -31.5, 31.5), -1.0, 1.0, 64, 64)
    coronal = Plane(2, 0, (-31.5, 0.5, 31.5), -1.0, 1.0, 64, 64)
    assert np.allclose(_painted(solid, sagittal)[:, 32], _painted(solid, coronal)[:, 32], atol=1e-4)


def test_a_scene_offers_only_layers_that_the_plane_meets_in_their_order() -> None:
    near, far, over = (Layer(name, ball((0, 0, z), 5)) for name, z in (("fat", 0), ("air", 40), ("csf", 3)))
    assert Scene((near, far, over)).cut_by(AXIAL) == [near, over]


def test_a_tube_joins_its_points() -> None:
    pieces = tube([(0, 0, 0), (10, 0, 0), (10, 10, 0)], [3, 2, 1])
    assert [(p.start, p.end) for p in pieces] == [((0, 0, 0), (10, 0, 0)), ((10, 0, 0), (10, 10, 0))]
    assert [(p.start_radius_mm, p.end_radius_mm) for p in pieces] == [(3, 2), (2, 1)]
