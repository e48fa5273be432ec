"""What another archive failed with, in the words of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from isocenter.app.dimse_report import report_of_peer
from isocenter.app.web_report import report_of
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.dimse.scu.errors import RequestFailed
from isocenter.dimse.ul.errors import AssociationOver
from isocenter.domain.errors import IsocenterError, Unavailable
from isocenter.routing.catalogue.entry import Entry, Family
from isocenter.routing.catalogue.lookup import entry_of, explain_report
from isocenter.web.pages.query_exchange import PeerFailed

RETRIED = "It is tried again. "
"""What the catalogue says of deliveries, and what nobody does here."""


@contextmanager
def dimse_failures(peer: str, family: Family) -> Iterator[None]:
    """Raise PeerFailed for what another AE answers or fails with; `family` is that of its statuses."""
    try:
        yield
    except PeerFailed:
        raise
    except AssociationOver as error:
        over = Unavailable(f"The association with {peer} ended early.")
        over.__cause__ = error
        raise _failed(over.message, explain_report(report_of_peer(over))) from error
    except IsocenterError as error:
        is_status = isinstance(error, RequestFailed)
        code = f"{error.status:04X}" if isinstance(error, RequestFailed) else ""
        entry = entry_of(family, code) if is_status else explain_report(report_of_peer(error))
        raise _failed(error.message, entry) from error


@contextmanager
def web_failures(peer: str) -> Iterator[None]:
    """Raise PeerFailed for what a DICOMweb service answers or fails with."""
    try:
        yield
    except PeerFailed:
        raise
    except FinalStatus as failure:
        cause = failure.__cause__
        if isinstance(cause, IsocenterError):
            raise _failed(cause.message, explain_report(report_of(cause))) from failure
        raise PeerFailed(f"{peer} cannot be searched for this: {failure.comment}") from failure
    except IsocenterError as error:
        raise _failed(error.message, explain_report(report_of(error))) from error


def _failed(message: str, entry: Entry) -> PeerFailed:
    return PeerFailed(message, meaning=entry.meaning, remedy=entry.remedy.replace(RETRIED, ""), key=entry.key)
