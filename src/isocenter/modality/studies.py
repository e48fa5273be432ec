"""Synthetic studies as the bytes of their instances, from a plan and a seed."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.modality.angiography import make_xa
from isocenter.modality.chest import make_chest
from isocenter.modality.digital_xray import dx_dataset
from isocenter.modality.instances import SeriesPlace, StoredPixels, cr_dataset
from isocenter.modality.lettering import put_letters
from isocenter.modality.mammography import iter_mg
from isocenter.modality.part10 import encode_instance
from isocenter.modality.plans import (
    CrSeriesPlan,
    CtSeriesPlan,
    DxSeriesPlan,
    MgSeriesPlan,
    MrSeriesPlan,
    SeriesPlan,
    StudyPlan,
    UsSeriesPlan,
    XaSeriesPlan,
)
from isocenter.modality.radiograph import CR_MAXIMUM, PlateReadout, read_plate, sum_rays
from isocenter.modality.slices import iter_ct, iter_mr
from isocenter.modality.ultrasound import make_us


def iter_study(plan: StudyPlan, seed: int) -> Iterator[bytes]:
    """Yield the instances of a study as Part 10 files, series by series in order of instance numbers."""
    for number, series in enumerate(plan.series, start=1):
        yield from _iter_series(SeriesPlace(plan, number, seed), series)


def _iter_series(place: SeriesPlace, series: SeriesPlan) -> Iterator[bytes]:
    match series:
        case CtSeriesPlan():
            yield from iter_ct(place, series)
        case MrSeriesPlan():
            yield from iter_mr(place, series)
        case CrSeriesPlan():
            yield _make_cr(place, series)
        case DxSeriesPlan():
            yield _make_dx(place, series)
        case MgSeriesPlan():
            yield from iter_mg(place, series)
        case XaSeriesPlan():
            yield make_xa(place, series)
        case UsSeriesPlan():
            yield make_us(place, series)


def _make_cr(place: SeriesPlace, series: CrSeriesPlan) -> bytes:
    pixels = _radiograph(place, PlateReadout(series.rows, series.columns, series.pixel_mm))
    return encode_instance(cr_dataset(place.plan, series, place.instance(0), pixels), place.plan)


def _make_dx(place: SeriesPlace, series: DxSeriesPlan) -> bytes:
    pixels = _radiograph(place, PlateReadout(series.rows, series.columns, series.pixel_mm))
    return encode_instance(dx_dataset(place.plan, series, place.instance(0), pixels), place.plan)


def _radiograph(place: SeriesPlace, readout: PlateReadout) -> StoredPixels:
    chest = make_chest(place.anatomy(), place.plan.build)
    pixels = read_plate(sum_rays(chest, readout, centre_mm=0.0, depth_mm=(-150.0, 130.0)), readout, place.scanner())
    if place.plan.writing.burned_in_text:
        put_letters(pixels, place.plan, CR_MAXIMUM)
    return pixels
