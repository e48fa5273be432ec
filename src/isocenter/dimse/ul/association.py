"""One association in either role: bytes in, events and bytes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.dimse.ul.events import Event
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.dimse.ul.pdu import AbortReason, AbortSource, AssociateAc, AssociateRj, AssociateRq, Buffer, Pdv


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """What was agreed for one context, seen from this end."""

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uid: str
    as_scu: bool
    """We may invoke operations."""
    as_scp: bool
    """The peer may invoke operations."""


class Association:
    """The state of one association; reads no clock and no socket."""

    contexts: Mapping[int, AcceptedContext] = MappingProxyType({})
    """By context id; empty before the negotiation ended."""
    peer_pdu_length_max: int = 0
    """Of the P-DATA-TF PDUs that the peer takes; 0 is without limit."""
    request: AssociateRq | None = None
    answer: AssociateAc | None = None

    @classmethod
    def acceptor(cls, limits: AssociationLimits, *, now_s: float) -> Association:
        """Return an association on a connection that a peer opened; the time for its request runs."""
        raise NotImplementedError

    @classmethod
    def requestor(cls, request: AssociateRq, limits: AssociationLimits, *, now_s: float) -> Association:
        """Return an association on a connection that we opened; its request is ready to be sent."""
        raise NotImplementedError

    def receive(self, data: Buffer, *, now_s: float) -> list[Event]:
        """Take bytes of the peer, which must not change afterwards; never raises for what they are."""
        raise NotImplementedError

    def receive_eof(self, *, now_s: float) -> list[Event]:
        """Take the end of the connection."""
        raise NotImplementedError

    def tick(self, *, now_s: float) -> list[Event]:
        """Let time pass; call it at `deadline_s` or later."""
        raise NotImplementedError

    @property
    def deadline_s(self) -> float | None:
        """Return when `tick` must be called, on the clock of `now_s`."""
        raise NotImplementedError

    def take_outgoing(self) -> list[Buffer]:
        """Return what is to be written now, in order; the caller writes each buffer whole."""
        raise NotImplementedError

    @property
    def wants_close(self) -> bool:
        """Tell whether the connection is to be closed as soon as what is outgoing is written."""
        raise NotImplementedError

    def accept(self, answer: AssociateAc, *, now_s: float) -> None:
        """Accept the association that the peer requested."""
        raise NotImplementedError

    def reject(self, answer: AssociateRj, *, now_s: float) -> None:
        """Reject the association that the peer requested."""
        raise NotImplementedError

    def send_pdvs(self, pdvs: Iterable[Pdv]) -> None:
        """Queue a P-DATA-TF PDU for each PDV; data is not copied and must not change until it is written.

        Raises AssociationOver where the association has ended meanwhile.
        """
        raise NotImplementedError

    def release(self, *, now_s: float) -> None:
        """Ask for the release, or agree to the peer's request; nothing can be sent afterwards."""
        raise NotImplementedError

    def abort(
        self,
        *,
        now_s: float,
        source: AbortSource = AbortSource.SERVICE_USER,
        reason: AbortReason = AbortReason.NOT_SPECIFIED,
    ) -> None:
        """End the association at once; harmless where it has ended."""
        raise NotImplementedError
