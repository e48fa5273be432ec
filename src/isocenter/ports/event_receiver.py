"""A receiver of events on the other side of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from isocenter.domain.image_event import ImageEvent


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered, or why it did not."""

    is_taken: bool
    reason: str = ""
    """Why not; never a word of the receiver's own."""
    retry_after_s: float | None = None
    is_too_large: bool = False
    """Fewer events at once may be taken."""
    rate_per_min: float | None = None
    """How many requests the receiver allows; None: as many as there are."""


class EventReceiver(Protocol):
    """Agree with a receiver, and tell it of events."""

    def validate(self) -> Answer:
        """Ask the receiver whether it wants events from here."""
        ...

    def deliver(self, events: Sequence[ImageEvent], *, attempt: int) -> Answer:
        """Hand over events, at least one, in their order; `attempt` counts the failures before."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
