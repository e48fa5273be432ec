"""What a DICOMweb service, or the way to it, failed with, as a report of the router: from an error to its evidence."""

from __future__ import annotations

import httpx

from isocenter.app.transport_fault import causes, system_fault
from isocenter.dicomweb.client.answers import AnsweredStatus
from isocenter.dicomweb.client.credentials import TokenFailure
from isocenter.dicomweb.client.upload import StoreResult
from isocenter.domain.errors import InvalidSetting, IsocenterError
from isocenter.routing.deliveries.report import (
    HttpAnswered,
    InstanceFailed,
    InstanceStored,
    InstanceUnmentioned,
    LocalFailed,
    LocalFault,
    Report,
    TokenRefused,
    TransportFailed,
    TransportFault,
)

_BY_CONNECTION: tuple[tuple[type[Exception], TransportFault], ...] = (
    (httpx.ConnectTimeout, TransportFault.CONNECT_TIMEOUT),
    (httpx.TimeoutException, TransportFault.ANSWER_TIMEOUT),
    (httpx.ConnectError, TransportFault.UNREACHABLE),
    (httpx.DecodingError, TransportFault.ANSWER_GARBLED),
    (httpx.TransportError, TransportFault.CONNECTION_LOST),
)


def report_of(error: IsocenterError) -> Report:
    """Return what an error of a client of DICOMweb says of a delivery, a search or a retrieval."""
    cause = error.__cause__
    match cause:
        case AnsweredStatus():
            return HttpAnswered(cause.status, cause.retry_after_s)
        case TokenFailure():
            return TokenRefused(cause.code)
        case httpx.TransportError() | httpx.DecodingError():
            return TransportFailed(_fault_of(cause))
        case _ if isinstance(error, InvalidSetting):
            return LocalFailed(LocalFault.SECRET_MISSING)
        case _:  # success, and then an answer that no DICOMweb service gives
            return TransportFailed(TransportFault.ANSWER_GARBLED)


def report_of_result(result: StoreResult) -> Report:
    """Return what a store response says of one instance."""
    if result.http_status is not None:
        return HttpAnswered(result.http_status)
    if not result.is_known:
        return InstanceUnmentioned()
    if result.failure_reason is not None:
        return InstanceFailed(result.failure_reason)
    return InstanceStored(result.warning_reason or 0)


def _fault_of(error: Exception) -> TransportFault:
    said = next(filter(None, map(system_fault, causes(error))), None)
    return said or next(fault for kind, fault in _BY_CONNECTION if isinstance(error, kind))
