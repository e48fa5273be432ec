"""The body of a request, chunk by chunk, given up where it stands still or only trickles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from isocenter.domain.errors import TooSlow

RATE_MIN_BYTES_S = 1024
"""On the average, beside what a body may stand still. A tenth of the slowest line that images are sent over; without
it a caller that sends a byte a minute holds its connection for years."""


class _Patience:
    """Let a timeout run out once nothing was noted for some seconds of waiting.

    A timer that is moved for every chunk would cost more than the chunk: it looks now and then instead.
    """

    def __init__(self, timeout: asyncio.Timeout, idle_max_s: float) -> None:
        self._timeout = timeout
        self._idle_max_s = idle_max_s
        self._loop = asyncio.get_running_loop()
        self._waiting_since: float | None = self._loop.time()
        self._left_s = idle_max_s
        self._look = self._loop.call_later(idle_max_s, self._judge)

    def began_waiting(self) -> None:
        self._waiting_since = self._loop.time()

    def ended_waiting(self, size_bytes: int) -> None:
        """Note that something came. Raises TimeoutError where all that came so far took too long to come."""
        if self._waiting_since is not None:
            self._left_s -= self._loop.time() - self._waiting_since
            self._waiting_since = None
        if self._left_s < 0:
            raise TimeoutError
        self._left_s = min(self._idle_max_s, self._left_s + size_bytes / RATE_MIN_BYTES_S)

    def close(self) -> None:
        self._look.cancel()

    def _judge(self) -> None:
        now = self._loop.time()
        since = now if self._waiting_since is None else self._waiting_since
        if now - since >= self._idle_max_s:
            self._timeout.reschedule(now)
        else:
            self._look = self._loop.call_at(since + self._idle_max_s, self._judge)


async def iter_body(request: Request, *, idle_max_s: float) -> AsyncIterator[bytes]:
    """Yield the chunks of a body as they come; what the caller does with one does not count as standing still.

    Raises TooSlow where nothing came for so long, or too little.
    """
    try:
        async with asyncio.timeout(None) as timeout:
            patience = _Patience(timeout, idle_max_s)
            try:
                async for chunk in request.stream():
                    patience.ended_waiting(len(chunk))
                    yield chunk
                    patience.began_waiting()
            finally:
                patience.close()
    except TimeoutError as error:
        raise TooSlow() from error
