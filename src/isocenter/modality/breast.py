"""A compressed breast as a mammogram for presentation shows it: fat, glandular tissue, skin, nipple, pectoral muscle.

The chest wall is at the left edge, the nipple points to the right; x and y in mm from the upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocenter.modality.radiograph import enlarge
from isocenter.modality.solids import Picture
from isocenter.modality.texture import make_grain

MG_MAXIMUM = 4095
WORKING_FACTOR = 3
"""How much coarser than the picture tissue is made: its features are wider than this."""
SKIN_MM = 1.7
_ROUNDED_MM = 7.0
"""Over which the compressed breast thins out towards its outline, after the processing that evens this out."""
_FAT, _GLAND, _MUSCLE, _SKIN = 1050.0, 2150.0, 1350.0, 620.0
"""Stored value of fat, and what the other tissues add to it; air is 0."""
_KNEE, _HEAD = 2600.0, 1250.0
"""Above which values are compressed, and how far above it they can come."""
_NOISE = 26.0
_AXILLA_MM = 70.0
"""How far the skin is from the chest wall at the upper edge of an oblique view."""
_CALCIFICATION = 1300.0
_SHORTEST_SIDE = 96
"""Of the picture in which tissue is made."""


@dataclass(frozen=True, slots=True)
class BreastView:
    """How the breast lies on the detector."""

    is_oblique: bool
    reach_mm: float
    """From the chest wall to the nipple."""
    half_height_mm: float
    nipple_mm: float
    """Height of the nipple, from the upper edge."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """The coarse picture: coordinates, depth below the skin, place seen from the nipple."""

    x: Picture
    y: Picture
    depth: Picture
    from_nipple: Picture
    angle: Picture


def draw_breast(
    rng: np.random.Generator, view: BreastView, *, shape: tuple[int, int], pixel_mm: float, density: float
) -> Picture:
    """Return stored values of a mammogram."""
    rows, columns = (max(_SHORTEST_SIDE, length // WORKING_FACTOR) for length in shape)
    ground = _lay_out(view, rows, columns, shape[0] * pixel_mm / rows)
    tissue = _tissue(rng, ground, view, density)
    if view.is_oblique:
        tissue = _with_muscle(rng, tissue, ground)
    thickness = _thickness(ground.depth)
    skin = np.exp(-(((ground.depth - SKIN_MM / 2) / (SKIN_MM / 1.6)) ** 2)) * np.float32(_SKIN)
    picture = enlarge((np.float32(_FAT) + tissue) * thickness + skin, *shape)
    _add_calcifications(rng, picture, view, pixel_mm)
    return _with_noise(rng, picture)


def _lay_out(view: BreastView, rows: int, columns: int, step_mm: float) -> _Ground:
    y = ((np.arange(rows, dtype=np.float32) + 0.5) * step_mm)[:, None]
    x = ((np.arange(columns, dtype=np.float32) + 0.5) * step_mm)[None, :]
    outline = _outline(view, y)
    slope = np.gradient(outline[:, 0], step_mm)[:, None]
    depth = (outline - x) / np.sqrt(1 + np.minimum(slope * slope, 30.0))
    nipple_x = float(_outline(view, np.array([[view.nipple_mm]], np.float32))[0, 0])
    dx, dy = nipple_x - x, y - np.float32(view.nipple_mm)
    bump = 5.4 - np.hypot(x - nipple_x + 1.0, dy)
    depth = np.maximum(depth, bump)
    return _Ground(x, y, np.asarray(depth, np.float32), np.hypot(dx, dy), np.arctan2(dy, dx))


def _outline(view: BreastView, y: Picture) -> Picture:
    """Return how far from the chest wall the skin is at each height; negative above and below the breast."""
    away = (y - np.float32(view.nipple_mm)) / np.float32(view.half_height_mm)
    if not view.is_oblique:
        return np.asarray(view.reach_mm * _round(np.abs(away)), np.float32)
    above = (
        _AXILLA_MM
        + (view.reach_mm - _AXILLA_MM) * np.maximum(np.cos(np.clip(-away * 0.78, 0, 1) * np.pi / 2), 0) ** 1.35
    )
    below = view.reach_mm * _round(np.clip(away * 1.12, 0, None))
    return np.asarray(np.where(away < 0, above, below), np.float32)


def _round(away: Picture) -> Picture:
    inside = np.sqrt(np.clip(1 - away**2.3, 0, 1))
    return np.asarray(np.where(away < 1, inside, -(away - 1) * 2), np.float32)


def _thickness(depth: Picture) -> Picture:
    """Return the share of the full thickness; air outside."""
    inner = np.clip(depth / _ROUNDED_MM, 0, 1)
    return np.asarray(np.where(depth > 0, 0.34 + 0.66 * np.sqrt(inner), 0) * np.clip(depth / 0.4, 0, 1), np.float32)


def _tissue(rng: np.random.Generator, ground: _Ground, view: BreastView, density: float) -> Picture:
    """Return what glandular tissue, its ducts and the septa in the fat add."""
    rows, columns = ground.depth.shape
    clouds = _power_law(rng, rows, columns, 1.55)
    fine = _power_law(rng, rows, columns, 1.15)
    # A cone from the nipple to the chest wall, thickest behind the middle.
    along = np.clip(ground.from_nipple / view.reach_mm, 0, 1.6)
    swell = np.maximum(np.sin(np.clip(along * 1.05, 0, 1) * np.pi), 0) ** 0.7
    cone = np.exp(-((ground.angle / (0.62 + 0.35 * density)) ** 2)) * swell
    cone *= np.clip((ground.depth - 5) / 9, 0, 1)
    lobes = np.clip(cone * (0.55 + 0.9 * density) + 0.36 * clouds * (0.3 + cone) - 0.16, 0, 1.2)
    gland = lobes * (0.72 + 0.3 * np.clip(fine, -1.5, 2))
    ducts = _ducts(rng, ground) * np.clip(1.2 - along, 0, 1) * np.clip(along * 6, 0, 1) * np.clip(cone + 0.15, 0, 1)
    septa = np.exp(-((fine / 0.11) ** 2)) * 0.10 + np.exp(-((clouds / 0.045) ** 2)) * 0.13
    fat = 0.05 * clouds + 0.03 * fine + septa
    return np.asarray((gland * 0.92 + ducts * 0.34 + fat * np.clip(1 - gland, 0.2, 1)) * np.float32(_GLAND), np.float32)


def _ducts(rng: np.random.Generator, ground: _Ground) -> Picture:
    """Return strands that run together at the nipple."""
    total = np.zeros(ground.depth.shape, np.float32)
    for _ in range(26):
        start = float(rng.normal(0, 0.42))
        wave, phase, bend = float(rng.uniform(0.03, 0.09)), float(rng.uniform(0, 6.3)), float(rng.normal(0, 0.12))
        way = ground.from_nipple
        angle = start + bend * way / 60 + wave * np.sin(way / 9 + phase) * np.clip(way / 30, 0, 1)
        off = (ground.angle - angle) * way
        total += np.exp(-((off / np.float32(rng.uniform(0.35, 0.9))) ** 2)) * np.float32(rng.uniform(0.3, 1.0))
    return np.clip(total, 0, 1.4)


def _with_muscle(rng: np.random.Generator, tissue: Picture, ground: _Ground) -> Picture:
    """Return tissue with the pectoral muscle in the upper corner at the chest wall."""
    edge = 52.0 * (1 - ground.y / 128.0) + 3.0 * np.sin(ground.y / 26.0)
    inside = np.clip((edge - ground.x) / 2.4 + 0.5, 0, 1)
    rows, columns = tissue.shape
    fibres = _power_law(rng, rows, columns, 1.3)
    thick = 0.72 + 0.28 * np.clip((edge - ground.x) / 34, 0, 1)
    strands = 0.03 * np.sin((ground.x * 0.8 + ground.y * 0.42) / 1.6)
    muscle = np.float32(_MUSCLE) * thick * (1 + 0.035 * fibres + strands)
    return np.asarray(tissue + inside * (muscle + 0.18 * tissue - tissue), np.float32)


def _add_calcifications(rng: np.random.Generator, picture: Picture, view: BreastView, pixel_mm: float) -> None:
    """Add a few scattered ones, as most breasts have, in place."""
    rows, columns = picture.shape
    for _ in range(9):
        x = float(rng.uniform(0.25, 0.75)) * view.reach_mm
        y = view.nipple_mm + float(rng.normal(0, 0.28)) * view.half_height_mm
        radius = float(rng.uniform(0.12, 0.34)) / pixel_mm
        row, column, reach = int(y / pixel_mm), int(x / pixel_mm), int(radius * 3) + 2
        if not (reach <= row < rows - reach and reach <= column < columns - reach):
            continue
        spread = np.arange(-reach, reach + 1, dtype=np.float32)
        spot = np.exp(-((spread[:, None] ** 2 + spread[None, :] ** 2) / (2 * max(radius, 0.5) ** 2)))
        picture[row - reach : row + reach + 1, column - reach : column + reach + 1] += spot * np.float32(_CALCIFICATION)


def _with_noise(rng: np.random.Generator, picture: Picture) -> Picture:
    grain = make_grain(rng, cutoff=0.42)
    edge = grain.tile.shape[0]
    repeats = (picture.shape[0] // edge + 1, picture.shape[1] // edge + 1)
    noise = np.tile(grain.tile, repeats)[: picture.shape[0], : picture.shape[1]]
    inside = np.clip(picture / np.float32(_FAT * 0.3), 0, 1)
    # Film and its successors have a shoulder: the densest tissue comes close to white without reaching it.
    shoulder = np.float32(_KNEE) + np.float32(_HEAD) * np.tanh((picture - np.float32(_KNEE)) / np.float32(_HEAD))
    toned = np.where(picture > _KNEE, shoulder, picture)
    return np.asarray(np.clip(toned + noise * inside * np.float32(_NOISE), 0, MG_MAXIMUM), np.float32)


def _power_law(rng: np.random.Generator, rows: int, columns: int, slope: float) -> Picture:
    """Return noise whose amplitude falls with a power of its frequency, as that of breast tissue does."""
    noise = rng.standard_normal((rows, columns), dtype=np.float32)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None] * rows / columns, np.fft.rfftfreq(columns)[None, :])
    band = 1 / np.maximum(frequency, 2.5 / columns) ** slope
    band[0, 0] = 0
    field = np.fft.irfft2(np.fft.rfft2(noise) * band, s=(rows, columns))
    return np.asarray(field / field.std(), np.float32)
