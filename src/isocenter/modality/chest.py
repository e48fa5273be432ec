"""A chest: cage, lungs with their vessels, heart and great vessels, upper abdomen.

The origin lies in the middle of the chest; the apices are near z = 125, the domes of the diaphragm near z = -70.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocenter.modality.solids import (
    Capsule,
    Egg,
    Ellipsoid,
    Layer,
    Point,
    Scene,
    Solid,
    ball,
    fill,
    mirrored,
    tube,
    turned,
)

SIDES = (1, -1)
RIBS = 12
RIB_SPACING_MM = 22.5
FIRST_RIB_MM = 122.0
"""Height of the neck of the first rib."""


@dataclass(frozen=True)
class Build:
    """What differs from one chest to the next."""

    breadth: float = 1.0
    heart: float = 1.0
    breasts: bool = False
    arms_raised: bool = True
    nodule: bool = False


def make_chest(rng: np.random.Generator, build: Build) -> Scene:
    """Make a chest; the generator decides the branching of the vessels."""
    layers = [*_trunk(build), *_lungs(build), *_mediastinum(build), *_abdomen()]
    layers += _vessel_trees(rng) + _airways()
    layers += _great_vessels() + _spine() + _ribs(build) + _shoulder_girdle(build)
    if build.nodule:
        layers.append(Layer("nodule", ball((-82 * build.breadth, 22, 36), 11, 10, 10)))
    return Scene(tuple(layers))


def _trunk(build: Build) -> list[Layer]:
    wide = 172 * build.breadth
    trunk = Egg((0, 8, -60), (wide, 122, 900), (wide, 108, 235), 2.7)
    layers: list[Layer] = []
    neck = [Capsule((0, 12, 120), (0, 4, 260), 66, 56)]
    shoulders: list[Solid] = [ball((side * 128, 18, 118), 64, 60, 52) for side in SIDES]
    arms: list[Solid] = []
    if not build.arms_raised:
        arms = [
            solid
            for side in SIDES
            for solid in tube(
                [mirrored(p, side) for p in ((178, 18, 118), (212, 22, 20), (222, 22, -160))], [52, 44, 42]
            )
        ]
    breasts: list[Solid] = []
    if build.breasts:
        breasts = [Ellipsoid((side * 82, -104, -22), (66, 46, 60), turned(16 * side)) for side in SIDES]
    outer: list[Solid] = [trunk, *neck, *shoulders, *arms, *breasts]
    layers += fill("skin", outer)
    layers += fill(
        "fat",
        [
            trunk.shrunk(2),
            Capsule((0, 12, 120), (0, 4, 260), 64, 54),
            *(ball(s.centre, 62, 58, 50) for s in shoulders if isinstance(s, Egg)),
        ],
    )
    if build.breasts:
        layers += fill("fat", [Ellipsoid((side * 82, -104, -22), (64, 44, 58), turned(16 * side)) for side in SIDES])
        layers += fill(
            "skin", [Ellipsoid((side * 82, -110, -26), (30, 22, 24), turned(16 * side)) for side in SIDES], 0.5
        )
    muscle = trunk.shrunk(15)
    layers.append(Layer("muscle", muscle))
    layers += fill(
        "muscle",
        [
            Capsule((0, 12, 120), (0, 4, 260), 56, 47),
            *(ball(s.centre, 50, 46, 40) for s in shoulders if isinstance(s, Egg)),
        ],
    )
    for arm in arms:
        if isinstance(arm, Capsule):
            layers.append(Layer("muscle", Capsule(arm.start, arm.end, arm.start_radius_mm - 9, arm.end_radius_mm - 9)))
    layers += fill("fat", [ball((side * 138, 8, 78), 16, 20, 30) for side in SIDES])
    return layers


def _lungs(build: Build) -> list[Layer]:
    layers: list[Layer] = []
    for side, width, base in ((1, 58.0, -165.0), (-1, 61.0, -165.0)):
        centre = (side * 73 * build.breadth, 6.0, -50.0)
        inner, outer = 64.0 * build.breadth, width * build.breadth
        half_negative = (inner if side > 0 else outer, 92.0, -base)
        half_positive = (outer if side > 0 else inner, 80.0, 172.0)
        cage = Egg(centre, half_negative, half_positive, 2.15)
        layers.append(Layer("lung", cage))
    return layers


def _mediastinum(build: Build) -> list[Layer]:
    core = [ball((0, 12, 60), 27, 62, 120, exponent=2.6), ball((0, 60, -40), 24, 34, 200, exponent=2.6)]
    fat = [ball((0, -45, 55), 20, 26, 45), ball((0, -4, 40), 24, 40, 60)]
    size = build.heart
    heart: list[Solid] = [
        Ellipsoid((24 * size, -30, -44), (63 * size, 46, 51 * size), turned(34, 12)),
        ball((-24 * size, -20, -34), 34 * size, 40, 46),
        ball((4, -14, 4), 36, 34, 30),
    ]
    layers = fill("muscle", core) + fill("fat", fat, 0.9)
    layers += fill("fat", [Ellipsoid((24 * size, -30, -44), (66 * size, 49, 54 * size), turned(34, 12))])
    layers += fill("heart", heart)
    chambers: list[Solid] = [
        Ellipsoid((38 * size, -26, -46), (36 * size, 22, 32 * size), turned(34, 12)),
        Ellipsoid((6 * size, -48, -46), (36 * size, 14, 32 * size), turned(30, 8)),
        ball((-26 * size, -18, -34), 24 * size, 26, 34),
        ball((6, 20, -14), 32, 17, 20),
    ]
    return layers + fill("contrast", chambers, 0.55)


def _abdomen() -> list[Layer]:
    right = Egg((-70, 4, -190), (76, 88, 300), (92, 84, 118), 2.2)
    left = Egg((76, 6, -200), (80, 88, 300), (70, 82, 118), 2.2)
    belly = ball((0, 0, -240), 140, 90, 110, exponent=2.6)
    layers = fill("fat", [belly]) + fill("muscle", [right, left])
    layers += fill("liver", [right.shrunk(3), ball((-6, -30, -120), 60, 44, 40)])
    layers += fill("fat", [left.shrunk(4)], 0.95)
    layers += fill("spleen", [Ellipsoid((104, 44, -130), (24, 36, 38), turned(20))])
    stomach = Ellipsoid((62, -14, -124), (40, 36, 34), turned(12))
    layers += fill("stomach", [stomach])
    layers += fill("sinus", [ball((60, -30, -110), 28, 16, 15)])
    return layers


def _great_vessels() -> list[Layer]:
    aorta = tube(
        [
            (-2, -14, -8),
            (-16, -26, 20),
            (-14, -22, 48),
            (0, -4, 64),
            (16, 22, 62),
            (22, 40, 48),
            (22, 46, 0),
            (16, 44, -90),
            (4, 38, -260),
        ],
        [15, 16.5, 16, 14.5, 13.5, 13, 12.5, 12, 11],
    )
    cava = tube([(-30, -16, -10), (-30, -16, 30), (-26, -14, 70), (-34, -16, 100)], [11, 10, 9.5, 8])
    branches = tube([(-8, -12, 62), (-18, -8, 92), (-24, 0, 130)], [7, 6, 4.5])
    branches += tube([(4, -4, 66), (8, 0, 96), (22, 2, 140)], [5, 4.5, 4])
    branches += tube([(14, 12, 66), (24, 12, 100), (44, 4, 118)], [5.5, 5, 4.5])
    trunk = tube([(16, -36, -6), (18, -30, 18), (14, -10, 30)], [15, 15, 13])
    trunk += tube([(14, -10, 30), (-10, -4, 22), (-44, 4, 14)], [12, 11.5, 9])
    trunk += tube([(16, -12, 32), (34, 6, 32), (48, 20, 22)], [12, 11, 8])
    inferior = tube([(-20, -2, -62), (-24, 2, -120), (-20, 10, -260)], [12, 12, 11])
    walls = [Capsule(c.start, c.end, c.start_radius_mm + 1.6, c.end_radius_mm + 1.6) for c in [*aorta, *trunk]]
    layers = fill("heart", walls) + fill("contrast", [*aorta, *cava, *branches, *trunk, *inferior], 0.75)
    oesophagus = tube([(6, 36, 160), (6, 38, 20), (10, 26, -80), (30, 0, -110)], [7, 7, 7, 8])
    return (
        layers
        + fill("heart", [*oesophagus])
        + fill("muscle", [ball((side * 26, -8, 140), 15, 17, 24) for side in SIDES])
    )


def _airways() -> list[Layer]:
    carina = (0.0, 22.0, 42.0)
    trachea = tube([(0, 0, 260), (0, 4, 150), (0, 14, 90), carina], [9, 9, 8.8, 9])
    layers = fill("skin", [Capsule(c.start, c.end, c.start_radius_mm + 2, c.end_radius_mm + 2) for c in trachea[-2:]])
    bronchi: list[Capsule] = []
    for side, mid in ((1, (24.0, 28.0, 22.0)), (-1, (-20.0, 27.0, 20.0))):
        end = (side * 44.0, 32.0, 4.0)
        bronchi += tube([carina, mid, end], [7.5, 6.5, 5])
        bronchi += tube([end, (side * 62.0, 44.0, -30.0), (side * 74.0, 52.0, -62.0)], [4.6, 3, 1.6])
        bronchi += tube([mid, (side * 52.0, 10.0, 40.0), (side * 68.0, -8.0, 64.0)], [4.6, 2.8, 1.5])
        bronchi += tube([end, (side * 62.0, -6.0, -12.0), (side * 74.0, -36.0, -26.0)], [4, 2.6, 1.3])
    layers += fill(
        "lung_vessel", [Capsule(c.start, c.end, c.start_radius_mm + 1.4, c.end_radius_mm + 1.2) for c in bronchi]
    )
    return layers + fill("airway", trachea) + fill("airway", bronchi)


def _vessel_trees(rng: np.random.Generator) -> list[Layer]:
    pieces: list[Capsule] = []
    for side in SIDES:
        hilum = np.array((side * 42.0, 18.0, 14.0))
        for direction in _lobar_directions(side):
            unit = direction / np.linalg.norm(direction)
            _grow(rng, pieces, hilum + 9.0 * unit, unit, 4.6, 0)
    return fill("lung_vessel", pieces)


def _lobar_directions(side: int) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    rows = [
        (0.5, 0.1, 1.0), (0.6, -0.7, 0.6), (0.6, 0.6, 0.7), (0.9, -0.5, -0.1), (0.6, -0.8, -0.5),
        (0.9, 0.5, -0.2), (0.55, 0.35, -1.0), (0.8, -0.1, -0.9), (0.45, 0.75, -0.7), (1.0, 0.1, 0.3),
    ]  # fmt: skip
    return [np.array((side * x, y, z)) for x, y, z in rows]


VESSEL_GENERATIONS = 5
"""Beyond the fifth branching the vessels are thinner than a pixel."""


def _grow(
    rng: np.random.Generator,
    pieces: list[Capsule],
    start: np.ndarray[tuple[int], np.dtype[np.float64]],
    direction: np.ndarray[tuple[int], np.dtype[np.float64]],
    radius: float,
    generation: int,
) -> None:
    length = float(rng.uniform(17, 27)) * 0.93**generation
    end = start + direction * length
    if not _is_in_lung(end):
        return
    pieces.append(Capsule(_point(start), _point(end), radius, radius * 0.8))
    if generation >= VESSEL_GENERATIONS:
        return
    for share in (0.78, 0.62):
        bent = direction + rng.normal(0, 0.42, 3)
        _grow(rng, pieces, end, bent / np.linalg.norm(bent), radius * share, generation + 1)


def _is_in_lung(place: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    """Tell whether a place lies within the smallest lungs of any build."""
    x, y, z = abs(place[0]) - 73, place[1] - 6, place[2] + 50
    half = (54 if x > 0 else 64, 86, 165 if z < 0 else 170)
    return bool((x / half[0]) ** 2 + (y / half[1]) ** 2 + (z / half[2]) ** 2 < 0.94)


def _point(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Point:
    return float(values[0]), float(values[1]), float(values[2])


def _spine() -> list[Layer]:
    layers: list[Layer] = []
    for number in range(17):
        z = 190.0 - number * 25.0
        y = 68.0 + 10.0 * float(np.cos((z - 10) / 130.0)) - 8
        height, wide = (9.5, 17.0 + 0.35 * number)
        body = ball((0, y, z), wide, 15.5, height + 1.2, exponent=3.2)
        layers += [Layer("cortical", body, 0.6), Layer("spongy", body.shrunk(1.4), 0.95)]
        layers.append(Layer("disc", ball((0, y, z - 12.5), wide * 0.95, 14.5, 2.6, exponent=3.0)))
        layers += fill("spongy", tube([(0, y + 28, z - 4), (0, y + 38, z - 14)], [3, 3.4]))
        for side in SIDES:
            arch = tube(
                [mirrored(p, side) for p in ((12.0, y + 10, z), (13.0, y + 24, z), (0.0, y + 31, z - 3))],
                [4, 4.2, 3.2],
                height_ratio=1.5,
            )
            process = tube([mirrored(p, side) for p in ((13.0, y + 20, z), (33.0, y + 30, z + 3))], [4.2, 4])
            layers += fill("spongy", [*arch, *process], 0.75) + fill(
                "spongy",
                [Capsule(c.start, c.end, c.start_radius_mm - 1.5, c.end_radius_mm - 1.5) for c in process],
                0.9,
            )
    canal = tube([(0, 78.0, 240), (0, 82.0, 60), (0, 84.0, -80), (0, 78.0, -260)], [9, 8.5, 8.5, 9])
    layers += fill("fat", canal, 0.6) + fill("cord", [Capsule(c.start, c.end, 6, 6) for c in canal])
    return layers


def _ribs(build: Build) -> list[Layer]:
    layers: list[Layer] = []
    for number in range(RIBS):
        for side in SIDES:
            points, radii = _rib(number, side, build.breadth)
            shell = tube(points, radii, height_ratio=1.75)
            core = tube(points, [radius - 1.5 for radius in radii], height_ratio=1.75)
            layers += fill("cortical", shell, 0.85) + fill("spongy", core, 0.9)
            if number < 7:
                joint = (side * 16.0, -86.0 - 1.2 * number, 78.0 - 15.0 * number)
                layers += fill("cartilage", tube([points[-1], joint], [4.5, 5.0]))
    sternum = tube([(0, -76, 92), (0, -86, 66), (0, -92, 20), (0, -94, -30)], [13, 12, 13, 11])
    flat = [Capsule(c.start, c.end, 6.5, 6.5) for c in sternum]
    layers += fill("cortical", [ball((0, -82, 78), 22, 7.5, 16), *flat], 0.8)
    return layers + fill("spongy", [ball((0, -82, 78), 20, 6, 14), *(Capsule(c.start, c.end, 5, 5) for c in flat)])


def _rib(number: int, side: int, breadth: float) -> tuple[list[Point], list[float]]:
    wide = (72, 98, 111, 119, 125, 129, 132, 134, 136, 136, 132, 124)[number] * breadth
    deep = (48, 66, 78, 85, 89, 92, 94, 95, 95, 94, 90, 84)[number]
    drop = (34, 46, 58, 68, 76, 82, 86, 88, 88, 84, 62, 40)[number]
    last = (142, 144, 146, 147, 147, 145, 142, 136, 128, 118, 92, 66)[number]
    top = FIRST_RIB_MM - RIB_SPACING_MM * number
    points: list[Point] = []
    for angle in np.radians(np.linspace(9, last, 22)):
        away = 1 - float(np.cos(angle))
        across = wide * float(np.sin(angle)) ** 0.8
        points.append((side * max(across, 14.0), 4 + deep * float(np.cos(angle)), top - drop * away / 1.8))
    return points, [4.0, *[3.6] * 20, 4.4]


def _shoulder_girdle(build: Build) -> list[Layer]:
    layers: list[Layer] = []
    lift = 26.0 if build.arms_raised else 0.0
    for side in SIDES:
        clavicle = tube(
            [
                mirrored(p, side)
                for p in (
                    (14.0, -72.0, 96.0),
                    (48.0, -74.0, 108.0 + lift / 3),
                    (92.0, -44.0, 120.0 + lift),
                    (134.0, -16.0, 126.0 + lift),
                )
            ],
            [8, 5.6, 5.2, 7],
        )
        layers += fill("cortical", clavicle, 0.85) + fill(
            "spongy", [Capsule(c.start, c.end, c.start_radius_mm - 1.8, c.end_radius_mm - 1.8) for c in clavicle], 0.9
        )
        out = 0.0 if build.arms_raised else 16.0
        blade = Ellipsoid((side * (104 + out), 78 - out, 56), (38, 2.6, 70), turned(-34 * side))
        edge = tube(
            [
                mirrored(p, side)
                for p in (
                    (126.0 + out, 56.0 - out, 104.0),
                    (120.0 + out, 64.0 - out, 40.0),
                    (100.0 + out, 80.0 - out, -16.0),
                )
            ],
            [6, 4, 3.4],
        )
        spine = tube(
            [
                mirrored(p, side)
                for p in ((80.0 + out, 96.0 - out, 92.0), (112.0 + out, 82.0 - out, 106.0), (146.0, 30.0, 130.0))
            ],
            [4, 4.6, 7],
        )
        layers += fill("cortical", [blade], 0.75) + fill("cortical", [*edge, *spine], 0.8)
        head = (side * 158.0, 14.0, 112.0 + lift * 2)
        shaft = (side * 196.0, 18.0, -40.0) if not build.arms_raised else (side * 176.0, 10.0, 250.0)
        layers += fill("cortical", [ball(head, 25), Capsule(head, shaft, 14, 11)], 0.85)
        layers += fill("spongy", [ball(head, 23.2), Capsule(head, shaft, 9, 6.5)], 0.9)
    return layers
