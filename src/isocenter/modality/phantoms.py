"""Pictures that look like anatomy, from a seed: CT, MR, CR.

Every slice is a cut through one solid model, so that reformatting across slices gives anatomy too.
All randomness comes from generators that are passed in or made from a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.modality.head import BRAIN, Head
from isocenter.modality.materials import CT_HU
from isocenter.modality.solids import Layer, Picture, Plane, Scene, ball, blend, paint
from isocenter.modality.texture import Grain

CT_LOWEST_HU = -1024
CT_HIGHEST_HU = 3071
FINEST_MM = 0.8
"""What a scanner resolves, about: anatomy is drawn no finer than twice this, noise on every pixel."""


def draw_head(head: Head, plane: Plane, contrast: Mapping[str, float]) -> Picture:
    """Return a cut through a head in the values of a contrast."""
    picture = np.full((plane.rows, plane.columns), contrast["air"], np.float32)
    if contrast is CT_HU:
        _draw_head_rest(picture, plane)
    for layer in head.outside.cut_by(plane):
        paint(picture, plane, layer, contrast[layer.material])
    _draw_cortex(picture, plane, head, contrast)
    for layer in head.inside.cut_by(plane):
        paint(picture, plane, layer, contrast[layer.material])
    return picture


def draw_ct_head(head: Head, plane: Plane) -> Picture:
    """Return a cut through a head in Hounsfield units, as blurred as a scanner blurs it."""
    if not _is_finer_than_a_scanner(plane):
        return draw_head(head, plane, CT_HU)
    return doubled(draw_head(head, plane.halved(), CT_HU))


def draw_chest(chest: Scene, plane: Plane) -> Picture:
    """Return a cut through a chest on its table, in Hounsfield units; vessels and ribs are drawn sharp."""
    layers = chest.cut_by(plane)
    if not _is_finer_than_a_scanner(plane):
        return _draw_trunk(layers, plane)
    picture = doubled(_draw_trunk([layer for layer in layers if not layer.is_thin], plane.halved()))
    for layer in layers:
        if layer.is_thin:
            paint(picture, plane, layer, CT_HU[layer.material])
    return picture


def _draw_trunk(layers: Sequence[Layer], plane: Plane) -> Picture:
    picture = np.full((plane.rows, plane.columns), CT_HU["air"], np.float32)
    _draw_table(picture, plane)
    for layer in layers:
        paint(picture, plane, layer, CT_HU[layer.material])
    return picture


def _is_finer_than_a_scanner(plane: Plane) -> bool:
    return plane.column_step_mm < FINEST_MM and plane.rows % 2 == plane.columns % 2 == 0


def doubled(picture: Picture) -> Picture:
    """Return a picture with twice as many rows and columns, interpolated."""
    tall = np.empty((2 * picture.shape[0], picture.shape[1]), np.float32)
    _interleave(tall, picture)
    whole = np.empty((tall.shape[0], 2 * tall.shape[1]), np.float32)
    _interleave(whole.T, tall.T)
    return whole


def _interleave(twice: Picture, picture: Picture) -> None:
    """Fill twice as many rows: each a quarter of the way from one row to its neighbour; the outermost as they are."""
    near, far = picture * np.float32(0.75), picture * np.float32(0.25)
    np.add(near[1:], far[:-1], out=twice[2::2])
    np.add(near[:-1], far[1:], out=twice[1:-1:2])
    twice[0], twice[-1] = picture[0], picture[-1]


def _draw_table(picture: Picture, plane: Plane) -> None:
    hollow = ball((0, -262, 0), 330, 392, 900)
    for material, by_mm in (("carbon", 0.0), ("foam", 2.0), ("carbon", 20.0), ("air", 22.0)):
        paint(picture, plane, Layer(material, hollow.shrunk(by_mm)), CT_HU[material])
    for lower, upper in (((-900, -900, -900), (900, 70, 900)), ((205, -900, -900), (900, 900, 900))):
        window = plane.window(lower, upper)
        if window is not None:
            picture[window] = CT_HU["air"]


def _draw_cortex(picture: Picture, plane: Plane, head: Head, contrast: Mapping[str, float]) -> None:
    window = plane.window(BRAIN.lower, BRAIN.upper)
    if window is None:
        return
    inside, grey, fluid = head.cortex.shares(plane, window)
    mantle = np.full(inside.shape, contrast["white"], np.float32)
    blend(mantle, grey, contrast["grey"])
    blend(mantle, fluid, contrast["csf"])
    region = picture[window]
    mantle -= region
    mantle *= inside
    region += mantle


def _draw_head_rest(picture: Picture, plane: Plane) -> None:
    shell = ball((0, 8, -20), 98, 106, 260, exponent=2.2)
    for material, by_mm in (("carbon", 0.0), ("foam", 1.6), ("air", 9.0)):
        paint(picture, plane, Layer(material, shell.shrunk(by_mm)), CT_HU[material])
    window = plane.window((-400, -400, -400), (400, 30, 400))
    if window is not None:
        picture[window] = CT_HU["air"]


def add_ct_noise(picture: Picture, grain: Grain, rng: np.random.Generator, *, deviation_hu: float) -> Picture:
    """Add scanner noise to Hounsfield units, in place, and return them."""
    rows, columns = picture.shape
    picture += np.float32(deviation_hu) * grain.cut(rng, rows, columns)
    return picture


def stored_ct(hounsfield: Picture) -> npt.NDArray[np.uint16]:
    """Return Hounsfield units as stored values with a rescale intercept of -1024."""
    stored = hounsfield + np.float32(0.5 - CT_LOWEST_HU)
    return np.clip(stored, 0, CT_HIGHEST_HU - CT_LOWEST_HU, out=stored).astype(np.uint16)


@dataclass(frozen=True)
class MrScan:
    """How an MR series spoils its picture: coil shading and noise."""

    noise: float
    shading: float


def spoil_mr(picture: Picture, scan: MrScan, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return signal as stored values, with a bias field and Rician noise."""
    rows, columns = picture.shape
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    bias = 1 + np.float32(scan.shading) * (0.5 * (x * x + y * y) + 0.35 * y - 0.2 * x - 0.25)
    real, imaginary = rng.standard_normal((2, rows, columns), dtype=np.float32) * np.float32(scan.noise)
    return np.asarray(np.clip(np.rint(np.hypot(picture * bias + real, imaginary)), 0, 4095), np.uint16)
