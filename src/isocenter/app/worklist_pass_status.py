"""How it stands with the RIS and with performed steps on their way to it, for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from isocenter.app.worklist_pass import PassStatus
from isocenter.ports.step_messages import StepMessage, StepMessages

RECENT_COUNT = 50
"""Messages that are told of."""


def overview(status: PassStatus | None, messages: StepMessages, *, now: float) -> dict[str, Any]:
    """Return everything that is known."""
    recent = [message_json(message) for message in messages.recent(limit=RECENT_COUNT)]
    return {
        "ris": None if status is None else _status_json(status, now),
        "performed_steps": {"waiting": messages.count_waiting(), "recent": recent},
    }


def _status_json(status: PassStatus, now: float) -> dict[str, Any]:
    return {
        "ae_title": status.ae_title,
        "is_away": status.is_away,
        "reached_at": _moment(status.reached_at),
        "away_since": _moment(status.away_since),
        "reason": status.reason,
        "cached_entries": status.cached,
        "oldest_age_s": None if status.oldest_at is None else round(now - status.oldest_at, 1),
    }


def message_json(message: StepMessage) -> dict[str, Any]:
    """Return a message, without what it says of a patient."""
    return {
        "sop_instance_uid": message.sop_instance_uid,
        "operation": message.operation.value,
        "destination": message.destination,
        "state": message.state.value,
        "received_at": _moment(message.received_at),
        "attempts": message.attempts,
        "problem": message.problem,
        "finished_at": _moment(message.finished_at),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
