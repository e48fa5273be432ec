"""Series of slices: CT and MR, cut from one solid model of the patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydicom.dataset import Dataset

from isocenter.modality.chest import make_chest
from isocenter.modality.head import make_head
from isocenter.modality.instances import (
    InstancePlace,
    SeriesPlace,
    StoredPixels,
    ct_dataset,
    instance_values,
    mr_dataset,
    plane_values,
)
from isocenter.modality.lettering import put_letters
from isocenter.modality.materials import MR_FLAIR, MR_T1, MR_T2
from isocenter.modality.part10 import encode_instance
from isocenter.modality.phantoms import MrScan, add_ct_noise, draw_chest, draw_ct_head, draw_head, spoil_mr, stored_ct
from isocenter.modality.plans import CtSeriesPlan, MrSeriesPlan, MrWeighting, Orientation, Region, StudyPlan
from isocenter.modality.series_template import SeriesTemplate, make_series_template
from isocenter.modality.solids import Picture, Plane
from isocenter.modality.texture import make_grain

Draw = Callable[[Plane], StoredPixels]
Describe = Callable[[InstancePlace, Plane, StoredPixels], Dataset]

_CONTRASTS = {MrWeighting.T1: MR_T1, MrWeighting.T2: MR_T2, MrWeighting.FLAIR: MR_FLAIR}
_SLICES_EACH_SECOND = 4
_VARYING = frozenset(
    {
        "SOPInstanceUID", "InstanceNumber", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime",
        "ImagePositionPatient", "SliceLocation",
    }
)  # fmt: skip
_BRIGHT_CT, _BRIGHT_MR = 1600, 960
"""Stored values of letters: beyond soft tissue, within the window."""


def slice_plane(orientation: Orientation, *, edge: int, field_of_view_mm: float, position_mm: float) -> Plane:
    """Return a square slice centred on the patient."""
    step = field_of_view_mm / edge
    half = step * (edge - 1) / 2
    if orientation is Orientation.AXIAL:
        return Plane(1, 0, (-half, -half, position_mm), step, step, edge, edge)
    if orientation is Orientation.CORONAL:
        return Plane(2, 0, (-half, position_mm, half), -step, step, edge, edge)
    return Plane(2, 1, (position_mm, -half, half), -step, step, edge, edge)


def iter_ct(place: SeriesPlace, series: CtSeriesPlan) -> Iterator[bytes]:
    """Yield the slices of a CT series as Part 10 files."""
    draw = _ct_drawing(place.plan, series.region, place.anatomy())
    scanner = place.scanner()
    grain = make_grain(scanner)

    def stored(plane: Plane) -> StoredPixels:
        pixels = stored_ct(add_ct_noise(draw(plane), grain, scanner, deviation_hu=series.noise_hu))
        return _lettered(pixels, place.plan, _BRIGHT_CT)

    def describe(instance: InstancePlace, plane: Plane, pixels: StoredPixels) -> Dataset:
        return ct_dataset(place.plan, series, instance, plane, pixels)

    return _iter_slices(place, _planes(series, Orientation.AXIAL), stored, describe)


def _ct_drawing(plan: StudyPlan, region: Region, anatomy: np.random.Generator) -> Callable[[Plane], Picture]:
    if region is Region.CHEST:
        chest = make_chest(anatomy, plan.build)
        return lambda plane: draw_chest(chest, plane)
    head = make_head(anatomy, finding=plan.finding, atrophy=plan.atrophy)
    return lambda plane: draw_ct_head(head, plane)


def iter_mr(place: SeriesPlace, series: MrSeriesPlan) -> Iterator[bytes]:
    """Yield the slices of an MR series as Part 10 files."""
    head = make_head(place.anatomy(), finding=place.plan.finding, atrophy=place.plan.atrophy)
    scanner = place.scanner()
    scan = MrScan(noise=13.0, shading=0.22)

    def stored(plane: Plane) -> StoredPixels:
        pixels = spoil_mr(draw_head(head, plane, _CONTRASTS[series.weighting]), scan, scanner)
        return _lettered(pixels, place.plan, _BRIGHT_MR)

    def describe(instance: InstancePlace, plane: Plane, pixels: StoredPixels) -> Dataset:
        return mr_dataset(place.plan, series, instance, plane, pixels)

    return _iter_slices(place, _planes(series, series.orientation), stored, describe)


def _planes(series: CtSeriesPlan | MrSeriesPlan, orientation: Orientation) -> Iterator[Plane]:
    for index in range(series.slices):
        position_mm = series.first_mm + index * series.spacing_mm
        yield slice_plane(
            orientation, edge=series.edge, field_of_view_mm=series.field_of_view_mm, position_mm=position_mm
        )


def _lettered(pixels: StoredPixels, plan: StudyPlan, value: int) -> StoredPixels:
    if plan.writing.burned_in_text:
        put_letters(pixels, plan, value)
    return pixels


def _iter_slices(place: SeriesPlace, planes: Iterator[Plane], draw: Draw, describe: Describe) -> Iterator[bytes]:
    template: SeriesTemplate | None = None
    for index, plane in enumerate(planes):
        instance = place.instance(index, after_s=index // _SLICES_EACH_SECOND)
        pixels = draw(plane)
        if template is None:
            first = encode_instance(describe(instance, plane, pixels), place.plan)
            template = make_series_template(first, _VARYING - place.plan.extra.keys())
            yield first
        else:
            values = instance_values(place.plan, instance) | plane_values(plane)
            yield template.instance(values, pixels.astype("<u2", copy=False).tobytes())
