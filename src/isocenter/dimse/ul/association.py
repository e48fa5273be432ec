"""One association in either role: bytes in, events and bytes out (PS3.8 9.2).

The state table says what happens, the actions at the end of this module carry it out. Whoever owns an association

    events = association.receive(data, now_s=…)     for bytes that came, receive_eof where the connection ended
    for buffer in association.take_outgoing(): …    written after every call
    association.tick(now_s=…)                       at association.deadline_s
    if association.wants_close: …                   closes the connection when all is written

and may call `accept`, `reject`, `send_pdvs`, `release` and `abort` in between. No peer can make one of them raise other
than AssociationOver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from isocenter.dimse.ul.contexts import AcceptedContext
from isocenter.dimse.ul.errors import AssociationOver, BeyondLocalLimit, OutOfTurn, ProtocolViolation
from isocenter.dimse.ul.events import Event, PdvReceived
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.dimse.ul.machine import ABORT_OF_USER, OVER_STATES, Cause, Machine
from isocenter.dimse.ul.pdu import (
    APPLICATION_CONTEXT_NAME,
    PDU_LENGTH_FIELD_MAX,
    PDV_HEADER_LENGTH,
    PROTOCOL_VERSION,
    REJECT_APPLICATION_CONTEXT,
    REJECT_PROTOCOL_VERSION,
    REJECT_REQUEST_BEYOND_LIMIT,
    Abort,
    AbortReason,
    AbortSource,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    Buffer,
    Pdu,
    Pdv,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.pdu_decoder import DataBegun, PduDecoder
from isocenter.dimse.ul.pdu_encoder import encode_data_header
from isocenter.dimse.ul.state_table import State, Stimulus, transition_of

_IDLE_TIMER_STATES = frozenset({State.ESTABLISHED, State.AWAITING_LOCAL_RELEASE_RESPONSE})
_DATA_CAUSE = Cause(diagnostic="A P-DATA-TF PDU came unexpectedly.")
_OtherPdu = AssociateAc | AssociateRj | ReleaseRq | ReleaseRp | Abort
_PDU_STIMULI: Mapping[type[_OtherPdu], Stimulus] = MappingProxyType(
    {
        AssociateAc: Stimulus.ASSOCIATE_AC_PDU,
        AssociateRj: Stimulus.ASSOCIATE_RJ_PDU,
        ReleaseRq: Stimulus.RELEASE_RQ_PDU,
        ReleaseRp: Stimulus.RELEASE_RP_PDU,
        Abort: Stimulus.ABORT_PDU,
    }
)


class Association:
    """The state of one association; reads no clock and no socket."""

    def __init__(self, limits: AssociationLimits, *, is_requestor: bool, now_s: float) -> None:
        self._limits = limits
        self._machine = Machine(limits, is_requestor=is_requestor)
        self._decoder = PduDecoder(associate_length_max=limits.associate_length_max)
        self._active_at_s = now_s
        self._has_sent = False

    @classmethod
    def acceptor(cls, limits: AssociationLimits, *, now_s: float) -> Association:
        """Return an association on a connection that a peer opened; the time for its request runs."""
        association = cls(limits, is_requestor=False, now_s=now_s)
        association._machine.stimulate(Stimulus.TRANSPORT_INDICATED, now_s=now_s)
        return association

    @classmethod
    def requestor(cls, request: AssociateRq, limits: AssociationLimits, *, now_s: float) -> Association:
        """Return an association on a connection that we opened; its request is ready to be sent.

        Raises InvalidRequest where the request does not fit into its PDU.
        """
        association = cls(limits, is_requestor=True, now_s=now_s)
        association._decoder.data_length_max = request.user_information.maximum_length_received
        association._machine.stimulate(Stimulus.ASSOCIATE_REQUEST, now_s=now_s)
        association._machine.stimulate(Stimulus.TRANSPORT_CONFIRMED, Cause(request), now_s=now_s)
        return association

    @property
    def state(self) -> State:
        """Return the state of PS3.8 table 9-10."""
        return self._machine.state

    @property
    def request(self) -> AssociateRq | None:
        """Return what was asked for, by whichever side."""
        return self._machine.request

    @property
    def answer(self) -> AssociateAc | None:
        """Return how it was accepted."""
        return self._machine.answer

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """Return what was agreed on, by context ID; empty before the association is established."""
        return self._machine.contexts

    @property
    def peer_pdu_length_max(self) -> int:
        """Return how long P-DATA-TF PDUs may be for the peer; 0 is without limit."""
        return self._machine.peer_pdu_length_max

    @property
    def deadline_s(self) -> float | None:
        """Return when `tick` must be called, on the clock of `now_s`."""
        if self._machine.state not in _IDLE_TIMER_STATES:
            return self._machine.timer_s
        idle_timeout_s = self._limits.idle_timeout_s
        return None if idle_timeout_s is None else self._active_at_s + idle_timeout_s

    @property
    def outgoing_bytes(self) -> int:
        """Return how much waits to be written."""
        return sum(map(len, self._machine.outgoing))

    @property
    def wants_close(self) -> bool:
        """Tell whether the connection is to be closed as soon as what is outgoing is written."""
        return self._machine.state is State.IDLE

    def receive(self, data: Buffer, *, now_s: float) -> list[Event]:
        """Take bytes of the peer, which must not change afterwards; never raises for what they are."""
        if self._machine.is_deaf:
            return self._take_events()
        machine = self._machine
        self._active_at_s = now_s
        for decoded in self._decoder.feed(data):
            if not isinstance(decoded, Pdv):
                self._take_pdu(decoded, now_s=now_s)
            elif not machine.takes_data:
                continue
            elif decoded.context_id in machine.contexts:
                machine.events.append(PdvReceived(decoded))
            else:
                violation = ProtocolViolation("A PDV has the ID of a context that was not accepted.")
                self._take_pdu(violation, now_s=now_s)
            if machine.is_deaf:
                break
        return self._take_events()

    def receive_eof(self, *, now_s: float) -> list[Event]:
        """Take the end of the connection, from whichever side."""
        if self.state is not State.IDLE:
            cause = Cause(diagnostic="The connection ended without a release.")
            self._machine.stimulate(Stimulus.TRANSPORT_CLOSED, cause, now_s=now_s)
        return self._take_events()

    def tick(self, *, now_s: float) -> list[Event]:
        """Let time pass; to be called at `deadline_s` or later."""
        if self._has_sent:
            # Sending knows no time: what was sent since the last look counts as sent now.
            self._has_sent, self._active_at_s = False, now_s
        deadline_s = self.deadline_s
        if deadline_s is not None and now_s >= deadline_s:
            self._run_out(now_s=now_s)
        return self._take_events()

    def _run_out(self, *, now_s: float) -> None:
        state = self._machine.state
        if transition_of(state, Stimulus.ARTIM_EXPIRED) is not None:
            cause = Cause(diagnostic="No A-ASSOCIATE-RQ came in time.")
            self._machine.stimulate(Stimulus.ARTIM_EXPIRED, cause, now_s=now_s)
            return
        is_idle = state in _IDLE_TIMER_STATES
        diagnostic = "Nothing was sent for too long." if is_idle else "The peer did not answer in time."
        self._machine.stimulate(Stimulus.ABORT_REQUEST, Cause(ABORT_OF_USER, diagnostic=diagnostic), now_s=now_s)

    def take_outgoing(self) -> list[Buffer]:
        """Return what is to be written now, in order and each buffer whole."""
        outgoing, self._machine.outgoing = self._machine.outgoing, []
        return outgoing

    def accept(self, answer: AssociateAc, *, now_s: float) -> None:
        """Accept the association that the peer requested."""
        self._command(Stimulus.ASSOCIATE_ACCEPT, answer, now_s=now_s)
        self._active_at_s = now_s
        self._decoder.data_length_max = answer.user_information.maximum_length_received

    def reject(self, answer: AssociateRj, *, now_s: float) -> None:
        """Reject the association that the peer requested."""
        self._command(Stimulus.ASSOCIATE_REJECT, answer, now_s=now_s)

    def send_pdvs(self, pdvs: Iterable[Pdv]) -> None:
        """Queue a P-DATA-TF PDU for each PDV; data is not copied and must not change until it is written.

        All PDVs are taken at once: long data sets are handed over in batches, written in between. Raises
        AssociationOver where the association has ended meanwhile.
        """
        self._check_turn(Stimulus.DATA_REQUEST)
        machine = self._machine
        data_length_max = (machine.peer_pdu_length_max or PDU_LENGTH_FIELD_MAX) - PDV_HEADER_LENGTH
        for pdv in pdvs:
            if len(pdv.data) > data_length_max or pdv.context_id not in machine.contexts:
                raise OutOfTurn("A PDV is longer than the peer takes, or of a context that was not accepted.")
            machine.outgoing.append(encode_data_header(pdv))
            machine.outgoing.append(pdv.data)
        self._has_sent = True

    def release(self, *, now_s: float) -> None:
        """Ask for the release, or agree to the peer's request; nothing can be sent afterwards."""
        if self.state is State.AWAITING_LOCAL_RELEASE_RESPONSE:
            self._command(Stimulus.RELEASE_RESPONSE, ReleaseRp(), now_s=now_s)
        else:
            self._command(Stimulus.RELEASE_REQUEST, ReleaseRq(), now_s=now_s)

    def abort(
        self,
        *,
        now_s: float,
        source: AbortSource = AbortSource.SERVICE_USER,
        reason: AbortReason = AbortReason.NOT_SPECIFIED,
    ) -> None:
        """End the association at once; harmless where it has ended."""
        if self.state in OVER_STATES:
            return
        cause = Cause(Abort(source, reason), diagnostic="This node ended the association.")
        if self.state is State.AWAITING_ASSOCIATE_RQ:
            # There is nothing to abort yet, and the table has no entry: end as if time were up.
            self._machine.stimulate(Stimulus.ARTIM_EXPIRED, Cause(diagnostic=cause.diagnostic), now_s=now_s)
        else:
            self._machine.stimulate(Stimulus.ABORT_REQUEST, cause, now_s=now_s)

    def _take_events(self) -> list[Event]:
        events, self._machine.events = self._machine.events, []
        return events

    def _check_turn(self, stimulus: Stimulus) -> None:
        if self.state in OVER_STATES:
            raise AssociationOver
        if transition_of(self.state, stimulus) is None:
            raise OutOfTurn

    def _command(self, stimulus: Stimulus, pdu: Pdu, *, now_s: float) -> None:
        self._check_turn(stimulus)
        self._machine.stimulate(stimulus, Cause(pdu), now_s=now_s)

    def _take_pdu(self, decoded: AssociateRq | _OtherPdu | DataBegun | ProtocolViolation, *, now_s: float) -> None:
        machine = self._machine
        if decoded is DataBegun.MARK:
            machine.stimulate(Stimulus.DATA_PDU, _DATA_CAUSE, now_s=now_s)
        elif isinstance(decoded, ProtocolViolation):
            self._take_violation(decoded, now_s=now_s)
        elif isinstance(decoded, AssociateRq):
            self._take_request(decoded, now_s=now_s)
        else:
            is_abort = isinstance(decoded, Abort)
            diagnostic = "The peer aborted the association." if is_abort else f"{decoded.name} came unexpectedly."
            cause = Cause(decoded, diagnostic=diagnostic)
            machine.stimulate(_PDU_STIMULI[type(decoded)], cause, now_s=now_s)

    def _take_request(self, request: AssociateRq, *, now_s: float) -> None:
        """Take a request that the provider itself may have to reject (PS3.8 table 9-21)."""
        answer = diagnostic = None
        if not request.protocol_version & PROTOCOL_VERSION:
            answer, diagnostic = REJECT_PROTOCOL_VERSION, "The peer does not speak version 1 of the protocol."
        elif request.application_context_name != APPLICATION_CONTEXT_NAME:
            answer, diagnostic = REJECT_APPLICATION_CONTEXT, "The application context is not that of DICOM."
        cause = Cause(answer or request, diagnostic=diagnostic or f"{request.name} came unexpectedly.")
        self._machine.stimulate(Stimulus.ASSOCIATE_RQ_PDU, cause, now_s=now_s)

    def _take_violation(self, violation: ProtocolViolation, *, now_s: float) -> None:
        machine = self._machine
        if isinstance(violation, BeyondLocalLimit) and machine.state is State.AWAITING_ASSOCIATE_RQ:
            cause = Cause(REJECT_REQUEST_BEYOND_LIMIT, diagnostic=violation.message)
            machine.stimulate(Stimulus.ASSOCIATE_RQ_PDU, cause, now_s=now_s)
        else:
            cause = Cause(reason=violation.reason, diagnostic=violation.message)
            machine.stimulate(Stimulus.INVALID_PDU, cause, now_s=now_s)
        # Nobody knows where the next PDU begins.
        machine.is_deaf = True
