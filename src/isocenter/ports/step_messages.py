"""What modalities said of performed procedure steps, on its way to another AE, in the order in which they said it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class StepOperation(StrEnum):
    """What a modality did."""

    CREATE = "create"
    SET = "set"


class MessageState(StrEnum):
    """How far a message has come."""

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    """The other AE does not want it; asking again changes nothing."""


@dataclass(frozen=True, slots=True)
class NewStepMessage:
    """What is kept with a step in one commit, where it is to be told to another AE."""

    operation: StepOperation
    destination: str
    """AE title of a remote AE."""
    content: bytes
    """The attributes as they came, in Explicit VR Little Endian."""


@dataclass(frozen=True, slots=True)
class StepMessage:
    """A message as it is kept; times are seconds since the epoch."""

    message_key: int
    sop_instance_uid: str
    operation: StepOperation
    destination: str
    content: bytes
    state: MessageState
    received_at: float
    next_at: float
    attempts: int = 0
    """Counted before each one: what was attempted may have arrived, though its answer did not."""
    problem: str = ""
    finished_at: float | None = None


class StepMessages(Protocol):
    """Keep messages; they come with the commit of their step (`PerformedSteps`). Durable when a call returns."""

    def due(self, *, now: float, limit: int) -> list[StepMessage]:
        """Return the first waiting message of each step, where its time has come, in the order of their receipt."""
        ...

    def replace(self, message: StepMessage) -> None:
        """Keep a message as it is now."""
        ...

    def recent(self, *, limit: int) -> list[StepMessage]:
        """Return messages, the last one first."""
        ...

    def count_waiting(self) -> int:
        """Return how many wait."""
        ...

    def forget(self, *, before: float) -> int:
        """Drop messages that were done with before; return how many went."""
        ...
