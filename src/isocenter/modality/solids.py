"""Solids in patient space and how a plane cuts them.

Coordinates are the patient's (PS3.3 C.7.6.2.1.1): x to the left, y to the back, z to the head, in mm.
Coverage is the share of a pixel that lies inside a solid, so that edges come out smooth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
Point = tuple[float, float, float]
Window = tuple[slice, slice]
_NONE, _ALL = np.float32(0), np.float32(1)
THIN_MM = 7.0
"""Radius of the thickest tube that counts as thin: ribs, vessels of the lung, bronchi."""


@dataclass(frozen=True)
class Plane:
    """A grid of pixels across the patient, its rows and columns along two of the patient's axes."""

    row_axis: int
    """The patient axis along which the row index grows."""
    column_axis: int
    origin: Point
    """Centre of the first pixel."""
    row_step_mm: float
    """Signed: negative where the row index grows against the axis."""
    column_step_mm: float
    rows: int
    columns: int

    @cached_property
    def normal_axis(self) -> int:
        """Return the patient axis that the plane is perpendicular to."""
        return 3 - self.row_axis - self.column_axis

    @cached_property
    def position_mm(self) -> float:
        """Return where the plane cuts its normal axis."""
        return self.origin[self.normal_axis]

    @cached_property
    def row_coordinates(self) -> Picture:
        """Return the coordinate of each row along the row axis."""
        return (self.origin[self.row_axis] + self.row_step_mm * np.arange(self.rows)).astype(np.float32)

    @cached_property
    def column_coordinates(self) -> Picture:
        """Return the coordinate of each column along the column axis."""
        return (self.origin[self.column_axis] + self.column_step_mm * np.arange(self.columns)).astype(np.float32)

    @cached_property
    def _position(self) -> Picture:
        return np.full((1, 1), self.position_mm, np.float32)

    @cached_property
    def edge_mm(self) -> float:
        """Return the width over which an edge is spread."""
        return 1.2 * max(abs(self.row_step_mm), abs(self.column_step_mm))

    def halved(self) -> Plane:
        """Return the same area on a grid of half as many rows and columns."""
        origin = list(self.origin)
        origin[self.row_axis] += self.row_step_mm / 2
        origin[self.column_axis] += self.column_step_mm / 2
        return Plane(
            self.row_axis,
            self.column_axis,
            (origin[0], origin[1], origin[2]),
            2 * self.row_step_mm,
            2 * self.column_step_mm,
            self.rows // 2,
            self.columns // 2,
        )

    def window(self, lower: Point, upper: Point) -> Window | None:
        """Return the rows and columns that a box touches, or None where the plane misses it."""
        if not lower[self.normal_axis] <= self.position_mm <= upper[self.normal_axis]:
            return None
        rows = _index_range(self.origin[self.row_axis], self.row_step_mm, self.rows, lower, upper, self.row_axis)
        columns = _index_range(
            self.origin[self.column_axis], self.column_step_mm, self.columns, lower, upper, self.column_axis
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        return rows, columns

    def coordinates(self, window: Window) -> tuple[Picture, Picture, Picture]:
        """Return x, y and z of the pixels of a window, shaped to broadcast against each other."""
        found = [self._position] * 3
        found[self.row_axis] = self.row_coordinates[window[0], None]
        found[self.column_axis] = self.column_coordinates[None, window[1]]
        return found[0], found[1], found[2]


def _index_range(origin: float, step: float, count: int, lower: Point, upper: Point, axis: int) -> slice:
    first, last = sorted(((lower[axis] - origin) / step, (upper[axis] - origin) / step))
    return slice(max(0, int(first) - 1), min(count, int(last) + 2))


@dataclass(frozen=True, slots=True)
class Egg:
    """A super-ellipsoid whose half-axes may differ towards the two ends of each axis."""

    centre: Point
    towards_negative: Point
    towards_positive: Point
    exponent: float = 2.0

    @property
    def lower(self) -> Point:
        """Return the lower corner of the bounding box."""
        return _add(self.centre, self.towards_negative, -1)

    @property
    def upper(self) -> Point:
        """Return the upper corner of the bounding box."""
        return _add(self.centre, self.towards_positive, 1)

    def shrunk(self, by_mm: float) -> Egg:
        """Return the same shape with half-axes shorter by a length."""
        return Egg(
            self.centre,
            _shorter(self.towards_negative, by_mm),
            _shorter(self.towards_positive, by_mm),
            self.exponent,
        )

    def depth(self, x: Picture, y: Picture, z: Picture) -> Picture:
        """Return roughly how deep each place lies inside, in mm; negative outside."""
        scale = min(*self.towards_negative, *self.towards_positive) / self.exponent
        terms = [self._term(values, axis, scale) for axis, values in enumerate((x, y, z))]
        terms.sort(key=lambda term: term.size)
        return np.asarray((np.float32(scale) - terms[0] - terms[1]) - terms[2], np.float32)

    def _term(self, values: Picture, axis: int, scale: float) -> Picture:
        offset = values - np.float32(self.centre[axis])
        half = np.where(offset < 0, self.towards_negative[axis], self.towards_positive[axis])
        ratio = np.abs(offset) / half.astype(np.float32)
        power = ratio * ratio if self.exponent == 2.0 else ratio ** np.float32(self.exponent)
        return np.asarray(power * np.float32(scale), np.float32)


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An ellipsoid turned by a rotation whose rows are its own axes in patient coordinates."""

    centre: Point
    half_axes: Point
    rotation: tuple[Point, Point, Point]

    @property
    def lower(self) -> Point:
        """Return the lower corner of the bounding box."""
        return _add(self.centre, self._reach(), -1)

    @property
    def upper(self) -> Point:
        """Return the upper corner of the bounding box."""
        return _add(self.centre, self._reach(), 1)

    def _reach(self) -> Point:
        reach = np.sqrt(
            sum((np.array(row) * half) ** 2 for row, half in zip(self.rotation, self.half_axes, strict=True))
        )
        return float(reach[0]), float(reach[1]), float(reach[2])

    def depth(self, x: Picture, y: Picture, z: Picture) -> Picture:
        """Return roughly how deep each place lies inside, in mm; negative outside."""
        scale = min(self.half_axes) / 2
        left = np.full((1, 1), scale, np.float32)
        for row, half in zip(self.rotation, self.half_axes, strict=True):
            unit = np.sqrt(scale) / half
            terms = [
                (values - np.float32(centre)) * np.float32(cosine * unit)
                for values, centre, cosine in zip((x, y, z), self.centre, row, strict=True)
            ]
            terms.sort(key=lambda term: term.size)
            local = (terms[0] + terms[1]) + terms[2]
            local *= local
            left = left - local
        return left


@dataclass(frozen=True, slots=True)
class Capsule:
    """A straight piece of a tube with round ends, flattened where `height_ratio` is not 1."""

    start: Point
    end: Point
    start_radius_mm: float
    end_radius_mm: float
    height_ratio: float = 1.0
    """Extent along z over extent across."""

    @property
    def lower(self) -> Point:
        """Return the lower corner of the bounding box."""
        return _add(_corner(self.start, self.end, min), self._reach(), -1)

    @property
    def upper(self) -> Point:
        """Return the upper corner of the bounding box."""
        return _add(_corner(self.start, self.end, max), self._reach(), 1)

    def _reach(self) -> Point:
        radius = max(self.start_radius_mm, self.end_radius_mm)
        return radius, radius, radius * self.height_ratio

    def box_near(self, axis: int, position_mm: float, margin_mm: float) -> tuple[Point, Point]:
        """Return the box of that part which a plane across an axis can meet: little of a long slanting piece."""
        begin, way = self.start[axis], self.end[axis] - self.start[axis]
        reach = self._reach()
        if abs(way) < margin_mm:
            return self.lower, self.upper
        shares = sorted((position_mm + sign * (reach[axis] + margin_mm) - begin) / way for sign in (-1, 1))
        first, last = (self._point_at(min(max(share, 0.0), 1.0)) for share in shares)
        return _add(_corner(first, last, min), reach, -1), _add(_corner(first, last, max), reach, 1)

    def _point_at(self, share: float) -> Point:
        (x0, y0, z0), (x1, y1, z1) = self.start, self.end
        return x0 + share * (x1 - x0), y0 + share * (y1 - y0), z0 + share * (z1 - z0)

    def depth(self, x: Picture, y: Picture, z: Picture) -> Picture:
        """Return how deep each place lies inside, in mm; negative outside."""
        lift = 1 / self.height_ratio
        dx, dy, dz = self.end[0] - self.start[0], self.end[1] - self.start[1], (self.end[2] - self.start[2]) * lift
        x, y, z = x - self.start[0], y - self.start[1], (z - self.start[2]) * lift
        length_squared = max(dx * dx + dy * dy + dz * dz, 1e-9)
        # With a as the share of the way: |p - a d|^2 = |p|^2 + |d|^2 a (a - 2 p.d / |d|^2), fewer steps than by axes.
        squares = _sum_of(x * x, y * y, z * z)
        scaled = _sum_of(x * (dx / length_squared), y * (dy / length_squared), z * (dz / length_squared))
        along = np.clip(scaled, _NONE, _ALL)
        scaled *= -2
        scaled += along
        scaled *= along
        scaled *= length_squared
        scaled += squares
        across = np.sqrt(np.maximum(scaled, 0, out=scaled), out=scaled)
        along *= self.end_radius_mm - self.start_radius_mm
        along += self.start_radius_mm
        along -= across
        return np.asarray(along, np.float32)


def _sum_of(*terms: Picture) -> Picture:
    """Return a sum that is broadcast as late as can be: what has one value for each row or column comes first."""
    first, second, third = sorted(terms, key=_size)
    return np.asarray((first + second) + third, np.float32)


def _size(values: Picture) -> int:
    return values.size


Solid = Egg | Ellipsoid | Capsule


@dataclass(frozen=True)
class Layer:
    """A solid filled with a material; later layers cover earlier ones."""

    material: str
    solid: Solid
    opacity: float = 1.0

    @property
    def is_thin(self) -> bool:
        """Tell whether this is a tube so thin that it needs drawing sharply."""
        solid = self.solid
        return isinstance(solid, Capsule) and max(solid.start_radius_mm, solid.end_radius_mm) <= THIN_MM


@dataclass(frozen=True)
class Scene:
    """Layers in the order of painting, with their boxes at hand for quick rejection."""

    layers: tuple[Layer, ...]
    _boxes: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lower = np.array([layer.solid.lower for layer in self.layers]).reshape(-1, 3)
        upper = np.array([layer.solid.upper for layer in self.layers]).reshape(-1, 3)
        object.__setattr__(self, "_boxes", (lower, upper))

    def cut_by(self, plane: Plane) -> list[Layer]:
        """Return the layers that a plane meets, in order."""
        lower, upper = (box[:, plane.normal_axis] for box in self._boxes)
        met = np.nonzero((lower <= plane.position_mm) & (upper >= plane.position_mm))[0]
        return [self.layers[index] for index in met]


def fill(material: str, solids: Iterable[Solid], opacity: float = 1.0) -> list[Layer]:
    """Return layers of one material."""
    return [Layer(material, solid, opacity) for solid in solids]


def paint(picture: Picture, plane: Plane, layer: Layer, value: float) -> None:
    """Cover what a solid takes of the plane with a value."""
    window = plane.window(*_box(plane, layer.solid))
    if window is None:
        return
    alpha = coverage(plane, layer.solid, window)
    if layer.opacity != 1.0:
        alpha *= np.float32(layer.opacity)
    blend(picture[window], alpha, value)


def _box(plane: Plane, solid: Solid) -> tuple[Point, Point]:
    if isinstance(solid, Capsule):
        return solid.box_near(plane.normal_axis, plane.position_mm, plane.edge_mm)
    return solid.lower, solid.upper


def coverage(plane: Plane, solid: Solid, window: Window) -> Picture:
    """Return the share of each pixel of the window that lies inside the solid."""
    alpha = solid.depth(*plane.coordinates(window))
    alpha *= np.float32(1 / plane.edge_mm)
    alpha += np.float32(0.5)
    return np.clip(alpha, _NONE, _ALL, out=alpha)


def blend(region: Picture, alpha: Picture, value: float) -> None:
    """Mix a value into a region, in place."""
    step = np.float32(value) - region
    step *= alpha
    region += step


def tube(points: Sequence[Point], radii: Sequence[float], *, height_ratio: float = 1.0) -> list[Capsule]:
    """Return the pieces of a tube through points."""
    return [
        Capsule(start, end, start_radius, end_radius, height_ratio)
        for start, end, start_radius, end_radius in zip(points, points[1:], radii, radii[1:], strict=False)
    ]


def mirrored(point: Point, side: int) -> Point:
    """Return the point itself, or its mirror image across the midline where side is -1."""
    return side * point[0], point[1], point[2]


def turned(degrees_about_z: float, degrees_about_x: float = 0.0) -> tuple[Point, Point, Point]:
    """Return the rotation of a solid turned in the axial plane and then tipped forward or back."""
    a, b = np.radians([degrees_about_z, degrees_about_x])
    return (
        (float(np.cos(a)), float(np.sin(a)), 0.0),
        (float(-np.sin(a) * np.cos(b)), float(np.cos(a) * np.cos(b)), float(np.sin(b))),
        (float(np.sin(a) * np.sin(b)), float(-np.cos(a) * np.sin(b)), float(np.cos(b))),
    )


def ball(centre: Point, x: float, y: float | None = None, z: float | None = None, *, exponent: float = 2.0) -> Egg:
    """Return an ellipsoid along the patient's axes; one half-axis makes it a sphere."""
    half_axes = (x, y if y is not None else x, z if z is not None else x)
    return Egg(centre, half_axes, half_axes, exponent)


def _add(point: Point, reach: Point, sign: int) -> Point:
    return point[0] + sign * reach[0], point[1] + sign * reach[1], point[2] + sign * reach[2]


def _shorter(half_axes: Point, by_mm: float) -> Point:
    return max(0.5, half_axes[0] - by_mm), max(0.5, half_axes[1] - by_mm), max(0.5, half_axes[2] - by_mm)


def _corner(first: Point, second: Point, choose: Callable[[float, float], float]) -> Point:
    return choose(first[0], second[0]), choose(first[1], second[1]), choose(first[2], second[2])
