"""What an association tells its owner.

The last event of every association is Closed, exactly once; Released, Aborted or AssociationRejected stands before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from isocenter.dimse.ul.pdu import AssociateAc, AssociateRj, AssociateRq, Pdv


@dataclass(frozen=True, slots=True)
class AssociationRequested:
    """A peer wants an association: answer with `accept` or `reject`."""

    request: AssociateRq


@dataclass(frozen=True, slots=True)
class AssociationAccepted:
    """The peer accepted our request; contexts it refused are not among `Association.contexts`."""

    answer: AssociateAc


@dataclass(frozen=True, slots=True)
class AssociationRejected:
    """The peer rejected our request, or the upper layer one of the peer that cannot be served at all."""

    answer: AssociateRj
    by_peer: bool
    diagnostic: str = ""


class PdvReceived(NamedTuple):
    """A fragment came; its data is a view of the bytes that were fed."""

    pdv: Pdv


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer wants to release: finish what is under way and call `release`."""


@dataclass(frozen=True, slots=True)
class Released:
    """The association ended in order."""

    by_peer: bool


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association ended at once."""

    by_peer: bool
    """True where the peer aborted or dropped the connection; false where we aborted for what it sent, or did not."""
    source: int
    reason: int
    diagnostic: str
    """One sentence for the log, without any value of an attribute."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over or is to be closed now; nothing follows."""


Event = (
    AssociationRequested
    | AssociationAccepted
    | AssociationRejected
    | PdvReceived
    | ReleaseRequested
    | Released
    | Aborted
    | Closed
)
