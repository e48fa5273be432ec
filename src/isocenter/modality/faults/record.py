"""What was seen while a scenario played: samples of counters, what happened when, what was found at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SAMPLES_MAX = 20_000
"""An hour and a half at five a second; older ones are thinned out, so that the curve stays."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at a moment; one that could not be read is missing."""

    at_s: float
    sent: int
    """Instances that the load has tried."""
    acknowledged: int
    counters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was done to a link or process."""

    at_s: float
    thing: str
    """The link or process."""
    text: str
    ends_s: float | None = None
    """For what has a time."""
    is_trouble: bool = True
    """Whether trouble begins, or ends."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an archive has, or why that could not be asked."""

    instances: frozenset[str] = frozenset()
    stored_again: int = 0
    problem: str = ""


@dataclass(slots=True)
class Record:
    """Gathered by whoever plays."""

    samples: list[Sample] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    acknowledged: frozenset[str] = frozenset()
    """SOP Instance UIDs."""
    longest_wait_s: float = 0.0
    """Between the first try and the acknowledgement of an instance."""
    instances: int = 0
    """Of the load."""
    found: dict[str, Found] = field(default_factory=dict)
    """By archive."""
    sent_again: dict[str, int] = field(default_factory=dict)
    """By DIMSE link."""
    steps_left: int = 0
    ended_at_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    """What kept the scenario from being played as it is written."""

    def add(self, sample: Sample) -> None:
        """Keep a sample; where there are too many, every second one of the older half goes."""
        self.samples.append(sample)
        if len(self.samples) > SAMPLES_MAX:
            half = len(self.samples) // 2
            self.samples[:half] = self.samples[:half:2]

    @property
    def trouble_over_s(self) -> float:
        """Return when the last step was made, or its fault ended by itself."""
        return max((one.ends_s or one.at_s for one in self.happenings), default=0.0)
