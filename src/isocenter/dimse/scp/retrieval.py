"""What C-MOVE and C-GET have in common: which instances, pending responses, the final one (routing-and-gateway 6.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from isocenter.dicom.dictionary import uid_name
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.retrieve import encode_failed_list
from isocenter.dimse.message.messages import CGetRq, CGetRsp, CMoveRq, CMoveRsp, CStoreRq, CStoreRsp, Priority
from isocenter.dimse.message.statuses import PENDING
from isocenter.dimse.scp.suboperations import Outcome, SubOperations, outcome_of
from isocenter.dimse.scp.supply import Opened, Sendable, iter_pieces
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.dispatch import comment_of
from isocenter.dimse.shell.exchange import Exchange
from isocenter.domain.errors import IsocenterError

_log = structlog.get_logger()

PENDING_INTERVAL_S = 1.0
"""A pending response behind an instance comes no earlier than this after the one before."""
HEARTBEAT_S = 4.0
"""Without one for so long, one comes by itself: requestors give up after as little as five seconds."""


class Retrieval:
    """The responses to one request, and the counters in them."""

    def __init__(self, exchange: Exchange, request: CMoveRq | CGetRq, *, total: int) -> None:
        self.operations = SubOperations(total)
        self._ended: set[str] = set()
        self._exchange = exchange
        self._request = request
        self._loop = exchange.connection.runtime.loop
        self._responded_at_s = self._loop.time()
        self._timer = self._loop.call_later(HEARTBEAT_S, self._beat)

    @property
    def is_cancelled(self) -> bool:
        """Tell whether the requestor wants no more."""
        return self._exchange.is_cancelled

    def count(self, outcome: Outcome, sop_instance_uid: str) -> None:
        """Count a sub-operation that has ended, and say so now and then."""
        self.operations.count(outcome, sop_instance_uid)
        self._ended.add(sop_instance_uid)
        if self.operations.remaining and self._loop.time() - self._responded_at_s >= PENDING_INTERVAL_S:
            self._respond_pending()

    def fail_rest(self, instances: Sequence[Sendable]) -> None:
        """Count as failed what did not end, so that success is never told of less than everything."""
        for instance in instances:
            if instance.identifier.sop_instance_uid not in self._ended:
                self.count(Outcome.FAILED, instance.identifier.sop_instance_uid)

    def _beat(self) -> None:
        if self._loop.time() - self._responded_at_s >= HEARTBEAT_S:
            self._respond_pending()
        silent_s = self._loop.time() - self._responded_at_s
        self._timer = self._loop.call_later(max(0.1, HEARTBEAT_S - silent_s), self._beat)

    def _respond_pending(self) -> None:
        self._responded_at_s = self._loop.time()
        self._exchange.connection.respond(self._exchange, self._response(PENDING, ""))

    async def finish(self, status: int | None = None, *, comment: str = "") -> None:
        """Send the final response, by the counters unless a status is given, with the list of what failed."""
        self.stop()
        operations = self.operations
        final = operations.final_status(is_cancelled=self.is_cancelled) if status is None else status
        identifier = None
        if operations.failed:
            encoding = encoding_of(self._exchange.context.transfer_syntax_uid)
            identifier = [encode_failed_list(operations.failed_sop_instance_uids, encoding)]
        await self._exchange.respond(self._response(final, comment), identifier)

    def stop(self) -> None:
        """Send no more by itself."""
        self._timer.cancel()

    def _response(self, status: int, comment: str) -> CMoveRsp | CGetRsp:
        kind = CMoveRsp if isinstance(self._request, CMoveRq) else CGetRsp
        counters = self.operations.counters(status)
        return kind(
            message_id_being_responded_to=self._request.message_id,
            affected_sop_class_uid=self._request.affected_sop_class_uid,
            status=status,
            error_comment=comment_of(comment) if comment else None,
            number_of_remaining_suboperations=counters["number_of_remaining_suboperations"],
            number_of_completed_suboperations=counters["number_of_completed_suboperations"],
            number_of_failed_suboperations=counters["number_of_failed_suboperations"],
            number_of_warning_suboperations=counters["number_of_warning_suboperations"],
        )


@contextmanager
def still_counting(exchange: Exchange, request: CMoveRq | CGetRq) -> Iterator[None]:
    """Send pending responses without counters while it takes long to find out how much there is to send."""
    kind = CMoveRsp if isinstance(request, CMoveRq) else CGetRsp
    pending = kind(
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.affected_sop_class_uid,
        status=PENDING,
    )

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            exchange.connection.respond(exchange, pending)

    beating = exchange.connection.runtime.loop.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


async def send_opened(
    connection: Connection,
    opened: Opened,
    context_id: int,
    *,
    priority: int = Priority.MEDIUM,
    move_originator: tuple[str, int] | None = None,
) -> Outcome:
    """Send an instance and return how the receiver took it.

    Raises AssociationOver where the association ends before it says so.
    """
    outgoing = opened.outgoing
    originator_ae_title, originator_message_id = move_originator or (None, None)
    request = CStoreRq(
        message_id=connection.next_message_id(),
        affected_sop_class_uid=outgoing.instance.sop_class_uid,
        affected_sop_instance_uid=outgoing.sop_instance_uid,
        priority=priority,
        move_originator_ae_title=originator_ae_title,
        move_originator_message_id=originator_message_id,
    )
    dataset = opened.pieces if opened.rest is None else iter_pieces(connection.runtime, opened)
    answer = await connection.invoke(context_id, request, dataset)
    response = answer.response
    outcome = outcome_of(response.status) if isinstance(response, CStoreRsp) else Outcome.FAILED
    if outcome is not Outcome.COMPLETED:
        _log.warning(
            "suboperation.not_completed",
            association_id=connection.record.association_id,
            sop_instance_uid=outgoing.sop_instance_uid,
            status=f"{response.status:04X}",
        )
    return outcome


def log_unreadable(connection: Connection, opened: Opened, error: IsocenterError) -> None:
    """Say which instance could not be read or transcoded."""
    _log.error(
        "suboperation.unreadable",
        association_id=connection.record.association_id,
        sop_instance_uid=opened.outgoing.sop_instance_uid,
        reason=error.message,
    )


def log_without_context(connection: Connection, instances: Sequence[Sendable]) -> None:
    """Say which SOP classes and transfer syntaxes a receiver refused."""
    refused = {(one.sop_class_uid, ", ".join(one.transfer_syntax_uids)) for one in instances}
    for sop_class_uid, transfer_syntax_uid in sorted(refused):
        _log.warning(
            "suboperation.no_context",
            association_id=connection.record.association_id,
            peer=connection.peer.ae_title,
            sop_class_uid=sop_class_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            advice="The receiver took neither this transfer syntax nor one that the instances can be turned into.",
        )


def refusal_comment(ae_title: str, instance: Sendable) -> str:
    """Return for the requestor what a receiver takes neither as it is nor as it can be made; the log names them all."""
    sop_class_uid = instance.sop_class_uid
    return f"{ae_title}: no context for {uid_name(sop_class_uid) or sop_class_uid}, {instance.transfer_syntax_uids[0]}"


async def run_together(works: Sequence[asyncio.Task[None]]) -> None:
    """Wait for some tasks; where one fails, or the caller is cancelled, end them all."""
    try:
        await asyncio.gather(*works)
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
