"""Send what a person chose: to an application entity at once, by C-STORE; to a destination of the router by its ledger.

A job to an application entity lives in this process, as the person waits for it; after a restart it is started anew
by hand. A job to a destination only remembers what was queued: the ledger keeps the deliveries, and tells how far they
are (`send_deliveries.py`).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol
from uuid import uuid4

import structlog

from isocenter.app.console.send_deliveries import JobDeliveries
from isocenter.app.delivering import own_side
from isocenter.app.senders.converting import Converter
from isocenter.app.senders.dimse import DimseSender
from isocenter.app.senders.dimse_lane import PeerKnowledge
from isocenter.app.senders.stored import outgoing_of
from isocenter.app.settings import Settings
from isocenter.archive.archive import Archive
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.delivery_counters import Counters
from isocenter.domain.errors import IsocenterError, NotFound, Overloaded
from isocenter.ports.index import InstanceRow
from isocenter.routing.catalogue.lookup import explain_report
from isocenter.routing.configuration.destination import DimseTarget
from isocenter.routing.deliveries.report import Report
from isocenter.routing.deliveries.sender import Outgoing
from isocenter.routing.deliveries.verdict import Verdict, judge
from isocenter.web.pages.study_send import JobState, Place, SendJob

_log = structlog.get_logger()

RUNNING_MAX = 4
"""Threads and associations that people's jobs take at a time; further ones wait for their turn."""
JOBS_KEPT = 100
"""Finished jobs that are still shown."""
QUEUED_MAX = 100
"""Jobs to destinations of the router that have not ended: how far each is, is looked up for the page."""
BATCH_COUNT = 50
"""Instances between two looks at whether somebody stopped the job."""
QUEUED_AT_ONCE = 1000
"""Deliveries that begin in one commit."""
STOP_WAIT_S = 5.0
"""For all peers in the middle of an instance together, when the node ends; longer than an instance takes."""
FAILURES_IN_A_ROW_MAX = 20
"""The peer, not the instances, is at fault; the rest is not tried in vain."""
_DONE = frozenset({Verdict.DELIVERED, Verdict.NOTED, Verdict.DUPLICATE})


class _Stopped(Exception):
    """The job is to end."""


class Destinations(Protocol):
    """The destinations of the router (`RunningDesk`)."""

    def destination_kinds(self) -> Mapping[str, str]:
        """Return the kind of each destination."""
        ...

    def notify(self, destinations: Sequence[str]) -> None:
        """Tell those who send that something may be there."""
        ...


