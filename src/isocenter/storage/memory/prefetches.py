"""Runs of rules for prefetching in a dictionary."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from isocenter.ports.prefetches import HitCounts, NewRun, PrefetchRun, RunState


class MemoryPrefetches:
    """Keep runs in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[int, PrefetchRun] = {}
        self._next_key = 1
        self._origins: set[tuple[str, str]] = set()
        self._fetched: dict[str, tuple[float, float | None]] = {}
        """When a study was fetched, and opened."""

    def add(self, runs: Sequence[NewRun], *, now: float) -> list[PrefetchRun]:
        """Keep runs, all or none; one whose rule and subject had another within its time is suppressed."""
        with self._lock:
            added = (self._add(run, now) for run in runs)
            return [run for run in added if run is not None]

    def _add(self, new: NewRun, now: float) -> PrefetchRun | None:
        if new.origin and (new.rule, new.origin) in self._origins:
            return None
        self._origins.add((new.rule, new.origin))
        is_repeat = new.repeat_after_s > 0 and any(
            (run.rule, run.subject) == (new.rule, new.subject)
            and run.received_at >= now - new.repeat_after_s
            and run.state in (RunState.WAITING, RunState.DONE)
            for run in self._runs.values()
        )
        run = PrefetchRun(
            self._next_key,
            new.rule,
            new.subject,
            new.kind,
            new.trigger,
            RunState.SUPPRESSED if is_repeat else RunState.WAITING,
            received_at=now,
            start_at=new.start_at,
            deadline=new.deadline,
            finished_at=now if is_repeat else None,
        )
        self._next_key += 1
        self._runs[run.run_key] = run
        return run

    def due(self, *, now: float, limit: int) -> list[PrefetchRun]:
        """Return waiting runs whose time has come, the nearest deadline first, those without one by their receipt."""
        waiting = [run for run in self._runs.values() if run.state is RunState.WAITING and run.start_at <= now]
        return sorted(waiting, key=_urgency)[:limit]

    def replace(self, run: PrefetchRun) -> None:
        """Keep a run as it is now."""
        with self._lock:
            self._runs[run.run_key] = run

    def recent(self, *, limit: int) -> list[PrefetchRun]:
        """Return runs, the last one received first."""
        return sorted(self._runs.values(), key=lambda run: -run.run_key)[:limit]

    def count_waiting(self) -> int:
        """Return how many runs wait."""
        return sum(run.state is RunState.WAITING for run in self._runs.values())

    def note_fetched(self, study_instance_uid: str, *, rule: str, source: str, now: float) -> None:
        """Note that a study was fetched; one that was fetched before keeps what is known of it."""
        with self._lock:
            self._fetched.setdefault(study_instance_uid, (now, None))

    def was_fetched(self, study_instance_uid: str) -> bool:
        """Tell whether a study was fetched."""
        return study_instance_uid in self._fetched

    def note_opened(self, study_instance_uids: Iterable[str], *, now: float) -> int:
        """Note that somebody opened studies; return how many of them were fetched and not opened before."""
        with self._lock:
            wanted = [uid for uid in set(study_instance_uids) if self._fetched.get(uid, (0.0, 0.0))[1] is None]
            for uid in wanted:
                self._fetched[uid] = (self._fetched[uid][0], now)
            return len(wanted)

    def hits(self) -> HitCounts:
        """Return how often fetching was worth it."""
        opened = sum(opened_at is not None for _, opened_at in self._fetched.values())
        return HitCounts(len(self._fetched), opened)

    def forget(self, *, before: float) -> int:
        """Drop runs that ended before, and studies fetched before; return how many runs went."""
        with self._lock:
            self._fetched = {uid: times for uid, times in self._fetched.items() if times[0] >= before}
            gone = [run.run_key for run in self._runs.values() if run.finished_at and run.finished_at < before]
            for run_key in gone:
                del self._runs[run_key]
            return len(gone)


def _urgency(run: PrefetchRun) -> tuple[float, int]:
    return (run.received_at if run.deadline is None else run.deadline), run.run_key
