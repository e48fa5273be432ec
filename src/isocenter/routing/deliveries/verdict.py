"""What a report means for the delivery: one table for all protocols (routing-and-gateway 3.2, 6.3, 6.4).

delivered        the destination says of this instance that it has it
noted            it has it, with something to be told (a warning, a duplicate that is the same)
transient        try again, ever more slowly, until the delivery is too old
authentication   a new token once, at once; then the destination is suspended
misconfigured    the destination is suspended and probed: no single instance is at fault
deterministic    trying again changes nothing: a person decides, with the reason and a remedy before them
duplicate        an instance of this UID is there: compare it
conflict         it is another one: what the destination's `on_conflict` says
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    HttpAnswered,
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)


class Verdict(StrEnum):
    """What a report means."""

    DELIVERED = "delivered"
    NOTED = "noted"
    TRANSIENT = "transient"
    AUTHENTICATION = "authentication"
    MISCONFIGURED = "misconfigured"
    DETERMINISTIC = "deterministic"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


SUSPENDING = frozenset({Verdict.AUTHENTICATION, Verdict.MISCONFIGURED})
"""Deliveries wait; the destination is not tried with them until a probe, or a person, says that it is well."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from a report."""

    verdict: Verdict
    is_of_destination: bool = False
    """It would have met any instance, so that it counts for the breaker."""
    retry_after_s: float | None = None
    """What the destination asks for."""


_TRANSIENT_REJECTIONS = frozenset({(3, 1), (3, 2)})
"""Temporary congestion and local limit exceeded, whichever result they come with."""
_TRANSIENT_RESULT = 2
_DUPLICATE_SOP_INSTANCE = 0x0111
_OUT_OF_RESOURCES = 0xA7
"""The first two digits of A7xx."""

_DIMSE = {
    0x0000: Verdict.DELIVERED,
    0x0001: Verdict.NOTED,
    0x0107: Verdict.NOTED,
    0x0116: Verdict.NOTED,
    0x0110: Verdict.TRANSIENT,
    0x0124: Verdict.AUTHENTICATION,
    0x0210: Verdict.TRANSIENT,
    0x0213: Verdict.TRANSIENT,
    0xFE00: Verdict.TRANSIENT,
}
"""What stands in no range, else `_DIMSE_RANGES`, else deterministic."""
_DIMSE_RANGES = {_OUT_OF_RESOURCES: Verdict.TRANSIENT, **dict.fromkeys(range(0xB0, 0xC0), Verdict.NOTED)}
"""By the first two digits."""

_HTTP = {
    401: Verdict.AUTHENTICATION,
    403: Verdict.AUTHENTICATION,
    404: Verdict.MISCONFIGURED,
    405: Verdict.MISCONFIGURED,
    407: Verdict.MISCONFIGURED,
    408: Verdict.TRANSIENT,
    410: Verdict.MISCONFIGURED,
    421: Verdict.TRANSIENT,
    423: Verdict.TRANSIENT,
    424: Verdict.TRANSIENT,
    425: Verdict.TRANSIENT,
    429: Verdict.TRANSIENT,
    501: Verdict.MISCONFIGURED,
    505: Verdict.MISCONFIGURED,
    511: Verdict.MISCONFIGURED,
}
_HTTP_CLASSES = {
    1: Verdict.TRANSIENT,
    2: Verdict.TRANSIENT,
    3: Verdict.MISCONFIGURED,
    4: Verdict.DETERMINISTIC,
    5: Verdict.TRANSIENT,
}
"""By the first digit; a success that says nothing of the instance has not delivered it."""

ALREADY_EXISTS, BEING_CREATED = 45070, 45071
"""Failure reasons of Azure's DICOM service (dicom-service 2.4)."""
_FAILURE_REASONS = {
    0x0111: Verdict.DUPLICATE,
    0x0124: Verdict.AUTHENTICATION,
    0x0213: Verdict.TRANSIENT,
    ALREADY_EXISTS: Verdict.DUPLICATE,
    BEING_CREATED: Verdict.TRANSIENT,
}
"""Else A7xx is transient, and the rest deterministic: 0110 too, with which services refuse what does not validate."""

