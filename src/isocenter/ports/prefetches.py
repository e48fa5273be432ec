"""Where runs of rules for prefetching are kept, and what they fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class RunState(StrEnum):
    """How far a run has come."""

    WAITING = "waiting"
    """It begins when its time has come, or again after a failure."""
    DONE = "done"
    SUPPRESSED = "suppressed"
    """The same was triggered shortly before."""
    FAILED = "failed"
    """It was tried until there was no point in it any more."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """One rule that a trigger concerns."""

    rule: str
    subject: str
    """What makes two triggers of a rule the same."""
    kind: str
    trigger: Mapping[str, Any]
    start_at: float
    deadline: float | None = None
    repeat_after_s: float = 0.0
    origin: str = ""
    """What can trigger the rule once only: a study, an entry of the work list; empty for what can come again."""


@dataclass(frozen=True, slots=True)
class PrefetchRun:
    """A run as it is kept; times are seconds since the epoch."""

    run_key: int
    rule: str
    subject: str
    kind: str
    trigger: Mapping[str, Any]
    state: RunState
    received_at: float
    start_at: float
    deadline: float | None = None
    attempts: int = 0
    finished_at: float | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    """What became of it: a judgement for each candidate, what was fetched, what failed."""


@dataclass(frozen=True, slots=True)
class HitCounts:
    """How many studies were fetched, and how many of them somebody opened."""

    fetched: int = 0
    opened: int = 0


class Prefetches(Protocol):
    """Keep runs; durable when a call returns. Several processes may write at once."""

    def add(self, runs: Sequence[NewRun], *, now: float) -> list[PrefetchRun]:
        """Keep runs, all or none; one whose rule and subject had another within its time is suppressed.

        One whose rule and origin are known is not kept at all, and is not returned.
        """
        ...

    def due(self, *, now: float, limit: int) -> list[PrefetchRun]:
        """Return waiting runs whose time has come, the nearest deadline first, those without one by their receipt."""
        ...

    def replace(self, run: PrefetchRun) -> None:
        """Keep a run as it is now."""
        ...

    def recent(self, *, limit: int) -> list[PrefetchRun]:
        """Return runs, the last one received first."""
        ...

    def count_waiting(self) -> int:
        """Return how many runs wait."""
        ...

    def note_fetched(self, study_instance_uid: str, *, rule: str, source: str, now: float) -> None:
        """Note that a study was fetched; one that was fetched before keeps what is known of it."""
        ...

    def was_fetched(self, study_instance_uid: str) -> bool:
        """Tell whether a study was fetched."""
        ...

    def note_opened(self, study_instance_uids: Iterable[str], *, now: float) -> int:
        """Note that somebody opened studies; return how many of them were fetched and not opened before."""
        ...

    def hits(self) -> HitCounts:
        """Return how often fetching was worth it."""
        ...

    def forget(self, *, before: float) -> int:
        """Drop runs that ended before, and studies fetched before; return how many runs went."""
        ...
