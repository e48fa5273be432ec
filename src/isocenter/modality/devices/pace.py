"""How quickly a device delivers its images: as a real one does, some times faster, or without waiting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.devices.instance import DeviceInstance

FACTOR_MAX = 1000.0
"""Beyond that nobody notices a difference to `fast`."""
_FACTOR = re.compile(r"(\d+(?:\.\d+)?)[x×]")


@dataclass(frozen=True, slots=True)
class Pacing:
    """The times of a kind of device."""

    first_s: float
    """Until the first image: positioning, exposure, reading out."""
    image_s: float
    """From one image to the next of its series."""
    series_s: float
    """From the last image of a series to the first of the next."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many times faster than a real device; None waits for nothing."""

    factor: float | None = None

    def scaled_s(self, real_s: float) -> float:
        """Return how long a time of a real device takes."""
        return 0.0 if self.factor is None else real_s / self.factor


FAST = Pace()


def parse_pace(text: str) -> Pace:
    """Return the pace that `real`, `fast` or a factor like `10x` names. Raises InvalidRequest."""
    if text in ("real", "fast"):
        return Pace(1.0) if text == "real" else FAST
    found = _FACTOR.fullmatch(text.lower())
    if found is None or not 0 < float(found.group(1)) <= FACTOR_MAX:
        raise InvalidRequest(f"A pace is real, fast, or a factor up to {FACTOR_MAX:.0f} like 10x.")
    return Pace(float(found.group(1)))


@dataclass(slots=True)
class Pacer:
    """Says how long to wait for each instance, one after the other."""

    pacing: Pacing
    pace: Pace
    _series: str = field(default="")

    def delay_s(self, instance: DeviceInstance) -> float:
        """Return how long the device takes until it has made an instance."""
        before, self._series = self._series, instance.series_instance_uid
        if not before:
            return self.pace.scaled_s(self.pacing.first_s)
        is_same = before == instance.series_instance_uid
        return self.pace.scaled_s(self.pacing.image_s if is_same else self.pacing.series_s)
