"""Radiographs: rays summed through a solid model, then read out as a plate reader would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.modality.materials import ATTENUATION_PER_MM
from isocenter.modality.solids import Picture, Plane, Scene, paint

RAY_STEP_MM = 2.4
"""Distance between the coronal planes that are summed; edges are spread over about as much."""
CR_MAXIMUM = 4095


@dataclass(frozen=True)
class PlateReadout:
    """How the plate is read: size of the picture and what processing does to it."""

    rows: int
    columns: int
    pixel_mm: float
    coarse: int = 2
    """Rays are summed on a grid coarser by this factor."""


def sum_rays(scene: Scene, readout: PlateReadout, *, centre_mm: float, depth_mm: tuple[float, float]) -> Picture:
    """Return the line integral of attenuation from front to back, on the coarse grid."""
    rows, columns = readout.rows // readout.coarse, readout.columns // readout.coarse
    step = readout.pixel_mm * readout.coarse
    total = np.zeros((rows, columns), np.float32)
    for y in np.arange(depth_mm[0], depth_mm[1], RAY_STEP_MM):
        origin = (-step * (columns - 1) / 2, float(y), centre_mm + step * (rows - 1) / 2)
        plane = Plane(2, 0, origin, -step, step, rows, columns)
        total += _section(scene, plane, ATTENUATION_PER_MM)
    total *= np.float32(RAY_STEP_MM)
    return total


def _section(scene: Scene, plane: Plane, contrast: Mapping[str, float]) -> Picture:
    picture = np.zeros((plane.rows, plane.columns), np.float32)
    for layer in scene.cut_by(plane):
        paint(picture, plane, layer, contrast[layer.material])
    return picture


def read_plate(integral: Picture, readout: PlateReadout, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return 12-bit values that grow with attenuation (MONOCHROME2), with processing and quantum noise."""
    fine: Picture = enlarge(integral, readout.rows, readout.columns)
    exposure = np.exp(-fine)
    noise = rng.standard_normal(fine.shape, dtype=np.float32) * np.sqrt(4e-5 / np.maximum(exposure, 2e-4))
    seen: Picture = fine + noise.astype(np.float32) * np.float32(0.12)
    background = enlarge(_smooth(integral, 14), readout.rows, readout.columns)
    detail = seen - enlarge(_smooth(integral, 3), readout.rows, readout.columns)
    balanced = 0.55 * seen + 0.45 * (seen - background) + 0.9 * detail
    low, high = np.percentile(balanced[::8, ::8], (4, 99.3))
    scaled = np.clip((balanced - low) / (high - low), -0.08, 1.1)
    return np.asarray(np.clip(np.rint(420 + 3100 * scaled), 0, CR_MAXIMUM), np.uint16)


def enlarge(picture: Picture, rows: int, columns: int) -> Picture:
    """Return a picture interpolated to a finer grid."""
    down, across = _interpolation(picture.shape[0], rows), _interpolation(picture.shape[1], columns)
    return np.asarray(down @ picture @ across.T, np.float32)


def _interpolation(coarse: int, fine: int) -> Picture:
    place = np.clip((np.arange(fine) + 0.5) * coarse / fine - 0.5, 0, coarse - 1.001)
    base = place.astype(np.int64)
    weights = np.zeros((fine, coarse), np.float32)
    weights[np.arange(fine), base] = 1 - (place - base)
    weights[np.arange(fine), base + 1] = place - base
    return weights


def _smooth(picture: Picture, radius: int) -> Picture:
    """Return a picture after two passes of a moving average in each direction."""
    for axis in (0, 0, 1, 1):
        padded = np.concatenate(
            [
                np.repeat(np.take(picture, [0], axis), radius + 1, axis),
                picture,
                np.repeat(np.take(picture, [-1], axis), radius, axis),
            ],
            axis,
        )
        sums = np.cumsum(padded, axis=axis, dtype=np.float64)
        width = 2 * radius + 1
        upper = np.take(sums, np.arange(width, sums.shape[axis]), axis)
        lower = np.take(sums, np.arange(0, sums.shape[axis] - width), axis)
        picture = ((upper - lower) / width).astype(np.float32)
    return picture
