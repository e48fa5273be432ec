"""Ask a peer to commit to the safekeeping of instances, and take its report (PS3.4 J.3).

The report comes on the association of the request, if that is still there, or on one that the peer opens to us.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.commitment import (
    ALL_COMMITTED,
    FAILURES_EXIST,
    REQUEST_STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    STORAGE_COMMITMENT_PUSH_MODEL,
    decode_commitment_report,
    encode_commitment_request,
)
from isocenter.dimse.message.messages import NActionRq, NEventReportRq, NEventReportRsp
from isocenter.dimse.message.statuses import (
    INVALID_ARGUMENT_VALUE,
    NO_SUCH_EVENT_TYPE,
    PROCESSING_FAILURE,
    SUCCESS,
)
from isocenter.dimse.scu.client import ProposedContext
from isocenter.dimse.scu.requests import require_context, require_success
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.dispatch import comment_of
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.shell.service import Perform, Service
from isocenter.dimse.ul.negotiation import AcceptorRole
from isocenter.domain.application_entity import AeService
from isocenter.domain.commitment import CommitmentRequest, CommitmentResult
from isocenter.domain.errors import InvalidDataset, InvalidRequest, TooLarge

DATASET_SIZE_MAX_BYTES = 8 * 1024**2
"""A request or report of as many instances as are taken has some 4 MB."""
COMMITMENT_CONTEXT = ProposedContext(STORAGE_COMMITMENT_PUSH_MODEL)


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What a peer reports."""

    transaction_uid: str
    result: CommitmentResult
    peer_ae_title: str


TakeReport = Callable[[CommitmentReport], Awaitable[bool]]
"""Takes a report; returns False where nobody asked that peer for it."""


async def ask_for_commitment(connection: Connection, request: CommitmentRequest) -> None:
    """Send a request over an association that proposed `COMMITMENT_CONTEXT`.

    Raises ContextRefused, RequestFailed, AssociationOver.
    """
    context = require_context(connection, STORAGE_COMMITMENT_PUSH_MODEL)
    message = NActionRq(
        message_id=connection.next_message_id(),
        requested_sop_class_uid=STORAGE_COMMITMENT_PUSH_MODEL,
        requested_sop_instance_uid=STORAGE_COMMITMENT_INSTANCE,
        action_type_id=REQUEST_STORAGE_COMMITMENT,
    )
    information = encode_commitment_request(request, encoding_of(context.transfer_syntax_uid))
    answer = await connection.invoke(context.context_id, message, [information])
    require_success(connection, answer.response)


def report_service(take: TakeReport) -> Service:
    """Return the service that takes reports and nothing else."""
    return Service(
        AeService.COMMITMENT,
        frozenset({STORAGE_COMMITMENT_PUSH_MODEL}),
        performs={NEventReportRq: report_performer(take)},
        role=AcceptorRole.SCU,
        dataset_size_max_bytes=DATASET_SIZE_MAX_BYTES,
    )


def report_performer(take: TakeReport) -> Perform:
    """Return what performs an N-EVENT-REPORT."""

    async def perform(exchange: Exchange, request: NEventReportRq, information: bytes | None) -> None:
        status, comment = await _take(exchange, request, information, take)
        await exchange.respond(
            NEventReportRsp(
                message_id_being_responded_to=request.message_id,
                affected_sop_class_uid=request.affected_sop_class_uid,
                affected_sop_instance_uid=request.affected_sop_instance_uid,
                event_type_id=request.event_type_id,
                status=status,
                error_comment=comment_of(comment) if comment else None,
            )
        )

    return perform


async def _take(
    exchange: Exchange, request: NEventReportRq, information: bytes | None, take: TakeReport
) -> tuple[int, str]:
    """Return status and comment of the response."""
    if request.event_type_id not in (ALL_COMMITTED, FAILURES_EXIST):
        return NO_SUCH_EVENT_TYPE, "The event types of storage commitment are 1 and 2."
    encoding = encoding_of(exchange.context.transfer_syntax_uid)
    try:
        transaction_uid, result = decode_commitment_report(information or b"", encoding)
    except (InvalidRequest, InvalidDataset, TooLarge) as error:
        return INVALID_ARGUMENT_VALUE, error.message
    if await take(CommitmentReport(transaction_uid, result, exchange.peer.ae_title)):
        return SUCCESS, ""
    return PROCESSING_FAILURE, "No commitment of that transaction UID was asked for."
