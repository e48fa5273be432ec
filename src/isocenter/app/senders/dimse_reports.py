"""How an association ended under an instance, or was not had, as a report of the router."""

from __future__ import annotations

from isocenter.app.dimse_report import report_of_peer
from isocenter.dimse.scu.errors import Unanswered
from isocenter.dimse.shell.record import AssociationRecord, ContextRecord, End
from isocenter.dimse.ul.pdu import ContextResult
from isocenter.domain.errors import IsocenterError
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    ContextRefused,
    Report,
    TransportFailed,
    TransportFault,
)


def report_of_opening(error: IsocenterError) -> Report:
    """Return why there is no association."""
    cause = error.__cause__
    return report_of_end(cause.record) if isinstance(cause, Unanswered) else report_of_peer(error)


def report_of_end(record: AssociationRecord) -> Report:
    """Return how an association ended while something was under way."""
    if record.end is End.ABORTED_BY_PEER and record.abort is not None:
        return AssociationAborted(*record.abort)
    if record.end is not End.ABORTED_BY_US or record.abort is None:
        return TransportFailed(TransportFault.CONNECTION_LOST)
    # We give an association up for two reasons: nothing comes, which has no code, or what comes is no PDU.
    is_silent = record.abort[1] == 0
    return TransportFailed(TransportFault.ANSWER_TIMEOUT if is_silent else TransportFault.ANSWER_GARBLED)


def report_of_refusal(refused: list[ContextRecord]) -> ContextRefused:
    """Return why no context for an instance is there."""
    results = [_result(context.refusal) for context in refused if context.refusal is not None]
    return ContextRefused(results[0] if results else ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED)


def _result(refusal: str) -> int:
    name = refusal.upper().replace(" ", "_")
    return ContextResult[name].value if name in ContextResult.__members__ else ContextResult.NO_REASON.value
