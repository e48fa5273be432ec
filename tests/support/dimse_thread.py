"""A DICOM listener in this process, on an event loop of its own thread, over whatever services a test is about."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from isocenter.dimse.scp.listener import Endpoint, Listener, ListenerLimits
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.record import AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.dimse.shell.service import Service, ServiceTable
from isocenter.domain.application_entity import RemoteAe
from isocenter.identity.application_entity import AeTable
from tests.support.memory_archive import FakeClock

AE_TITLE = "ISOCENTER"
HOST = "127.0.0.1"
ANSWER_TIMEOUT_S = 60.0
"""A call that is never answered is a fault; the test is to fail, not to hang."""

Result = TypeVar("Result")
TIMES = Times(dimse_s=20.0, idle_s=60.0, connect_s=5.0)


@dataclass(frozen=True)
class DimseNode:
    """What a test sees of the node."""

    port: int
    loop: asyncio.AbstractEventLoop
    opener: Opener
    register: AssociationRegister

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something on the loop of the node and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(ANSWER_TIMEOUT_S)


@dataclass(frozen=True)
class Tools:
    """What services are made with."""

    runtime: Runtime
    opener: Opener


@dataclass(frozen=True)
class Served:
    """Services, and what begins and ends with them."""

    services: Sequence[Service]
    start: Callable[[], None] = lambda: None
    stop: Callable[[], Coroutine[Any, Any, None]] | None = None


@contextmanager
def dimse_node(
    make: Callable[[Tools], Served], *, remotes: tuple[RemoteAe, ...] = (), clock: FakeClock | None = None
) -> Iterator[DimseNode]:
    """Run a node for the length of a block; callers that are in no table are admitted."""
    with socket.create_server((HOST, 0)) as bound, _loop() as loop, ThreadPoolExecutor(4) as executor:
        register = AssociationRegister()
        runtime = Runtime(
            loop=loop,
            executor=executor,
            picture_executor=executor,
            completions=Completions(loop),
            now=(clock or FakeClock()).now,
            times=TIMES,
        )
        opener = Opener(runtime, register, AE_TITLE)
        node = DimseNode(bound.getsockname()[1], loop, opener, register)

        async def start() -> tuple[Listener, Served]:
            served = make(Tools(runtime, opener))
            table = AeTable(AE_TITLE, remotes, accepts_unknown_callers=True)
            listener = Listener(runtime, register, table, ServiceTable(served.services), limits=ListenerLimits())
            await listener.start([Endpoint(bound)])
            served.start()
            return listener, served

        async def stop(listener: Listener, served: Served) -> None:
            if served.stop is not None:
                await served.stop()
            await listener.stop(timeout_s=1.0)

        listener, served = node.run(start())
        try:
            yield node
        finally:
            node.run(stop(listener, served))


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="dimse-node")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
