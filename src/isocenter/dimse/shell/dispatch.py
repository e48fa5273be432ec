"""The messages of one association: requests of the peer to services, its responses to who waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from isocenter.dimse.message.assembler import DatasetFragment, MessageAssembler, MessageBegun, MessageUnusable
from isocenter.dimse.message.messages import CCancelRq, Message, NEventReportRq, RefusalRsp, Request, Response
from isocenter.dimse.message.statuses import (
    DUPLICATE_INVOCATION,
    PENDING,
    PENDING_WITH_WARNING,
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
    UNRECOGNIZED_OPERATION,
)
from isocenter.dimse.shell.exchange import Answer, Exchange
from isocenter.dimse.shell.service import DatasetSink, Perform, Receive, Service, ServiceTable
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.errors import AssociationOver, ProtocolViolation
from isocenter.dimse.ul.pdu import Buffer, Pdv
from isocenter.domain.errors import IsocenterError
from isocenter.domain.statuses import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, statuses_of

if TYPE_CHECKING:
    from isocenter.dimse.shell.connection import Connection

_log = structlog.get_logger()

RESPONSE_DATASET_SIZE_MAX_BYTES = 8 * 1024**2
"""Of a response of the peer: the failed list of 65,535 sub-operations has some 4 MB."""
COMMENT_LENGTH_MAX = 64
"""PS3.5 table 6.2-1, LO: the error comment (PS3.7 annex E)."""
PENDING_STATUSES = frozenset({PENDING, PENDING_WITH_WARNING})
"""Every other status is final."""


@dataclass(slots=True)
class _Invocation:
    """A request of ours that is not answered yet."""

    future: asyncio.Future[Answer]
    on_pending: Callable[[Answer], None] | None
    deadline_s: float


class _Collector:
    """Keep a small data set until it is whole."""

    __slots__ = ("_limit", "_on_end", "_pieces", "_size_bytes")

    def __init__(self, limit: int, on_end: Callable[[bytes | None], None]) -> None:
        self._limit = limit
        self._on_end = on_end
        self._pieces: list[Buffer] = []
        self._size_bytes = 0

    def write(self, data: Buffer) -> None:
        self._size_bytes += len(data)
        if self._size_bytes <= self._limit:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    def end(self) -> None:
        """Hand the data set over, or None where it was too long."""
        self._on_end(b"".join(self._pieces) if self._size_bytes <= self._limit else None)

    def abandon(self) -> None:
        self._pieces.clear()


class Dispatcher:
    """Where messages go."""

    def __init__(self, connection: Connection, services: ServiceTable) -> None:
        self._connection = connection
        self._services = services
        self._performed_max = 1
        self._assembler = MessageAssembler()
        self._sink: DatasetSink | None = None
        self._is_in_dataset = False
        self._exchanges: dict[int, Exchange] = {}
        self._ready: deque[tuple[Exchange, Perform, bytes | None]] = deque()
        self._performing = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._invocations: dict[int, _Invocation] = {}
        self.last_answered_s = 0.0
        """When the last request of the peer was answered."""

    def begin(self, services: ServiceTable, *, performed_max: int) -> None:
        """Begin to serve the peer, performing so many of its requests at a time."""
        self._services = services
        self._performed_max = performed_max

    @property
    def outstanding(self) -> int:
        """Return how many requests of the peer are not answered."""
        return len(self._exchanges)

    @property
    def is_receiving(self) -> bool:
        """Tell whether a message has begun and not ended."""
        return self._is_in_dataset

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is in hand in either direction."""
        return not self._exchanges and not self._is_in_dataset and not self._invocations

    def is_overdue(self, now_s: float) -> bool:
        """Tell whether a request of ours has waited too long for its response."""
        return any(invocation.deadline_s < now_s for invocation in self._invocations.values())

    # ---- what comes

    def feed(self, pdv: Pdv) -> None:
        """Take a fragment; raises ProtocolViolation for what no peer may send."""
        for event in self._assembler.feed(pdv):
            if type(event) is DatasetFragment:
                self._take_fragment(event)
            elif isinstance(event, MessageBegun):
                self._begin_message(event)
            elif isinstance(event, MessageUnusable):
                self._refuse_unusable(event)

    def _take_fragment(self, fragment: DatasetFragment) -> None:
        sink = self._sink
        if sink is not None and len(fragment.data):
            sink.write(fragment.data)
        if fragment.is_last:
            self._sink = None
            self._is_in_dataset = False
            if sink is not None:
                sink.end()

    def _begin_message(self, event: MessageBegun) -> None:
        command = event.command
        self._connection.record.note_message(command, is_sent=False)
        self._is_in_dataset = event.has_dataset
        if isinstance(command, CCancelRq):
            cancelled = self._exchanges.get(command.message_id_being_responded_to)
            if cancelled is not None:  # else it crossed the last response on its way
                cancelled.is_cancelled = True
        elif isinstance(command, Request):
            self._begin_request(event.context_id, command, has_dataset=event.has_dataset)
        else:
            self._begin_response(command, has_dataset=event.has_dataset)

    def _refuse_unusable(self, event: MessageUnusable) -> None:
        self._sink = None  # its data set, if it has one, is swallowed by the assembler
        self._connection.record.note_message(event.answer, is_sent=True)
        if self._connection.is_open:
            self._connection.send(event.context_id, event.answer, None)

    def _begin_response(self, response: Response, *, has_dataset: bool) -> None:
        message_id = response.message_id_being_responded_to
        invocation = self._invocations.get(message_id)
        if invocation is None:
            raise ProtocolViolation("A response came to a request that was not made.")
        if response.status in PENDING_STATUSES:
            invocation.deadline_s = self._deadline()
        else:
            del self._invocations[message_id]

        def take(dataset: bytes | None) -> None:
            answer = Answer(response, dataset)
            if response.status not in PENDING_STATUSES:
                if not invocation.future.done():
                    invocation.future.set_result(answer)
                self._connection.became_idle()
            elif invocation.on_pending is not None:
                invocation.on_pending(answer)

        if has_dataset:
            self._sink = _Collector(RESPONSE_DATASET_SIZE_MAX_BYTES, take)
        else:
            take(None)

    def _begin_request(self, context_id: int, request: Request, *, has_dataset: bool) -> None:
        context = self._connection.contexts[context_id]
        if request.message_id in self._exchanges:
            self._sink = None
            self._answer_refusal(context, request, DUPLICATE_INVOCATION, "The message id is in use.")
            return
        exchange = Exchange(self._connection, context, request)
        self._exchanges[request.message_id] = exchange
        is_ours = context.as_scu if isinstance(request, NEventReportRq) else context.as_scp  # events go to the SCU
        service = self._services.find(context.abstract_syntax_uid) if is_ours else None
        receive = service.receives.get(type(request)) if service is not None else None
        if receive is not None and has_dataset:
            self._sink = self._begin_stream(exchange, receive)
        elif receive is not None:
            self.refuse(exchange, CANNOT_UNDERSTAND, "The data set is missing.")
        else:
            self._begin_performing(exchange, service, has_dataset=has_dataset)
        self._connection.review_reading()

    def _begin_stream(self, exchange: Exchange, receive: Receive) -> DatasetSink | None:
        try:
            return receive(exchange, exchange.request)
        except IsocenterError as error:
            self.refuse(exchange, statuses_of(error).dimse_status, error.message)
            return None

    def _begin_performing(self, exchange: Exchange, service: Service | None, *, has_dataset: bool) -> None:
        perform = service.performs.get(type(exchange.request)) if service is not None else None
        if service is None or perform is None:
            self._sink = None
            if service is None:
                self.refuse(exchange, SOP_CLASS_NOT_SUPPORTED, "This SOP class is not performed here.")
            else:
                self.refuse(exchange, UNRECOGNIZED_OPERATION, "This SOP class has no such operation.")
            return

        def start(dataset: bytes | None) -> None:
            self._ready.append((exchange, perform, dataset))
            self._take_next()

        def start_if_whole(dataset: bytes | None) -> None:
            if dataset is None:
                self.refuse(exchange, OUT_OF_RESOURCES, "The data set is too long.")
            else:
                start(dataset)

        if has_dataset:
            self._sink = _Collector(service.dataset_size_max_bytes, start_if_whole)
        else:
            start(None)

    def _take_next(self) -> None:
        while self._ready and self._performing < self._performed_max:
            exchange, perform, dataset = self._ready.popleft()
            self._performing += 1
            self.spawn(self._perform(exchange, perform, dataset))

    async def _perform(self, exchange: Exchange, perform: Perform, dataset: bytes | None) -> None:
        try:
            await perform(exchange, exchange.request, dataset)
        except AssociationOver:
            pass
        except IsocenterError as error:
            self.refuse(exchange, statuses_of(error).dimse_status, error.message)
        except Exception:  # outermost loop of a request: the association goes on
            _log.exception("request.broken", association_id=self._connection.record.association_id)
            self.refuse(exchange, PROCESSING_FAILURE, "An internal error occurred.")
        finally:
            self._performing -= 1
        if exchange.request.message_id in self._exchanges:
            self.refuse(exchange, PROCESSING_FAILURE, "The request was not answered.")
        self._take_next()

    # ---- what goes

    def refuse(self, exchange: Exchange, status: int, comment: str) -> None:
        """Answer a request with a failure, unless it is answered."""
        if self._exchanges.get(exchange.request.message_id) is exchange:
            self._answer_refusal(exchange.context, exchange.request, status, comment)
            self._answered(exchange)

    def _answer_refusal(self, context: AcceptedContext, request: Request, status: int, comment: str) -> None:
        answer = refusal(request, status, comment)
        self._connection.record.note_message(answer, is_sent=True)
        if self._connection.is_open:
            self._connection.send(context.context_id, answer, None)

    def responded(self, exchange: Exchange, response: Response) -> None:
        """Know that a service has answered."""
        if response.status not in PENDING_STATUSES:
            self._answered(exchange)

    def _answered(self, exchange: Exchange) -> None:
        if self._exchanges.pop(exchange.request.message_id, None) is not None:
            self.last_answered_s = self._connection.runtime.loop.time()
            self._connection.review_reading()
            self._connection.became_idle()

    def expect(self, request: Request, on_pending: Callable[[Answer], None] | None) -> asyncio.Future[Answer]:
        """Return what ends with the final response to a request of ours."""
        future: asyncio.Future[Answer] = self._connection.runtime.loop.create_future()
        self._invocations[request.message_id] = _Invocation(future, on_pending, self._deadline())
        return future

    def _deadline(self) -> float:
        return self._connection.runtime.loop.time() + self._connection.runtime.times.dimse_s

    def give_up_requests(self) -> None:
        """End the requests of ours that wait for an answer: none will come."""
        invocations, self._invocations = self._invocations, {}
        for invocation in invocations.values():
            if not invocation.future.done():
                invocation.future.set_exception(AssociationOver())

    def close(self) -> None:
        """Let go of everything: the association has ended."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abandon()
        self._ready.clear()
        self._exchanges.clear()
        self.give_up_requests()
        for task in self._tasks:
            task.cancel()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something that belongs to the association and is cancelled when that ends."""
        task = self._connection.runtime.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait_ended(self) -> None:
        """Wait until no task of the association runs."""
        if self._tasks:
            await asyncio.wait(self._tasks)


def refusal(request: Request, status: int, comment: str) -> RefusalRsp:
    """Return the answer to a request that is not carried out."""
    return RefusalRsp(
        command_field=request.command_field | 0x8000,
        message_id_being_responded_to=request.message_id,
        status=status,
        affected_sop_class_uid=_class_of(request),
        affected_sop_instance_uid=_instance_of(request),
        error_comment=comment_of(comment),
    )


def comment_of(text: str) -> str:
    """Return what fits into an error comment: printable ASCII without a backslash, at most 64 characters."""
    plain = "".join(letter if " " <= letter <= "~" and letter != "\\" else "?" for letter in text)
    return plain if len(plain) <= COMMENT_LENGTH_MAX else plain[: COMMENT_LENGTH_MAX - 3] + "..."


def _class_of(message: Message) -> str | None:
    return getattr(message, "affected_sop_class_uid", None) or getattr(message, "requested_sop_class_uid", None)


def _instance_of(message: Message) -> str | None:
    return getattr(message, "affected_sop_instance_uid", None) or getattr(message, "requested_sop_instance_uid", None)
