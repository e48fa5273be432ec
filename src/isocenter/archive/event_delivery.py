"""Tell receivers of what happens to images: at least once, in order, from the change feed (dicom-service 12.6).

    feed ──▶ rows behind the cursor ──▶ batch ──▶ receiver took it ──▶ cursor on, durable within a second
                                          └─ did not: the same again, later and later, until it is too old

Each receiver has a thread and a cursor of its own, so that one which is slow or dead holds up nobody and loses nothing.
A kill repeats what was told since the cursor was kept last.
"""

from __future__ import annotations

import random
import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.feed_place import PAGE_ROWS, find_place
from isocenter.domain.errors import IsocenterError
from isocenter.domain.image_event import EventKind, ImageEvent, Subscription
from isocenter.ports.event_cursors import EventCursor
from isocenter.ports.event_receiver import Answer, EventReceiver
from isocenter.ports.index import Change, ChangeAction

_log = structlog.get_logger()

POLL_S = 0.2
"""How late an event may begin its way: a look at an idle feed takes some 50 µs."""
KEEP_INTERVAL_S = 1.0
"""How much is told again after a kill at most; each keeping is a commit."""
WAIT_FIRST_S = 0.5
WAIT_MAX_S = 60.0
"""Between attempts: a receiver that is back is told within a minute."""
RETRY_AFTER_MAX_S = 600.0
"""A receiver that asks for more than this is asked again all the same."""
CLOSE_TIMEOUT_S = 3.0
"""A receiver that does not answer does not keep a node from stopping; it is told again at the next start."""
_KINDS: Mapping[ChangeAction, EventKind] = {
    ChangeAction.CREATE: EventKind.CREATED,
    ChangeAction.UPDATE: EventKind.UPDATED,
    ChangeAction.DELETE: EventKind.DELETED,
}


