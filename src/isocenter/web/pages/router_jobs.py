"""What a page starts and does not wait for: connection tests, looks at past traffic; it shows them as they go on."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from isocenter.domain.errors import IsocenterError, NotFound, Unavailable

_log = structlog.get_logger()

RUNNING_MAX = 2
"""Of one kind: each may take a core for a minute, and a test must not wait for looks at past traffic."""
KEPT_MAX = 50
"""Of those that have ended; people look at the last few."""
NAME_SIZE_BYTES = 9

Note = Callable[[object], None]
Work = Callable[[Note], object]
"""Is given where to note what it found so far, and returns what it came to."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job at one moment."""

    name: str
    kind: str
    title: str
    by: str
    began_at: float
    notes: Sequence[object] = ()
    result: object = None
    problem: str = ""
    is_done: bool = False


@dataclass(slots=True)
class _Job:
    first: JobView
    notes: list[object] = field(default_factory=list)
    result: object = None
    problem: str = ""
    is_done: bool = False

    def view(self) -> JobView:
        one = self.first
        return JobView(
            *(one.name, one.kind, one.title, one.by, one.began_at),
            notes=tuple(self.notes),
            result=self.result,
            problem=self.problem,
            is_done=self.is_done,
        )


class Jobs:
    """The jobs of a node; safe for threads. They do not outlive it."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._executors: dict[str, ThreadPoolExecutor] = {}
        self._is_ending = threading.Event()
        self._changes = 0

    @property
    def changes(self) -> int:
        """Return a number that grows with whatever happens."""
        return self._changes

    def is_ending(self) -> bool:
        """Tell whether the node is about to stop: work that takes long looks at it, and gives up."""
        return self._is_ending.is_set()

    def start(self, kind: str, title: str, work: Work, *, by: str) -> str:
        """Begin a job and return its name; raises Unavailable where too many of its kind run."""
        name = secrets.token_urlsafe(NAME_SIZE_BYTES)
        job = _Job(JobView(name, kind, title, by, self._now()))
        with self._lock:
            if self.is_ending():
                raise Unavailable("The node is about to stop.")
            running = [one for one in self._jobs.values() if one.first.kind == kind and not one.is_done]
            if len(running) >= RUNNING_MAX:
                raise Unavailable(f"{RUNNING_MAX} of these run already; wait until one has ended.")
            if kind not in self._executors:
                self._executors[kind] = ThreadPoolExecutor(RUNNING_MAX, f"router-{kind}")
            self._jobs[name] = job
            while len(self._jobs) > KEPT_MAX:
                self._jobs.popitem(last=False)
            self._changes += 1
            self._executors[kind].submit(self._run, job, work)
        return name

    def find(self, name: str) -> JobView:
        """Return a job as it is now; raises NotFound."""
        with self._lock:
            job = self._jobs.get(name)
            if job is None:
                raise NotFound("This is not kept any more; start it again.")
            return job.view()

    def recent(self, kind: str, title: str, *, limit: int) -> list[JobView]:
        """Return the last jobs of a kind and title, the latest first."""
        with self._lock:
            found = [job.view() for job in self._jobs.values() if (job.first.kind, job.first.title) == (kind, title)]
        return found[::-1][:limit]

    def close(self) -> None:
        """Have what runs give up, and wait for it; nothing new begins."""
        with self._lock:
            self._is_ending.set()
            executors = list(self._executors.values())
        for executor in executors:
            executor.shutdown()

    def _run(self, job: _Job, work: Work) -> None:
        try:
            result = work(lambda note: self._note(job, note))
            self._end(job, result=result)
        except IsocenterError as error:
            self._end(job, problem=error.message)
        except Exception:  # the outermost loop of the thread
            _log.exception("router.job_broken", kind=job.first.kind)
            self._end(job, problem="An error of this node; its log tells more.")

    def _note(self, job: _Job, note: object) -> None:
        with self._lock:
            job.notes.append(note)
            self._changes += 1

    def _end(self, job: _Job, *, result: object = None, problem: str = "") -> None:
        with self._lock:
            job.result, job.problem, job.is_done = result, problem, True
            self._changes += 1
