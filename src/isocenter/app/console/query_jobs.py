"""Retrievals that people asked for: what is known of each while it waits, runs, and after it ended.

Everything here happens on the event loop; they live as long as the node runs.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from isocenter.app.console.query_peers import Peer
from isocenter.dimse.scu.retrieve import Progress
from isocenter.domain.errors import Conflict, NotFound, Overloaded
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import Principal
from isocenter.web.pages.query_exchange import ENDED, Retrieval, RetrievalState

WAITING_MAX = 50
"""A list of a day's priors; beyond it prefetching is the tool."""
KEPT_MAX = 100
"""Retrievals that are remembered after their end."""
FAILURES_SHOWN_MAX = 200
"""Failed instances that are named one by one."""


@dataclass(slots=True)
class Job:
    """One retrieval."""

    number: int
    peer: Peer
    scope: Scope
    label: str
    principal: Principal
    asked_at: float
    expected: int
    state: RetrievalState = RetrievalState.WAITING
    way: str = ""
    began_at: float | None = None
    ended_at: float | None = None
    listed: Sequence[str] = ()
    """SOP Instance UIDs that the archive says it has; none where it cannot tell."""
    completed: int = 0
    failed: int = 0
    here: int = 0
    outcome: str = ""
    remedy: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    is_cancelled: bool = False
    ask_to_end: Callable[[], None] = lambda: None
    """Has the other side end it in peace."""
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    abort: asyncio.TimerHandle | None = field(default=None, repr=False)
    """Ends the task where the other side does not end in peace."""
    ending: asyncio.Task[None] | None = field(default=None, repr=False)
    """Writes how it ended."""

    def note_listed(self, sop_instance_uids: Sequence[str]) -> None:
        """Keep what the archive says it has."""
        self.listed = sop_instance_uids
        self.expected = len(sop_instance_uids) or self.expected

    def note_progress(self, progress: Progress) -> None:
        """Keep how far the peer is."""
        self.completed, self.failed = progress.completed + progress.warning, progress.failed
        if not self.listed:
            self.expected = max(self.expected, progress.total)

    def shown(self, now: float) -> Retrieval:
        """Return it as it is at this moment."""
        elapsed_s = 0.0 if self.began_at is None else (self.ended_at or now) - self.began_at
        return Retrieval(
            number=self.number,
            peer=self.peer.row.name,
            scope=self.scope,
            label=self.label,
            asked_by=self.principal.name,
            state=self.state,
            way=self.way,
            asked_at=self.asked_at,
            began_at=self.began_at,
            ended_at=self.ended_at,
            expected=self.expected,
            completed=self.completed,
            failed=self.failed,
            here=self.here,
            elapsed_s=max(0.0, elapsed_s),
            outcome=self.outcome,
            remedy=self.remedy,
            failures=self.failures[:FAILURES_SHOWN_MAX],
            failures_left_out=max(0, len(self.failures) - FAILURES_SHOWN_MAX),
        )


class Jobs:
    """All of them, the latest last."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return reversed(list(self._jobs.values()))

    def find(self, number: int) -> Job:
        """Return one; raises NotFound."""
        job = self._jobs.get(number)
        if job is None:
            raise NotFound("There is no retrieval of that number; they are forgotten when the node starts anew.")
        return job

    def next_number(self) -> int:
        """Return the number of the next one."""
        return next(self._numbers)

    def add(self, job: Job) -> None:
        """Keep one; raises Conflict where the same is under way, Overloaded where too many wait."""
        living = [one for one in self._jobs.values() if one.state not in ENDED]
        if any((one.peer.row.key, one.scope) == (job.peer.row.key, job.scope) for one in living):
            raise Conflict("This is being retrieved already.")
        if len(living) >= WAITING_MAX:
            raise Overloaded(f"{len(living)} retrievals are waiting; ask again when some have ended.")
        self._jobs[job.number] = job
        ended = [one.number for one in self._jobs.values() if one.state in ENDED]
        for number in ended[: max(0, len(ended) - KEPT_MAX)]:
            del self._jobs[number]
