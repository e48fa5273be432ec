"""What another AE, or the way to it, failed with, as a report of the router: from an error to its evidence."""

from __future__ import annotations

from isocenter.app.transport_fault import socket_fault
from isocenter.dimse.scu.errors import AssociationRefused, PeerBusy, RequestFailed
from isocenter.dimse.scu.errors import ContextRefused as NoContext
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.errors import InvalidSetting, IsocenterError, PeerUnreachable
from isocenter.routing.deliveries.report import (
    AssociationAborted,
    AssociationRejected,
    ContextRefused,
    DimseAnswered,
    LocalFailed,
    LocalFault,
    Report,
    TransportFailed,
    TransportFault,
)

_ABSTRACT_SYNTAX_NOT_SUPPORTED = 3


def report_of_peer(error: IsocenterError) -> Report:
    """Return what an error of a request to another AE says of it."""
    if isinstance(error, AssociationRefused | PeerBusy) and error.rejection is not None:
        answer = error.rejection
        return AssociationRejected(int(answer.result), int(answer.source), int(answer.reason))
    if isinstance(error, AssociationRefused):  # it was we: it did not show the certificate that it must
        return TransportFailed(TransportFault.TLS_WRONG_NAME)
    if isinstance(error, RequestFailed):
        return DimseAnswered(error.status)
    if isinstance(error, NoContext):
        return ContextRefused(_ABSTRACT_SYNTAX_NOT_SUPPORTED)
    if isinstance(error, PeerUnreachable):
        return TransportFailed(socket_fault(error) or TransportFault.CONNECTION_LOST)
    if isinstance(error, InvalidSetting):
        return LocalFailed(LocalFault.SECRET_MISSING)
    if isinstance(error.__cause__, AssociationOver):
        return AssociationAborted(0, 0)
    return TransportFailed(TransportFault.CONNECTION_LOST)
