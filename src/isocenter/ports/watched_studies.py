"""Studies that are watched until they are whole, what must be here of them, and when they were whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WatchedStudy:
    """A study as it is watched; times are seconds since the epoch."""

    study_instance_uid: str
    device: str
    modality: str
    first_at: float
    last_at: float
    last_sequence: int
    """Of the change feed: the last row that speaks of it."""
    instances: int
    is_complete: bool = False
    evidence: str = ""
    told: str = ""
    """Why it is whole, or what it waits for."""
    completed_at: float | None = None
    completed_sequence: int = 0
    """Up to here it was whole before; what follows in the feed is late."""
    reopened: int = 0
    reopened_at: float = 0.0
    look_at: float | None = None


@dataclass(frozen=True, slots=True)
class KeptExpectation:
    """What one source says must be here of a study."""

    study_instance_uid: str
    kind: str
    origin: str
    sop_instance_uids: tuple[str, ...] = ()
    count: int = 0
    is_final: bool = True
    noted_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """A study was whole: the delta of the feed that is to go out, and by which evidence."""

    completion_key: int
    """Grows; whoever acts on completions keeps the last one."""
    study_instance_uid: str
    evidence: str
    told: str
    completed_at: float
    after_sequence: int
    """The delta begins behind this row of the feed: 0 for a study that is whole for the first time."""
    last_sequence: int
    instances: int


class WatchedStudies(Protocol):
    """Keep them; durable when a call returns. Several processes may write at once."""

    def find(self, study_instance_uids: Sequence[str]) -> dict[str, WatchedStudy]:
        """Return those of some studies that are watched."""
        ...

    def due(self, *, now: float, limit: int) -> list[WatchedStudy]:
        """Return studies that are not whole and are to be judged, the longest due first."""
        ...

    def keep(self, studies: Sequence[WatchedStudy]) -> None:
        """Keep studies as they are now."""
        ...

    def complete(self, study: WatchedStudy) -> Completion:
        """Keep a study that is whole, and that it was, in one commit."""
        ...

    def recent(self, *, limit: int) -> list[WatchedStudy]:
        """Return studies, the one that came last first."""
        ...

    def completions(self, *, after: int, limit: int) -> list[Completion]:
        """Return what was whole, behind a key, in order."""
        ...

    def expect(self, expectation: KeptExpectation) -> None:
        """Keep what a source says in the place of what it said before, and have the study judged."""
        ...

    def expectations(self, study_instance_uid: str) -> list[KeptExpectation]:
        """Return what must be here of a study."""
        ...

    def gaps(self, device: str, modality: str) -> tuple[float, ...]:
        """Return the gaps between instances that were seen of a device, the oldest first."""
        ...

    def keep_gaps(self, gaps: Mapping[tuple[str, str], Sequence[float]]) -> None:
        """Keep gaps by device and modality in the place of those before."""
        ...

    def forget(self, *, before: float) -> int:
        """Drop studies to which nothing came since, with what was expected of them; return how many went."""
        ...
