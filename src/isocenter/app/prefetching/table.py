"""What the JSON of prefetching shows and asks for (`web.api.prefetch.PrefetchTable`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from isocenter.app.prefetching.desk import PrefetchDesk, run_json
from isocenter.domain.errors import NotFound
from isocenter.ports.prefetches import Prefetches
from isocenter.routing.prefetch.trigger import Trigger


class RunningTable:
    """Runs of a running node."""

    def __init__(self, prefetches: Prefetches, desk: PrefetchDesk, mllp_counts: Callable[[], dict[str, Any]]) -> None:
        self._prefetches = prefetches
        self._desk = desk
        self._mllp_counts = mllp_counts

    def overview(self, *, limit: int) -> dict[str, Any]:
        """Return runs, the last one first, and counts."""
        hits = self._prefetches.hits()
        return {
            "rules": [rule.name for rule in self._desk.rules],
            "waiting": self._prefetches.count_waiting(),
            "fetched_studies": hits.fetched,
            "opened_studies": hits.opened,
            "messages": self._mllp_counts(),
            "runs": [run_json(run) for run in self._prefetches.recent(limit=limit)],
        }

    def request(self, trigger: Trigger, *, rule: str) -> Sequence[dict[str, Any]]:
        """Keep a run for each rule that heeds a trigger, and return them."""
        if rule and rule not in {one.name for one in self._desk.rules}:
            raise NotFound(f"There is no rule {rule}.")
        return [run_json(run) for run in self._desk.hand_in(trigger, only=rule)]
