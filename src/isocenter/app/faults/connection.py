"""One connection through a link: read, have decided, wait for its time, write.

client ──▶ pump ──▶ protocol faults ──▶ byte faults ──▶ pace ──▶ queue ──▶ writer ──▶ target
client ◀── writer ◀── queue ◀── pace ◀── byte faults ◀── protocol faults ◀── pump ◀── target
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import ParamSpec, Protocol

from isocenter.modality.faults.action import Action, Cut, CutKind, Pass
from isocenter.modality.faults.board import FaultBoard
from isocenter.modality.faults.byte_faults import ByteFaults
from isocenter.modality.faults.dimse_faults import DimseFaults
from isocenter.modality.faults.fault import Direction, Refuse, Silence
from isocenter.modality.faults.http_faults import HttpFaults
from isocenter.modality.faults.link import Endpoint, LinkPlan, LinkProtocol
from isocenter.modality.faults.pace import Pace

P = ParamSpec("P")
READ_SIZE = 64 * 1024
QUEUE_PIECES_MAX = 128
"""8 MiB in each direction at most: what is under way on a line of 100 MB/s and 80 ms."""
CONNECT_TIMEOUT_S = 10.0
"""A target of the same place answers in milliseconds."""
GOODBYE_S = 2.0
"""For a peer to close after us: closed before, what it has still to read might be lost to it."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _End(Enum):
    """The stream of a direction has ended."""

    MARK = "end"


_Queued = tuple[float, bytes | Cut | _End]


class LinkState(Protocol):
    """What a connection needs to know of its link."""

    plan: LinkPlan
    board: FaultBoard
    counts: Counter[str]
    instances: Counter[str]

    @property
    def changed(self) -> asyncio.Event:
        """Return what is set when faults are next set or cleared."""
        ...


class _ProtocolFaults(Protocol):
    def receive(self, direction: Direction, data: bytes) -> list[Action]: ...


class _Untouched:
    def receive(self, direction: Direction, data: bytes) -> list[Action]:
        return [Pass(direction, data)]


@dataclass(slots=True)
class _Way:
    """One direction: where it leads, and what waits for its time."""

    pace: Pace
    queue: asyncio.Queue[_Queued] = field(default_factory=lambda: asyncio.Queue(QUEUE_PIECES_MAX))
    sink: socket.socket | None = None
    has_ended: bool = False


