"""A link with faults between a test and whatever it talks to, in an event loop of its own.

`with fault_link(port, protocol="http") as link: link.reset_after(100_000)`
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from isocenter.app.faults.link import Link
from isocenter.app.faults.plane import link_json, running_plane
from isocenter.modality.faults.fault import Direction, Fault, Refuse, Reset
from isocenter.modality.faults.link import Endpoint, LinkPlan, LinkProtocol

T = TypeVar("T")
WAIT_S = 30.0
"""For the event loop to take a call."""


@dataclass(frozen=True, slots=True)
class FaultLink:
    """A running link, driven from the thread of the test."""

    link: Link
    loop: asyncio.AbstractEventLoop

    @property
    def port(self) -> int:
        """Return where it listens, on loopback."""
        return self.link.plan.listen.port

    @property
    def url(self) -> str:
        """Return its address for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def set(self, fault: Fault, *, for_s: float | None = None) -> int:
        """Set a fault and return its number."""
        return self._call(lambda: self.link.set(fault, for_s=for_s).fault_id)

    def clear(self, fault_id: int | None = None) -> None:
        """Clear one fault, or all."""
        self._call(lambda: self.link.clear(fault_id))

    def refuse(self) -> int:
        """Take the line away: connections are refused, open ones reset."""
        return self.set(Refuse())

    def reset_after(self, size: int, *, direction: Direction = Direction.REQUESTS, count: int = 0) -> int:
        """Reset each connection behind so many bytes."""
        return self.set(Reset(after_bytes=size, direction=direction, count=count))

    def state(self) -> dict[str, Any]:
        """Return what the link says of itself."""
        return self._call(lambda: link_json(self.link))

    def _call(self, work: Callable[[], T]) -> T:
        async def called() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(WAIT_S)


@contextlib.contextmanager
def fault_link(target_port: int, *, protocol: str = "tcp") -> Iterator[FaultLink]:
    """Put a link in front of a port of loopback until the block ends."""
    plan = LinkPlan("link", Endpoint("127.0.0.1", 0), Endpoint("127.0.0.1", target_port), LinkProtocol(protocol))
    started: list[FaultLink] = []
    is_ready = threading.Event()
    stops: list[asyncio.Event] = []

    async def serve() -> None:
        async with running_plane([plan]) as plane:
            stops.append(asyncio.Event())
            started.append(FaultLink(plane.link("link"), asyncio.get_running_loop()))
            is_ready.set()
            await stops[0].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fault plane")
    thread.start()
    try:
        assert is_ready.wait(WAIT_S), "the fault plane did not start"
        yield started[0]
    finally:
        if started:
            started[0].loop.call_soon_threadsafe(stops[0].set)
        thread.join(WAIT_S)
        assert not thread.is_alive(), "the fault plane did not end"
