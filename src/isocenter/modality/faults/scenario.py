"""A scenario as values: what runs, what stands between, what happens when, and what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isocenter.domain.application_entity import AeAddress
from isocenter.modality.faults.fault import Fault
from isocenter.modality.faults.link import LinkPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """A component: how it is started, and how one learns that it is ready."""

    name: str = ""
    command: tuple[str, ...]
    ready: str = ""
    """An address of HTTP that answers 200, or HOST:PORT that takes connections; empty for at once."""
    is_started: bool = True
    """Whether it runs from the beginning; without it a step starts it."""
    environment: tuple[tuple[str, str], ...] = ()
    volume: str = ""
    """A folder that is a volume of its own, in memory, for this process alone; it goes with the process."""
    volume_size_bytes: int = 256 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterPlan:
    """A number that is sampled while the scenario plays."""

    name: str = ""
    url: str
    """Of JSON."""
    path: str = ""
    """Keys and positions joined by dots; `*` adds up whatever is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """A modality that sends instances and sends again what was not acknowledged."""

    to: AeAddress
    calling_ae_title: str = "MODALITY"
    instances: int = 100
    studies: int = 1
    size_bytes: int = 64 * 1024
    instances_per_s: float = 0.0
    """0 for as fast as it can."""
    seed: int = 1


# When


@dataclass(frozen=True, slots=True)
class AtTime:
    """So long after the load began."""

    at_s: float


@dataclass(frozen=True, slots=True)
class AfterPause:
    """So long after the step before."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class AfterAcknowledged:
    """Once so many instances of the load are acknowledged; None for all of them."""

    instances: int | None


class Comparison(StrEnum):
    """How a counter is compared."""

    AT_LEAST = ">="
    AT_MOST = "<="
    EQUAL = "="


@dataclass(frozen=True, slots=True)
class AfterCounter:
    """Once a counter has a value."""

    counter: str
    comparison: Comparison
    value: float


Trigger = AtTime | AfterPause | AfterAcknowledged | AfterCounter

# What


@dataclass(frozen=True, slots=True)
class SetFault:
    """Set a fault on a link, for a time or until it is cleared."""

    link: str
    fault: Fault
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClearFaults:
    """Clear all faults of a link."""

    link: str


class ProcessAction(StrEnum):
    """What is done to a process."""

    KILL = "kill"
    """At once, as where the power goes."""
    TERMINATE = "terminate"
    START = "start"
    STOP = "stop"
    """It is there and does nothing (SIGSTOP)."""
    CONTINUE = "continue"
    DENY_WRITES = "deny-writes"
    """Every write of it to a file fails, by a limit of the kernel: as on a full volume, without a volume to fill."""
    ALLOW_WRITES = "allow-writes"
    FILL_VOLUME = "fill-volume"
    """No room is left on its volume (ENOSPC)."""
    FREE_VOLUME = "free-volume"


@dataclass(frozen=True, slots=True)
class ActOnProcess:
    """Do something to a process."""

    process: str
    action: ProcessAction


@dataclass(frozen=True, slots=True)
class Step:
    """When what happens."""

    trigger: Trigger
    action: SetFault | ClearFaults | ActOnProcess


# Expectations


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingLost:
    """Every acknowledged instance is in every one of these archives, by QIDO-RS."""

    archives: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesAtMost:
    """So many instances came more than once: over a DIMSE link, or into an archive by its change feed."""

    count: int = 0
    link: str = ""
    archive: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredWithin:
    """A counter is back at a value for good, so long after the last step at most."""

    counter: str
    time_s: float
    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddsUp:
    """In every sample a counter is the sum of others."""

    whole: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A counter reached a value: the outage was one."""

    counter: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StaysAtMost:
    """A counter never passes a value: what the outage is no business of."""

    counter: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AllAcknowledged:
    """The modality got rid of every instance."""

    within_s: float = 0.0
    """Each within this time of its first try; 0 for any time."""


Expectation = NothingLost | DuplicatesAtMost | RecoveredWithin | AddsUp | Reached | StaysAtMost | AllAcknowledged


@dataclass(frozen=True, slots=True)
class FilePlan:
    """A file that is written before anything starts."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """An outage that can be played."""

    name: str
    description: str
    duration_max_s: float
    files: tuple[FilePlan, ...]
    processes: tuple[ProcessPlan, ...]
    links: tuple[LinkPlan, ...]
    counters: tuple[CounterPlan, ...]
    load: LoadPlan | None
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]
