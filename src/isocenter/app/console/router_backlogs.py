"""How the backlog of each destination went lately: looked at every few seconds, kept in memory, gone with the node."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from isocenter.domain.errors import IsocenterError
from isocenter.ports.ledger import Tally

_log = structlog.get_logger()

INTERVAL_S = 10.0
"""A look costs a read of some counters."""
LOOKS_KEPT = 180
"""Half an hour: what people want to see of a line that is a thumb wide."""


class BacklogHistory:
    """The numbers of waiting deliveries, by destination, the latest last."""

    def __init__(self, tallies: Callable[[], Sequence[Tally]]) -> None:
        self._tallies = tallies
        self._lock = threading.Lock()
        self._looks: deque[dict[str, int]] = deque(maxlen=LOOKS_KEPT)

    def look(self) -> None:
        """Note how much waits now."""
        waiting = self._waiting()
        with self._lock:
            self._looks.append(waiting)

    def of(self, destination: str) -> Sequence[int]:
        """Return how much waited for a destination at each look, and how much does now."""
        with self._lock:
            looks = [one.get(destination, 0) for one in self._looks]
        return [*looks, self._waiting().get(destination, 0)]

    def _waiting(self) -> dict[str, int]:
        waiting: dict[str, int] = {}
        for one in self._tallies():
            waiting[one.destination] = waiting.get(one.destination, 0) + one.counters.waiting
        return waiting


@contextmanager
def watching_backlogs(tallies: Callable[[], Sequence[Tally]]) -> Iterator[BacklogHistory]:
    """Look at the backlogs by a thread for the length of a block."""
    history, stop = BacklogHistory(tallies), threading.Event()
    thread = threading.Thread(target=_watch, args=(history, stop), name="backlogs", daemon=True)
    thread.start()
    try:
        yield history
    finally:
        stop.set()
        thread.join()


def _watch(history: BacklogHistory, stop: threading.Event) -> None:
    while True:
        try:
            history.look()
        except IsocenterError as error:
            _log.warning("router.backlog_not_seen", reason=error.message)
        except Exception:  # the outermost loop of the thread
            _log.exception("router.backlog_broken")
        if stop.wait(INTERVAL_S):
            return
