"""Synthetic studies as the bytes of their instances, from a plan and a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np

from isocenter.modality.chest import make_chest
from isocenter.modality.head import make_head
from isocenter.modality.instances import InstancePlace, cr_dataset, ct_dataset, encode_part10, mr_dataset
from isocenter.modality.materials import MR_FLAIR, MR_T1, MR_T2
from isocenter.modality.phantoms import MrScan, add_ct_noise, draw_chest, draw_ct_head, draw_head, spoil_mr, stored_ct
from isocenter.modality.plans import (
    CrSeriesPlan,
    CtSeriesPlan,
    MrSeriesPlan,
    MrWeighting,
    Orientation,
    Region,
    SeriesPlan,
    StudyPlan,
)
from isocenter.modality.radiograph import PlateReadout, read_plate, sum_rays
from isocenter.modality.solids import Picture, Plane
from isocenter.modality.texture import make_grain

_ANATOMY, _SCANNER = 0, 1
"""Sub-seeds: every series of a study cuts the same anatomy, each with noise of its own."""
_CONTRASTS = {MrWeighting.T1: MR_T1, MrWeighting.T2: MR_T2, MrWeighting.FLAIR: MR_FLAIR}
_SECONDS_BETWEEN_SERIES = 180


def iter_study(plan: StudyPlan, seed: int) -> Iterator[bytes]:
    """Yield the instances of a study as Part 10 files, series by series in order of instance numbers."""
    for number, series in enumerate(plan.series, start=1):
        yield from _iter_series(plan, series, number, seed)


def _iter_series(plan: StudyPlan, series: SeriesPlan, number: int, seed: int) -> Iterator[bytes]:
    anatomy_seed = seed if plan.anatomy_seed is None else plan.anatomy_seed
    anatomy = np.random.default_rng((anatomy_seed, _ANATOMY))
    scanner = np.random.default_rng((seed, _SCANNER, number))
    match series:
        case CtSeriesPlan():
            yield from _iter_ct(plan, series, number, seed, anatomy, scanner)
        case MrSeriesPlan():
            yield from _iter_mr(plan, series, number, seed, anatomy, scanner)
        case CrSeriesPlan():
            yield _make_cr(plan, series, number, seed, anatomy, scanner)


def slice_plane(orientation: Orientation, *, edge: int, field_of_view_mm: float, position_mm: float) -> Plane:
    """Return a square slice centred on the patient."""
    step = field_of_view_mm / edge
    half = step * (edge - 1) / 2
    if orientation is Orientation.AXIAL:
        return Plane(1, 0, (-half, -half, position_mm), step, step, edge, edge)
    if orientation is Orientation.CORONAL:
        return Plane(2, 0, (-half, position_mm, half), -step, step, edge, edge)
    return Plane(2, 1, (position_mm, -half, half), -step, step, edge, edge)


def _iter_ct(
    plan: StudyPlan,
    series: CtSeriesPlan,
    number: int,
    seed: int,
    anatomy: np.random.Generator,
    scanner: np.random.Generator,
) -> Iterator[bytes]:
    draw = _ct_drawing(plan, series.region, anatomy)
    grain = make_grain(scanner)
    for index in range(series.slices):
        plane = slice_plane(
            Orientation.AXIAL,
            edge=series.edge,
            field_of_view_mm=series.field_of_view_mm,
            position_mm=series.first_mm + index * series.spacing_mm,
        )
        pixels = stored_ct(add_ct_noise(draw(plane), grain, scanner, deviation_hu=series.noise_hu))
        place = _place(plan, seed, number, index)
        yield encode_part10(ct_dataset(plan, series, place, plane, pixels))


def _ct_drawing(plan: StudyPlan, region: Region, anatomy: np.random.Generator) -> Callable[[Plane], Picture]:
    if region is Region.CHEST:
        chest = make_chest(anatomy, plan.build)
        return lambda plane: draw_chest(chest, plane)
    head = make_head(anatomy, finding=plan.finding, atrophy=plan.atrophy)
    return lambda plane: draw_ct_head(head, plane)


def _iter_mr(
    plan: StudyPlan,
    series: MrSeriesPlan,
    number: int,
    seed: int,
    anatomy: np.random.Generator,
    scanner: np.random.Generator,
) -> Iterator[bytes]:
    head = make_head(anatomy, finding=plan.finding, atrophy=plan.atrophy)
    scan = MrScan(noise=13.0, shading=0.22)
    for index in range(series.slices):
        plane = slice_plane(
            series.orientation,
            edge=series.edge,
            field_of_view_mm=series.field_of_view_mm,
            position_mm=series.first_mm + index * series.spacing_mm,
        )
        pixels = spoil_mr(draw_head(head, plane, _CONTRASTS[series.weighting]), scan, scanner)
        yield encode_part10(mr_dataset(plan, series, _place(plan, seed, number, index), plane, pixels))


def _make_cr(
    plan: StudyPlan,
    series: CrSeriesPlan,
    number: int,
    seed: int,
    anatomy: np.random.Generator,
    scanner: np.random.Generator,
) -> bytes:
    readout = PlateReadout(series.rows, series.columns, series.pixel_mm)
    chest = make_chest(anatomy, plan.build)
    pixels = read_plate(sum_rays(chest, readout, centre_mm=0.0, depth_mm=(-150.0, 130.0)), readout, scanner)
    return encode_part10(cr_dataset(plan, series, _place(plan, seed, number, 0), pixels))


def _place(plan: StudyPlan, seed: int, number: int, index: int) -> InstancePlace:
    begun = plan.started_at + timedelta(seconds=_SECONDS_BETWEEN_SERIES * (number - 1) + index // 4)
    return InstancePlace(seed, number, index + 1, begun)
