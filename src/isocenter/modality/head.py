"""A head: scalp, skull, orbits, sinuses, and a brain with folds, ventricles and nuclei.

The origin lies between the thalami; the vertex is near z = 88, the skull base near z = -55.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from isocenter.modality.solids import (
    Capsule,
    Egg,
    Ellipsoid,
    Layer,
    Picture,
    Plane,
    Point,
    Scene,
    Solid,
    Window,
    ball,
    fill,
    mirrored,
    tube,
    turned,
)
from isocenter.modality.texture import Field, make_field

SIDES = (1, -1)
SKULL = Egg((0, 4, 0), (70, 90, 66), (70, 90, 82), 2.25)
BRAIN = SKULL.shrunk(7.4)
FOLD_DEPTH_MM = np.float32(24.0)
"""How deep the folds reach from the surface of the brain."""


class Finding(Enum):
    """What there is to see besides normal anatomy."""

    NONE = "none"
    HAEMORRHAGE = "haemorrhage"
    PLAQUES = "plaques"


@dataclass(frozen=True)
class Cortex:
    """The folded mantle: grey ribbons and fissures that follow a random field."""

    folds: Field
    atrophy: float

    def shares(self, plane: Plane, window: Window) -> tuple[Picture, Picture, Picture]:
        """Return how much of each pixel is brain at all, grey matter, and fluid between folds."""
        x, y, z = plane.coordinates(window)
        depth = BRAIN.depth(x, y, z) * np.float32(1.15)
        inside = np.clip(depth * np.float32(1 / plane.edge_mm) + np.float32(0.5), 0, 1)
        depth = np.minimum(depth, np.abs(x) + np.maximum(0, 14 - z) * np.float32(0.35), out=depth)
        folds = np.abs(self.folds.on(plane, window))
        below = np.clip((z + 32) * np.float32(0.1 / FOLD_DEPTH_MM), 0, np.float32(1 / FOLD_DEPTH_MM))
        reach = np.maximum((FOLD_DEPTH_MM - depth) * below, 0)
        fluid = (reach * np.float32(0.15 + 0.10 * self.atrophy) - folds) * 7
        fluid += np.where(reach > 0.12, np.float32(0.35), np.float32(-9))
        fluid = np.maximum(fluid, np.float32(1.5 + self.atrophy) - depth, out=fluid)
        ribbon = (np.sqrt(reach) * np.float32(0.74) - folds) * 5
        ribbon += np.where(reach > 0.02, np.float32(0.3), np.float32(-9))
        grey = np.maximum(ribbon, (np.float32(4.5) - depth) * np.float32(1 / 1.5), out=ribbon)
        return inside, np.clip(grey, 0, 1, out=grey), np.clip(fluid, 0, 1, out=fluid)


@dataclass(frozen=True)
class Head:
    """A head ready to be cut: what is painted before the brain, the brain, what is painted after."""

    outside: Scene
    cortex: Cortex
    inside: Scene


def make_head(rng: np.random.Generator, *, finding: Finding = Finding.NONE, atrophy: float = 0.2) -> Head:
    """Make a head; the generator decides the pattern of the folds and the small asymmetries."""
    folds = make_field(rng, lower=(-75, -100, -75), upper=(75, 105, 95), spacing_mm=3.0, wavelength_mm=27.0)
    inside = [*_cisterns(), *_hindbrain(), *_deep_brain(rng, atrophy), *_falx(), *_skull_base(rng), *_face()]
    return Head(Scene(tuple(_envelope())), Cortex(folds, atrophy), Scene((*inside, *_finding(rng, finding))))


def _envelope() -> list[Layer]:
    scalp = Egg((0, 4, 0), (76.5, 96.5, 110), (76.5, 96.5, 88.5), 2.25)
    face = ball((0, -32, -70), 64, 68, 62, exponent=2.4)
    neck = [Capsule((0, 30, -60), (0, 42, -160), 62, 58)]
    outer: list[Solid] = [scalp, face, *neck, ball((0, -104, -48), 11, 15, 20)]
    inner: list[Solid] = [scalp.shrunk(2.3), face.shrunk(2.2), Capsule((0, 30, -60), (0, 42, -160), 59, 55)]
    ears: list[Solid] = [ball((side * 79, 12, -38), 4.5, 13, 26) for side in SIDES]
    layers = fill("skin", outer + ears) + fill("fat", inner) + fill("muscle", [face.shrunk(9), *_neck_muscles()])
    layers += fill("muscle", [Ellipsoid((side * 68, -32, -12), (4.5, 26, 30), turned(-9 * side)) for side in SIDES])
    layers += [Layer("cortical", SKULL), Layer("marrow", SKULL.shrunk(1.9), 0.8)]
    return [*layers, Layer("inner_table", SKULL.shrunk(4.6)), Layer("csf", SKULL.shrunk(6.2))]


def _neck_muscles() -> list[Solid]:
    return [Capsule((side * 26, 62, -62), (side * 24, 62, -160), 26, 28) for side in SIDES]


def _cisterns() -> list[Layer]:
    sylvian = [
        solid
        for side in SIDES
        for solid in [
            *tube(
                [mirrored(p, side) for p in ((24, -22, -14), (38, -20, -6), (41, -2, 4), (44, 16, 12))],
                [3, 2.6, 2.4, 1.6],
            ),
            *tube([mirrored(p, side) for p in ((40, -16, -3), (50, -12, -2), (62, -6, 0))], [1.8, 1.5, 2.2]),
        ]
    ]
    pools: list[Solid] = [ball((0, -18, -25), 13, 11, 7), ball((0, 27, -6), 11, 5, 6), ball((0, -10, -42), 12, 6, 14)]
    pools += [Ellipsoid((side * 13, 16, -20), (3, 15, 5), turned(-38 * side)) for side in SIDES]
    return fill("csf", [*sylvian, *pools])


def _hindbrain() -> list[Layer]:
    rim = [ball((side * 24, 47, -40), 31, 30, 21, exponent=2.3) for side in SIDES]
    lobes = [solid.shrunk(1.6) for solid in rim]
    layers = fill("csf", rim) + fill("cerebellum", [*lobes, ball((0, 46, -38), 10, 27, 19)])
    for side in SIDES:
        for leaf in range(6):
            layers.append(Layer("csf", ball((side * 26, 47, -56 + leaf * 7.0), 28, 28, 0.7), 0.45))
        layers.append(Layer("white", ball((side * 20, 42, -40), 14, 10, 8), 0.8))
    stem = [
        *tube(
            [(0, 6, -8), (0, 6, -20), (0, 8, -34), (0, 14, -54), (0, 24, -90), (0, 32, -160)], [13, 14, 15, 8.5, 6, 6]
        ),
    ]
    return [*layers, *fill("csf", [Capsule((0, 16, -58), (0, 32, -160), 11, 9)]), *fill("white", stem)]


def _deep_brain(rng: np.random.Generator, atrophy: float) -> list[Layer]:
    swell = 1 + 0.5 * atrophy + 0.08 * float(rng.standard_normal())
    callosum = tube([(0, -40, 8), (0, -34, 22), (0, -10, 29), (0, 18, 27), (0, 34, 14)], [5, 4, 3.5, 3.5, 5])
    layers = fill("white", [*callosum, *(ball((side * 24, -4, 14), 22, 44, 22) for side in SIDES)])
    for side in SIDES:
        layers += fill("nucleus", [
            Ellipsoid((side * 27, -8, 4), (5.5, 18, 11), turned(-14 * side)),
            Ellipsoid((side * 11, 8, 8), (7.5, 14, 9.5), turned(-26 * side)),
            *tube([mirrored(p, side) for p in ((14, -30, 8), (15, -24, 16), (19, -4, 25), (22, 14, 24))], [6, 6, 4, 2]),
        ])  # fmt: skip
        layers += fill("white", [Ellipsoid((side * 19, -2, 4), (1.6, 14, 10), turned(-22 * side))])
        layers += fill("csf", [*_lateral_ventricle(side, swell)])
        plexus = tube([mirrored(p, side) for p in ((20, 30, 12), (24, 36, 4))], [2.4, 2.8])
        layers += fill("calcium", list(plexus), 0.75)
    layers += fill("csf", [ball((0, 2, 2), 1.9 * swell, 15, 12), ball((0, 33, -40), 8 * swell, 5, 9)])
    septum = ball((0, -18, 17), 0.8, 20, 9)
    return [*layers, Layer("white", septum, 0.8), Layer("calcium", ball((0, 24, 1), 2.6, 2.2, 2.4))]


def _lateral_ventricle(side: int, swell: float) -> list[Capsule]:
    horn = tube(
        [
            mirrored(p, side)
            for p in ((10, -44, 8), (7, -30, 13), (8, -10, 20), (13, 10, 21), (20, 28, 14), (25, 38, 4))
        ],
        [2.5 * swell, 4.6 * swell, 4.2 * swell, 4.4 * swell, 6.0 * swell, 6.0 * swell],
        height_ratio=1.25,
    )
    occipital = tube([mirrored(p, side) for p in ((25, 38, 4), (22, 58, 0))], [5.5 * swell, 1.5])
    temporal = tube([mirrored(p, side) for p in ((25, 38, 2), (33, 22, -12), (34, 0, -22))], [4.5 * swell, 2.6, 1.8])
    return [*horn, *occipital, *temporal]


def _falx() -> list[Layer]:
    sheet = [ball((0, -48, 40), 0.8, 34, 34), ball((0, 44, 40), 0.8, 38, 34), ball((0, 0, 60), 0.8, 60, 14)]
    tent = [Ellipsoid((side * 26, 44, -17), (1.0, 30, 10), turned(34 * side)) for side in SIDES]
    line = [(0, -76, 26), (0, -66, 48), (0, -40, 65), (0, 4, 73.5), (0, 46, 66), (0, 74, 42), (0, 83, 8)]
    sagittal_sinus = tube([(x, float(y), float(z)) for x, y, z in line], [1.5, 2, 2.5, 3, 3.5, 4, 4.5])
    layers = fill("falx", [*sheet], 0.8) + fill("falx", [*tent], 0.5)
    return layers + fill("vessel", [*sagittal_sinus, *_circle_of_willis()])


def _circle_of_willis() -> list[Capsule]:
    vessels = tube([(0, -9, -40), (0, -7, -24)], [1.9, 1.7])
    for side in SIDES:
        vessels += tube(
            [mirrored(p, side) for p in ((11, -20, -42), (10, -22, -26), (26, -22, -20), (40, -16, -8))],
            [2.4, 2, 1.5, 1.2],
        )
        vessels += tube([mirrored(p, side) for p in ((9, -23, -25), (2, -32, -22), (2, -46, 4))], [1.4, 1.2, 1])
        vessels += tube([mirrored(p, side) for p in ((1, -7, -24), (12, 4, -21), (15, 26, -12))], [1.3, 1.1, 0.9])
    return vessels


def _skull_base(rng: np.random.Generator) -> list[Layer]:
    floor = ball((0, -66, -62), 54, 36, 42, exponent=2.4)
    layers = [Layer("cortical", floor), Layer("muscle", floor.shrunk(2.6))]
    layers += fill(
        "cortical", [ball((0, -20, -54), 17, 26, 17), ball((0, -7, -62), 11, 8, 22), ball((0, -9, -31), 7, 2, 5)]
    )
    layers += fill("spongy", [ball((0, -7, -62), 8.5, 5.5, 19)])
    for side in SIDES:
        wing = Ellipsoid((side * 42, -36, -28), (26, 2.6, 5), turned(22 * side))
        layers += fill("cortical", [wing, Ellipsoid((side * 60, 28, -52), (13, 17, 20), turned(8 * side))])
        layers += fill("petrous", [Ellipsoid((side * 36, 6, -42), (31, 8, 8.5), turned(32 * side))])
        canal = tube([mirrored(p, side) for p in ((44, 10, -42), (62, 8, -44), (80, 8, -44))], [2.6, 3.2, 3.6])
        layers += fill("sinus", list(canal))
        layers += _mastoid_cells(rng, side)
    rim = fill("cortical", [ball((0, 30, -64), 40, 26, 5)]) + fill("csf", [ball((0, 24, -66), 15, 18, 14)])
    return [*rim[:0], *layers, *fill("white", [Capsule((0, 16, -56), (0, 24, -90), 8, 6)])]


def _mastoid_cells(rng: np.random.Generator, side: int) -> list[Layer]:
    cells: list[Solid] = []
    for _ in range(60):
        radius = float(rng.uniform(1.0, 2.8))
        spread = rng.normal(0, 1, 3) * (4.5, 7.5, 8.0)
        place = (side * (58 + float(spread[0])), 26 + float(spread[1]), -50 + float(spread[2]))
        cells.append(ball(place, radius, radius * 1.3, radius))
    return fill("sinus", cells, 0.9)


def _face() -> list[Layer]:
    layers: list[Layer] = []
    for side in SIDES:
        layers += _orbit(side)
        arch = tube(
            [mirrored(p, side) for p in ((50, -72, -58), (63, -52, -58), (68, -26, -52), (64, -4, -48))], [4, 3, 2.4, 4]
        )
        ramus = tube([mirrored(p, side) for p in ((52, -6, -52), (52, -14, -80), (46, -30, -120))], [4.5, 4, 5])
        layers += fill("cortical", [*arch, *ramus])
        antrum = ball((side * 29, -68, -78), 17, 19, 20, exponent=2.5)
        layers += [Layer("cortical", antrum), Layer("sinus", antrum.shrunk(1.4))]
    return [*layers, *_nose()]


def _orbit(side: int) -> list[Layer]:
    socket = Ellipsoid((side * 31, -68, -36), (20, 27, 17), turned(18 * side))
    hollow = Ellipsoid((side * 31, -69, -36), (18.4, 26, 15.4), turned(18 * side))
    layers = [Layer("cortical", socket), Layer("fat", hollow), Layer("skin", ball((side * 33, -97, -36), 18, 6, 10))]
    apex = (side * 12.0, -40.0, -34.0)
    for x, y, z in ((44.0, -80.0, -36.0), (21.0, -80.0, -36.0), (33.0, -80.0, -24.0), (33.0, -80.0, -48.0)):
        layers += fill("muscle", [Capsule(apex, (side * x, y, z), 1.6, 2.2)])
    layers += fill("nerve", tube([(side * 8.0, -32.0, -30.0), apex, (side * 31.0, -74.0, -36.0)], [2.2, 2.2, 2.4]))
    globe = (side * 33.0, -84.0, -36.0)
    lens = ball((side * 33.0, -93.5, -36.0), 4.6, 2.2, 4.6)
    return [*layers, Layer("sclera", ball(globe, 12.6)), Layer("eye", ball(globe, 11.3)), Layer("lens", lens)]


def _nose() -> list[Layer]:
    ethmoid = ball((0, -70, -40), 11.5, 26, 17, exponent=3.0)
    layers = [Layer("cortical", ethmoid), Layer("sinus", ethmoid.shrunk(1.0))]
    walls: list[Solid] = [ball((x, -70, -40), 0.7, 25, 16) for x in (-5.5, 0.0, 5.5)]
    walls += [Ellipsoid((0, y, -40), (11, 0.7, 16), turned(0)) for y in (-84.0, -72.0, -60.0)]
    layers += fill("cortical", walls, 0.55)
    sphenoid = ball((0, -32, -46), 13, 11, 10, exponent=2.6)
    frontal = ball((0, -88, -8), 19, 4.2, 13, exponent=2.4)
    layers += fill("cortical", [frontal])
    layers += fill(
        "sinus",
        [sphenoid, frontal.shrunk(1.2), ball((0, -74, -76), 12, 32, 20, exponent=2.4), ball((0, -28, -84), 13, 10, 24)],
    )
    layers += fill("cortical", [ball((0, -32, -46), 0.8, 11, 10), ball((0.8, -76, -74), 0.9, 30, 20)], 0.8)
    layers += fill("mucosa", [ball((side * 7, -72, -80 + 10 * k), 2.8, 22, 3.2) for side in SIDES for k in range(3)])
    return layers + fill("cortical", [ball((0, -92, -96), 27, 20, 9), ball((0, -92, -24), 22, 4, 8)])


def _finding(rng: np.random.Generator, finding: Finding) -> list[Layer]:
    if finding is Finding.HAEMORRHAGE:
        side = SIDES[int(rng.integers(0, 2))]
        halo = Ellipsoid((side * 29.0, -2.0, 12.0), (17, 25, 17), turned(-14 * side))
        clot = Ellipsoid((side * 29.0, -2.0, 12.0), (10.5, 18, 11.5), turned(-14 * side))
        lobe = ball((side * 33.0, 10.0, 15.0), 8, 9, 8)
        return [Layer("oedema", halo, 0.75), Layer("haemorrhage", clot, 0.95), Layer("haemorrhage", lobe, 0.9)]
    if finding is Finding.PLAQUES:
        return [_plaque(rng) for _ in range(17)]
    return []


def _plaque(rng: np.random.Generator) -> Layer:
    side = SIDES[int(rng.integers(0, 2))]
    place: Point = (side * float(rng.uniform(16, 30)), float(rng.uniform(-42, 42)), float(rng.uniform(16, 34)))
    length = float(rng.uniform(2.5, 6.5))
    return Layer(
        "plaque", Ellipsoid(place, (length, length * 0.45, length * 0.5), turned(float(rng.uniform(-25, 25)))), 0.9
    )
