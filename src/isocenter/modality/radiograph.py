"""Radiographs: rays summed through a solid model, then read out as a plate reader would.

Organs are summed plane by plane on a coarse grid. Thin tubes (vessels, ribs, bronchi) are many and sharp: each is
projected in one step on a finer grid, by the length of its chord, in place of what it displaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from isocenter.modality.materials import ATTENUATION_PER_MM
from isocenter.modality.solids import Capsule, Layer, Picture, Plane, Point, Scene, Window, paint
from isocenter.modality.texture import resampled

RAY_STEP_MM = 2.4
"""Distance between the coronal planes that are summed; edges are spread over about as much."""
SHORTEST_MM = 0.5
"""A piece of a tube is taken to be at least this long."""
STEEPEST = 0.35
"""Sine of the smallest angle between a tube and the rays: beyond it the chord would exceed the tube's length."""
CR_MAXIMUM = 4095
ORGAN_FACTOR, TUBE_FACTOR = 4, 2
"""How much coarser than the picture the two grids are."""
UNSEEN_SHARE = 0.125
"""A tube whose radius is less of a pixel than this leaves nothing to be seen."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a tube, and what it attenuates beyond what it displaces."""

    tube: Capsule
    extra_per_mm: float
    material: str


@dataclass(frozen=True)
class PlateReadout:
    """How the plate is read: the size of the picture and of its pixels."""

    rows: int
    columns: int
    pixel_mm: float

    def plane(self, factor: int, *, centre_mm: float, y: float = 0.0) -> Plane:
        """Return a coronal grid over the picture, coarser by a factor."""
        rows, columns, step = self.rows // factor, self.columns // factor, self.pixel_mm * factor
        origin = (-step * (columns - 1) / 2, y, centre_mm + step * (rows - 1) / 2)
        return Plane(2, 0, origin, -step, step, rows, columns)


def sum_rays(scene: Scene, readout: PlateReadout, *, centre_mm: float, depth_mm: tuple[float, float]) -> Picture:
    """Return the line integral of attenuation from front to back, on the grid of the tubes."""
    organs = Scene(tuple(layer for layer in scene.layers if not layer.is_thin))
    coarse = readout.plane(ORGAN_FACTOR, centre_mm=centre_mm)
    total = np.zeros((coarse.rows, coarse.columns), np.float32)
    step_mm = max(RAY_STEP_MM, coarse.column_step_mm / 2)
    for y in np.arange(depth_mm[0], depth_mm[1], step_mm):
        total += _section(organs, readout.plane(ORGAN_FACTOR, centre_mm=centre_mm, y=float(y)))
    plane = readout.plane(TUBE_FACTOR, centre_mm=centre_mm)
    integral = enlarge(total * np.float32(step_mm), plane.rows, plane.columns)
    for pieces in _joined(*_thin_layers(_seen(scene, plane.column_step_mm))):
        _add_tube(integral, plane, pieces)
    return integral


def _seen(scene: Scene, pixel_mm: float) -> Scene:
    """Return a scene without tubes that are too thin for the pixels of a coarse picture."""
    smallest_mm = UNSEEN_SHARE * pixel_mm
    return Scene(tuple(layer for layer in scene.layers if not layer.is_thin or _radius(layer) >= smallest_mm))


def _radius(layer: Layer) -> float:
    assert isinstance(layer.solid, Capsule), "what is thin is a tube"
    return max(layer.solid.start_radius_mm, layer.solid.end_radius_mm)


def _section(scene: Scene, plane: Plane) -> Picture:
    picture = np.zeros((plane.rows, plane.columns), np.float32)
    for layer in scene.cut_by(plane):
        paint(picture, plane, layer, ATTENUATION_PER_MM[layer.material])
    return picture


def _thin_layers(scene: Scene) -> tuple[list[Layer], Picture]:
    """Return the thin tubes, and the attenuation of what was at the middle of each before it."""
    order = [index for index, layer in enumerate(scene.layers) if layer.is_thin]
    middles = np.array([_middle(scene.layers[index]) for index in order], np.float32).reshape(-1, 3)
    x, y, z = middles[:, 0, None], middles[:, 1, None], middles[:, 2, None]
    displaced = np.zeros(len(order), np.float32)
    places = np.array(order)
    for index, layer in enumerate(scene.layers):
        begins = int(np.searchsorted(places, index, side="right"))
        inside = layer.solid.depth(x[begins:], y[begins:], z[begins:])[:, 0] > 0
        change = np.float32(ATTENUATION_PER_MM[layer.material]) - displaced[begins:]
        displaced[begins:] += np.where(inside, change * np.float32(layer.opacity), 0)
    return [scene.layers[index] for index in order], displaced


