"""A link of the fault plane: a listening socket, its connections, and the faults that are set on it."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress

from isocenter.app.faults.connection import LinkedConnection
from isocenter.domain.errors import InvalidSetting
from isocenter.modality.faults.board import ActiveFault, FaultBoard
from isocenter.modality.faults.fault import Fault, Refuse
from isocenter.modality.faults.link import Endpoint, LinkPlan, require_fitting

BACKLOG = 128
CONNECTIONS_MAX = 1024
"""Each holds two sockets and at most 16 MiB under way; who wants more wants a load test."""


class Link:
    """Listens where its plan says until it is stopped. All methods belong to the thread of its event loop."""

    def __init__(self, plan: LinkPlan) -> None:
        self.plan = plan
        self.board = FaultBoard()
        self.counts: Counter[str] = Counter()
        self.instances: Counter[str] = Counter()
        """How often each SOP Instance UID came over a DIMSE link."""
        self._changed = asyncio.Event()
        self._holder: socket.socket | None = None
        """Bound and never listening: while connections are refused nobody else gets the port."""
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], LinkedConnection] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}

    @property
    def changed(self) -> asyncio.Event:
        """Return what is set when faults are next set or cleared."""
        return self._changed

    @property
    def is_listening(self) -> bool:
        """Tell whether connections are accepted."""
        return self._listener is not None

    @property
    def open_connections(self) -> int:
        """Return how many connections there are now."""
        return len(self._connections)

    async def start(self) -> None:
        """Begin to listen; a port of 0 becomes the one that the system gives."""
        try:
            self._holder = _bound(self.plan.listen)
        except OSError as error:
            raise InvalidSetting(f"{self.plan.listen} cannot be listened on: {error.strerror}.") from error
        host, port = self._holder.getsockname()[:2]
        self.plan = LinkPlan(self.plan.name, Endpoint(host, port), self.plan.target, self.plan.protocol)
        self._follow_faults()

    async def stop(self) -> None:
        """Listen no more, and reset what is open."""
        self.clear()
        await self._stop_listening()
        await self._end_connections()
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def set(self, fault: Fault, *, for_s: float | None = None) -> ActiveFault:
        """Set a fault, until it is cleared or for a time; raise InvalidRequest where the link cannot have it."""
        require_fitting(fault, self.plan)
        active = self.board.set(fault)
        if for_s is not None:
            loop = asyncio.get_running_loop()
            self._timers[active.fault_id] = loop.call_later(for_s, self.clear, active.fault_id)
        self._follow_faults()
        if isinstance(fault, Refuse) and fault.cuts_open and _closes_listener(fault):
            for connection in self._connections.values():
                connection.reset()
        return active

    def clear(self, fault_id: int | None = None) -> int:
        """Clear one fault or all; return how many were set."""
        for timer_id in [fault_id] if fault_id is not None else list(self._timers):
            timer = self._timers.pop(timer_id, None)
            if timer is not None:
                timer.cancel()
        number = self.board.clear(fault_id)
        self._follow_faults()
        return number

    def _follow_faults(self) -> None:
        """Listen or not, as the faults say, and wake up what waits for them to change."""
        self._changed.set()
        self._changed = asyncio.Event()
        if self._holder is None:
            return
        is_refused = any(_closes_listener(fault) for _, fault in self.board.of(Refuse))
        if is_refused and self._listener is not None:
            self._drop_listener()
        elif not is_refused and self._listener is None:
            self._listener = _bound(self.plan.listen)
            self._listener.listen(BACKLOG)
            self._accepting = asyncio.get_running_loop().create_task(self._accept(self._listener))

    def _drop_listener(self) -> asyncio.Task[None] | None:
        listener, accepting = self._listener, self._accepting
        self._listener = self._accepting = None
        if accepting is not None:
            accepting.cancel()
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()
        return accepting

    async def _stop_listening(self) -> None:
        accepting = self._drop_listener()
        if accepting is not None:
            with suppress(asyncio.CancelledError):
                await accepting

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:
                return  # it was closed under our hands, as a fault wants it
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if len(self._connections) >= CONNECTIONS_MAX:
                client.close()
                continue
            self.counts["connections"] += 1
            connection = LinkedConnection(self, client)
            task = loop.create_task(connection.run())
            self._connections[task] = connection
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):  # those are what links are for
            asyncio.get_running_loop().call_exception_handler({"message": "A connection broke.", "exception": error})

    async def _end_connections(self) -> None:
        tasks = list(self._connections)
        for connection in self._connections.values():
            connection.reset()
        if tasks:
            await asyncio.wait(tasks)


def _closes_listener(fault: Refuse) -> bool:
    return fault.probability >= 1.0 and fault.count == 0


def _bound(listen: Endpoint) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