class LinkedConnection:
    """Carries one connection until it ends."""

    def __init__(self, link: LinkState, client: socket.socket) -> None:
        self._link = link
        self._client = client
        self._target: socket.socket | None = None
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[CutKind] = self._loop.create_future()
        self._bytes = ByteFaults(link.board)
        self._protocol = _protocol_faults(link)
        self._ways = {each: _Way(Pace(link.board, each)) for each in (Direction.REQUESTS, Direction.ANSWERS)}
        self._ways[Direction.ANSWERS].sink = client
        self._reaching = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    def reset(self) -> None:
        """End it at once, by RST to both sides."""
        self._finish(CutKind.RESET)

    async def run(self) -> None:
        """Carry bytes until one side, or a fault, ends the connection."""
        kind = CutKind.RESET
        try:
            if not self._is_refused():
                kind = await self._carry()
        finally:
            for task in self._tasks:
                task.cancel()
            ended = await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._close_both(kind)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _carry(self) -> CutKind:
        if self._is_silenced():
            self._spawn(self._swallow)
        else:
            self._spawn(self._pump, self._client, Direction.REQUESTS)
            self._spawn(self._write, Direction.ANSWERS)
            if self._link.plan.protocol is LinkProtocol.TCP:
                await self._reach_target()
        return await self._end

    def _is_refused(self) -> bool:
        return any(active.is_drawn() and active.strike() for active, _ in self._link.board.of(Refuse))

    def _is_silenced(self) -> bool:
        return any(active.is_drawn() and active.strike() for active, _ in self._link.board.of(Silence))

    def _spawn(self, work: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
        async def guarded() -> None:
            try:
                await work(*args, **kwargs)
            except OSError:
                self._finish(CutKind.RESET)  # one side reset it, or was not there: the other side learns it so
            except Exception:  # the outermost frame of this piece of work; `run` raises it
                self._finish(CutKind.RESET)
                raise

        self._tasks.append(self._loop.create_task(guarded()))

    def _finish(self, kind: CutKind) -> None:
        if not self._end.done():
            self._end.set_result(kind)

    # Reading

    async def _pump(self, source: socket.socket, direction: Direction) -> None:
        while data := await self._loop.sock_recv(source, READ_SIZE):
            self._link.counts[f"bytes of {direction}"] += len(data)
            await self._carry_out(self._protocol.receive(direction, data))
            await self._wait_while_stalled(direction)
        await self._put(direction, _End.MARK)

    async def _swallow(self) -> None:
        while await self._loop.sock_recv(self._client, READ_SIZE):
            pass
        self._finish(CutKind.CLOSE)

    async def _wait_while_stalled(self, direction: Direction) -> None:
        while self._bytes.is_stalled(direction):
            await self._link.changed.wait()
        await self._carry_out_bytes(self._bytes.release(direction))

    async def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Pass):
                await self._carry_out_bytes(self._bytes.receive(action.direction, action.data))
            elif not self._bytes.is_stalled(action.direction):
                await self._put(action.direction, action)

    async def _carry_out_bytes(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Pass):
                way = self._ways[action.direction]
                if way.sink is None:
                    await self._reach_target()
                for due_s, piece in way.pace.schedule(action.data, self._loop.time()):
                    await way.queue.put((due_s, piece))
            else:
                await self._put(action.direction, action)

    async def _put(self, direction: Direction, what: Cut | _End) -> None:
        way = self._ways[direction]
        if way.sink is None:
            self._finish(CutKind.CLOSE if isinstance(what, _End) else what.kind)  # nothing was ever passed on
            return
        await way.queue.put((way.pace.latest_s(self._loop.time()), what))

    async def _reach_target(self) -> None:
        async with self._reaching:
            if self._target is None:
                await self._connect(self._link.plan.target)

    async def _connect(self, target: Endpoint) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            found = await self._loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = found[0]
            self._target = socket.socket(family, kind, protocol)
            self._target.setblocking(False)
            await self._loop.sock_connect(self._target, address)
        self._target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ways[Direction.REQUESTS].sink = self._target
        self._spawn(self._write, Direction.REQUESTS)
        self._spawn(self._pump, self._target, Direction.ANSWERS)

    # Writing

    async def _write(self, direction: Direction) -> None:
        way = self._ways[direction]
        assert way.sink is not None
        while True:
            due_s, what = await way.queue.get()
            wait_s = due_s - self._loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if isinstance(what, bytes):
                await self._loop.sock_sendall(way.sink, what)
            elif isinstance(what, Cut):
                self._flush_other(direction)
                self._finish(what.kind)
                return
            else:
                self._end_way(way)
                return

    def _end_way(self, way: _Way) -> None:
        assert way.sink is not None
        way.has_ended = True
        with suppress(OSError):
            way.sink.shutdown(socket.SHUT_WR)
        if all(each.has_ended for each in self._ways.values()):
            self._finish(CutKind.CLOSE)

    def _flush_other(self, direction: Direction) -> None:
        """Send what is due in the other direction, such as the abort that goes to both sides."""
        other = self._ways[Direction.ANSWERS if direction is Direction.REQUESTS else Direction.REQUESTS]
        while other.sink is not None and not other.queue.empty():
            due_s, what = other.queue.get_nowait()
            if due_s > self._loop.time() or not isinstance(what, bytes):
                return
            with suppress(OSError):
                other.sink.send(what)

    # The end

    async def _close_both(self, kind: CutKind) -> None:
        sockets = [each for each in (self._client, self._target) if each is not None]
        try:
            if kind is CutKind.CLOSE:
                await asyncio.gather(*map(self._say_goodbye, sockets))
        finally:
            for each in sockets:
                if kind is CutKind.RESET:
                    with suppress(OSError):
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                each.close()

    async def _say_goodbye(self, end: socket.socket) -> None:
        """Close our side, and read on until the peer has closed its own: unread bytes would turn FIN into RST."""
        with suppress(OSError):
            end.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(GOODBYE_S):
                while await self._loop.sock_recv(end, READ_SIZE):
                    pass


def _protocol_faults(link: LinkState) -> _ProtocolFaults:
    match link.plan.protocol:
        case LinkProtocol.HTTP:
            return HttpFaults(link.board, link.counts)
        case LinkProtocol.DIMSE:
            return DimseFaults(link.board, link.counts, link.instances)
        case LinkProtocol.TCP:
            return _Untouched()
