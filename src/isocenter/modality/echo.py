"""A beating heart as ultrasound sees it from the apex: four chambers, two valves, speckle, along the beams of a probe.

x goes to the right of the picture, z away from the probe, in mm. Speckle comes from scatterers that move with the wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter.modality.solids import Picture

BEAMS, SAMPLES = 192, 512
HALF_ANGLE = np.radians(41.0)
DEPTH_MM = 165.0
NEAR_MM = 2.0
"""Where the probe's face ends and the picture begins."""
SYSTOLE, RELAXED = 0.36, 0.58
"""Shares of a beat at which the ventricles are smallest, and relaxed again."""
_SCATTERERS = 1024
"""Edge of the tile of scatterers, larger than the grid."""
_AXIAL_TAPS = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2).astype(np.float32)
_LATERAL_TAPS = np.exp(-0.5 * (np.arange(-3, 4) / 1.25) ** 2).astype(np.float32)
_DYNAMIC_RANGE_DB, _GAIN_DB = 52.0, 1.0
_CHAMBER, _WALL, _CAPSULE, _LEAFLET, _AROUND = 0.0045, 0.17, 0.95, 0.8, 0.05
"""How strongly blood, muscle, the sheath of the heart, valves and what lies around it send back sound."""

Segment = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class HeartShape:
    """What differs from heart to heart."""

    width: float = 1.0
    wall_mm: float = 9.0
    squeeze: float = 0.32
    """By how much of its width the left ventricle narrows."""


@dataclass(frozen=True)
class BeamGrid:
    """Where the samples of the beams lie."""

    @cached_property
    def angles(self) -> Picture:
        """Return the angle of each beam, as a row."""
        return np.linspace(-HALF_ANGLE, HALF_ANGLE, BEAMS, dtype=np.float32)[None, :]

    @cached_property
    def depths(self) -> Picture:
        """Return the distance of each sample from the probe, as a column."""
        return np.linspace(NEAR_MM, DEPTH_MM, SAMPLES, dtype=np.float32)[:, None]

    @cached_property
    def x(self) -> Picture:
        """Return how far to the right each sample lies."""
        return np.asarray(self.depths * np.sin(self.angles), np.float32)

    @cached_property
    def z(self) -> Picture:
        """Return how deep each sample lies."""
        return np.asarray(self.depths * np.cos(self.angles), np.float32)


@dataclass(frozen=True)
class Echo:
    """A heart and its scatterers, ready to be seen at any moment of its beat."""

    shape: HeartShape
    grid: BeamGrid
    scatterers: npt.NDArray[np.complex64]

    def frame(self, phase: float, rng: np.random.Generator) -> Picture:
        """Return brightness from 0 to 1 along the beams, at a share of the beat."""
        strength = self._strength(phase)
        signal = self._moved_scatterers(phase) * strength
        noise = rng.standard_normal((2, SAMPLES, BEAMS), dtype=np.float32) * np.float32(0.0011)
        signal = signal + (noise[0] + 1j * noise[1]) * (0.6 + self.grid.depths / 90)
        envelope = np.abs(_blurred(_blurred(signal, _AXIAL_TAPS, 0), _LATERAL_TAPS, 1))
        level = 20 * np.log10(np.maximum(envelope, 1e-6)) + np.float32(_GAIN_DB)
        return np.asarray(np.clip(level / _DYNAMIC_RANGE_DB + 1, 0, 1) ** 1.12, np.float32)

    def _strength(self, phase: float) -> Picture:
        """Return how much sound each place sends back."""
        x, z, c = self.grid.x, self.grid.z, contraction(phase)
        left, right, atria = _chambers(x, z, c, self.shape)
        cavity = np.maximum(np.maximum(left, right), atria)
        thick = self.shape.wall_mm * (1 + 0.45 * c)
        muscle = np.maximum(left + np.float32(thick), right + np.float32(4.5))
        outer = np.maximum(muscle, atria + np.float32(3.0))
        strength = _around(x, z)
        _cover(strength, outer, _WALL)
        ring = 101.0 - 12.0 * c
        sheath = np.exp(-((outer / 1.3) ** 2)) * _steepness(outer, self.grid.depths)
        sheath *= 1 - 0.85 * np.exp(-(((z - ring - 6) / 9) ** 2))
        np.maximum(strength, sheath * np.float32(_CAPSULE), out=strength)
        _cover(strength, cavity, _CHAMBER)
        lining = np.exp(-((cavity / 0.9) ** 2)) * _steepness(cavity, self.grid.depths)
        np.maximum(strength, lining * np.float32(0.34), out=strength)
        _cover(strength, _septum(x, z, c), _WALL)
        for leaflet in _leaflets(phase, c, self.shape):
            away = _distance(x, z, leaflet)
            np.maximum(strength, np.exp(-((away / 1.1) ** 2)) * np.float32(_LEAFLET), out=strength)
        return strength * self._loss()

    def _loss(self) -> Picture:
        """Return what is left of the sound on its way: less with depth, little at the edges, a rib's shadow."""
        edge = np.abs(self.grid.angles) / HALF_ANGLE
        at_edge = 1 - 0.72 * np.clip((edge - 0.6) / 0.4, 0, 1) ** 1.5
        shadow = 1 - 0.86 * np.exp(-(((self.grid.angles - 0.60) / 0.07) ** 2))
        return np.asarray(at_edge * shadow * np.exp(-self.grid.depths / 150.0), np.float32)

    def _moved_scatterers(self, phase: float) -> npt.NDArray[np.complex64]:
        """Return the scatterers at the samples, moved towards the middle of the left ventricle as it squeezes."""
        c = contraction(phase)
        dx, dz = self.grid.x - np.float32(16), self.grid.z - np.float32(72)
        near = np.exp(-((dx / 48) ** 2 + (dz / 62) ** 2))
        stretch = 1 + np.float32(0.30 * c) * near
        x, z = self.grid.x + dx * (stretch - 1), self.grid.z + dz * (stretch - 1) * np.float32(0.6)
        depth = np.hypot(x, z)
        beam = (np.arctan2(x, z) / HALF_ANGLE + 1) * ((BEAMS - 1) / 2)
        sample = (depth - NEAR_MM) * ((SAMPLES - 1) / (DEPTH_MM - NEAR_MM))
        row, column = (np.rint(places).astype(np.int64) % _SCATTERERS for places in (sample, beam))
        return np.asarray(self.scatterers[row, column])


