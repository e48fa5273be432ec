"""How a cast goes: counts for metrics, and what is kept of it for who asks without the node."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from isocenter.ports.clock import Clock
from isocenter.ports.fhir_ledger import FhirLedger

NOTE_INTERVAL_S = 5.0
"""How old what `isocenter fhir status` shows may be; each note is a commit."""


@dataclass(slots=True)
class CastCounts:
    """What was cast since the start of the process."""

    rows: int = 0
    studies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("written", "unchanged", "shelved"), 0))
    failed_attempts: int = 0
    behind: int = 0
    """Rows of the feed that were not cast yet."""
    behind_s: float = 0.0
    """How old the first of them is."""
    errors: dict[str, int] = field(default_factory=dict)
    """What is kept of errors, by kind."""
    is_on: bool = False


class CastRecord:
    """Keep how a cast goes, now and then."""

    def __init__(self, ledger: FhirLedger, name: str, clock: Clock) -> None:
        self._ledger = ledger
        self._name = name
        self._clock = clock
        self._standing = self._kept = ledger.standing(name)
        self._kept_at_s = float("-inf")

    def note_success(self) -> None:
        """Note that the server has what it is to have."""
        had_failed = bool(self._standing.failure)
        self._standing = replace(self._standing, succeeded_at=self._now(), failure="")
        self.keep(is_urgent=had_failed)

    def note_failure(self, reason: str) -> None:
        """Note that it could not be written to."""
        is_new = not self._standing.failure
        self._standing = replace(self._standing, failed_at=self._now(), failure=reason)
        self.keep(is_urgent=is_new)

    def keep(self, *, is_urgent: bool) -> None:
        """Make durable what was noted, unless that can wait."""
        now_s, one = self._clock.monotonic_s(), self._standing
        if one == self._kept or not (is_urgent or now_s - self._kept_at_s >= NOTE_INTERVAL_S):
            return
        self._ledger.note(self._name, succeeded_at=one.succeeded_at, failed_at=one.failed_at, failure=one.failure)
        self._kept, self._kept_at_s = one, now_s

    def _now(self) -> float:
        return self._clock.now().timestamp()
