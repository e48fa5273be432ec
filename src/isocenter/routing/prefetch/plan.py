"""What of a study is missing here: series that are not here, or with fewer instances than the source counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceSeries:
    """A series as a source tells of it."""

    series_instance_uid: str
    modality: str = ""
    instances: int | None = None
    """None where the source does not count."""
    description: str = ""
    """Body part and series description."""


@dataclass(frozen=True, slots=True)
class MissingSeries:
    """A series to be fetched, and why."""

    series_instance_uid: str
    instances: int | None
    """How many are missing, where that is known."""
    reason: str


def missing_series(there: Sequence[SourceSeries], here: Mapping[str, int]) -> tuple[MissingSeries, ...]:
    """Return the series to be fetched, given how many instances of each are here.

    A series that is here and that the source does not count is taken for whole.
    """
    out: list[MissingSeries] = []
    for series in there:
        count = here.get(series.series_instance_uid, 0)
        if not count:
            out.append(MissingSeries(series.series_instance_uid, series.instances, "it is not here"))
        elif series.instances is not None and series.instances > count:
            reason = f"{count} of {series.instances} instances are here"
            out.append(MissingSeries(series.series_instance_uid, series.instances - count, reason))
    return tuple(out)
