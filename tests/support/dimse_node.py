"""A listener over an archive, and what opens associations to it, in the event loop of a test."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import uvloop

from isocenter.archive.archive import Archive
from isocenter.dimse.scp.listener import Endpoint, Listener, ListenerLimits
from isocenter.dimse.scp.services import ServiceSettings, node_services
from isocenter.dimse.scp.users import Users
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.record import AssociationRecord, AssociationRegister
from isocenter.dimse.shell.runtime import Completions, Runtime, Times
from isocenter.dimse.shell.service import Service, ServiceTable
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.domain.application_entity import RemoteAe
from isocenter.identity.application_entity import AeTable

AE_TITLE = "NODE"
CALLER = "CALLER"
WAIT_S = 30.0
"""What never happens is a fault; the test is to fail, not to hang."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How a listener is to be."""

    table: AeTable = field(default_factory=lambda: AeTable(AE_TITLE, accepts_unknown_callers=True))
    limits: ListenerLimits = field(default_factory=ListenerLimits)
    times: Times = field(default_factory=Times)
    acse_timeout_s: float = 30.0
    services: ServiceSettings = field(default_factory=ServiceSettings)
    further: Callable[[Opener], Sequence[Service]] = lambda opener: ()
    """Services beside those of every node, given what opens associations."""
    tls: ssl.SSLContext | None = None
    client_tls: ssl.SSLContext | None = None
    users: Users | None = None


@dataclass(frozen=True, slots=True)
class DimseNode:
    """A running listener."""

    listener: Listener
    register: AssociationRegister
    services: ServiceTable
    opener: Opener
    """Opens associations as `CALLER`; what it opens stands in a register of its own."""
    port: int

    @property
    def address(self) -> RemoteAe:
        """Return the listener as an AE to be called."""
        return RemoteAe(AE_TITLE, "127.0.0.1", self.port, uses_tls=self.opener.tls is not None)

    def calling_as(self, ae_title: str) -> Opener:
        """Return what opens associations under another title."""
        return replace(self.opener, ae_title=ae_title)

    async def ended(self, number: int) -> AssociationRecord:
        """Return the record of the association of that number, counted from 1, once it has ended."""
        await until(lambda: any(record.association_id == number for record in self.register.recent))
        return next(record for record in self.register.recent if record.association_id == number)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for a condition that the event loop brings about."""
    async with asyncio.timeout(WAIT_S):
        while not is_so():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def dimse_node(archive: Archive, options: NodeOptions | None = None) -> AsyncIterator[DimseNode]:
    """Run a listener on a free port of loopback for the length of a block."""
    options = options or NodeOptions()
    loop = asyncio.get_running_loop()
    register = AssociationRegister()
    with ThreadPoolExecutor(4, "dicom") as executor, socket.create_server(("127.0.0.1", 0)) as endpoint:
        runtime = Runtime(
            loop=loop,
            executor=executor,
            picture_executor=executor,
            completions=Completions(loop),
            now=lambda: datetime.now(UTC),
            limits=AssociationLimits(
                artim_timeout_s=options.acse_timeout_s,
                request_timeout_s=options.acse_timeout_s,
                idle_timeout_s=None,
            ),
            times=options.times,
        )
        opener = Opener(runtime, AssociationRegister(), CALLER, options.client_tls)
        services = node_services(archive, options.services, further=options.further(opener))
        listener = Listener(runtime, register, options.table, services, limits=options.limits, users=options.users)
        await listener.start([Endpoint(endpoint, options.tls)])
        try:
            yield DimseNode(listener, register, services, opener, endpoint.getsockname()[1])
        finally:
            await listener.stop(timeout_s=1.0)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a test's work on the event loop that a node has; it may not hang."""

    async def bounded() -> T:
        async with asyncio.timeout(60):
            return await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(bounded())
