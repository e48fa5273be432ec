"""Messages on performed steps in a dictionary."""

from __future__ import annotations

import threading

from isocenter.ports.step_messages import MessageState, NewStepMessage, StepMessage


class MemoryStepMessages:
    """Keep messages in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[int, StepMessage] = {}
        self._next_key = 1

    def add(self, new: NewStepMessage, sop_instance_uid: str, *, now: float) -> None:
        """Keep a message, with its step."""
        with self._lock:
            key, self._next_key = self._next_key, self._next_key + 1
            self._messages[key] = StepMessage(
                key, sop_instance_uid, new.operation, new.destination, new.content, MessageState.WAITING, now, now
            )

    def due(self, *, now: float, limit: int) -> list[StepMessage]:
        """Return the first waiting message of each step, where its time has come, in the order of their receipt."""
        first: dict[str, StepMessage] = {}
        for message in self._messages.values():
            if message.state is MessageState.WAITING:
                first.setdefault(message.sop_instance_uid, message)
        return [message for message in first.values() if message.next_at <= now][:limit]

    def replace(self, message: StepMessage) -> None:
        """Keep a message as it is now."""
        with self._lock:
            self._messages[message.message_key] = message

    def recent(self, *, limit: int) -> list[StepMessage]:
        """Return messages, the last one first."""
        return list(reversed(self._messages.values()))[:limit]

    def count_waiting(self) -> int:
        """Return how many wait."""
        return sum(message.state is MessageState.WAITING for message in self._messages.values())

    def forget(self, *, before: float) -> int:
        """Drop messages that were done with before; return how many went."""
        with self._lock:
            gone = [one.message_key for one in self._messages.values() if one.finished_at and one.finished_at < before]
            for key in gone:
                del self._messages[key]
            return len(gone)
