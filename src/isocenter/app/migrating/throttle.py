"""How fast a migration goes: only in open hours, and no faster than it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

from isocenter.domain.errors import Unavailable
from isocenter.routing.calendar import Calendar, is_open, next_opening
from isocenter.routing.deliveries.pace import Bucket, full_bucket, taken, wait_s
from isocenter.routing.migration.estimate import Limits

LOOKS_EVERY_S = 30.0
"""While it waits for its hours, so that a clock that is set is noticed."""


class Stopped(Unavailable):
    """The run was stopped; give the same command again to go on."""


class Throttle:
    """Holds work up; threads share it."""

    def __init__(
        self,
        limits: Limits,
        calendar: Calendar,
        *,
        stop: threading.Event,
        on_wait: Callable[[datetime], None] = lambda until: None,
        monotonic_s: Callable[[], float] = time.monotonic,
        local_now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self._calendar = calendar
        self._stop = stop
        self._on_wait = on_wait
        self._monotonic_s = monotonic_s
        self._local_now = local_now
        self._lock = threading.Lock()
        now = monotonic_s()
        rates = (limits.bytes_per_s, limits.instances_per_s)
        self._buckets: list[Bucket | None] = [full_bucket(rate, now=now) if rate else None for rate in rates]

    def wait_until_open(self) -> None:
        """Wait for the open hours; raises Stopped."""
        while not is_open(self._calendar, now := self._local_now()):
            until = next_opening(self._calendar, now)
            self._on_wait(until)
            self.rest(min(LOOKS_EVERY_S, max(1.0, (until - now).total_seconds())))
        self.require_going()

    def take(self, *, size_bytes: int, instances: int) -> None:
        """Wait until so much may go out, and take it; raises Stopped."""
        self.wait_until_open()
        while (wait := self._try_take((size_bytes, instances))) > 0:
            self.rest(wait)

    def _try_take(self, amounts: tuple[int, int]) -> float:
        with self._lock:
            now = self._monotonic_s()
            pairs = list(zip(self._buckets, amounts, strict=True))
            wait = max((wait_s(bucket, amount, now=now) for bucket, amount in pairs if bucket), default=0.0)
            if wait <= 0:
                self._buckets = [taken(bucket, amount, now=now) if bucket else None for bucket, amount in pairs]
            return wait

    def rest(self, seconds: float) -> None:
        """Wait; raises Stopped."""
        if self._stop.wait(seconds):
            raise Stopped()

    def stop(self) -> None:
        """Have everybody who waits here, or comes here, end."""
        self._stop.set()

    def require_going(self) -> None:
        """Raise Stopped once the run is stopped."""
        if self._stop.is_set():
            raise Stopped()
