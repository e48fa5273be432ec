"""Storage commitment: take requests, look for the instances, report (PS3.4 J.3, routing-and-gateway 6.5).

    N-ACTION ─▶ durable ─▶ N-ACTION-RSP ─▶ look, verify ─▶ N-EVENT-REPORT on the same association
                                                              └─ over or refused ─▶ on a new one ─▶ later again

What is not done when the node stops is taken up by the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.commitment import (
    Examine,
    Titles,
    check_commitment,
    check_elsewhere,
    due_commitments,
    forget_ended,
    hold,
    note_not_reported,
    note_reported,
    note_unanswered,
    request_commitment,
    take_report,
)
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.commitment import (
    REQUEST_STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    STORAGE_COMMITMENT_PUSH_MODEL,
    decode_commitment_request,
    encode_commitment_report,
    event_type_of,
)
from isocenter.dimse.message.messages import NActionRq, NActionRsp, NEventReportRq
from isocenter.dimse.message.statuses import (
    INVALID_ARGUMENT_VALUE,
    NO_SUCH_ACTION,
    NO_SUCH_SOP_CLASS,
    NO_SUCH_SOP_INSTANCE,
    RESOURCE_LIMITATION,
    SUCCESS,
    StatusCategory,
    category_of,
)
from isocenter.dimse.scp.storage_classes import is_storage_class
from isocenter.dimse.scu.client import Opener, ProposedContext
from isocenter.dimse.scu.commitment import DATASET_SIZE_MAX_BYTES, CommitmentReport, report_performer
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.dispatch import comment_of
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.shell.runtime import Runtime
from isocenter.dimse.shell.service import Service
from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.dimse.ul.negotiation import AcceptorRole
from isocenter.domain.application_entity import AeService, RemoteAe
from isocenter.domain.commitment import Commitment, CommitmentState, Side
from isocenter.domain.errors import InvalidDataset, InvalidRequest, IsocenterError, Overloaded, TooLarge

_log = structlog.get_logger()

LOOK_INTERVAL_S = 5.0
"""How late a report may be taken up again; the wait between attempts is that long at least."""
FORGET_INTERVAL_S = 3600.0
IN_HAND_MAX = 8
"""Transactions in hand at once, most of them waiting for slow peers; instances are verified for one at a time."""

_REPORT_CONTEXT = ProposedContext(STORAGE_COMMITMENT_PUSH_MODEL, as_scu=False, as_scp=True)


@dataclass(frozen=True, slots=True)
class _Origin:
    """The association that a request came on."""

    connection: Connection
    context: AcceptedContext


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where instances lie that are not in the archive, and under which title of ours they are asked for."""

    ae_title: str
    examine: Examine


