"""One association over one connection, in either role: bytes from the socket to `ul`, messages to services and back.

    data_received ──▶ Association.receive ──▶ PDVs ──▶ Dispatcher ──▶ services
    transport     ◀── Association.take_outgoing ◀── send ◀── their responses, and requests of our own

Nothing here makes a task, takes a lock or copies data for a PDU. Reading pauses while services hold more than they may;
writing pauses (`drain`) while the peer does not take what was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import ParamSpec, Protocol, TypeVar

import structlog

from isocenter.dimse.message.messages import Message, Request, Response
from isocenter.dimse.shell.dispatch import Dispatcher
from isocenter.dimse.shell.exchange import Answer, Exchange, Peer
from isocenter.dimse.shell.record import AssociationRecord, AssociationRegister, End, Side
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.sending import message_pdvs, stream_message
from isocenter.dimse.shell.service import NO_SERVICES, ServiceTable
from isocenter.dimse.shell.tls import verified_certificate
from isocenter.dimse.shell.tuned_socket import TunedSocket
from isocenter.dimse.ul.association import Association
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.errors import AssociationOver, ProtocolViolation
from isocenter.dimse.ul.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    Closed,
    Event,
    PdvReceived,
    Released,
    ReleaseRequested,
)
from isocenter.dimse.ul.machine import OVER_STATES
from isocenter.dimse.ul.pdu import AbortReason, AbortSource, AssociateAc, AssociateRj, AssociateRq, Buffer
from isocenter.dimse.ul.query_extensions import agreed_extensions
from isocenter.domain.principal import Principal
from isocenter.identity.certificate import Certificate

_log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

UNSENT_MAX_BYTES = 1024**2
"""What may wait for the peer before senders wait; two of the largest common instances."""
IN_HAND_MAX_BYTES = 12 * 1024**2
"""Received and not yet durable or answered: half as much again as what is kept in memory of one instance, so that four
associations with large ones take 48 MiB."""
REQUESTS_MAX = 64
"""Outstanding requests of a peer, whatever it negotiated; reading pauses there."""
CLOSE_TIMEOUT_S = 5.0
"""For the last bytes to leave after the association has ended."""
TICK_MAX_S = 5.0
TICKS_PER_TIMEOUT = 4
"""A time that ran out is noticed a quarter of it later at most."""

NOBODY = Peer(ae_title="", address="", principal=Principal("nobody", frozenset()), services=frozenset())
"""Before the association is accepted."""


class Owner(Protocol):
    """Who made a connection, and wants to know of its turns."""

    def connected(self, connection: Connection) -> None:
        """Take notice that the connection is made, over TLS that both agreed on it; `ended` follows in any case."""
        ...

    def requested(self, connection: Connection, request: AssociateRq) -> None:
        """Decide about a request for an association: `connection.accept` or `connection.reject`, now or later."""
        ...

    def accepted(self, connection: Connection, answer: AssociateAc) -> None:
        """Take notice that the peer accepted ours."""
        ...

    def rejected(self, connection: Connection, answer: AssociateRj) -> None:
        """Take notice that the peer rejected ours, or that the upper layer rejected the peer's."""
        ...

    def ended(self, connection: Connection) -> None:
        """Take notice that it is over and holds nothing any more."""
        ...


