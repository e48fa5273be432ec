from __future__ import annotations

import numpy as np
import pytest

from isocenter.modality.chest import Build, make_chest
from isocenter.modality.head import Finding, Head, make_head
from isocenter.modality.materials import CT_HU, MR_FLAIR, MR_T1, MR_T2
from isocenter.modality.phantoms import MrScan, doubled, draw_chest, draw_ct_head, draw_head, spoil_mr, stored_ct
from isocenter.modality.plans import Orientation
from isocenter.modality.slices import slice_plane
from isocenter.modality.solids import Picture


@pytest.fixture(scope="module")
def head() -> Head:
    return make_head(np.random.default_rng(11))


def _cut(head: Head, contrast: object = CT_HU, at_mm: float = 14.0) -> Picture:
    plane = slice_plane(Orientation.AXIAL, edge=240, field_of_view_mm=240.0, position_mm=at_mm)
    return draw_head(head, plane, contrast)  # type: ignore[arg-type]


def _share(picture: Picture, low: float, high: float) -> float:
    return float(((picture >= low) & (picture <= high)).mean())


def test_a_ct_of_a_head_has_the_shares_of_tissue_that_a_head_has(head: Head) -> None:
    picture = _cut(head)
    assert 0.22 < _share(picture, 15, 50) < 0.60, "brain"
    assert 0.03 < _share(picture, 400, 1600) < 0.20, "bone"
    assert 0.01 < _share(picture, 0, 14) < 0.12, "fluid"
    assert 0.30 < _share(picture, -1000, -950) < 0.60, "air"


def test_a_ct_of_a_head_has_air_in_the_sinuses(head: Head) -> None:
    picture = _cut(head, at_mm=-46.0)
    assert _share(picture[50:100, 100:140], -1000, -850) > 0.05


def test_fluid_is_dark_in_t1_and_flair_and_bright_in_t2(head: Head) -> None:
    ct = _cut(head)
    ventricles = np.zeros_like(ct, bool)
    ventricles[60:180, 80:160] = np.abs(ct[60:180, 80:160] - CT_HU["csf"]) < 1
    brain = np.abs(ct - CT_HU["white"]) < 2
    assert ventricles.sum() > 100
    for contrast, is_brighter in ((MR_T1, False), (MR_T2, True), (MR_FLAIR, False)):
        picture = _cut(head, contrast)
        assert bool(picture[ventricles].mean() > picture[brain].mean()) is is_brighter


def test_a_haemorrhage_is_denser_than_brain() -> None:
    rng = np.random.default_rng(11)
    picture = _cut(make_head(rng, finding=Finding.HAEMORRHAGE))
    assert _share(picture[80:160, 50:190], 62, 80) > 0.02


def test_slices_of_one_volume_change_little_from_one_to_the_next(head: Head) -> None:
    here, near, far = (_cut(head, at_mm=z) for z in (20.0, 20.5, 50.0))
    assert np.abs(here - near).mean() < 0.2 * np.abs(here - far).mean()


def test_an_axial_slice_and_a_sagittal_one_agree_on_their_common_line(head: Head) -> None:
    axial = _cut(head, at_mm=20.5)
    plane = slice_plane(Orientation.SAGITTAL, edge=240, field_of_view_mm=240.0, position_mm=10.5)
    sagittal = draw_head(head, plane, CT_HU)
    row = round(119.5 - 20.5)
    assert np.abs(axial[:, 130] - sagittal[row, :]).mean() < 1.0


def test_a_ct_of_a_chest_has_lungs_in_a_trunk_on_a_table() -> None:
    chest = make_chest(np.random.default_rng(3), Build())
    plane = slice_plane(Orientation.AXIAL, edge=200, field_of_view_mm=390.0, position_mm=20.0)
    picture = draw_chest(chest, plane)
    assert 0.12 < _share(picture, -900, -800) < 0.40, "lung"
    assert 0.08 < _share(picture, 0, 120) < 0.40, "soft tissue"
    assert _share(picture[100:], -200, -100) > 0, "table"
    assert picture.max() > 400, "bone"


def test_stored_values_are_hounsfield_units_above_minus_1024() -> None:
    stored = stored_ct(np.array([[-2000.0, -1024.0, 0.4, 3071.0, 9000.0]], np.float32))
    assert stored.tolist() == [[0, 0, 1024, 4095, 4095]]


def test_rician_noise_lifts_an_empty_background() -> None:
    empty = np.zeros((64, 64), np.float32)
    noisy = spoil_mr(empty, MrScan(noise=10, shading=0.2), np.random.default_rng(1))
    assert float(noisy.mean()) == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.05)


def test_doubling_keeps_places_and_values() -> None:
    slope = np.arange(8, dtype=np.float32)[:, None] + 10 * np.arange(6, dtype=np.float32)[None, :]
    large = doubled(slope)
    assert large.shape == (16, 12)
    assert np.allclose(large.reshape(8, 2, 6, 2).mean(axis=(1, 3))[1:-1, 1:-1], slope[1:-1, 1:-1])


def test_a_fine_ct_lies_where_a_coarse_one_does(head: Head) -> None:
    coarse, fine = (
        draw_ct_head(head, slice_plane(Orientation.AXIAL, edge=edge, field_of_view_mm=240.0, position_mm=14.0))
        for edge in (240, 480)
    )
    assert np.abs(fine.reshape(240, 2, 240, 2).mean(axis=(1, 3)) - coarse).mean() < 12