class CommitmentProvider:
    """The storage commitment service of a node: the provider's side, and reports to requests of our own."""

    def __init__(
        self,
        archive: Archive,
        runtime: Runtime,
        opener: Opener,
        *,
        find_peer: Callable[[str], RemoteAe | None],
        accepts_private_classes: bool = True,
        look_interval_s: float = LOOK_INTERVAL_S,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Make one; `find_peer` tells where the AE of a title can be called.

        With `elsewhere`, instances are looked for there and not in the archive.
        """
        self._archive = archive
        self._commitments = archive.commitments
        self._runtime = runtime
        self._opener = opener
        self._find_peer = find_peer
        self._accepts_private_classes = accepts_private_classes
        self._look_interval_s = look_interval_s
        self._elsewhere = elsewhere
        self.titles = Titles() if elsewhere is None else Titles(only=frozenset({elsewhere.ae_title}))
        """Under which titles transactions were begun that it sees to; others are left to their own providers."""
        self._in_hand: dict[int, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(IN_HAND_MAX)
        self._checking = asyncio.Semaphore(1)
        self._looking: asyncio.Task[None] | None = None
        self._forgot_at_s = float("-inf")

    def service(self) -> Service:
        """Return the row of the table of services."""
        return Service(
            AeService.COMMITMENT,
            frozenset({STORAGE_COMMITMENT_PUSH_MODEL}),
            performs={NActionRq: self._request, NEventReportRq: report_performer(self._take_report)},
            role=AcceptorRole.BOTH,
            dataset_size_max_bytes=DATASET_SIZE_MAX_BYTES,
        )

    def start(self) -> None:
        """Take up what is due, now and from time to time."""
        self._looking = self._runtime.loop.create_task(self._look())

    async def stop(self) -> None:
        """Leave what is in hand to the next start."""
        tasks = [*self._in_hand.values(), *([self._looking] if self._looking is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _now(self) -> float:
        return self._archive.clock.now().timestamp()

    # ---- requests

    async def _request(self, exchange: Exchange, request: NActionRq, information: bytes | None) -> None:
        status, comment = _objection(exchange, request)
        commitment: Commitment | None = None
        if status == SUCCESS:
            try:
                commitment = await exchange.run(self._keep, exchange, information or b"")
            except (InvalidRequest, InvalidDataset) as error:
                status, comment = INVALID_ARGUMENT_VALUE, error.message
            except (Overloaded, TooLarge) as error:
                status, comment = RESOURCE_LIMITATION, error.message
        await exchange.respond(
            NActionRsp(
                message_id_being_responded_to=request.message_id,
                affected_sop_class_uid=request.requested_sop_class_uid,
                affected_sop_instance_uid=request.requested_sop_instance_uid,
                action_type_id=request.action_type_id,
                status=status,
                error_comment=comment_of(comment) if comment else None,
            )
        )
        if commitment is not None:
            self._take_in_hand(commitment, _Origin(exchange.connection, exchange.context))

    def _keep(self, exchange: Exchange, information: bytes) -> Commitment:
        request = decode_commitment_request(information, encoding_of(exchange.context.transfer_syntax_uid))
        commitment = request_commitment(
            self._commitments,
            exchange.peer.principal,
            request,
            peer_ae_title=exchange.peer.ae_title,
            own_ae_title=exchange.connection.record.called_ae_title,
            now=self._now(),
        )
        _log.info(
            "commitment.requested",
            transaction_uid=request.transaction_uid,
            peer=commitment.peer_ae_title,
            instances=len(request.references),
            named=request.named_count,
            duplicate=commitment.is_duplicate,
        )
        return commitment

    async def _take_report(self, report: CommitmentReport) -> bool:
        taken = await self._runtime.run(
            take_report,
            self._commitments,
            report.transaction_uid,
            report.result,
            peer_ae_title=report.peer_ae_title,
            now=self._now(),
        )
        _log.info(
            "commitment.answered" if taken else "commitment.not_asked",
            transaction_uid=report.transaction_uid,
            peer=report.peer_ae_title,
            committed=len(report.result.committed),
            failed=len(report.result.failed),
        )
        return taken

    # ---- reports

    async def _look(self) -> None:
        while True:
            try:
                now = self._now()
                due = await self._runtime.run(
                    due_commitments, self._commitments, now=now, limit=IN_HAND_MAX, titles=self.titles
                )
                for commitment in due:
                    self._take_in_hand(commitment, None)
                if now - self._forgot_at_s > FORGET_INTERVAL_S:
                    self._forgot_at_s = now
                    await self._runtime.run(forget_ended, self._commitments, now=now)
            except IsocenterError as error:
                _log.error("commitment.look_failed", reason=error.message)
            except Exception:  # outermost loop: what is due waits for the next look
                _log.exception("commitment.look_broken")
            await asyncio.sleep(self._look_interval_s)

    def _take_in_hand(self, commitment: Commitment, origin: _Origin | None) -> None:
        key = commitment.commitment_key
        if key not in self._in_hand:
            task = self._runtime.loop.create_task(self._settle(commitment, origin))
            self._in_hand[key] = task
            task.add_done_callback(lambda _: self._in_hand.pop(key, None))

    async def _settle(self, commitment: Commitment, origin: _Origin | None) -> None:
        try:
            async with self._places:
                await self._advance(commitment, origin)
        except IsocenterError as error:
            _log.error("commitment.failed", commitment_key=commitment.commitment_key, reason=error.message)
        except Exception:  # outermost loop of a transaction: its lease runs out, and it is taken up again
            _log.exception("commitment.broken", commitment_key=commitment.commitment_key)

    async def _advance(self, commitment: Commitment, origin: _Origin | None) -> None:
        run, store = self._runtime.run, self._commitments
        if commitment.side is Side.USER:
            await run(note_unanswered, store, commitment, problem="No report came in time.", now=self._now())
            return
        commitment = await run(hold, store, commitment, now=self._now())
        if commitment.state is CommitmentState.REQUESTED:
            async with self._checking:
                commitment = await self._check(commitment)
        if commitment.state is CommitmentState.CHECKED:
            problem = await self._report(commitment, origin)
            if problem is None:
                commitment = await run(note_reported, store, commitment, now=self._now())
            else:
                commitment = await run(note_not_reported, store, commitment, problem=problem, now=self._now())
        _log_state(commitment)

    async def _check(self, commitment: Commitment) -> Commitment:
        run, store = self._runtime.run, self._commitments
        if self._elsewhere is None:
            return await run(check_commitment, self._archive, store, commitment, is_supported=self._is_supported)
        return await run(check_elsewhere, store, commitment, self._elsewhere.examine, now=self._now())

    def _is_supported(self, sop_class_uid: str) -> bool:
        return is_storage_class(sop_class_uid, accepts_private=self._accepts_private_classes)

    async def _report(self, commitment: Commitment, origin: _Origin | None) -> str | None:
        """Tell the peer, over the association of the request or a new one; return why it did not take it."""
        if origin is not None and origin.connection.is_open:
            with suppress(AssociationOver):
                return await _send(origin.connection, origin.context, commitment)
        peer = self._find_peer(commitment.peer_ae_title)
        if peer is None:
            return f"No address is known for {commitment.peer_ae_title}; add it to dicom.remotes."
        try:
            async with self._opener.association(peer, [_REPORT_CONTEXT]) as connection:
                context = next(iter(connection.contexts.values()), None)
                if context is None:
                    return f"{peer.ae_title} takes no reports of storage commitment."
                return await _send(connection, context, commitment)
        except AssociationOver:
            return f"{peer.ae_title} ended the association before it answered."
        except IsocenterError as error:
            return error.message


def _log_state(commitment: Commitment) -> None:
    result = commitment.result
    _log.info(
        f"commitment.{commitment.state.value}",
        transaction_uid=commitment.request.transaction_uid,
        peer=commitment.peer_ae_title,
        committed=len(result.committed) if result is not None else 0,
        failed=len(result.failed) if result is not None else 0,
        attempts=commitment.attempts,
        **({"problem": commitment.problem} if commitment.problem else {}),
    )


def _objection(exchange: Exchange, request: NActionRq) -> tuple[int, str]:
    """Return why a request is refused as it stands, success where it is not."""
    if request.requested_sop_class_uid != exchange.context.abstract_syntax_uid:
        return NO_SUCH_SOP_CLASS, "The SOP class is not that of the presentation context."
    if request.requested_sop_instance_uid != STORAGE_COMMITMENT_INSTANCE:
        return NO_SUCH_SOP_INSTANCE, "The SOP instance is not the well-known one of storage commitment."
    if request.action_type_id != REQUEST_STORAGE_COMMITMENT:
        return NO_SUCH_ACTION, "The action type of storage commitment is 1."
    return SUCCESS, ""


async def _send(connection: Connection, context: AcceptedContext, commitment: Commitment) -> str | None:
    """Send a report; return why the peer did not take it. Raises AssociationOver."""
    result = commitment.result
    assert result is not None
    message = NEventReportRq(
        message_id=connection.next_message_id(),
        affected_sop_class_uid=STORAGE_COMMITMENT_PUSH_MODEL,
        affected_sop_instance_uid=STORAGE_COMMITMENT_INSTANCE,
        event_type_id=event_type_of(result),
    )
    information = encode_commitment_report(
        commitment.request.transaction_uid,
        result,
        encoding_of(context.transfer_syntax_uid),
        retrieve_ae_title=commitment.own_ae_title,
    )
    answer = await connection.invoke(context.context_id, message, [information])
    if category_of(answer.response.status) in (StatusCategory.SUCCESS, StatusCategory.WARNING):
        return None
    return f"{commitment.peer_ae_title} answered the report with status 0x{answer.response.status:04X}."
