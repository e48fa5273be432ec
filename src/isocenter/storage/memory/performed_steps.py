"""Performed steps in a dictionary."""

from __future__ import annotations

import threading

from isocenter.domain.performed_step import SCHEDULED_STATES, PerformedStep
from isocenter.ports.step_messages import NewStepMessage
from isocenter.storage.memory.step_messages import MemoryStepMessages
from isocenter.storage.memory.worklist import MemoryWorklist


class MemoryPerformedSteps:
    """Keep performed steps in memory, beside the work list that they mark."""

    def __init__(self, worklist: MemoryWorklist, messages: MemoryStepMessages | None = None) -> None:
        self._lock = threading.Lock()
        self._messages = messages or MemoryStepMessages()
        self._worklist = worklist
        self._steps: dict[str, PerformedStep] = {}

    def create(self, step: PerformedStep, *, message: NewStepMessage | None = None) -> bool:
        """Keep a new step and mark the scheduled ones that it names; return False where its UID is in use."""
        with self._lock:
            if step.sop_instance_uid in self._steps:
                return False
            self._keep(step, message)
            return True

    def replace(self, step: PerformedStep, *, revision: int, message: NewStepMessage | None = None) -> bool:
        """Keep a step in the place of its earlier revision and mark the scheduled ones that it names."""
        with self._lock:
            kept = self._steps.get(step.sop_instance_uid)
            if kept is None or kept.revision != revision:
                return False
            self._keep(step, message)
            return True

    def _keep(self, step: PerformedStep, message: NewStepMessage | None) -> None:
        self._steps[step.sop_instance_uid] = step
        if message is not None:
            self._messages.add(message, step.sop_instance_uid, now=step.changed_at)
        self._worklist.mark(step.scheduled_steps, SCHEDULED_STATES[step.state])

    def find(self, sop_instance_uid: str) -> PerformedStep | None:
        """Return a step by its UID."""
        return self._steps.get(sop_instance_uid)

    def changed_since(self, timestamp: float, *, limit: int) -> list[PerformedStep]:
        """Return steps that changed at or after a time, in the order of their changes."""
        changed = [step for step in self._steps.values() if step.changed_at >= timestamp]
        return sorted(changed, key=lambda step: step.changed_at)[:limit]

    def recent(self, *, limit: int) -> list[PerformedStep]:
        """Return steps, the one that was created last first."""
        return list(reversed(self._steps.values()))[: max(0, limit)]
