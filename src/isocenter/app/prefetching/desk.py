"""Where triggers are handed in: each becomes a durable run of every rule that heeds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from isocenter.ports.clock import Clock
from isocenter.ports.prefetches import NewRun, Prefetches, PrefetchRun
from isocenter.routing.prefetch.rule import PrefetchRule
from isocenter.routing.prefetch.trigger import Trigger, heeding, subject_of, timing_of

_log = structlog.get_logger()


class PrefetchDesk:
    """Take triggers in."""

    def __init__(self, prefetches: Prefetches, rules: Sequence[PrefetchRule], clock: Clock) -> None:
        self._prefetches = prefetches
        self.rules = tuple(rules)
        self._clock = clock

    def hand_in(self, trigger: Trigger, *, origin: str = "", only: str = "") -> list[PrefetchRun]:
        """Keep a run for each rule that a trigger concerns, or of one rule only; durable when it returns.

        A trigger with an origin concerns a rule once; any other is suppressed where it repeats another.
        """
        now = self._clock.now().timestamp()
        runs = []
        for rule in heeding(self.rules, trigger):
            if only and rule.name != only:
                continue
            timing = timing_of(trigger, rule, now=now)
            new = NewRun(
                rule.name,
                subject_of(trigger, rule),
                trigger.kind.value,
                trigger.as_json(),
                start_at=timing.start_at,
                deadline=timing.deadline,
                repeat_after_s=rule.repeat_after_s,
                origin=origin,
            )
            runs.append(new)
        kept = self._prefetches.add(runs, now=now) if runs else []
        for run in kept:
            _log.info("prefetch.triggered", rule=run.rule, kind=run.kind, run=run.run_key, state=run.state.value)
        return kept


def run_json(run: PrefetchRun) -> dict[str, Any]:
    """Return a run for programs."""
    return {
        "run": run.run_key,
        "rule": run.rule,
        "kind": run.kind,
        "state": run.state.value,
        "received_at": _moment(run.received_at),
        "start_at": _moment(run.start_at),
        "deadline": _moment(run.deadline),
        "finished_at": _moment(run.finished_at),
        "attempts": run.attempts,
        "trigger": dict(run.trigger),
        "report": dict(run.report),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