@dataclass(slots=True)
class DeliveryCounts:
    """What one receiver was told since the start of the process."""

    delivered: int = 0
    failed_attempts: int = 0
    expired: int = 0
    behind: int = 0
    """Rows of the feed that it was not told of yet."""


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What all receivers were told, by name."""

    by_name: dict[str, DeliveryCounts] = field(default_factory=dict)


class EventDelivery:
    """Tell one receiver for as long as it is open."""

    def __init__(
        self,
        archive: Archive,
        subscription: Subscription,
        receiver: EventReceiver,
        *,
        age_max_s: float,
        counts: DeliveryCounts,
        jitter: random.Random | None = None,
    ) -> None:
        """Make one; events older than `age_max_s` are not told any more."""
        self._archive = archive
        self._subscription = subscription
        self._receiver = receiver
        self._age_max_s = age_max_s
        self._counts = counts
        self._jitter = jitter or random.Random()
        self._batch_max = subscription.batch_max
        self._rows: list[Change] = []
        """Rows behind the cursor that were read already: what they say of an event never changes."""
        self._interval_s = 0.0
        self._stop = threading.Event()
        self._log = _log.bind(subscriber=subscription.name)
        self._cursor = self._open_cursor()
        self._kept = self._cursor
        self._kept_at_s = archive.clock.monotonic_s()
        self._thread = threading.Thread(target=self._run, name=f"events-{subscription.name}", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the request that is under way, unless that takes too long, and keep the cursor."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT_S)
        self._receiver.close()

    def _open_cursor(self) -> EventCursor:
        """Return where to go on; a new receiver is told what happens from now on."""
        latest = self._archive.index.latest_sequence()
        now = self._archive.clock.now().timestamp()
        return self._archive.event_cursors.open(self._subscription.name, sequence=latest, timestamp=now)

    def _run(self) -> None:
        failures = 0
        is_agreed = not self._subscription.is_validated
        while not self._stop.is_set():
            answer: Answer | None = None
            try:
                if self._cursor.is_of_older_feed:
                    self._cursor = find_place(self._archive.index, self._cursor, is_stopping=self._stop.is_set)
                if is_agreed:
                    answer = self._tell_some(failures)
                else:
                    answer = self._receiver.validate()
                    is_agreed = answer.is_taken
                    self._note_agreement(answer)
            except IsocenterError as error:
                answer = Answer(is_taken=False, reason=error.message)
            except Exception:  # the outermost loop of the thread: the feed waits
                self._log.exception("events.broken")
                answer = Answer(is_taken=False, reason="A fault of the node.")
            failures = self._note_answer(answer, failures)
            self._keep_cursor(is_idle=answer is None)
            self._stop.wait(self._wait_s(answer, failures))
        self._keep_cursor(is_idle=True)

    def _note_agreement(self, answer: Answer) -> None:
        if answer.is_taken:
            self._interval_s = 60.0 / answer.rate_per_min if answer.rate_per_min else 0.0
            self._log.info("events.agreed", interval_s=round(self._interval_s, 3))

    def _note_answer(self, answer: Answer | None, failures: int) -> int:
        if answer is None or answer.is_taken:
            return 0
        self._counts.failed_attempts += 1
        if answer.is_too_large and self._batch_max > 1:
            self._batch_max //= 2
        self._log.warning("events.not_taken", reason=answer.reason, attempt=failures + 1)
        return failures + 1

    def _wait_s(self, answer: Answer | None, failures: int) -> float:
        if answer is None:
            return POLL_S
        if answer.is_taken:
            return self._interval_s
        wait_s = min(WAIT_MAX_S, WAIT_FIRST_S * 2.0 ** min(failures - 1, 16))
        wait_s *= self._jitter.uniform(0.5, 1.0)  # receivers that died together are not asked together
        return max(wait_s, min(answer.retry_after_s or 0.0, RETRY_AFTER_MAX_S))

    # ---- the feed

    def _tell_some(self, failures: int) -> Answer | None:
        """Tell the next batch; None where there is nothing to tell."""
        if not self._rows:
            limit = max(PAGE_ROWS, self._batch_max)
            self._rows = self._archive.index.changes(after=self._cursor.sequence, limit=limit)
        self._counts.behind = self._archive.index.latest_sequence() - self._cursor.sequence
        rows = self._without_expired(self._rows)
        events = list(islice(self._events(rows), self._batch_max))
        if not events:
            if rows:
                self._go_on(rows[-1])
                return Answer(is_taken=True)
            return None
        answer = self._receiver.deliver(events, attempt=failures)
        if answer.is_taken:
            self._counts.delivered += len(events)
            self._go_on(next(row for row in rows if row.sequence == events[-1].sequence))
        return answer

    def _events(self, rows: Iterable[Change]) -> Iterable[ImageEvent]:
        for row in rows:
            kind = _KINDS[row.action]
            if kind in self._subscription.kinds:
                yield ImageEvent(row.sequence, kind, row.identifier, row.timestamp)

    def _without_expired(self, rows: Sequence[Change]) -> Sequence[Change]:
        """Return rows that are still to be told; the others are passed over for good."""
        oldest = self._archive.clock.now().timestamp() - self._age_max_s
        if not rows or rows[0].timestamp >= oldest:  # timestamps of the feed never go back
            return rows
        fresh = [row for row in rows if row.timestamp >= oldest]
        if len(fresh) < len(rows):
            expired = rows[: len(rows) - len(fresh)]
            count = len(list(self._events(expired)))
            self._counts.expired += count
            self._log.error("events.expired", count=count, last_sequence=expired[-1].sequence)
            self._go_on(expired[-1])
        return fresh

    def _go_on(self, row: Change) -> None:
        self._cursor = replace(self._cursor, sequence=row.sequence, timestamp=row.timestamp)
        self._rows = self._rows[bisect_right(self._rows, row.sequence, key=_sequence) :]
        self._counts.behind = max(0, self._archive.index.latest_sequence() - row.sequence)

    def _keep_cursor(self, *, is_idle: bool) -> None:
        """Keep the cursor now and then, and when there is time."""
        now_s = self._archive.clock.monotonic_s()
        if self._cursor == self._kept or not (is_idle or now_s - self._kept_at_s >= KEEP_INTERVAL_S):
            return
        try:
            self._archive.event_cursors.replace(self._cursor)
        except IsocenterError as error:
            self._log.error("events.cursor_not_kept", reason=error.message)
            return
        self._kept, self._kept_at_s = self._cursor, now_s


def _sequence(row: Change) -> int:
    return row.sequence
