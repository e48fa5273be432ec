"""Carry out the state table: what each action does to one association (PS3.8 9.2.2).

`Machine.stimulate` is the only way to change its state; `Association` decides on the stimulus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.dimse.ul.contexts import NO_CONTEXTS, AcceptedContext, accepted_contexts
from isocenter.dimse.ul.errors import OutOfTurn
from isocenter.dimse.ul.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    Closed,
    Event,
    Released,
    ReleaseRequested,
)
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.dimse.ul.pdu import (
    Abort,
    AbortReason,
    AbortSource,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    Buffer,
    Pdu,
    ReleaseRp,
)
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.state_table import Action, State, Stimulus, transition_of

ABORT_OF_USER = Abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)

OVER_STATES = frozenset({State.IDLE, State.AWAITING_CLOSE})
"""The association exists no longer."""
_ARTIM_STATES = frozenset({State.AWAITING_ASSOCIATE_RQ, State.AWAITING_CLOSE})
_REQUEST_TIMER_STATES = frozenset(
    {
        State.AWAITING_ASSOCIATE_ANSWER,
        State.AWAITING_RELEASE_RP,
        State.COLLISION_ACCEPTOR_RP,
        State.COLLISION_REQUESTOR_RP,
    }
)
_LOCAL_COLLISION_STATES = frozenset({State.COLLISION_REQUESTOR_LOCAL, State.COLLISION_ACCEPTOR_LOCAL})


@dataclass(frozen=True, slots=True)
class Cause:
    """What an action may need to know of its stimulus."""

    pdu: Pdu | None = None
    """That came, or is to be sent."""
    reason: AbortReason = AbortReason.UNEXPECTED_PDU
    """Of an abort by the service provider."""
    diagnostic: str = ""


NO_CAUSE = Cause()


class Machine:
    """The state of one association, and what came of it so far."""

    def __init__(self, limits: AssociationLimits, *, is_requestor: bool) -> None:
        self.is_requestor = is_requestor
        self.state = State.IDLE
        self.events: list[Event] = []
        self.outgoing: list[Buffer] = []
        self.timer_s: float | None = None
        """When ARTIM or the time for an answer is over."""
        self.request: AssociateRq | None = None
        self.answer: AssociateAc | None = None
        self.contexts: Mapping[int, AcceptedContext] = NO_CONTEXTS
        self.peer_pdu_length_max = 0
        self.takes_data = False
        """True where the data of the present P-DATA-TF PDU is to be indicated."""
        self.is_deaf = False
        """True where what the peer sends has no meaning any more."""
        self._limits = limits
        self._has_ended = False

    def stimulate(self, stimulus: Stimulus, cause: Cause = NO_CAUSE, *, now_s: float) -> None:
        """Do what the table says.

        Raises OutOfTurn where the table has no entry.
        """
        transition = transition_of(self.state, stimulus)
        if transition is None:
            raise OutOfTurn
        next_state = transition.next_state
        if transition.otherwise is not None and self._is_otherwise(transition.action, cause):
            next_state = transition.otherwise
        _ACTIONS[transition.action](self, cause)
        if next_state is not self.state:
            self._enter(next_state, now_s=now_s)

    def _is_otherwise(self, action: Action, cause: Cause) -> bool:
        """Decide between two next states: the provider rejects, or a collision is seen from the acceptor's side."""
        return isinstance(cause.pdu, AssociateRj) if action is Action.AE_6 else not self.is_requestor

    def _enter(self, state: State, *, now_s: float) -> None:
        self.state = state
        self.timer_s = None
        self.takes_data = self.takes_data and state not in OVER_STATES
        if state in _ARTIM_STATES:
            self.timer_s = now_s + self._limits.artim_timeout_s
        elif state in _REQUEST_TIMER_STATES:
            self.timer_s = now_s + self._limits.request_timeout_s
        elif state in _LOCAL_COLLISION_STATES:
            # The owner wanted the release already, so its response is known.
            self.stimulate(Stimulus.RELEASE_RESPONSE, Cause(ReleaseRp()), now_s=now_s)
        elif state is State.IDLE:
            self.is_deaf = True
            self.events.append(Closed())

    def _end(self, event: AssociationRejected | Released | Aborted) -> None:
        """Tell how the association ended, the first time that it does."""
        if not self._has_ended:
            self._has_ended = True
            self.events.append(event)

    def _send(self, cause: Cause) -> None:
        assert cause.pdu is not None
        self.outgoing.append(encode_pdu(cause.pdu))

    def _do_nothing(self, cause: Cause) -> None:
        """Leave it to the owner, or to the state that is entered."""

    def _send_request(self, cause: Cause) -> None:
        assert isinstance(cause.pdu, AssociateRq)
        self.request = cause.pdu
        self._send(cause)

    def _confirm_accepted(self, cause: Cause) -> None:
        assert isinstance(cause.pdu, AssociateAc)
        self._establish(cause.pdu)
        self.events.append(AssociationAccepted(cause.pdu))

    def _confirm_rejected(self, cause: Cause) -> None:
        assert isinstance(cause.pdu, AssociateRj)
        self._end(AssociationRejected(cause.pdu, by_peer=True))

    def _indicate_association(self, cause: Cause) -> None:
        if isinstance(cause.pdu, AssociateRq):
            self.request = cause.pdu
            self.events.append(AssociationRequested(cause.pdu))
        else:
            self._send_reject(cause)

    def _send_accept(self, cause: Cause) -> None:
        assert isinstance(cause.pdu, AssociateAc)
        self._send(cause)
        self._establish(cause.pdu)

    def _establish(self, answer: AssociateAc) -> None:
        assert self.request is not None
        self.answer = answer
        peer = answer if self.is_requestor else self.request
        self.peer_pdu_length_max = peer.user_information.maximum_length_received
        self.contexts = accepted_contexts(self.request, answer, is_requestor=self.is_requestor)

    def _send_reject(self, cause: Cause) -> None:
        assert isinstance(cause.pdu, AssociateRj)
        self._send(cause)
        self._end(AssociationRejected(cause.pdu, by_peer=False, diagnostic=cause.diagnostic))

    def _indicate_data(self, cause: Cause) -> None:
        self.takes_data = True

    def _indicate_release(self, cause: Cause) -> None:
        self.events.append(ReleaseRequested())

    def _confirm_release(self, cause: Cause) -> None:
        self._end(Released(by_peer=False))

    def _answer_release(self, cause: Cause) -> None:
        self._send(cause)
        self._end(Released(by_peer=True))

    def _abort_as_user(self, cause: Cause) -> None:
        # Only the owner hands in an A-ABORT here; one of the peer leads to other actions.
        abort = cause.pdu if isinstance(cause.pdu, Abort) else ABORT_OF_USER
        self.outgoing.append(encode_pdu(abort))
        self._end(Aborted(by_peer=False, source=abort.source, reason=abort.reason, diagnostic=cause.diagnostic))

    def _close(self, cause: Cause) -> None:
        abort = cause.pdu if isinstance(cause.pdu, Abort) else None
        ended = abort or ABORT_OF_USER
        self._end(Aborted(abort is not None, ended.source, ended.reason, cause.diagnostic))

    def _indicate_abort(self, cause: Cause) -> None:
        assert isinstance(cause.pdu, Abort)
        self._end(Aborted(True, cause.pdu.source, cause.pdu.reason, cause.diagnostic))

    def _indicate_loss(self, cause: Cause) -> None:
        self._end(Aborted(True, AbortSource.SERVICE_PROVIDER, AbortReason.NOT_SPECIFIED, cause.diagnostic))

    def _abort_once_more(self, cause: Cause) -> None:
        # Whoever goes on sending such PDUs gets no second answer: each would cost us more than it costs the peer.
        self.outgoing.append(encode_pdu(Abort(AbortSource.SERVICE_PROVIDER, cause.reason)))
        self.is_deaf = True

    def _abort_as_provider(self, cause: Cause) -> None:
        abort = Abort(AbortSource.SERVICE_PROVIDER, cause.reason)
        self.outgoing.append(encode_pdu(abort))
        self._end(Aborted(False, abort.source, abort.reason, cause.diagnostic))


