"""Move what is planned: series by series from the source into the spool, from there to the target.

    studies in their order ─▶ series ─▶ fetch ─▶ spool ─▶ digest ─▶ noted as being sent ─▶ send ─▶ noted as it came out

One thread deals the series out, as many at a time as the source bears; each worker takes a series through.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from isocenter.app.fetching import read_identifier
from isocenter.app.instance_files import SUFFIX, instance_path
from isocenter.app.migrating.ends import Source, StagedFile, Target
from isocenter.app.migrating.fetching import Fetcher
from isocenter.app.migrating.folder_ends import FolderSource
from isocenter.app.migrating.inventory import list_study
from isocenter.app.migrating.job import Job
from isocenter.app.migrating.records import OPEN_STATES, FoundInstance, KeptInstance, SeriesToMove, State
from isocenter.app.migrating.sending import Sender, iter_chunks
from isocenter.app.migrating.throttle import Throttle
from isocenter.domain.identifiers import InstanceIdentifier, Scope, is_uid
from isocenter.routing.deliveries.retry import RetryPolicy
from isocenter.routing.migration.concurrency import Concurrency, after_answer, after_failure

WORKERS_MAX = 4
"""Series at a time by default; archives of hospitals tolerate about five studies at once."""
SINGLE_MAX = 20
"""So few instances of a series are asked for one by one."""
SOURCE_CODE = "source:not-sent"
"""What an instance is noted with that the source lists and does not give."""
NOT_SENT = "the source lists it and did not send it"


@dataclass(frozen=True, slots=True)
class MoveSettings:
    """How to move."""

    policy: RetryPolicy = field(default_factory=lambda: RetryPolicy(age_max_s=3600.0))
    """An hour of failures in a row ends a run that a person watches; the next one goes on."""
    workers_max: int = WORKERS_MAX
    wave: int | None = None
    """Only this one."""
    series_max: int | None = None
    """Then it ends, to be looked at."""


@dataclass(slots=True)
class Progress:
    """How far a run has come."""

    delivered: int = 0
    not_delivered: int = 0
    size_bytes: int = 0
    series: int = 0
    workers: int = 1
    backed_off: int = 0


OnProgress = Callable[[Progress], None]


class Mover:
    """Moves what is planned."""

    def __init__(
        self,
        job: Job,
        source: Source,
        target: Target,
        *,
        throttle: Throttle,
        settings: MoveSettings,
        on_progress: OnProgress = lambda progress: None,
    ) -> None:
        self._job = job
        self._source = source
        self._throttle = throttle
        self._settings = settings
        self._on_progress = on_progress
        self._fetcher = Fetcher(source, job.spool, throttle, settings.policy, self._answered, self._failed)
        self._sender = Sender(job, source, target, throttle, settings.policy, self._count)
        self._lock = threading.Lock()
        # A folder has nobody whom many readers would hold up.
        self._concurrency = Concurrency(settings.workers_max if isinstance(source, FolderSource) else 1)
        self.progress = Progress()

    def run(self) -> Progress:
        """Move all that is left; raises Unavailable, Refused where it cannot go on. What was moved stays moved."""
        _remove_partial_files(self._job.spool)
        return self.move(self._series())

    def move(self, series: Iterator[SeriesToMove]) -> Progress:
        """Move these series."""
        executor = ThreadPoolExecutor(self._settings.workers_max, "migrate")
        running: set[Future[None]] = set()
        try:
            for one in series:
                running.add(executor.submit(self._move, one))
                while len(running) >= self._concurrency.workers:
                    running = _settle(running)
            while running:
                running = _settle(running)
        except KeyboardInterrupt:
            self._throttle.stop()
            executor.shutdown(wait=False, cancel_futures=True)
            raise
        except BaseException:
            self._throttle.stop()
            executor.shutdown(cancel_futures=True)  # source, target and job stay open until nobody uses them
            raise
        executor.shutdown()
        return self.progress

    def _series(self) -> Iterator[SeriesToMove]:
        dealt = 0
        for study, is_listed in self._job.studies_to_move(self._settings.wave):
            if not is_listed:
                list_study(self._job, self._source, study, throttle=self._throttle, policy=self._settings.policy)
            for one in self._job.series_to_move(study):
                if dealt == self._settings.series_max:
                    return
                self._throttle.wait_until_open()
                dealt += 1
                yield one

    def _move(self, series: SeriesToMove) -> None:
        began = time.monotonic()
        before = self.progress.delivered
        self._job.begin_series(series)
        if not series.series_instance_uid:
            self._take_whole_study(series)
            return
        self._fetch(series)
        kept = [one for one in self._job.instances(series.key) if one.state in OPEN_STATES]
        staged, size_bytes = [], 0
        for one in kept:
            file = self._staged(series, one)
            if file is None:
                continue
            staged.append(file)
            size_bytes += file.size_bytes
        self._note_absent(series, {one.sop_instance_uid for one in kept} - {file.sop_instance_uid for file in staged})
        for chunk in iter_chunks(staged):
            self._sender.send(series, chunk)
        seconds = (time.monotonic() - began) / max(1, self._concurrency.workers)
        moved = len(staged) if self.progress.delivered > before else 0
        self._job.end_series(series, is_moved=True, seconds=seconds, size_bytes=size_bytes, moved=moved)
        self._forget_spool(series)
        with self._lock:
            self.progress.series += 1
            self._on_progress(self.progress)

    def _staged(self, series: SeriesToMove, one: KeptInstance) -> StagedFile | None:
        path = Path(one.path) if one.path else instance_path(self._job.spool, _identifier(series, one))
        try:
            return StagedFile(one.sop_instance_uid, path, path.stat().st_size)
        except OSError:
            return None

    def _note_absent(self, series: SeriesToMove, absent: set[str]) -> None:
        if not absent:
            return
        usual = "the file is gone" if isinstance(self._source, FolderSource) else NOT_SENT
        reasons = {uid: self._fetcher.reasons.pop(uid, usual) for uid in sorted(absent)}
        outcomes = [(uid, State.NOT_SENT_BY_SOURCE, SOURCE_CODE, told) for uid, told in reasons.items()]
        self._job.note_outcomes(series, outcomes, now=now_text())
        self._count(0, len(absent), 0)

    def _fetch(self, series: SeriesToMove) -> None:
        """Bring what of a series is still to be moved into the spool."""
        if isinstance(self._source, FolderSource):
            return
        kept = self._job.instances(series.key)
        wanted = [one for one in kept if one.state in OPEN_STATES]
        missing = [one for one in wanted if self._staged(series, one) is None]
        if kept and not missing:
            return
        whole = Scope(series.study_instance_uid, series.series_instance_uid)
        is_few = len(missing) <= SINGLE_MAX and 2 * len(missing) < len(kept)
        if is_few or not self._fetcher.fetch(whole):
            for one in missing:
                if self._staged(series, one) is None:
                    self._fetcher.fetch(_scope(series, one))
        self._note_late(series, {one.sop_instance_uid for one in kept})

    def _answered(self, seconds: float) -> None:
        with self._lock:
            self._concurrency = after_answer(self._concurrency, seconds, workers_max=self._settings.workers_max)
            self._show_concurrency()

    def _failed(self) -> None:
        with self._lock:
            self._concurrency = after_failure(self._concurrency)
            self._show_concurrency()

    def _show_concurrency(self) -> None:
        self.progress.workers = self._concurrency.workers
        self.progress.backed_off = self._concurrency.backed_off

    def _note_late(self, series: SeriesToMove, known: set[str]) -> None:
        """Take up what came with a series and was not in the inventory: it was stored since."""
        folder = self._job.spool / series.study_instance_uid / series.series_instance_uid
        late = [path.stem for path in sorted(folder.glob(f"*{SUFFIX}")) if path.stem not in known and is_uid(path.stem)]
        if late:
            found = [FoundInstance(series.series_instance_uid, uid) for uid in late]
            self._job.note_listing(series.study_instance_uid, found, listing="")

    def _take_whole_study(self, series: SeriesToMove) -> None:
        """Fetch a study that could not be listed, take its inventory from what came, and move that."""
        self._fetcher.fetch(Scope(series.study_instance_uid))
        folder = self._job.spool / series.study_instance_uid
        found = []
        for path in sorted(folder.glob(f"*/*{SUFFIX}")):
            identifier = read_identifier(path)
            if identifier is not None:
                found.append(FoundInstance(identifier.series_instance_uid, identifier.sop_instance_uid))
        self._job.note_listing(series.study_instance_uid, found, listing="done")
        self._job.end_series(series, is_moved=True, seconds=0, size_bytes=0, moved=0)
        for one in self._job.series_to_move(series.study_instance_uid):
            self._move(one)

    def _forget_spool(self, series: SeriesToMove) -> None:
        folder = self._job.spool / series.study_instance_uid
        shutil.rmtree(folder / series.series_instance_uid, ignore_errors=True)
        try:
            folder.rmdir()
        except OSError:
            return  # another series of it is under way, or there is none

    def _count(self, delivered: int, not_delivered: int, size_bytes: int) -> None:
        with self._lock:
            self.progress.delivered += delivered
            self.progress.not_delivered += not_delivered
            self.progress.size_bytes += size_bytes
            self._on_progress(self.progress)


def _settle(running: set[Future[None]]) -> set[Future[None]]:
    done, left = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return left


def _identifier(series: SeriesToMove, one: KeptInstance) -> InstanceIdentifier:
    return InstanceIdentifier(series.study_instance_uid, series.series_instance_uid, one.sop_instance_uid)


def _scope(series: SeriesToMove, one: KeptInstance) -> Scope:
    return Scope(series.study_instance_uid, series.series_instance_uid, one.sop_instance_uid)


def _remove_partial_files(spool: Path) -> None:
    """Remove what a killed run left half written; nobody else works here."""
    for path in spool.rglob(".*.partial") if spool.is_dir() else ():
        path.unlink(missing_ok=True)


def now_text() -> str:
    """Return the time as the job and the manifest write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
