"""Studies of devices, small enough for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset

from isocenter.modality.devices.acquisition import Acquisition
from isocenter.modality.devices.instance import DeviceInstance
from isocenter.modality.devices.misbehaviour import Misbehaviour
from isocenter.modality.devices.order import Order, unscheduled_order
from isocenter.modality.devices.profile import find_profile
from isocenter.modality.plans import SeriesPlan, UsSeriesPlan, XaSeriesPlan

BEGUN_AT = datetime(2022, 11, 22, 10, 0)
COARSE = 16
FRAMES = 3
"""Of a loop or run; tests are about their way."""


def acquisition(
    profile: str = "CT",
    *,
    seed: int = 7,
    order: Order | None = None,
    slices: int = 3,
    ae_title: str = "",
    misbehaviour: Misbehaviour | None = None,
) -> Acquisition:
    """Return a study of coarse pictures."""
    device = find_profile(profile)
    series = tuple(_shortened(one) for one in device.series)
    return Acquisition(
        profile=replace(device, series=series),
        order=order or unscheduled_order(seed),
        seed=seed,
        begun_at=BEGUN_AT,
        ae_title=ae_title or device.ae_title,
        misbehaviour=misbehaviour or Misbehaviour(),
        slices=slices,
        reduction=COARSE,
    )


def _shortened(series: SeriesPlan) -> SeriesPlan:
    return replace(series, frames=FRAMES) if isinstance(series, (UsSeriesPlan, XaSeriesPlan)) else series


def file_of(instance: DeviceInstance) -> bytes:
    """Return the whole file of an instance."""
    return b"".join(map(bytes, instance.iter_file()))


def dataset_of(instance: DeviceInstance) -> Dataset:
    """Return an instance as pydicom reads it."""
    return dcmread(BytesIO(file_of(instance)))
