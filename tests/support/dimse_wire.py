"""Associations without a network: a request to begin with, both ends on an imaginary wire, every reachable state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from isocenter.dimse.ul.association import Association
from isocenter.dimse.ul.events import Event, PdvReceived
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.dimse.ul.negotiation import AcceptedSyntax, NegotiationPolicy, negotiate
from isocenter.dimse.ul.pdu import (
    REJECT_NO_REASON,
    AssociateAc,
    AssociateRq,
    Pdu,
    Pdv,
    PresentationContextRq,
    ReleaseRq,
)
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.state_table import State
from isocenter.dimse.ul.user_information import UserInformation

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
LIMITS = AssociationLimits(artim_timeout_s=30, request_timeout_s=60, idle_timeout_s=360)
PDU_LENGTH_MAX = 4096
USER_INFORMATION = UserInformation(PDU_LENGTH_MAX, "1.2.3.4", "TEST")
REQUEST = AssociateRq(
    called_ae_title="ACCEPTOR",
    calling_ae_title="REQUESTOR",
    presentation_contexts=(
        PresentationContextRq(1, VERIFICATION, (IMPLICIT,)),
        PresentationContextRq(3, CT_IMAGE_STORAGE, (EXPLICIT, IMPLICIT)),
    ),
    user_information=USER_INFORMATION,
)
POLICY = NegotiationPolicy(
    accept_abstract_syntax=lambda uid: AcceptedSyntax(None),
    maximum_length_received=PDU_LENGTH_MAX,
    implementation_class_uid="1.2.3.5",
    implementation_version_name="OTHER",
)
ANSWER = negotiate(REQUEST, POLICY)


def sent_by(association: Association) -> bytes:
    """Take what an association wants to be written."""
    return b"".join(association.take_outgoing())


@dataclass
class Wire:
    """Both ends of a connection, with what is under way in each direction."""

    requestor: Association = field(default_factory=lambda: Association.requestor(REQUEST, LIMITS, now_s=0))
    acceptor: Association = field(default_factory=lambda: Association.acceptor(LIMITS, now_s=0))
    requestor_events: list[Event] = field(default_factory=list)
    acceptor_events: list[Event] = field(default_factory=list)

    def exchange(self, *, now_s: float = 1) -> None:
        """Carry bytes to and fro until both ends are silent."""
        while True:
            there, back = sent_by(self.requestor), sent_by(self.acceptor)
            if not there and not back:
                return
            self.acceptor_events += self.acceptor.receive(there, now_s=now_s)
            self.requestor_events += self.requestor.receive(back, now_s=now_s)


def established(*, answer: AssociateAc = ANSWER) -> Wire:
    """Return two ends that have agreed on an association."""
    wire = Wire()
    wire.exchange()
    wire.acceptor.accept(answer, now_s=1)
    wire.exchange()
    wire.requestor_events.clear()
    wire.acceptor_events.clear()
    return wire


def in_state(state: State) -> Association:
    """Return an association in a state in which it can be found from outside, with nothing left to be sent or told."""
    if state in (State.AWAITING_ASSOCIATE_RQ, State.AWAITING_LOCAL_ASSOCIATE_RESPONSE, State.AWAITING_CLOSE):
        association = _acceptor_in(state)
    elif state is State.AWAITING_ASSOCIATE_ANSWER:
        association = Association.requestor(REQUEST, LIMITS, now_s=0)
    else:
        association = _established_in(state)
    assert association.state is state
    association.take_outgoing()
    association.receive(b"", now_s=1)
    return association


REACHABLE_STATES = tuple(
    state
    for state in State
    # The first is over, the others are left again in the moment they are entered.
    if state
    not in (
        State.IDLE,
        State.AWAITING_TRANSPORT,
        State.COLLISION_REQUESTOR_LOCAL,
        State.COLLISION_ACCEPTOR_LOCAL,
    )
)


def _acceptor_in(state: State) -> Association:
    association = Association.acceptor(LIMITS, now_s=0)
    if state is not State.AWAITING_ASSOCIATE_RQ:
        association.receive(encode_pdu(REQUEST), now_s=0)
    if state is State.AWAITING_CLOSE:
        association.reject(REJECT_NO_REASON, now_s=0)
    return association


def _established_in(state: State) -> Association:
    wire = established()
    association = wire.acceptor if state is State.COLLISION_ACCEPTOR_RP else wire.requestor
    if state in (State.AWAITING_RELEASE_RP, State.COLLISION_ACCEPTOR_RP, State.COLLISION_REQUESTOR_RP):
        association.release(now_s=1)
    if state in (
        State.AWAITING_LOCAL_RELEASE_RESPONSE,
        State.COLLISION_ACCEPTOR_RP,
        State.COLLISION_REQUESTOR_RP,
    ):
        association.receive(encode_pdu(ReleaseRq()), now_s=1)
    return association


def joined(events: Iterable[Event]) -> list[Event]:
    """Return events with the pieces of each PDV joined and their data as bytes, so that they can be compared."""
    out: list[Event] = []
    for event in events:
        if not isinstance(event, PdvReceived):
            out.append(event)
            continue
        pdv = event.pdv._replace(data=bytes(event.pdv.data))
        before = out[-1].pdv if out and isinstance(out[-1], PdvReceived) else None
        if before is not None and before[:2] == pdv[:2] and not before.is_last:
            pdv = pdv._replace(data=bytes(before.data) + bytes(pdv.data))
            out.pop()
        out.append(PdvReceived(pdv))
    return out


def encoded(*pdus: Pdu) -> bytes:
    """Return PDUs one behind the other."""
    return b"".join(map(encode_pdu, pdus))


def command_pdv(data: bytes = b"command", *, context_id: int = 1) -> Pdv:
    """Return a PDV that holds a whole command."""
    return Pdv(context_id, True, True, data)
