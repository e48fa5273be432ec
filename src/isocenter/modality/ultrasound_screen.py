"""The screen of an ultrasound device: the fan of the beams, and text, scale and trace around it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter.modality.echo import BEAMS, DEPTH_MM, HALF_ANGLE, NEAR_MM, SAMPLES
from isocenter.modality.lettering import burn, letter_size
from isocenter.modality.solids import Picture

Screen8 = npt.NDArray[np.uint8]

TOP_SHARE = 0.13
"""Of the height: the band of text above the fan."""
FAN_SHARE = 0.78
TRACE_SHARE = 0.05
_TRACE_BEATS = 3.0
"""How many heart beats the trace shows at once."""
_TEXT, _TICK, _TRACE = 235, 150, 200
_WAVES = (
    (-0.16, 0.025, 0.14),
    (-0.022, 0.008, -0.10),
    (0.0, 0.009, 1.0),
    (0.024, 0.010, -0.22),
    (0.29, 0.045, 0.26),
)
"""P, Q, R, S and T of an electrocardiogram: moment and width in beats, height."""


@dataclass(frozen=True)
class Screen:
    """A screen of some size, and where each pixel of it looks in the body."""

    rows: int
    columns: int

    @property
    def pixel_mm(self) -> float:
        """Return how much of the body a pixel shows."""
        return DEPTH_MM / (self.rows * FAN_SHARE)

    @property
    def apex(self) -> tuple[int, int]:
        """Return the row and column of the probe."""
        return int(self.rows * TOP_SHARE), self.columns // 2

    @property
    def fan(self) -> tuple[int, int, int, int]:
        """Return the first and last column and row of the box around the fan: x0, y0, x1, y1."""
        row, column = self.apex
        reach = int(DEPTH_MM * float(np.sin(HALF_ANGLE)) / self.pixel_mm)
        last = min(self.rows - 1, row + int(DEPTH_MM / self.pixel_mm))
        return max(0, column - reach), row, min(self.columns - 1, column + reach), last

    @cached_property
    def _places(self) -> tuple[npt.NDArray[np.int32], tuple[Picture, ...], npt.NDArray[np.bool_]]:
        """Return the sample above and left of each pixel of the fan, the weights of the four, and which those are."""
        row, column = self.apex
        z = ((np.arange(self.rows, dtype=np.float32) - row) * self.pixel_mm)[:, None]
        x = ((np.arange(self.columns, dtype=np.float32) - column) * self.pixel_mm)[None, :]
        depth, angle = np.hypot(x, z), np.arctan2(x, z)
        inside = (depth > NEAR_MM) & (depth < DEPTH_MM) & (np.abs(angle) < HALF_ANGLE)
        beam = np.clip((angle[inside] / HALF_ANGLE + 1) * ((BEAMS - 1) / 2), 0, BEAMS - 1.01)
        sample = np.clip((depth[inside] - NEAR_MM) * ((SAMPLES - 1) / (DEPTH_MM - NEAR_MM)), 0, SAMPLES - 1.01)
        left, above = beam.astype(np.int32), sample.astype(np.int32)
        right, below = (beam - left).astype(np.float32), (sample - above).astype(np.float32)
        weights = ((1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right)
        return above * BEAMS + left, weights, inside

    def show(self, beams: Picture, background: Screen8) -> Screen8:
        """Return the background with the fan of the beams on it."""
        first, weights, inside = self._places
        samples = np.ravel(beams)
        grey = sum(
            samples[first + shift] * weight for shift, weight in zip((0, 1, BEAMS, BEAMS + 1), weights, strict=True)
        )
        picture = background.copy()
        picture[inside] = np.asarray(np.rint(np.asarray(grey) * 255), np.uint8)
        return picture

    def background(self, identity: list[str], settings: list[str]) -> Screen8:
        """Return what stands on the screen all the time: who, how, and a scale of depth."""
        picture = np.zeros((self.rows, self.columns), np.uint8)
        size = letter_size(self.rows)
        burn(picture, identity, at=(2, size // 2), size=size, value=_TEXT)
        burn(picture, settings, at=(int(self.rows * 0.2), size // 2), size=size, value=_TICK)
        self._add_scale(picture, size)
        shades = np.linspace(255, 0, self.rows // 4).astype(np.uint8)
        wide = max(2, self.columns // 64)
        top = int(self.rows * 0.2)
        picture[top : top + len(shades), -2 * wide : -wide] = shades[:, None]
        return picture

    def _add_scale(self, picture: Screen8, size: int) -> None:
        row, _ = self.apex
        _, _, right, _ = self.fan
        for centimetre in range(int(DEPTH_MM // 10) + 1):
            at = row + int(centimetre * 10 / self.pixel_mm)
            is_fifth = centimetre % 5 == 0
            if at >= self.rows:
                return
            picture[at, right + 2 : right + (10 if is_fifth else 6)] = _TICK
            if is_fifth and centimetre:
                burn(picture, [str(centimetre)], at=(at - size // 2, right + 12), size=size, value=_TICK)

    def add_trace(self, picture: Screen8, time_beats: float) -> None:
        """Draw the electrocardiogram at the foot of the screen, in place, with a mark at the present moment."""
        height = max(6, int(self.rows * TRACE_SHARE))
        foot = self.rows - 3
        columns = np.arange(self.columns)
        level = electrocardiogram(columns / self.columns * _TRACE_BEATS)
        rows = foot - np.rint(level * height).astype(np.int64) - height // 4
        upper = np.minimum(rows, np.roll(rows, 1))
        lower = np.maximum(rows, np.roll(rows, 1))
        upper[0] = lower[0] = rows[0]
        for column in columns:
            picture[max(0, upper[column]) : lower[column] + 1, column] = _TRACE
        now = int(time_beats % _TRACE_BEATS / _TRACE_BEATS * self.columns)
        picture[foot - height - height // 3 : foot + 1, now : now + 2] = 255


def electrocardiogram(beats: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return a trace of P wave, QRS complex and T wave; contraction begins with the R."""
    phase = (beats + 0.5) % 1.0 - 0.5
    return np.asarray(sum(height * np.exp(-(((phase - at) / width) ** 2)) for at, width, height in _WAVES))
