"""The left coronary arteries on a beating heart, and the catheter that fills them.

Coordinates are the patient's, as in `solids`, with the origin in the middle of the heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.modality.echo import contraction

Points = npt.NDArray[np.float64]

BASE, APEX = np.array((-12.0, 8.0, 30.0)), np.array((44.0, -30.0, -44.0))
WIDTH_MM = 41.0
"""Half the width of the heart at its base."""
OSTIUM = np.array((8.0, -3.0, 45.0))
"""Where the left coronary artery leaves the aorta."""
POINTS_A_BRANCH = 26
ANTERIOR, LATERAL, PARTING = -96.0, 26.0, -70.0
"""Angles around the axis of the heart: the groove between the ventricles in front, the free wall to the left, and where
the left main artery divides."""
STENOSIS_SHARE = 0.32
"""What is left of the radius in the middle of a narrowing."""
_DIAGONALS = ((0.20, (0.62, -38.0)), (0.38, (0.84, -56.0)), (0.58, (0.93, -74.0)))
_MARGINALS = ((0.30, (0.66, 34.0)), (0.55, (0.78, 66.0)), (0.82, (0.62, 108.0)))
"""Branches of the descending and of the circumflex artery: where on their parent they begin, where they end."""
_SEPTALS = (0.16, 0.26, 0.36, 0.47, 0.58)
_CATHETER = (
    (24.0, 46.0, -170.0), (22.0, 46.0, -60.0), (21.0, 45.0, 40.0), (15.0, 32.0, 84.0), (2.0, 6.0, 98.0),
    (-12.0, -9.0, 91.0), (-16.0, -11.0, 68.0), (-6.0, -6.0, 46.0), (8.0, -3.0, 45.0),
)  # fmt: skip


@dataclass(frozen=True)
class Branch:
    """A piece of artery: places, radii, and how far each is from the ostium along the vessels."""

    points: Points
    radii_mm: Points
    path_mm: Points


def make_coronary_tree(rng: np.random.Generator, *, has_stenosis: bool) -> tuple[Branch, ...]:
    """Make the left main artery and what it feeds; a generator decides how each winds."""
    main = _straight(OSTIUM, _on_heart(0.06, PARTING), (2.3, 2.1))
    descending = _winding(rng, (0.06, PARTING), (1.06, ANTERIOR - 14), (1.9, 0.55), main, bend=(ANTERIOR, 0.35))
    if has_stenosis:
        descending = _narrowed(descending, at=0.34)
    circumflex = _winding(rng, (0.06, PARTING), (0.16, 118.0), (1.75, 0.8), main, bend=(LATERAL, 0.5))
    branches = [main, descending, circumflex]
    branches += [_side(rng, descending, at, end, (1.15 - at * 0.6, 0.4)) for at, end in _DIAGONALS]
    branches += [_side(rng, circumflex, at, end, (1.25 - at * 0.5, 0.42)) for at, end in _MARGINALS]
    branches += [_septal(rng, descending, at) for at in _SEPTALS]
    twigs = [_twig(rng, parent) for parent in branches[1:9] for _ in range(3)]
    return (*branches, *twigs)


def catheter() -> Branch:
    """Return the way of the catheter: up the aorta, round its arch, down to the ostium."""
    corners = np.array(_CATHETER)
    places = np.linspace(0, len(corners) - 1, 90)
    points = np.stack([_smooth(corners[:, axis], places) for axis in range(3)], axis=1)
    return Branch(points, np.full(len(points), 1.05), _path(points))


def beating(points: Points, phase: float) -> Points:
    """Return where points of the heart are at a share of its beat: drawn towards its middle and turned a little."""
    c = max(contraction(phase), 0.0)
    middle = (BASE + APEX) / 2
    away = points - middle
    axis = (APEX - BASE) / np.linalg.norm(APEX - BASE)
    along = away @ axis
    across = away - along[:, None] * axis
    twisted = across + 0.10 * c * np.cross(axis, across)
    return np.asarray(middle + np.outer(along * (1 - 0.07 * c) - 4 * c, axis) + twisted * (1 - 0.15 * c))


def _on_heart(u: float, angle: float, depth: float = 1.0) -> Points:
    """Return a place on the heart: from its base (0) to its apex (1), at an angle round its axis."""
    along, across = np.array([u]), np.radians([angle])
    return np.asarray(_surface(along, across, np.array([depth]))[0])


def _surface(u: Points, angle: Points, depth: Points) -> Points:
    axis = APEX - BASE
    unit = axis / np.linalg.norm(axis)
    leftwards = np.cross(unit, (0.0, 0.0, 1.0))
    leftwards /= -np.linalg.norm(leftwards)
    backwards = np.cross(leftwards, unit)
    width = WIDTH_MM * np.sqrt(np.clip(1.02 - np.clip(u, -0.2, 1.0) ** 2, 0.02, 1)) * depth
    round_it = np.outer(np.sin(angle) * width, backwards) + np.outer(np.cos(angle) * width, leftwards)
    return np.asarray(BASE + np.outer(u, axis) + round_it)


def _winding(
    rng: np.random.Generator,
    start: tuple[float, float],
    end: tuple[float, float],
    radii: tuple[float, float],
    parent: Branch,
    *,
    bend: tuple[float, float] | None = None,
) -> Branch:
    share = np.linspace(0, 1, POINTS_A_BRANCH)
    u = start[0] + (end[0] - start[0]) * share
    if bend is None:
        angle = start[1] + (end[1] - start[1]) * share**0.8
    else:
        angle = np.interp(share, (0, bend[1], 1), (start[1], bend[0], end[1]))
        angle = np.convolve(np.pad(angle, 3, mode="edge"), np.ones(7) / 7, mode="valid")
    waves = rng.normal(0, 1, (2, 3)) * (2.6, 1.8, 1.1)
    turns = np.sin(np.outer(share, (5.0, 9.0, 15.0)) + rng.uniform(0, 6.3, 3)) * np.minimum(share * 5, 1)[:, None]
    points = _surface(u + (turns @ waves[0]) / 260, np.radians(angle + turns @ waves[1]), np.ones(len(share)))
    points += (parent.points[-1] - points[0]) * (1 - share)[:, None]
    radius = radii[0] + (radii[1] - radii[0]) * share
    return Branch(points, radius, parent.path_mm[-1] + _path(points))


def _side(
    rng: np.random.Generator, parent: Branch, at: float, end: tuple[float, float], radii: tuple[float, float]
) -> Branch:
    """Return a branch from a share of the way of its parent to a place on the heart."""
    index = int(at * (len(parent.points) - 1))
    start = _coordinates(parent.points[index])
    return _winding(rng, start, end, radii, _until(parent, index))


def _septal(rng: np.random.Generator, parent: Branch, at: float) -> Branch:
    """Return a straight branch into the wall between the ventricles."""
    index = int(at * (len(parent.points) - 1))
    start = parent.points[index]
    u, _ = _coordinates(start)
    end = _on_heart(u + 0.16, 110.0 + float(rng.normal(0, 8)), 0.22)
    end = start + (end - start) * float(rng.uniform(0.6, 0.85))
    return _offset(_straight(start, end, (0.62, 0.3)), parent.path_mm[index])


def _twig(rng: np.random.Generator, parent: Branch) -> Branch:
    index = int(rng.integers(8, len(parent.points) - 2))
    start = parent.points[index]
    u, angle = _coordinates(start)
    end = _on_heart(u + float(rng.uniform(0.08, 0.2)), angle + float(rng.uniform(-24, 24)))
    return _offset(_straight(start, end, (parent.radii_mm[index] * 0.5, 0.22)), parent.path_mm[index])


def _coordinates(point: Points) -> tuple[float, float]:
    """Return how far along the axis and at which angle round it a place lies."""
    axis = APEX - BASE
    u = float((point - BASE) @ axis / (axis @ axis))
    tried = np.radians(np.arange(-180.0, 180.0, 2.0))
    ring = _surface(np.full(len(tried), u), tried, np.ones(len(tried)))
    return u, float(np.degrees(tried[np.argmin(((ring - point) ** 2).sum(axis=1))]))


def _straight(start: Points, end: Points, radii: tuple[float, float]) -> Branch:
    share = np.linspace(0, 1, 9)[:, None]
    points = start + (end - start) * share
    return Branch(points, radii[0] + (radii[1] - radii[0]) * share[:, 0], _path(points))


def _narrowed(branch: Branch, *, at: float) -> Branch:
    share = np.linspace(0, 1, len(branch.points))
    left = 1 - (1 - STENOSIS_SHARE) * np.exp(-(((share - at) / 0.035) ** 2))
    return Branch(branch.points, branch.radii_mm * left, branch.path_mm)


def _until(branch: Branch, index: int) -> Branch:
    return Branch(branch.points[: index + 1], branch.radii_mm[: index + 1], branch.path_mm[: index + 1])


def _offset(branch: Branch, path_mm: float) -> Branch:
    return Branch(branch.points, branch.radii_mm, branch.path_mm + path_mm)


def _path(points: Points) -> Points:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _smooth(values: Points, places: Points) -> Points:
    """Return values between samples, by the cubic through the four nearest."""
    base = np.clip(places.astype(np.int64), 0, len(values) - 2)
    t = places - base
    taps = [values[np.clip(base + shift, 0, len(values) - 1)] for shift in (-1, 0, 1, 2)]
    return np.asarray(
        taps[1]
        + 0.5 * t * (taps[2] - taps[0])
        + t * t * (taps[0] - 2.5 * taps[1] + 2 * taps[2] - 0.5 * taps[3])
        + 0.5 * t**3 * (taps[3] - taps[0] + 3 * (taps[1] - taps[2]))
    )