def _middle(layer: Layer) -> tuple[float, ...]:
    assert isinstance(layer.solid, Capsule)
    return tuple((start + end) / 2 for start, end in zip(layer.solid.start, layer.solid.end, strict=True))


def _joined(layers: list[Layer], displaced: Picture) -> Iterator[list[Piece]]:
    """Yield runs of pieces of one material that continue each other."""
    run: list[Piece] = []
    for layer, was in zip(layers, displaced, strict=True):
        tube = layer.solid
        assert isinstance(tube, Capsule)
        piece = Piece(tube, (ATTENUATION_PER_MM[layer.material] - float(was)) * layer.opacity, layer.material)
        if run and (run[-1].tube.end != tube.start or run[-1].material != layer.material):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _add_tube(integral: Picture, plane: Plane, pieces: list[Piece]) -> None:
    """Add what a tube attenuates more than what it displaces; where its pieces overlap the stronger counts."""
    flat = [_flattened(piece.tube, plane.position_mm) for piece in pieces]
    lower, upper = (np.array([getattr(tube, end) for tube in flat]) for end in ("lower", "upper"))
    whole = plane.window(_point(lower.min(axis=0)), _point(upper.max(axis=0)))
    if whole is None:
        return
    rows, columns = whole
    extra = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    for piece, tube in zip(pieces, flat, strict=True):
        window = plane.window(tube.lower, tube.upper)
        if window is not None:
            part = tuple(slice(w.start - o.start, w.stop - o.start) for w, o in zip(window, whole, strict=True))
            found = _chord(piece.tube, tube, plane, window) * np.float32(piece.extra_per_mm)
            before = extra[part]
            np.copyto(before, found, where=np.abs(found) > np.abs(before))
    integral[whole] += extra


def _flattened(tube: Capsule, level: float) -> Capsule:
    return replace(tube, start=(tube.start[0], level, tube.start[2]), end=(tube.end[0], level, tube.end[2]))


def _chord(tube: Capsule, flat: Capsule, plane: Plane, window: Window) -> Picture:
    """Return how long the way of each ray through a tube is."""
    radius = max(tube.start_radius_mm, tube.end_radius_mm)
    depth = np.clip(flat.depth(*plane.coordinates(window)), 0, radius)
    across = float(np.hypot(tube.end[0] - tube.start[0], tube.end[2] - tube.start[2]))
    whole = float(np.hypot(across, tube.end[1] - tube.start[1]))
    sine = max(STEEPEST, across / max(whole, SHORTEST_MM))
    return np.asarray(np.sqrt(depth * (2 * radius - depth)) * np.float32(2 / sine), np.float32)


def _point(values: npt.NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])


def read_plate(integral: Picture, readout: PlateReadout, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return 12-bit values that grow with attenuation (MONOCHROME2), with processing and quantum noise."""
    quanta = np.sqrt(4e-5 / np.maximum(np.exp(-integral), 2e-4))
    noise = rng.standard_normal((readout.rows, readout.columns), dtype=np.float32) * enlarge(
        quanta, readout.rows, readout.columns
    )
    processed = 1.9 * integral - 0.45 * _smooth(integral, 28) - 0.9 * _smooth(integral, 6)
    low, high = np.percentile(processed[::4, ::4], (4, 99.3))
    picture = enlarge(processed, readout.rows, readout.columns) + noise * np.float32(0.2)
    scaled = np.clip((picture - low) / (high - low), -0.08, 1.1)
    return np.asarray(np.clip(np.rint(420 + 3100 * scaled), 0, CR_MAXIMUM), np.uint16)


def enlarge(picture: Picture, rows: int, columns: int) -> Picture:
    """Return a picture interpolated to a finer grid."""
    down = resampled(picture, _fine_places(picture.shape[0], rows), axis=0)
    return resampled(down, _fine_places(picture.shape[1], columns), axis=1)


def _fine_places(coarse: int, fine: int) -> npt.NDArray[np.floating]:
    return (np.arange(fine) + 0.5) * coarse / fine - 0.5


def _smooth(picture: Picture, radius: int) -> Picture:
    """Return a picture after two passes of a moving average in each direction."""
    for axis in (0, 0, 1, 1):
        widths = [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)]
        sums = np.cumsum(np.pad(picture, widths, mode="edge"), axis=axis, dtype=np.float64)
        width = 2 * radius + 1
        upper = np.take(sums, np.arange(width, sums.shape[axis]), axis)
        lower = np.take(sums, np.arange(sums.shape[axis] - width), axis)
        picture = np.asarray((upper - lower) / width, np.float32)
    return picture
