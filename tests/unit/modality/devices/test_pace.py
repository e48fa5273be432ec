"""The pace of a device: real, some times faster, or none."""

from __future__ import annotations

import pytest

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.devices.pace import FAST, Pace, Pacer, Pacing, parse_pace
from tests.support.device_studies import acquisition

PACING = Pacing(first_s=90.0, image_s=0.5, series_s=60.0)


def _delays(pace: Pace) -> list[float]:
    pacer = Pacer(PACING, pace)
    return [pacer.delay_s(instance) for instance in acquisition("MR", slices=2).iter_images()]


def test_a_real_device_takes_its_time_for_the_first_image_each_image_and_each_series() -> None:
    assert _delays(parse_pace("real")) == [90.0, 0.5, 60.0, 0.5, 60.0, 0.5]


def test_a_factor_divides_every_time() -> None:
    assert _delays(parse_pace("10x")) == _delays(parse_pace("10×")) == [9.0, 0.05, 6.0, 0.05, 6.0, 0.05]


def test_fast_waits_for_nothing() -> None:
    assert parse_pace("fast") == FAST
    assert not any(_delays(FAST))


@pytest.mark.parametrize("text", ["", "slow", "0x", "-1x", "1001x", "x", "10"])
def test_a_pace_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="real, fast"):
        parse_pace(text)
