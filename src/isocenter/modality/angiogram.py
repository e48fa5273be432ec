"""An angiography run as pictures: contrast flows from the catheter through the arteries of a beating heart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.modality.chest import Build, make_chest
from isocenter.modality.coronary_tree import Branch, Points, beating, catheter, make_coronary_tree
from isocenter.modality.radiograph import PlateReadout, enlarge, sum_rays
from isocenter.modality.solids import Picture

FIELD_MM = 172.0
"""Width of the field of view at the heart."""
SPEED_MM_S = 165.0
INJECTED_FROM_S, INJECTED_UNTIL_S = 0.35, 1.7
HEART_RATE = 78
_HEART_IN_CHEST = np.array((18.0, -26.0, -34.0))
"""Where the origin of the arteries lies in the coordinates of the chest."""
_CONTRAST_PER_MM, _CATHETER_PER_MM = 0.20, 0.15
_BACKGROUND_SHARE = 0.30
"""How much of its own contrast the chest keeps: devices flatten it so that vessels stand out."""
_FRONT_MM, _BACK_MM = -150.0, 130.0
_SPINE_MM = 40.0
_SOFTNESS = 4
"""How much coarser than its rays the background is shown: what lies far from the detector is blurred."""
_MARGIN = 0.35
"""Of the field: how much wider the background is made than is seen, for a gantry that is turned."""

Frame = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Gantry:
    """From where the beam looks, in degrees (PS3.3 C.8.7.5)."""

    primary: float
    secondary: float

    def project(self, points: Points) -> Points:
        """Return where points of the patient come to lie in the picture: to the right and upwards, in mm."""
        a, b = np.radians(self.primary), np.radians(self.secondary)
        right = points[:, 0] * np.cos(a) + points[:, 1] * np.sin(a)
        away = -points[:, 0] * np.sin(a) + points[:, 1] * np.cos(a)
        return np.asarray(np.stack([right, points[:, 2] * np.cos(b) + away * np.sin(b)], axis=1))


@dataclass(frozen=True)
class Run:
    """What a run shows: the arteries, where it is seen from, the quiet background."""

    arteries: tuple[Branch, ...]
    gantry: Gantry
    background: Picture
    edge: int

    def iter_frames(self, count: int, frame_time_s: float, rng: np.random.Generator) -> Iterator[Frame]:
        """Yield the frames of the run."""
        for number in range(count):
            time_s = number * frame_time_s
            yield self._read_out(self.background + self._contrast(time_s), rng)

    def _contrast(self, time_s: float) -> Picture:
        """Return what catheter and contrast attenuate at a moment."""
        total = np.zeros((self.edge, self.edge), np.float32)
        phase = time_s * HEART_RATE / 60
        filled = float(concentration(np.zeros(1), time_s)[0])
        tube = catheter()
        strength = np.full(len(tube.points), _CATHETER_PER_MM * (0.5 + 0.5 * filled))
        self._draw(total, tube.points, tube.radii_mm, strength)
        vessels = np.zeros_like(total)
        for branch in self.arteries:
            strength = concentration(branch.path_mm, time_s) * _CONTRAST_PER_MM
            if strength.max() > 0.01 * _CONTRAST_PER_MM:
                self._draw(vessels, beating(branch.points, phase), branch.radii_mm, strength)
        return total + vessels

    def _draw(self, total: Picture, points: Points, radii: Points, strength: Points) -> None:
        """Add a tube piece by piece; where pieces meet the stronger one counts."""
        places = self._pixels(points)
        scale = self.edge / FIELD_MM
        for index in range(len(points) - 1):
            radius = float(max(radii[index], radii[index + 1])) * scale
            window = _window(places[index], places[index + 1], radius + 1.5, self.edge)
            if window is None:
                continue
            rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
            columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :]
            away = _distance(rows, columns, places[index], places[index + 1])
            # A pixel is as wide as the smallest vessels: half a pixel of blur keeps those from breaking up.
            chord = 2 * np.sqrt(np.maximum((radius + 0.4) ** 2 - away**2, 0)) / scale
            part = total[window]
            np.maximum(part, chord * np.float32((strength[index] + strength[index + 1]) / 2), out=part)

    def _pixels(self, points: Points) -> Points:
        """Return row and column of points in the coordinates of the arteries."""
        seen = self.gantry.project(points)
        scale = self.edge / FIELD_MM
        return np.stack([self.edge / 2 - seen[:, 1] * scale, self.edge / 2 + seen[:, 0] * scale], axis=1)

    def _read_out(self, integral: Picture, rng: np.random.Generator) -> Frame:
        noise = rng.standard_normal(integral.shape, dtype=np.float32)
        noise = 0.62 * noise + 0.45 * np.roll(noise, 1, axis=1) + 0.3 * np.roll(noise, 1, axis=0)
        quanta = np.exp(-integral) * np.float32(218.0)
        shade = quanta + noise * np.sqrt(np.maximum(quanta, 4)) * np.float32(0.42)
        return np.asarray(np.clip(np.rint(shade), 0, 255), np.uint8)


def make_run(rng: np.random.Generator, gantry: Gantry, build: Build, *, edge: int, has_stenosis: bool) -> Run:
    """Make a run of the left coronary artery."""
    arteries = make_coronary_tree(rng, has_stenosis=has_stenosis)
    return Run(arteries, gantry, _background(rng, gantry, build, edge), edge)


def concentration(path_mm: Points, time_s: float) -> Points:
    """Return how much contrast there is so far along the arteries at a moment, from 0 to 1."""
    local = time_s - path_mm / SPEED_MM_S
    filling = np.clip((local - INJECTED_FROM_S) / 0.18, 0, 1)
    washing = np.exp(-np.maximum(local - INJECTED_UNTIL_S, 0) / 0.42)
    return np.asarray(filling * filling * (3 - 2 * filling) * washing)


def _background(rng: np.random.Generator, gantry: Gantry, build: Build, edge: int) -> Picture:
    """Return chest, spine and diaphragm as faintly as a device shows them, moved aside as the gantry turns."""
    margin = int(edge * _MARGIN)
    readout = PlateReadout(edge, edge + 2 * margin, FIELD_MM / edge)
    chest = make_chest(rng, build)
    rays = sum_rays(chest, readout, centre_mm=float(_HEART_IN_CHEST[2]), depth_mm=(_FRONT_MM, _BACK_MM))
    whole = enlarge(_softened(rays), readout.rows, readout.columns)
    # The spine, behind the heart, moves against the direction in which the gantry turns.
    spine = float(gantry.project(np.array([[0.0, _SPINE_MM, 0.0]]))[0, 0]) - float(_HEART_IN_CHEST[0])
    middle = whole.shape[1] / 2 - spine * edge / FIELD_MM
    first = int(np.clip(middle - edge / 2, 0, whole.shape[1] - edge))
    seen = whole[:, first : first + edge]
    flat = (seen - np.percentile(seen[::4, ::4], 2)) * np.float32(_BACKGROUND_SHARE)
    return np.asarray(np.clip(flat, 0, 2.6) + _collimator(edge), np.float32)


def _softened(rays: Picture) -> Picture:
    rows, columns = (length // _SOFTNESS for length in rays.shape)
    blocks = rays[: rows * _SOFTNESS, : columns * _SOFTNESS].reshape(rows, _SOFTNESS, columns, _SOFTNESS)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _collimator(edge: int) -> Picture:
    """Return the shutter that rounds the corners of the field."""
    away = np.abs(np.linspace(-1, 1, edge, dtype=np.float32))
    corner = np.maximum(away[:, None], away[None, :]) + 0.36 * np.minimum(away[:, None], away[None, :])
    return np.asarray(np.clip((corner - 1.27) * 60, 0, 4), np.float32)


def _window(start: Points, end: Points, reach: float, edge: int) -> tuple[slice, slice] | None:
    lower = np.floor(np.minimum(start, end) - reach).astype(int)
    upper = np.ceil(np.maximum(start, end) + reach).astype(int) + 1
    lower, upper = np.clip(lower, 0, edge), np.clip(upper, 0, edge)
    if (lower >= upper).any():
        return None
    return slice(int(lower[0]), int(upper[0])), slice(int(lower[1]), int(upper[1]))


def _distance(rows: Picture, columns: Picture, start: Points, end: Points) -> Picture:
    dr, dc = (np.float32(e - s) for s, e in zip(start, end, strict=True))
    r, c = rows - np.float32(start[0]), columns - np.float32(start[1])
    along = np.clip((r * dr + c * dc) / np.float32(max(float(dr * dr + dc * dc), 1e-6)), 0, 1)
    return np.asarray(np.hypot(r - along * dr, c - along * dc), np.float32)
