"""What a step of the story is, what was expected of it, and what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from isocenter.app.hospital.control import Part
from isocenter.modality.faults.record import Record
from isocenter.modality.faults.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Look:
    """Where to look at what a step did."""

    part: Part
    path: str
    """Of the part's console."""
    text: str


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step before it is played."""

    number: int
    title: str
    text: tuple[str, ...]
    """What a person does and sees, in sentences for somebody who has never seen DICOM."""
    needs: frozenset[int] = frozenset()
    """Steps without which this one cannot be played."""
    looks: tuple[Look, ...] = ()
    breaks: bool = False
    """Whether something breaks in it."""


class StepState(StrEnum):
    """How a step stands."""

    NOT_PLAYED = "not played"
    PLAYING = "playing"
    HELD = "held"
    """Everything that was expected of it is so."""
    FAILED = "failed"
    LEFT_OUT = "left out"
    """It could not be played, because another step failed."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must be so after a step, and what was found."""

    text: str
    wanted: str
    found: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that was seen: a line for people, the whole of it for programs."""

    name: str
    text: str
    data: Any = None
    """As JSON has it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What was seen while something was broken, and what that came to."""

    scenario: Scenario
    record: Record
    verdict: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to, or has come to so far."""

    number: int
    state: StepState
    expectations: tuple[Expectation, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    elapsed_s: float = 0.0
    reason: str = ""
    """Why it could not be played, or not to its end."""
    outage: Outage | None = None


@dataclass(slots=True)
class Findings:
    """Gathers what a step finds while it is played."""

    on_change: Callable[[], None] = lambda: None
    expectations: list[Expectation] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    outage: Outage | None = None

    def expect(self, text: str, is_met: bool, *, wanted: object, found: object) -> bool:
        """Note what was expected and what was found, and return whether it is so."""
        self.expectations.append(Expectation(text, str(wanted), str(found), is_met))
        self.on_change()
        return is_met

    def expect_equal(self, text: str, wanted: object, found: object) -> bool:
        """Note a value that must be another one."""
        return self.expect(text, wanted == found, wanted=wanted, found=found)

    def note(self, name: str, text: str, data: Any = None) -> None:
        """Note something that was seen."""
        self.evidence.append(Evidence(name, text, data))
        self.on_change()

    @property
    def is_all_met(self) -> bool:
        """Tell whether something was expected, and all of it is so."""
        return bool(self.expectations) and all(one.is_met for one in self.expectations)