def make_echo(rng: np.random.Generator, shape: HeartShape) -> Echo:
    """Make a heart whose speckle a generator decides."""
    parts = rng.standard_normal((2, _SCATTERERS, _SCATTERERS), dtype=np.float32)
    return Echo(shape, BeamGrid(), np.asarray(parts[0] + 1j * parts[1], np.complex64))


def contraction(phase: float) -> float:
    """Return how far the ventricles have contracted: 0 filled, 1 emptied, a little below 0 after the atria's kick."""
    phase %= 1.0
    if phase < SYSTOLE:
        return float(0.5 - 0.5 * np.cos(np.pi * phase / SYSTOLE))
    if phase < RELAXED:
        return float(0.5 + 0.5 * np.cos(np.pi * (phase - SYSTOLE) / (RELAXED - SYSTOLE)))
    return float(-0.10 * np.exp(-(((phase - 0.93) / 0.05) ** 2)))


def valve_opening(phase: float) -> float:
    """Return how far the valves into the ventricles stand open: wide as these fill, and once more at the end."""
    phase %= 1.0
    early, late = np.exp(-(((phase - 0.58) / 0.075) ** 2)), 0.72 * np.exp(-(((phase - 0.90) / 0.05) ** 2))
    half = 0.32 if RELAXED - 0.04 < phase < 0.92 else 0.0
    return float(max(early, late, half))


def _chambers(x: Picture, z: Picture, c: float, shape: HeartShape) -> tuple[Picture, Picture, Picture]:
    """Return how deep each place lies inside the left ventricle, the right one, and the atria; in mm."""
    base = 101.0 - 12.0 * c
    left = _bullet(x, z, (8.0, 27.0), (20.0 * shape.width, base), 25.0 * shape.width * (1 - shape.squeeze * c))
    right = _bullet(x, z, (-7.0, 45.0), (-27.0, base - 3 - 4 * c), 15.0 * (1 - 0.26 * c))
    grown = 1 + 0.16 * c
    left_atrium = _oval(x, z, (22.0 * shape.width, base + 20.0), (20.5 * grown, 24.0 * grown))
    right_atrium = _oval(x, z, (-27.0, base + 15.0), (19.0 * grown, 21.0 * grown))
    return left, right, np.maximum(left_atrium, right_atrium)