class Connection(asyncio.Protocol):
    """An association and the connection under it."""

    def __init__(
        self, runtime: Runtime, register: AssociationRegister, owner: Owner, *, request: AssociateRq | None
    ) -> None:
        """Make one for a connection that we open with a request, or that a peer opened."""
        now_s = runtime.loop.time()
        self._runtime = runtime
        self._register = register
        self._owner = owner
        self._side = Side.ACCEPTOR if request is None else Side.REQUESTOR
        if request is None:
            self._association = Association.acceptor(runtime.limits, now_s=now_s)
        else:
            self._association = Association.requestor(request, runtime.limits, now_s=now_s)
        self._request = request
        self._dispatcher = Dispatcher(self, NO_SERVICES)
        self._transport: asyncio.Transport | None = None
        self._socket: TunedSocket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_received_s = self._last_sent_s = now_s
        self._is_receiving = False
        self._is_reading_paused = False
        self._in_hand_bytes = 0
        self._writable: asyncio.Future[None] | None = None
        self._streaming: asyncio.Future[None] | None = None
        self._release_when_idle = False
        self._abort_when_idle = False
        self._last_message_id = 0
        self._is_over = False
        self._is_lost = False
        self.peer = NOBODY
        self.invoked_max = 1
        """How many requests of ours may be outstanding."""
        self.over: asyncio.Future[None] = runtime.loop.create_future()
        """Done when the association is over; the connection may still wait for the peer to close it."""
        self.closed: asyncio.Future[None] = runtime.loop.create_future()
        """Done when the connection is over and holds nothing any more."""

    # ---- what services and clients use

    @property
    def record(self) -> AssociationRecord:
        """Return what is known of the association; there once the connection is made."""
        return self._record

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """Return the contexts that were agreed, by id."""
        return self._association.contexts

    def agreed_extensions(self, sop_class_uid: str) -> bytes:
        """Return what was agreed of the extended negotiation of a SOP class, a byte for each field."""
        answer = self._association.answer
        return b"" if answer is None else agreed_extensions(answer, sop_class_uid)

    @property
    def is_open(self) -> bool:
        """Tell whether messages can still be sent."""
        return not self._is_over and self._transport is not None and self._association.state not in OVER_STATES

    @property
    def runtime(self) -> Runtime:
        """Return what it shares with others."""
        return self._runtime

    @property
    def peer_certificate(self) -> Certificate | None:
        """Return the verified certificate of the peer, None without one."""
        return None if self._transport is None else verified_certificate(self._transport)

    def next_message_id(self) -> int:
        """Return a message id that no outstanding request of ours has."""
        self._last_message_id = self._last_message_id % 0xFFFF + 1
        return self._last_message_id

    def respond(self, exchange: Exchange, response: Response, dataset: Iterable[Buffer] | None = None) -> None:
        """Send a response; nothing happens where the association has ended."""
        if self._is_over:
            return
        try:
            self.send(exchange.context.context_id, response, dataset)
        except AssociationOver:  # its end came in the same bytes, and is told next
            return
        self.record.note_message(response, is_sent=True)
        self._dispatcher.responded(exchange, response)

    def respond_all(
        self, exchange: Exchange, pending: Response, datasets: Iterable[Buffer], *, final: Response
    ) -> None:
        """Send a pending response with each of a few small data sets, and the final one, by a single write."""
        if self._is_over:
            return
        was_receiving, self._is_receiving = self._is_receiving, True  # nothing is written before it is over
        try:
            for dataset in datasets:
                self.respond(exchange, pending, [dataset])
            self.respond(exchange, final)
        finally:
            self._is_receiving = was_receiving
        self._write()

    async def invoke(
        self,
        context_id: int,
        request: Request,
        dataset: Iterable[Buffer] | AsyncIterator[Buffer] | None = None,
        *,
        on_pending: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """Send a request and return its final response; pending ones go to `on_pending`.

        Raises AssociationOver where the association ends before it comes, or is given up because it does not.
        """
        await self._free_to_send()
        waiting = self._dispatcher.expect(request, on_pending)
        self.record.note_message(request, is_sent=True)
        try:
            if isinstance(dataset, AsyncIterator):
                await self.send_stream(context_id, request, dataset)
            else:
                self.send(context_id, request, dataset)
        except BaseException:
            if not waiting.cancel():
                waiting.exception()  # looked at, so that nobody is told that it never was
            raise
        return await waiting

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for the disk, off the event loop."""
        return await self._runtime.run(function, *args, **kwargs)

    def watch(self, future: Future[T], then: Callable[[Future[T]], None]) -> None:
        """Call `then` on the event loop once a future of another thread has ended."""
        self._runtime.completions.watch(future, then)

    def hold(self, size_bytes: int) -> None:
        """Count bytes that a service keeps in memory; reading pauses while they are too many."""
        self._in_hand_bytes += size_bytes
        self.review_reading()

    def let_go(self, size_bytes: int) -> None:
        """Count them off."""
        self._in_hand_bytes -= size_bytes
        self.review_reading()

    def review_reading(self) -> None:
        """Read on, or pause, as what is in hand demands."""
        is_too_much = self._in_hand_bytes > IN_HAND_MAX_BYTES or self._dispatcher.outstanding >= REQUESTS_MAX
        if is_too_much == self._is_reading_paused or self._transport is None or self._transport.is_closing():
            return
        self._is_reading_paused = is_too_much
        if is_too_much:
            self._transport.pause_reading()
        else:
            self._last_received_s = self._runtime.loop.time()
            self._transport.resume_reading()

    def send(self, context_id: int, message: Message, dataset: Iterable[Buffer] | None) -> None:
        """Send a message whose data set is in memory; behind a stream that is under way.

        Raises AssociationOver where the association has ended.
        """
        if self._streaming is not None:
            self._streaming.add_done_callback(lambda _: self._send_after_stream(context_id, message, dataset))
            return
        self._association.send_pdvs(
            message_pdvs(context_id, message, dataset, pdu_length_max=self._association.peer_pdu_length_max)
        )
        self._write()

    def _send_after_stream(self, context_id: int, message: Message, dataset: Iterable[Buffer] | None) -> None:
        if not self._is_over:
            self.send(context_id, message, dataset)

    async def send_stream(self, context_id: int, message: Message, dataset: AsyncIterator[Buffer]) -> None:
        """Send a message whose data set is read as the peer takes it; other messages wait for its end."""
        await self._free_to_send()
        self._streaming = self._runtime.loop.create_future()
        try:
            length_max = self._association.peer_pdu_length_max
            async for pdvs in stream_message(context_id, message, dataset, pdu_length_max=length_max):
                self._association.send_pdvs(pdvs)
                self._write()
                await self.drain()
        except BaseException:
            self.abort("The data set of a message under way could not be read to its end.")
            raise
        finally:
            streaming, self._streaming = self._streaming, None
            streaming.set_result(None)

    async def _free_to_send(self) -> None:
        while self._streaming is not None:
            await asyncio.shield(self._streaming)

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was sent.

        Raises AssociationOver where it ends meanwhile.
        """
        if self._writable is not None:
            await asyncio.shield(self._writable)
        if self._is_over:
            raise AssociationOver()

    # ---- turns of the association

    def accept(self, answer: AssociateAc, *, peer: Peer, services: ServiceTable) -> None:
        """Accept the association that the peer requested."""
        try:
            self._association.accept(answer, now_s=self._runtime.loop.time())
        except AssociationOver:  # the peer did not wait for the answer
            return
        request = self._association.request
        assert request is not None
        self.record.note_negotiation(request, answer)
        self._establish(answer, peer, services)
        self._write()

    def establish(self, answer: AssociateAc, *, peer: Peer, services: ServiceTable) -> None:
        """Begin to work on an association that the peer accepted; `services` are what it may ask on it."""
        assert self._request is not None
        self.record.note_negotiation(self._request, answer)
        self._establish(answer, peer, services)

    def _establish(self, answer: AssociateAc, peer: Peer, services: ServiceTable) -> None:
        self.peer = peer
        window = answer.user_information.async_operations_window
        invoked, performed = (window.operations_invoked_max, window.operations_performed_max) if window else (1, 1)
        if self._side is Side.ACCEPTOR:  # the window is written from the requestor's end (PS3.7 D.3.3.3)
            invoked, performed = performed, invoked
        self.invoked_max = invoked or REQUESTS_MAX
        self._dispatcher.begin(services, performed_max=min(performed or REQUESTS_MAX, REQUESTS_MAX))

    def reject(self, answer: AssociateRj, *, cause: str) -> None:
        """Reject the association that the peer requested."""
        with suppress(AssociationOver):
            self._association.reject(answer, now_s=self._runtime.loop.time())
            self._note_end(End.REJECTED, cause)
        self._write()

    def release(self) -> None:
        """Ask the peer for the release; `closed` tells when it is done."""
        with suppress(AssociationOver):
            self._association.release(now_s=self._runtime.loop.time())
        self._write()

    def abort(
        self,
        cause: str,
        *,
        source: AbortSource = AbortSource.SERVICE_USER,
        reason: AbortReason = AbortReason.NOT_SPECIFIED,
    ) -> None:
        """End the association at once."""
        if self._is_over:
            return
        self._note_end(End.ABORTED_BY_US, cause, abort=(source, reason))
        self._association.abort(now_s=self._runtime.loop.time(), source=source, reason=reason)
        self._write()
        self._finish_association()

    def abort_when_idle(self, cause: str) -> None:
        """End the association as soon as nothing of it is in hand."""
        self._abort_when_idle = True
        self._abort_cause = cause
        self.became_idle()

    def hang_up(self) -> None:
        """Close the connection when what is outgoing is written, without waiting for the peer to close it."""
        if self._transport is not None and not self._transport.is_closing():
            self._runtime.loop.call_later(CLOSE_TIMEOUT_S, self._transport.abort)
            self._transport.close()

    def drop(self) -> None:
        """Close the connection without waiting for what is still to be sent."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_ended(self) -> None:
        """Wait until nothing of the association runs any more."""
        await self._dispatcher.wait_ended()
        await asyncio.wait([self.closed])

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something that belongs to the association and is cancelled when that ends."""
        self._dispatcher.spawn(work)

    def became_idle(self) -> None:
        """Do what waited for the last request to be answered."""
        if self._dispatcher.is_idle and not self._is_over:
            if self._release_when_idle:
                with suppress(AssociationOver):  # released already, and the connection about to close
                    self._association.release(now_s=self._runtime.loop.time())
                    self._write()
            elif self._abort_when_idle:
                self.abort(self._abort_cause)

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin (asyncio)."""
        self._transport = transport
        transport.set_write_buffer_limits(high=UNSENT_MAX_BYTES)
        self._socket = TunedSocket(transport)
        peer_name = transport.get_extra_info("peername")
        self._record = self._register.open(
            self._side,
            peer_address=str(peer_name[0]) if peer_name else "",
            started_at=self._runtime.now(),
            uses_tls=transport.get_extra_info("ssl_object") is not None,
        )
        if self._request is not None:
            self._record.calling_ae_title = self._request.calling_ae_title
            self._record.called_ae_title = self._request.called_ae_title
        self._owner.connected(self)
        self._write()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what came (asyncio)."""
        if self._socket is not None:
            self._socket.acknowledge_at_once()
        now_s = self._last_received_s = self._runtime.loop.time()
        self._record.bytes_received += len(data)
        self._is_receiving = True
        try:
            self._handle(self._association.receive(data, now_s=now_s))
        finally:
            self._is_receiving = False
        self._write()

    def eof_received(self) -> bool:
        """Take the end of what comes (asyncio); there is nothing to say to a peer that has hung up."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection (asyncio)."""
        self._is_lost = True
        if not self._is_over:
            self._handle(self._association.receive_eof(now_s=self._runtime.loop.time()))
            self._finish_association()
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()
        self._transport = None
        self._resume_senders()
        self._register.close(self._record, ended_at=self._runtime.now())
        if not self.closed.done():
            self.closed.set_result(None)
        self._owner.ended(self)

    def pause_writing(self) -> None:
        """Have senders wait (asyncio)."""
        self._last_sent_s = self._runtime.loop.time()
        self._writable = self._runtime.loop.create_future()

    def resume_writing(self) -> None:
        """Let senders go on (asyncio)."""
        self._resume_senders()

    def _resume_senders(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # ---- events of the upper layer

    def _handle(self, events: Iterable[Event]) -> None:
        try:
            for event in events:
                if type(event) is PdvReceived:
                    self._dispatcher.feed(event.pdv)
                else:
                    self._turn(event)
        except ProtocolViolation as error:
            self.abort(error.message, source=AbortSource.SERVICE_PROVIDER, reason=error.reason)

    def _turn(self, event: Event) -> None:
        if isinstance(event, AssociationRequested):
            self._record.calling_ae_title = event.request.calling_ae_title
            self._record.called_ae_title = event.request.called_ae_title
            self._record.implementation_version_name = event.request.user_information.implementation_version_name
            self._owner.requested(self, event.request)
        elif isinstance(event, AssociationAccepted):
            self._record.implementation_version_name = event.answer.user_information.implementation_version_name
            self._owner.accepted(self, event.answer)
        elif isinstance(event, AssociationRejected):
            if self._record.end is None:  # else it was the owner who rejected
                self._note_end(End.REJECTED, event.diagnostic)
                self._owner.rejected(self, event.answer)
        elif isinstance(event, ReleaseRequested):
            self._release_when_idle = True
            self._dispatcher.give_up_requests()  # who asked for the release sends no data any more (PS3.8 table 9-10)
            self.became_idle()
        elif isinstance(event, Released):
            self._note_end(End.RELEASED, "")
            self._finish_association()
        elif isinstance(event, Aborted):
            end = End.ABORTED_BY_PEER if event.by_peer else End.ABORTED_BY_US
            self._note_end(end, event.diagnostic, abort=None if self._is_lost else (event.source, event.reason))
            self._finish_association()
        elif isinstance(event, Closed):
            self._finish_association()

    def _note_end(self, end: End, cause: str, *, abort: tuple[int, int] | None = None) -> None:
        if self._record.end is None:
            self._record.end = end
            self._record.cause = cause
            self._record.abort = abort

    def _finish_association(self) -> None:
        """Let go of everything that the association held; its last bytes may still be on their way."""
        if not self._is_over:
            self._is_over = True
            self._dispatcher.close()
            self._resume_senders()
            self.over.set_result(None)

    # ---- writing and waiting

    def _write(self) -> None:
        if self._is_receiving or self._transport is None:
            return
        outgoing = self._association.take_outgoing()
        if outgoing:
            self._record.bytes_sent += sum(map(len, outgoing))
            self._transport.writelines(outgoing)
        if self._association.wants_close:
            self.hang_up()

    def _wait(self) -> None:
        times, limits = self._runtime.times, self._runtime.limits
        shortest = min(times.dimse_s, times.idle_s, limits.artim_timeout_s, limits.request_timeout_s)
        self._timer = self._runtime.loop.call_later(min(TICK_MAX_S, shortest / TICKS_PER_TIMEOUT), self._tick)

    def _tick(self) -> None:
        now_s = self._runtime.loop.time()
        deadline_s = self._association.deadline_s
        if deadline_s is not None and now_s >= deadline_s:
            self._handle(self._association.tick(now_s=now_s))
            self._write()
        if not self._is_over and self._association.contexts:
            overdue = self._overdue(now_s)
            if overdue:
                self.abort(overdue, source=AbortSource.SERVICE_PROVIDER)
        if self._transport is not None:
            self._wait()

    def _overdue(self, now_s: float) -> str:
        """Return what did not happen in time, or nothing."""
        times = self._runtime.times
        if self._writable is not None:
            is_late = now_s - self._last_sent_s > times.idle_s
            return "The peer takes nothing of what is sent to it." if is_late else ""
        if self._dispatcher.is_overdue(now_s):
            return "The peer did not answer a request in time."
        silence_s = now_s - max(self._last_received_s, self._dispatcher.last_answered_s)
        if self._is_reading_paused:
            return ""
        if self._dispatcher.is_receiving:
            return "The rest of a message did not come in time." if silence_s > times.dimse_s else ""
        is_idle = self._dispatcher.is_idle and silence_s > times.idle_s
        return "Nothing was asked for a long time." if is_idle else ""
