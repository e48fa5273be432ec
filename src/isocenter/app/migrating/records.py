"""What a job keeps, as values: studies, series and instances, and how far each has come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isocenter.routing.migration.comparison import InstanceDigest


class State(StrEnum):
    """How far an instance has come."""

    WAITING = "waiting"
    SENDING = "sending"
    """It is on its way; after a crash it may be there or not."""
    DELIVERED = "delivered"
    DELIVERED_WITH_NOTE = "delivered-with-note"
    NEEDS_HUMAN = "needs-human"
    NOT_SENT_BY_SOURCE = "not-sent-by-source"
    """The source lists it and did not give it."""


DELIVERED_STATES = frozenset({State.DELIVERED, State.DELIVERED_WITH_NOTE})
OPEN_STATES = frozenset({State.WAITING, State.SENDING})


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as the source lists it."""

    study_instance_uid: str
    patient_id: str
    study_date: str
    counted: int | None = None


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """An instance as the source lists it."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str = ""
    path: str = ""
    """Of its file, where the source is a folder."""


@dataclass(frozen=True, slots=True)
class KeptInstance:
    """An instance as the job keeps it."""

    sop_instance_uid: str
    sop_class_uid: str
    path: str
    state: State
    attempts: int
    digest: InstanceDigest
    code: str


@dataclass(frozen=True, slots=True)
class MovedInstance:
    """An instance that the target has acknowledged."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    digest: InstanceDigest


@dataclass(frozen=True, slots=True)
class SeriesToMove:
    """A series that is not moved yet."""

    key: int
    study_instance_uid: str
    series_instance_uid: str
    """Empty for a study that could not be listed: it moves as a whole."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Where the instances stand; the sum of all states is their number, always."""

    instances: int
    by_state: dict[State, int]
    size_bytes: int
    """Of those that were sent."""
    sent_again: int
    """Instances that were sent more than once, or may have been."""

    @property
    def delivered(self) -> int:
        """Return how many the target has acknowledged."""
        return sum(self.by_state.get(state, 0) for state in DELIVERED_STATES)

    @property
    def left(self) -> int:
        """Return how many still have to move."""
        return sum(self.by_state.get(state, 0) for state in OPEN_STATES)
