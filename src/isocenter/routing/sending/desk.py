"""The desk of one destination: workers come for what is to be done next, and tell what came of it.

One worker at a time stands at the desk; where there is nothing to do it waits there, the others behind it. What is
decided stands in pure functions (`condition.py`, `throttle.py`, `deliveries/share.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from isocenter.domain.delivery import Priority
from isocenter.domain.delivery_counters import Counters
from isocenter.ports.clock import Clock
from isocenter.ports.ledger import Backlog, Ledger, LedgerRow
from isocenter.routing.configuration.destination import Destination, WebTarget
from isocenter.routing.deliveries.breaker import BreakerState, begin_probe, probe_at_once
from isocenter.routing.deliveries.share import Shares, choose
from isocenter.routing.deliveries.verdict import Judgement, Verdict
from isocenter.routing.sending import condition as conditions
from isocenter.routing.sending import throttle as throttles
from isocenter.routing.sending.condition import Condition, Failure, Gate, Hold
from isocenter.routing.sending.outcome import Outcome
from isocenter.routing.sending.recent import RecentDeliveries
from isocenter.routing.sending.status import DestinationStatus, clears_in_s
from isocenter.routing.sending.throttle import Throttle

LEASE_S = 120.0
"""How long a delivery stays with a worker that is not heard of; leases of a living one are renewed."""
BATCH_COUNT_MAX = 100
"""Deliveries of one lease: more bring no speed, and are sent again after a kill."""
BATCH_SIZE_MAX_BYTES = 64 * 1024**2
MIGRATION_COUNT_MAX = 20
MIGRATION_SIZE_MAX_BYTES = 16 * 1024**2
"""What is urgent waits for no more than this where every worker is busy with a migration."""
POLL_S = 2.0
"""How late work is found that nobody told of: what a person let go, what another process queued."""
GATHER_S = 0.05
"""Under traffic the next batch is begun this long after a small one: each has two commits, however little it holds.
What comes after a pause is sent at once."""
GATHER_COUNT_MAX = 25
"""A batch of so many gains little by waiting for more."""
IDLE_S = 10.0
"""After so long without work a worker lets go of its connection, which peers would give up at some time too."""
IDLE_BESIDE_S = 1.0
"""So soon where another worker is busy: it may wait for a peer that serves one connection at a time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries that a worker holds."""

    rows: Sequence[LedgerRow]
    priority: Priority


@dataclass(frozen=True, slots=True)
class Probe:
    """The destination is to be asked whether it is well."""


@dataclass(frozen=True, slots=True)
class Idle:
    """There was nothing for a while."""


class Desk:
    """What the workers of one destination share."""

    def __init__(
        self,
        destination: Destination,
        ledger: Ledger,
        clock: Clock,
        *,
        draw: Callable[[], float],
        hold: Hold | None = None,
        gather_s: float = GATHER_S,
    ) -> None:
        self.destination = destination
        self._gather_s = gather_s
        self._ledger = ledger
        self._clock = clock
        self._draw = draw
        self._turn = threading.Lock()
        """Held by whoever stands at the desk."""
        self._lock = threading.Condition()
        """Over everything below."""
        self._condition = Condition(hold=hold)
        self._throttle = Throttle()
        self._shares = Shares()
        self._under_way: dict[int, LedgerRow] = {}
        self._busy: dict[Priority, int] = {}
        self._recent = RecentDeliveries()
        self._is_stopping = False
        self._has_news = False
        self._gathers_until_s = 0.0
        self._was_sick = False

    # ---- for workers

    def take(self) -> Batch | Probe | Idle | None:
        """Return what to do next; waits for it, though not for ever. None once there is nothing more to be done."""
        since_s = self._clock.monotonic_s()
        if not self._turn.acquire(timeout=IDLE_S):
            return None if self._is_stopping else Idle()
        try:
            while not self._is_stopping:
                work, wait_s = self._look()
                if work is not None:
                    return work
                idle_s = self._idle_s()
                if self._clock.monotonic_s() >= since_s + idle_s:
                    return Idle()
                self._wait(min(wait_s, POLL_S, idle_s))
            return None
        finally:
            self._turn.release()

    def _idle_s(self) -> float:
        with self._lock:
            return IDLE_BESIDE_S if sum(self._busy.values()) else IDLE_S

    def try_take(self) -> Batch | Probe | None:
        """Return what to do now, None where there is nothing."""
        with self._turn:
            return self._look()[0]

    def _wait(self, wait_s: float) -> None:
        with self._lock:
            if self._is_stopping:
                return
            if self._gathers_until_s > self._clock.monotonic_s():
                self._has_news = True  # nobody need tell: it is looked at in a moment in any case
                self._lock.wait(wait_s)
            elif not self._has_news:
                self._lock.wait(wait_s)
            self._has_news = False

    def _look(self) -> tuple[Batch | Probe | None, float]:
        """Return what to do now, and how long to wait where that is nothing."""
        now = self._clock.now().timestamp()
        with self._lock:
            self._has_news = False  # what is told from here on is looked at again
            probing = begin_probe(self._condition.breaker, now=now)
            if probing is not None and self.destination.is_enabled and self._condition.hold is None:
                self._condition = replace(self._condition, breaker=probing)
                return Probe(), 0.0
            gate = self._gate(now)
            if sum(self._busy.values()) >= gate.workers:
                return None, POLL_S if gate.until is None else max(0.0, gate.until - now)
            wait_s = self._throttled(now)
            is_recovering = self._condition.breaker.state is BreakerState.RECOVERING
        wait_s = max(wait_s, self._gathers_until_s - self._clock.monotonic_s())
        if wait_s > 0:
            return None, wait_s
        backlog = self._ledger.backlog(self.destination.name, now=now)
        rows, priority = self._lease(backlog, now, is_recovering=is_recovering)
        if not rows:
            return None, POLL_S if backlog.next_due_at is None else max(0.0, backlog.next_due_at - now)
        if len(rows) < GATHER_COUNT_MAX:
            self._gathers_until_s = self._clock.monotonic_s() + self._gather_s
        with self._lock:
            self._under_way.update((row.delivery_key, row) for row in rows)
            self._busy[priority] = self._busy.get(priority, 0) + 1
            size_bytes = sum(row.size_bytes for row in rows)
            self._throttle = throttles.charged(self._throttle, count=len(rows), size_bytes=size_bytes, now=now)
        return Batch(rows, priority), 0.0

    def _gate(self, now: float) -> Gate:
        return conditions.gate(self.destination, self._condition, now=now, moment=self._clock.now().astimezone())

    def _throttled(self, now: float) -> float:
        limit = throttles.limit_at(self.destination.limits, self._clock.now().astimezone())
        self._throttle = throttles.adjusted(self._throttle, limit, now=now)
        return throttles.wait_before_s(self._throttle, now=now)

    def _lease(self, backlog: Backlog, now: float, *, is_recovering: bool) -> tuple[list[LedgerRow], Priority]:
        chosen = choose(self._shares, self._admitted(backlog.due))
        if chosen is None:
            return [], Priority.ROUTINE
        priority, self._shares = chosen
        allowed = throttles.allowance(self._throttle, now=now)
        count_max, size_max_bytes = _batch_limits(self.destination, priority)
        rows = self._ledger.lease(
            self.destination.name,
            priority,
            now=now,
            until=now + LEASE_S,
            count_max=1 if is_recovering else min(count_max, allowed.count or count_max),
            size_max_bytes=min(size_max_bytes, allowed.size_bytes or size_max_bytes),
        )
        return rows, priority

    def _admitted(self, due: frozenset[Priority]) -> frozenset[Priority]:
        """Return the classes that may have this worker: one of several is always left for what is urgent."""
        with self._lock:
            migrating = self._busy.get(Priority.MIGRATION, 0)
        is_full = self.destination.workers > 1 and migrating >= self.destination.workers - 1
        return due - {Priority.MIGRATION} if is_full else due

    def note(self, row: LedgerRow, outcome: Outcome) -> None:
        """Take notice of what came of one delivery."""
        now = self._clock.now().timestamp()
        with self._lock:
            self._judge(outcome, now)
            if outcome.judgement.verdict in (Verdict.DELIVERED, Verdict.NOTED):
                self._recent.note(count=1, size_bytes=row.size_bytes, now=now)

    def probed(self, outcome: Outcome | None) -> None:
        """Take notice of what came of a probe, None where the destination is well."""
        now = self._clock.now().timestamp()
        with self._lock:
            if outcome is None:
                well = conditions.answered(self._condition, self.destination, now=now)
                self._condition = replace(well, rest_until=0.0)
            else:
                self._judge(replace(outcome, judgement=_of_probe(outcome.judgement)), now)
            self._tell()

    def _judge(self, outcome: Outcome, now: float) -> None:
        self._condition = conditions.judged(
            self._condition, outcome.judgement, self.destination, now=now, draw=self._draw
        )
        if outcome.judgement.verdict not in (Verdict.DELIVERED, Verdict.NOTED):
            self._condition = replace(self._condition, failure=Failure(outcome.note, outcome.detail, now))

    def rest(self) -> None:
        """Leave the destination alone for a moment: something went wrong that nobody has a word for."""
        with self._lock:
            rest_until = self._clock.now().timestamp() + self.destination.retry.first_wait_s
            self._condition = replace(self._condition, rest_until=rest_until)

    def done(self, batch: Batch) -> None:
        """Take a batch back from its worker; it is settled."""
        with self._lock:
            for row in batch.rows:
                self._under_way.pop(row.delivery_key, None)
            self._busy[batch.priority] -= 1
            self._tell()

    def may_go_on(self) -> bool:
        """Tell whether a batch that is under way is to be sent on."""
        now = self._clock.now().timestamp()
        with self._lock:
            return not self._is_stopping and self._gate(now).workers > 0

    def turned(self) -> Failure | None:
        """Return why the destination is sick where it has become so since this was asked last, with a note.

        A note that is empty says that it is well again; None, that nothing has changed.
        """
        with self._lock:
            is_sick = self._condition.breaker.state in (BreakerState.OPEN, BreakerState.PROBING)
            if is_sick == self._was_sick:
                return None
            self._was_sick = is_sick
            failure = self._condition.failure
            return failure if is_sick and failure is not None else Failure("", "", self._clock.now().timestamp())

    # ---- for the engine

    @property
    def under_way(self) -> list[LedgerRow]:
        """Return the deliveries that workers hold."""
        with self._lock:
            return list(self._under_way.values())

    @property
    def hold(self) -> Hold | None:
        """Return who put the destination aside, None where nobody did."""
        with self._lock:
            return self._condition.hold

    def wake(self) -> None:
        """Have the desk looked at: something is there to be sent."""
        if not self._has_news:  # else whoever stands there looks at it anyway
            with self._lock:
                self._tell()

    def put_aside(self, hold: Hold | None) -> None:
        """Put the destination aside, or take it up again."""
        with self._lock:
            self._condition = replace(self._condition, hold=hold)
            self._tell()

    def probe_now(self) -> None:
        """Have the destination probed at once, where it is sick."""
        with self._lock:
            breaker = probe_at_once(self._condition.breaker, now=self._clock.now().timestamp())
            self._condition = replace(self._condition, breaker=breaker, rest_until=0.0)
            self._tell()

    def stop(self) -> None:
        """Give nothing out any more."""
        with self._lock:
            self._is_stopping = True
            self._tell()

    def _tell(self) -> None:
        self._has_news = True
        self._lock.notify_all()

    def status(self, counters: Counters, *, waiting_bytes: int) -> DestinationStatus:
        """Return how the destination is doing; the counters are those of the ledger."""
        now = self._clock.now().timestamp()
        backlog = self._ledger.backlog(self.destination.name, now=now)
        with self._lock:
            gate, condition = self._gate(now), self._condition
            rate = self._recent.rate(now=now)
            usual = rate if rate.instances else self._recent.last_rate
            next_at = gate.until
            if gate.workers and not backlog.due:
                next_at = backlog.next_due_at
            return DestinationStatus(
                name=self.destination.name,
                state=gate.state,
                observed_at=now,
                since=condition.hold.since if condition.hold is not None else condition.breaker.opened_at,
                hold=condition.hold,
                failure=condition.failure,
                next_at=next_at,
                counters=counters,
                waiting_bytes=waiting_bytes,
                oldest_received_at=backlog.oldest_received_at,
                sending=len(self._under_way),
                workers=sum(self._busy.values()),
                rate=rate,
                clears_in_s=clears_in_s(waiting=counters.waiting, waiting_bytes=waiting_bytes, rate=usual),
            )


def _batch_limits(destination: Destination, priority: Priority) -> tuple[int, int]:
    size_bytes = BATCH_SIZE_MAX_BYTES
    if isinstance(destination.target, WebTarget):
        size_bytes = destination.target.batch_size_bytes
    if priority is Priority.MIGRATION:
        return MIGRATION_COUNT_MAX, min(size_bytes, MIGRATION_SIZE_MAX_BYTES)
    return BATCH_COUNT_MAX, size_bytes


def _of_probe(judgement: Judgement) -> Judgement:
    """Return what a probe's failure counts for: always for the destination, for nothing else was asked."""
    return replace(judgement, is_of_destination=True)
