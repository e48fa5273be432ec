"""Runs of rules for prefetching in SQLite, and what they fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import apsw
import orjson

from isocenter.ports.prefetches import HitCounts, NewRun, PrefetchRun, RunState
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.writer import IndexWriter


class SqlitePrefetches:
    """Keep runs in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def add(self, runs: Sequence[NewRun], *, now: float) -> list[PrefetchRun]:
        """Keep runs, all or none; one whose rule and subject had another within its time is suppressed."""

        def write(connection: apsw.Connection) -> list[PrefetchRun]:
            added = (self._add(connection, run, now) for run in runs)
            return [run for run in added if run is not None]

        return self._writer.transact(write)

    def _add(self, connection: apsw.Connection, new: NewRun, now: float) -> PrefetchRun | None:
        if fetch(connection, self._queries["find_prefetch_run_of_origin"], (new.rule, new.origin)):
            return None
        earlier = (new.rule, new.subject, now - new.repeat_after_s)
        is_repeat = new.repeat_after_s > 0 and fetch(connection, self._queries["find_recent_prefetch_run"], earlier)
        state = RunState.SUPPRESSED if is_repeat else RunState.WAITING
        finished_at = now if is_repeat else None
        content = (new.rule, new.subject, new.kind, orjson.dumps(dict(new.trigger)), state.value)
        times = (now, new.start_at, new.deadline, finished_at, orjson.dumps({}), new.origin)
        [(run_key,)] = fetch(connection, self._queries["insert_prefetch_run"], (*content, *times))
        return PrefetchRun(
            run_key,
            new.rule,
            new.subject,
            new.kind,
            new.trigger,
            state,
            received_at=now,
            start_at=new.start_at,
            deadline=new.deadline,
            finished_at=finished_at,
        )

    def due(self, *, now: float, limit: int) -> list[PrefetchRun]:
        """Return waiting runs whose time has come, the nearest deadline first, those without one by their receipt."""
        return self._read("due_prefetch_runs", (now, limit))

    def replace(self, run: PrefetchRun) -> None:
        """Keep a run as it is now."""
        report = orjson.dumps(dict(run.report))
        row = (run.state.value, run.start_at, run.attempts, run.finished_at, report, run.run_key)
        self._execute("update_prefetch_run", row)

    def recent(self, *, limit: int) -> list[PrefetchRun]:
        """Return runs, the last one received first."""
        return self._read("recent_prefetch_runs", (limit,))

    def count_waiting(self) -> int:
        """Return how many runs wait."""
        with self._readers.connection() as connection:
            return int(connection.execute(self._queries["count_waiting_prefetch_runs"]).get)

    def note_fetched(self, study_instance_uid: str, *, rule: str, source: str, now: float) -> None:
        """Note that a study was fetched; one that was fetched before keeps what is known of it."""
        self._execute("insert_prefetched_study", (study_instance_uid, rule, source, now))

    def was_fetched(self, study_instance_uid: str) -> bool:
        """Tell whether a study was fetched."""
        with self._readers.connection() as connection:
            return bool(fetch(connection, self._queries["prefetched_study"], (study_instance_uid,)))

    def note_opened(self, study_instance_uids: Iterable[str], *, now: float) -> int:
        """Note that somebody opened studies; return how many of them were fetched and not opened before."""
        return self._execute("open_prefetched_studies", (now, orjson.dumps(list(study_instance_uids)).decode()))

    def hits(self) -> HitCounts:
        """Return how often fetching was worth it."""
        with self._readers.connection() as connection:
            [(fetched, opened)] = fetch(connection, self._queries["count_prefetched_studies"], ())
        return HitCounts(fetched, opened)

    def forget(self, *, before: float) -> int:
        """Drop runs that ended before, and studies fetched before; return how many runs went."""
        self._execute("forget_prefetched_studies", (before,))
        return self._execute("forget_prefetch_runs", (before,))

    def _execute(self, name: str, row: tuple[str | bytes | float | None, ...]) -> int:
        def write(connection: apsw.Connection) -> int:
            connection.execute(self._queries[name], row)
            return connection.changes()

        return self._writer.transact(write)

    def _read(self, name: str, bindings: tuple[float, ...]) -> list[PrefetchRun]:
        with self._readers.connection() as connection:
            return [_run(row) for row in fetch(connection, self._queries[name], bindings)]


def _run(row: Row) -> PrefetchRun:
    run_key, rule, subject, kind, trigger, state, received_at, start_at, deadline, attempts, finished_at, report = row
    return PrefetchRun(
        run_key,
        rule,
        subject,
        kind,
        orjson.loads(trigger),
        RunState(state),
        received_at,
        start_at,
        deadline,
        attempts,
        finished_at,
        orjson.loads(report),
    )
