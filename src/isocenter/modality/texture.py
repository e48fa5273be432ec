"""Random fields and noise from a generator: the folds of the brain, the grain of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.modality.solids import Picture, Plane, Point, Window

GRAIN_EDGE = 1024
"""Edge of a tile of noise: larger than any slice, so that no slice repeats within itself."""


@dataclass(frozen=True)
class Field:
    """A smooth random field of unit variance in patient space, kept on a coarse grid."""

    samples: npt.NDArray[np.float32]
    origin: Point
    spacing_mm: float

    def on(self, plane: Plane, window: Window) -> Picture:
        """Return the field at the pixels of a window."""
        axes = (plane.normal_axis, plane.row_axis, plane.column_axis)
        samples = self.samples.transpose(axes)
        section = resampled(samples, self._places(np.array([plane.position_mm]), axes[0]), axis=0)[0]
        section = resampled(section, self._places(plane.row_coordinates[window[0]], axes[1]), axis=0)
        return resampled(section, self._places(plane.column_coordinates[window[1]], axes[2]), axis=1)

    def _places(self, coordinates: npt.NDArray[np.floating], axis: int) -> npt.NDArray[np.floating]:
        return (coordinates - self.origin[axis]) / self.spacing_mm


def resampled(samples: Picture, places: npt.NDArray[np.floating], *, axis: int) -> Picture:
    """Return samples at places between them along an axis, by cubic interpolation."""
    count = samples.shape[axis]
    places = np.clip(places, 0, count - 1.001)
    base = places.astype(np.int64)
    t = (places - base).astype(np.float32)
    shape = [1] * samples.ndim
    shape[axis] = len(places)
    taps = (
        (-1, ((-0.5 * t + 1) * t - 0.5) * t),
        (0, (1.5 * t - 2.5) * t * t + 1),
        (1, ((-1.5 * t + 2) * t + 0.5) * t),
        (2, (0.5 * t - 0.5) * t * t),
    )
    parts = (
        np.take(samples, np.clip(base + shift, 0, count - 1), axis) * weights.astype(np.float32).reshape(shape)
        for shift, weights in taps
    )
    total = next(parts)
    for part in parts:
        total += part
    return np.asarray(total, np.float32)


def make_field(
    rng: np.random.Generator, *, lower: Point, upper: Point, spacing_mm: float, wavelength_mm: float
) -> Field:
    """Make a field whose features are about a wavelength apart."""
    shape = tuple(int((high - low) / spacing_mm) + 4 for low, high in zip(lower, upper, strict=True))
    noise = rng.standard_normal(shape, dtype=np.float32)
    frequency = np.sqrt(
        sum(f * f for f in np.meshgrid(*(np.fft.fftfreq(n, spacing_mm) for n in shape), indexing="ij", sparse=True))
    )
    band = np.exp(-(((frequency * wavelength_mm) - 1) ** 2) / (2 * 0.22**2))
    samples = np.fft.ifftn(np.fft.fftn(noise) * band).real
    samples /= samples.std()
    return Field(samples.astype(np.float32), lower, spacing_mm)


@dataclass(frozen=True)
class Grain:
    """A tile of noise of unit variance, coloured like the reconstruction of a scanner."""

    tile: Picture

    def cut(self, rng: np.random.Generator, rows: int, columns: int) -> Picture:
        """Return a piece of the tile from a random place."""
        row = int(rng.integers(0, self.tile.shape[0] - rows + 1))
        column = int(rng.integers(0, self.tile.shape[1] - columns + 1))
        return self.tile[row : row + rows, column : column + columns]


def make_grain(rng: np.random.Generator, *, edge: int = GRAIN_EDGE, cutoff: float = 0.28) -> Grain:
    """Make a tile whose spectrum rises and then falls, as filtered back projection leaves it."""
    noise = rng.standard_normal((edge, edge), dtype=np.float32)
    frequency = np.hypot(np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None, :]).astype(np.float32)
    band = np.sqrt(frequency) * np.exp(-((frequency / cutoff) ** 2))
    tile = np.fft.irfft2(np.fft.rfft2(noise) * band, s=(edge, edge))
    tile /= tile.std()
    return Grain(tile.astype(np.float32))
