"""What all connections of a node share: threads, times, and the way back from other threads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, ParamSpec, TypeVar

from isocenter.dimse.ul.limits import PDU_LENGTH_MAX, AssociationLimits

P = ParamSpec("P")
T = TypeVar("T")


class Completions:
    """Tell the event loop of futures that other threads end: many of them by one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended: deque[tuple[Callable[[Any], None], Future[Any]]] = deque()
        self._is_scheduled = False

    def watch(self, future: Future[T], then: Callable[[Future[T]], None]) -> None:
        """Call `then` with the future on the event loop, once it has ended."""
        future.add_done_callback(partial(self._put, then))

    def _put(self, then: Callable[[Future[T]], None], future: Future[T]) -> None:
        self._ended.append((then, future))
        if not self._is_scheduled:  # set before the loop looks at the queue, so that nothing is left lying there
            self._is_scheduled = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._take_all)

    def _take_all(self) -> None:
        self._is_scheduled = False
        while self._ended:
            then, future = self._ended.popleft()
            then(future)


@dataclass(frozen=True, slots=True)
class Times:
    """How long an association waits for its peer; what the upper layer waits for stands in its limits."""

    dimse_s: float = 60.0
    """For the answer to a request of ours, and for the rest of a message that has begun."""
    idle_s: float = 120.0
    """For the next request of the peer."""
    connect_s: float = 10.0
    """For a connection to be opened (routing-and-gateway 6.8)."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a connection works with."""

    loop: asyncio.AbstractEventLoop
    executor: Executor
    """Threads for what waits for the disk."""
    picture_executor: Executor
    """Threads for what decodes frames, so that hostile ones hold up nothing else."""
    completions: Completions
    now: Callable[[], datetime]
    """The time of day, for the register of associations."""
    limits: AssociationLimits = field(default_factory=lambda: AssociationLimits(idle_timeout_s=None))
    times: Times = field(default_factory=Times)
    pdu_length_max: int = PDU_LENGTH_MAX
    """Of the P-DATA-TF PDUs that we take, announced to every peer."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for the disk, off the event loop.

        Cancelled, it waits for the thread all the same: what the thread works on must not be closed under its hands.
        """
        running = self.loop.run_in_executor(self.executor, partial(function, *args, **kwargs))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            raise