def _bullet(x: Picture, z: Picture, apex: tuple[float, float], base: tuple[float, float], width: float) -> Picture:
    """Return the depth inside a chamber that is pointed at its apex and as wide as it gets at its base."""
    ax, az = base[0] - apex[0], base[1] - apex[1]
    length = float(np.hypot(ax, az))
    along = ((x - apex[0]) * (ax / length) + (z - apex[1]) * (az / length)) / np.float32(length)
    across = np.abs((x - apex[0]) * (az / length) - (z - apex[1]) * (ax / length))
    # An ellipse from the apex on, widest at three quarters of the way, and closed off by the plane of the valve.
    rounded = np.sqrt(((along - 0.75) / 0.75) ** 2 + (across / width) ** 2)
    return np.asarray(np.minimum((1 - rounded) * np.float32(width), (1 - along) * np.float32(length)), np.float32)


def _oval(x: Picture, z: Picture, centre: tuple[float, float], radii: tuple[float, float]) -> Picture:
    rounded = np.sqrt(((x - centre[0]) / radii[0]) ** 2 + ((z - centre[1]) / radii[1]) ** 2)
    return np.asarray((1 - rounded) * np.float32(min(radii)), np.float32)


def _septum(x: Picture, z: Picture, c: float) -> Picture:
    """Return how deep each place lies inside the wall between the ventricles and the thin one between the atria."""
    base = 101.0 - 12.0 * c
    muscle = 4.6 * (1 + 0.4 * c) - _distance(x, z, ((-2.0, 36.0), (-6.0, base - 6)))
    thin = 1.7 - _distance(x, z, ((-6.0, base - 4), (-4.0, base + 40)))
    return np.asarray(np.maximum(muscle, thin), np.float32)


def _leaflets(phase: float, c: float, shape: HeartShape) -> list[Segment]:
    """Return the four leaflets: from the ring of the valve to where they meet or, open, into the ventricle."""
    opening, base = valve_opening(phase), 101.0 - 12.0 * c
    leaflets: list[Segment] = []
    for middle, half, ring in ((22.0 * shape.width, 17.0 * shape.width, base + 1), (-26.0, 13.0, base - 2 - 4 * c)):
        for side in (-1, 1):
            hinge = (middle + side * half, ring)
            inward = half * (1 - 0.72 * opening)
            tip = (hinge[0] - side * inward, ring - 6.0 - 13.0 * opening)
            leaflets.append((hinge, tip))
    return leaflets


def _distance(x: Picture, z: Picture, segment: Segment) -> Picture:
    (x0, z0), (x1, z1) = segment
    dx, dz = x1 - x0, z1 - z0
    along = np.clip(((x - x0) * dx + (z - z0) * dz) / np.float32(dx * dx + dz * dz), 0, 1)
    return np.asarray(np.hypot(x - x0 - along * dx, z - z0 - along * dz), np.float32)


def _around(x: Picture, z: Picture) -> Picture:
    """Return chest wall in front, fat and lung at the sides and behind."""
    strength = np.full(z.shape, _AROUND, np.float32)
    strength += 0.5 * np.exp(-(((z - 7) / 2.4) ** 2)) + 0.34 * np.exp(-(((z - 13.5) / 1.6) ** 2))
    strength += 0.2 * np.exp(-(((z - 20) / 1.8) ** 2))
    lung = np.clip((np.abs(x) - 62) / 12, 0, 1) + np.clip((z - 150) / 10, 0, 1)
    strength += 0.05 * np.clip(lung, 0, 1) * (1 + np.sin(z / 2.6))
    return np.asarray(strength, np.float32)


def _cover(strength: Picture, depth_inside: Picture, value: float) -> None:
    share = np.clip(depth_inside / 1.2 + 0.5, 0, 1)
    strength += share * (np.float32(value) - strength)


def _steepness(depth_inside: Picture, depths: Picture) -> Picture:
    """Return how squarely the beams meet a border: its echo is strong where they do."""
    step = float(depths[1, 0] - depths[0, 0])
    along = np.abs(np.gradient(depth_inside, step, axis=0))
    return np.asarray(0.22 + 0.78 * np.clip(along, 0, 1) ** 1.5, np.float32)


def _blurred(signal: npt.NDArray[np.complex64], taps: Picture, axis: int) -> npt.NDArray[np.complex64]:
    """Return a signal spread by the pulse of the probe, of unchanged power."""
    taps = taps / np.sqrt((taps**2).sum())
    reach = len(taps) // 2
    widths = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
    padded = np.pad(signal, widths)
    out = np.zeros(signal.shape, np.complex64)
    for shift, weight in enumerate(taps):
        window = [slice(None), slice(None)]
        window[axis] = slice(shift, shift + signal.shape[axis])
        out += padded[tuple(window)] * np.float32(weight)
    return out