_TRANSPORT_MISCONFIGURED = frozenset(
    {
        TransportFault.TLS_NOT_SPOKEN,
        TransportFault.TLS_UNTRUSTED,
        TransportFault.TLS_EXPIRED,
        TransportFault.TLS_WRONG_NAME,
        TransportFault.TLS_REFUSED,
    }
)
_TOKEN_TRANSIENT = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_LOCAL = {
    LocalFault.SECRET_MISSING: Verdict.MISCONFIGURED,
    LocalFault.FOLDER_UNUSABLE: Verdict.MISCONFIGURED,
    LocalFault.CONFIGURATION_UNUSABLE: Verdict.MISCONFIGURED,
    LocalFault.DISK_FULL: Verdict.TRANSIENT,
    LocalFault.STORAGE_FAILED: Verdict.TRANSIENT,
}


def judge(report: Report, *, is_duplicate_stored: bool = True) -> Judgement:
    """Return what follows from a report.

    With `is_duplicate_stored` the C-STORE status 0111 is taken for stored, as peers that answer it mean it.
    """
    match report:
        case DimseAnswered(status):
            return _of_dimse_status(status, is_duplicate_stored=is_duplicate_stored)
        case HttpAnswered(status, retry_after_s):
            verdict = _HTTP.get(status) or _HTTP_CLASSES.get(status // 100, Verdict.TRANSIENT)
            return Judgement(verdict, verdict is not Verdict.DETERMINISTIC, retry_after_s)
        case InstanceStored() | InstanceFailed() | InstanceUnmentioned() | InstanceDiffers() | InstanceIdentical():
            return _of_instance(report)
        case AssociationRejected() | AssociationAborted() | ContextRefused():
            return _of_association(report)
        case TransportFailed(fault):
            is_misconfigured = fault in _TRANSPORT_MISCONFIGURED
            return Judgement(Verdict.MISCONFIGURED if is_misconfigured else Verdict.TRANSIENT, is_of_destination=True)
        case TokenRefused(error):
            is_transient = error in _TOKEN_TRANSIENT
            return Judgement(Verdict.TRANSIENT if is_transient else Verdict.AUTHENTICATION, is_of_destination=True)
        case LocalFailed(fault):
            verdict = _LOCAL.get(fault, Verdict.DETERMINISTIC)
            return Judgement(verdict, is_of_destination=verdict in SUSPENDING)


def _of_dimse_status(status: int, *, is_duplicate_stored: bool) -> Judgement:
    if status == _DUPLICATE_SOP_INSTANCE:
        return Judgement(Verdict.NOTED if is_duplicate_stored else Verdict.DUPLICATE)
    verdict = _DIMSE.get(status) or _DIMSE_RANGES.get(status >> 8, Verdict.DETERMINISTIC)
    return Judgement(verdict, is_of_destination=verdict in SUSPENDING or status >> 8 == _OUT_OF_RESOURCES)


def _of_instance(
    report: InstanceStored | InstanceFailed | InstanceUnmentioned | InstanceDiffers | InstanceIdentical,
) -> Judgement:
    match report:
        case InstanceStored(warning_reason):
            return Judgement(Verdict.NOTED if warning_reason else Verdict.DELIVERED)
        case InstanceFailed(reason):
            is_short_of_resources = reason >> 8 == _OUT_OF_RESOURCES
            otherwise = Verdict.TRANSIENT if is_short_of_resources else Verdict.DETERMINISTIC
            verdict = _FAILURE_REASONS.get(reason, otherwise)
            return Judgement(verdict, is_of_destination=verdict in SUSPENDING or is_short_of_resources)
        case InstanceUnmentioned():
            return Judgement(Verdict.TRANSIENT)
        case InstanceDiffers():
            return Judgement(Verdict.CONFLICT)
        case InstanceIdentical():
            return Judgement(Verdict.NOTED)


def _of_association(report: AssociationRejected | AssociationAborted | ContextRefused) -> Judgement:
    match report:
        case AssociationRejected(result, source, reason):
            is_transient = result == _TRANSIENT_RESULT or (source, reason) in _TRANSIENT_REJECTIONS
            return Judgement(Verdict.TRANSIENT if is_transient else Verdict.MISCONFIGURED, is_of_destination=True)
        case AssociationAborted():
            return Judgement(Verdict.TRANSIENT, is_of_destination=True)
        case ContextRefused():
            return Judgement(Verdict.DETERMINISTIC)