# Connecting and closing are done by the owner of the connection, ARTIM is set by the state that is entered.
_ACTIONS: Mapping[Action, Callable[[Machine, Cause], None]] = MappingProxyType(
    {
        Action.AE_1: Machine._do_nothing,
        Action.AE_2: Machine._send_request,
        Action.AE_3: Machine._confirm_accepted,
        Action.AE_4: Machine._confirm_rejected,
        Action.AE_5: Machine._do_nothing,
        Action.AE_6: Machine._indicate_association,
        Action.AE_7: Machine._send_accept,
        Action.AE_8: Machine._send_reject,
        Action.DT_1: Machine._do_nothing,
        Action.DT_2: Machine._indicate_data,
        Action.AR_1: Machine._send,
        Action.AR_2: Machine._indicate_release,
        Action.AR_3: Machine._confirm_release,
        Action.AR_4: Machine._answer_release,
        Action.AR_5: Machine._do_nothing,
        Action.AR_6: Machine._indicate_data,
        Action.AR_7: Machine._do_nothing,
        Action.AR_8: Machine._do_nothing,
        Action.AR_9: Machine._send,
        Action.AR_10: Machine._do_nothing,
        Action.AA_1: Machine._abort_as_user,
        Action.AA_2: Machine._close,
        Action.AA_3: Machine._indicate_abort,
        Action.AA_4: Machine._indicate_loss,
        Action.AA_5: Machine._do_nothing,
        Action.AA_6: Machine._do_nothing,
        Action.AA_7: Machine._abort_once_more,
        Action.AA_8: Machine._abort_as_provider,
    }
)
