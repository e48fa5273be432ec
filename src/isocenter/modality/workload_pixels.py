"""The pictures in the benchmark's instances: compressible like real ones, made quickly."""

from __future__ import annotations

import numpy as np

from isocenter.modality.head import make_head
from isocenter.modality.phantoms import add_ct_noise, draw_ct_head, stored_ct
from isocenter.modality.plans import Orientation
from isocenter.modality.radiograph import enlarge
from isocenter.modality.slices import slice_plane
from isocenter.modality.solids import Picture
from isocenter.modality.texture import make_grain

CT_FRAMES = 25
"""Different slices before a series repeats: enough that no cache of frames helps, few enough to hold in memory."""
LARGE_FRAMES = 5
"""Different frames of a large instance, each of 9 MB."""
LARGE_EDGE = 1024
"""Beyond this edge the picture is a breast of tomosynthesis instead of a slice of a head."""


def make_frames(seed: int, *, rows: int, columns: int) -> list[bytes]:
    """Return the encoded frames that the instances of a set take turns with."""
    rng = np.random.default_rng(seed)
    if rows > LARGE_EDGE:
        return _breast_frames(rng, rows, columns)
    head, grain = make_head(rng), make_grain(rng)
    frames: list[bytes] = []
    for index in range(CT_FRAMES):
        plane = slice_plane(Orientation.AXIAL, edge=rows, field_of_view_mm=240.0, position_mm=-40.0 + index * 4.5)
        picture = add_ct_noise(draw_ct_head(head, plane), grain, rng, deviation_hu=6.0)
        frames.append(stored_ct(picture[:, :columns]).astype("<u2").tobytes())
    return frames


def _breast_frames(rng: np.random.Generator, rows: int, columns: int) -> list[bytes]:
    grain = make_grain(rng, cutoff=0.4)
    tissue = _glandular_tissue(rng, rows, columns)
    repeats = (rows // grain.tile.shape[0] + 1, columns // grain.tile.shape[1] + 1)
    noise = np.tile(grain.tile, repeats)[:rows, :columns] * np.float32(14)
    frames: list[bytes] = []
    for index in range(LARGE_FRAMES):
        picture = np.roll(tissue, 9 * index, axis=0) + np.roll(noise, 101 * index, axis=1)
        frames.append(np.clip(picture, 0, 4095).astype("<u2").tobytes())
    return frames


def _glandular_tissue(rng: np.random.Generator, rows: int, columns: int) -> Picture:
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, columns, dtype=np.float32)[None, :]
    depth = np.clip((1 - (x / 0.86) ** 2 - (y / 0.9) ** 2) * 4, 0, 1)
    picture = 60 + 640 * depth
    for coarse, weight in ((12, 220.0), (40, 140.0), (120, 70.0)):
        noise = rng.standard_normal((coarse, coarse), dtype=np.float32)
        picture = picture + weight * depth * np.abs(enlarge(noise, rows, columns))
    return np.asarray(picture, np.float32)
