"""Where modality performed procedure steps are kept."""

from __future__ import annotations

from typing import Protocol

from isocenter.domain.performed_step import PerformedStep
from isocenter.ports.step_messages import NewStepMessage


class PerformedSteps(Protocol):
    """Keep performed steps; each change and what it means for the work list are one commit."""

    def create(self, step: PerformedStep, *, message: NewStepMessage | None = None) -> bool:
        """Keep a new step and mark the scheduled ones that it names; return False where its UID is in use.

        A message for another AE is kept in the same commit.
        """
        ...

    def replace(self, step: PerformedStep, *, revision: int, message: NewStepMessage | None = None) -> bool:
        """Keep a step in the place of its earlier revision and mark the scheduled ones that it names.

        Return False, with nothing changed, where that revision is not the one that is kept. A message for another AE
        is kept in the same commit.
        """
        ...

    def find(self, sop_instance_uid: str) -> PerformedStep | None:
        """Return a step by its UID."""
        ...

    def changed_since(self, timestamp: float, *, limit: int) -> list[PerformedStep]:
        """Return steps that changed at or after a time, in the order of their changes."""
        ...

    def recent(self, *, limit: int) -> list[PerformedStep]:
        """Return steps, the one that was created last first."""
        ...