class SendJobs:
    """All jobs of a node; safe for threads. Use it as a context manager: jobs end with it."""

    def __init__(self, archive: Archive, settings: Settings, destinations: Destinations | None = None) -> None:
        self._archive = archive
        self._settings = settings
        self._remotes = {remote.ae_title: remote for remote in settings.dicom.remotes if remote.address is not None}
        self._lock = threading.RLock()
        self._turns = threading.Condition()
        self._running = 0
        self._jobs: OrderedDict[str, SendJob] = OrderedDict()
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._revision = 0
        self._destinations = destinations
        self._deliveries: dict[str, JobDeliveries] = {}
        self._looking = threading.Lock()

    def __enter__(self) -> SendJobs:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._tell_who_waits()
        until = time.monotonic() + STOP_WAIT_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def mark(self) -> Hashable:
        """Return what changes when a job does, by one look that costs no scan."""
        destinations = {job.place.label for job in self._queued()}
        tallies = self._archive.index.ledger.tallies() if destinations else []
        return self._revision, tuple(one for one in tallies if one.destination in destinations)

    def places(self) -> list[Place]:
        """Return where something can be sent to."""
        found = [
            Place(f"ae:{title}", title, f"DICOM, {remote.host}:{remote.port}")
            for title, remote in self._remotes.items()
        ]
        if self._destinations is not None:
            kinds = self._destinations.destination_kinds()
            found += [Place(f"to:{name}", name, f"destination of the router, {kind}") for name, kind in kinds.items()]
        return found

    def jobs(self) -> list[SendJob]:
        """Return all jobs, the latest first."""
        self._refresh()
        with self._lock:
            return list(reversed(self._jobs.values()))

    def start(self, key: str, rows: Sequence[InstanceRow], *, label: str, by: str, studies: Sequence[str]) -> SendJob:
        """Begin to send instances; raises NotFound where the place is none, Overloaded where too much waits."""
        place = next((one for one in self.places() if one.key == key), None)
        if place is None:
            raise NotFound("There is no such place to send to any more.")
        now = self._archive.clock.now().timestamp()
        is_queued = key.startswith("to:")
        job = SendJob(str(uuid4()), label, tuple(studies), place, by, now, total=len(rows), is_queued=is_queued)
        if is_queued:
            self._refresh()
            if len(self._queued()) >= QUEUED_MAX:
                raise Overloaded(
                    f"{QUEUED_MAX} jobs wait for destinations of the router already; its page tells what holds them up."
                )
            return self._keep(self._queue(job, rows))
        with self._lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if len(self._threads) >= JOBS_KEPT:
                raise Overloaded("Too many jobs wait already; try again when some have ended.")
            work = partial(self._run, job, self._remotes[place.label], list(rows))
            thread = threading.Thread(target=work, name="send-job", daemon=True)
            self._keep(job)
            thread.start()
            self._threads.append(thread)
        return job

    def cancel(self, job_id: str) -> None:
        """Stop a job after the instance that is on its way; raises NotFound."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or job.is_queued:
            raise NotFound("This job is not known any more.")
        job.is_cancelled = True
        self._tell_who_waits()
        self._changed()

    def _keep(self, job: SendJob) -> SendJob:
        with self._lock:
            self._jobs[job.job_id] = job
            ended = [one.job_id for one in self._jobs.values() if one.state is not JobState.RUNNING]
            for job_id in ended[: max(0, len(self._jobs) - JOBS_KEPT)]:
                del self._jobs[job_id]
        self._changed()
        return job

    def _changed(self) -> None:
        with self._lock:
            self._revision += 1

    # ---- to a destination of the router

    def _queue(self, job: SendJob, rows: Sequence[InstanceRow]) -> SendJob:
        name, ledger = job.place.label, self._archive.index.ledger
        now = self._archive.clock.now().timestamp()
        plan = DeliveryPlan(name)
        keys = [row.instance_key for row in rows]
        began = sum(
            ledger.add(keys[start : start + QUEUED_AT_ONCE], plan, now=now)
            for start in range(0, len(keys), QUEUED_AT_ONCE)
        )
        self._deliveries[job.job_id] = JobDeliveries(ledger, name, rows)
        if self._destinations is not None:
            self._destinations.notify([name])
        before = len(keys) - began
        job.note = f"{before:,} had been handed to it before" if before else ""
        return job

    def _queued(self) -> list[SendJob]:
        """Return the jobs of the ledger that have not ended, as far as was looked."""
        with self._lock:
            return [job for job in self._jobs.values() if job.is_queued and job.state is JobState.RUNNING]

    def _refresh(self) -> None:
        """Note how far the ledger's deliveries are by now; those who look at the same time share one look."""
        with self._looking:
            queued = self._queued()
            tallies = self._archive.index.ledger.tallies() if queued else []
            for job in queued:
                _note(job, self._deliveries[job.job_id].look(tallies))
                if job.state is not JobState.RUNNING:
                    del self._deliveries[job.job_id]

    # ---- to an application entity

    def _run(self, job: SendJob, remote: RemoteAe, rows: list[InstanceRow]) -> None:
        try:
            with self._turn(job):
                self._send(job, remote, rows)
            is_whole = job.done == job.total
            job.state = JobState.DONE if is_whole else JobState.FAILED
        except _Stopped:
            job.state = JobState.CANCELLED
        except IsocenterError as error:
            job.problem, job.state = error.message, JobState.FAILED
        except Exception:  # outermost loop of the thread: the job tells that it ended
            _log.exception("send_job.broken", job_id=job.job_id)
            job.problem, job.state = "The node itself failed; its log tells more.", JobState.FAILED
        self._changed()

    @contextmanager
    def _turn(self, job: SendJob) -> Iterator[None]:
        """Wait until few enough jobs run; raises _Stopped at once where this one is to end before."""
        with self._turns:
            while self._running >= RUNNING_MAX:
                self._require_going(job)
                self._turns.wait()
            self._running += 1
        try:
            yield
        finally:
            with self._turns:
                self._running -= 1
                self._turns.notify_all()

    def _tell_who_waits(self) -> None:
        with self._turns:
            self._turns.notify_all()

    def _require_going(self, job: SendJob) -> None:
        if self._stop.is_set() or job.is_cancelled:
            raise _Stopped

    def _send(self, job: SendJob, remote: RemoteAe, rows: list[InstanceRow]) -> None:
        converter = Converter(self._archive.decoder, self._settings.data_dir)
        sender = DimseSender(DimseTarget(remote), own_side(self._settings.dicom), converter, PeerKnowledge())
        in_a_row = 0

        def note(outgoing: Outgoing, report: Report, detail: str) -> None:
            nonlocal in_a_row
            reported.add(outgoing.delivery_key)
            if judge(report).verdict in _DONE:
                job.done += 1
                in_a_row = 0
            else:
                job.failed += 1
                in_a_row += 1
                entry = explain_report(report)
                job.problem = f"{entry.meaning} {entry.remedy}"
            self._changed()
            self._require_going(job)

        try:
            for start in range(0, len(rows), BATCH_COUNT):
                self._require_going(job)
                batch = [outgoing_of(self._archive, row) for row in rows[start : start + BATCH_COUNT]]
                reported: set[int] = set()
                sender.send(batch, note)
                if len(reported) < len(batch) or in_a_row >= FAILURES_IN_A_ROW_MAX:
                    return  # the peer takes nothing now; what it said is told
        finally:
            sender.close()


def _note(job: SendJob, counters: Counters) -> None:
    """Note how the deliveries of a job stand: only what arrived is there."""
    job.done, job.failed, job.cancelled = counters.delivered, counters.needs_human, counters.cancelled
    needs_human = f"{job.failed:,} of them need a person: the router's page tells why." if job.failed else ""
    cancelled = f"{job.cancelled:,} of them were cancelled, and do not arrive." if job.cancelled else ""
    job.problem = " ".join(filter(None, (needs_human, cancelled)))
    if not counters.waiting:
        ended = JobState.FAILED if job.failed else JobState.CANCELLED
        job.state = JobState.DONE if job.done == job.total else ended
