from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.ul.association import Association
from isocenter.dimse.ul.errors import AssociationOver, OutOfTurn
from isocenter.dimse.ul.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    Closed,
    Event,
    PdvReceived,
    Released,
    ReleaseRequested,
)
from isocenter.dimse.ul.pdu import (
    REJECT_APPLICATION_CONTEXT,
    REJECT_CALLED_AE_TITLE,
    REJECT_PROTOCOL_VERSION,
    REJECT_REQUEST_BEYOND_LIMIT,
    Abort,
    AbortReason,
    AbortSource,
    AssociateRj,
    AssociateRq,
    PDataTf,
    Pdu,
    Pdv,
    PresentationContextRq,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.state_table import Action, State, Stimulus, transition_of
from tests.support.dimse_strategies import cut, cuts
from tests.support.dimse_wire import (
    ANSWER,
    IMPLICIT,
    LIMITS,
    PDU_LENGTH_MAX,
    REACHABLE_STATES,
    REQUEST,
    USER_INFORMATION,
    Wire,
    command_pdv,
    encoded,
    established,
    in_state,
    joined,
    sent_by,
)

DATA = PDataTf((command_pdv(),))
USER_ABORT = Abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED)
PROVIDER = AbortSource.SERVICE_PROVIDER
PEER_STIMULI: dict[Stimulus, bytes] = {
    Stimulus.ASSOCIATE_AC_PDU: encode_pdu(ANSWER),
    Stimulus.ASSOCIATE_RJ_PDU: encode_pdu(REJECT_CALLED_AE_TITLE),
    Stimulus.ASSOCIATE_RQ_PDU: encode_pdu(REQUEST),
    Stimulus.DATA_PDU: encode_pdu(DATA),
    Stimulus.RELEASE_RQ_PDU: encode_pdu(ReleaseRq()),
    Stimulus.RELEASE_RP_PDU: encode_pdu(ReleaseRp()),
    Stimulus.ABORT_PDU: encode_pdu(Abort(PROVIDER, AbortReason.UNEXPECTED_PDU)),
    Stimulus.INVALID_PDU: pack(">BxI", 0x7F, 4),
}
UNEXPECTED = AbortReason.UNEXPECTED_PDU


def expected_sent(action: Action, stimulus: Stimulus) -> list[Pdu]:
    """Return what PS3.8 9.2.2 says is sent."""
    reason = AbortReason.UNRECOGNIZED_PDU if stimulus is Stimulus.INVALID_PDU else UNEXPECTED
    sent: dict[Action, list[Pdu]] = {
        Action.AA_1: [USER_ABORT],
        Action.AA_7: [Abort(PROVIDER, reason)],
        Action.AA_8: [Abort(PROVIDER, reason)],
        # In a collision the response follows at once: the owner wanted the release already.
        Action.AR_8: [ReleaseRp()],
        Action.AR_10: [ReleaseRp()],
    }
    return sent.get(action, [])


@pytest.mark.parametrize("stimulus", PEER_STIMULI)
@pytest.mark.parametrize("state", REACHABLE_STATES)
def test_pdu_does_in_every_state_what_the_table_says(state: State, stimulus: Stimulus) -> None:
    association = in_state(state)
    transition = transition_of(state, stimulus)
    assert transition is not None, "the table has an entry for every PDU in these states"
    events = association.receive(PEER_STIMULI[stimulus], now_s=2)
    next_state = {
        Action.AR_8: State.COLLISION_REQUESTOR_RP,
        Action.AR_10: State.AWAITING_CLOSE,
    }.get(transition.action, transition.next_state)
    assert association.state is next_state
    assert sent_by(association) == encoded(*expected_sent(transition.action, stimulus))
    assert (Closed() in events) == (next_state is State.IDLE)
    assert association.wants_close == (next_state is State.IDLE)


@pytest.mark.parametrize("state", REACHABLE_STATES)
def test_end_of_the_connection_ends_every_state(state: State) -> None:
    association = in_state(state)
    *before, last = association.receive_eof(now_s=2)
    assert last == Closed()
    has_ended = state in (State.AWAITING_CLOSE, State.AWAITING_ASSOCIATE_RQ)
    told = [event for event in before if isinstance(event, Aborted)]
    assert [(event.by_peer, event.source) for event in told] == ([] if has_ended else [(True, PROVIDER)])
    assert association.state is State.IDLE
    assert sent_by(association) == b""
    assert association.receive_eof(now_s=3) == []


@pytest.mark.parametrize("state", REACHABLE_STATES)
def test_every_state_ends_when_its_time_is_over(state: State) -> None:
    association = in_state(state)
    if state is State.AWAITING_LOCAL_ASSOCIATE_RESPONSE:
        assert association.deadline_s is None, "our own answer is awaited"
        return
    while association.state is not State.IDLE:
        deadline_s = association.deadline_s
        assert deadline_s is not None
        assert association.tick(now_s=deadline_s - 0.01) == []
        association.tick(now_s=deadline_s)
    assert association.deadline_s is None


@pytest.mark.parametrize("state", REACHABLE_STATES)
def test_table_says_which_calls_are_in_turn(state: State) -> None:
    calls: dict[Stimulus, Callable[[Association], None]] = {
        Stimulus.ASSOCIATE_ACCEPT: lambda one: one.accept(ANSWER, now_s=2),
        Stimulus.ASSOCIATE_REJECT: lambda one: one.reject(REJECT_CALLED_AE_TITLE, now_s=2),
        Stimulus.DATA_REQUEST: lambda one: one.send_pdvs([command_pdv()]),
        Stimulus.RELEASE_REQUEST: lambda one: one.release(now_s=2),
    }
    for stimulus, call in calls.items():
        association = in_state(state)
        is_release_answered = stimulus is Stimulus.RELEASE_REQUEST and state is State.AWAITING_LOCAL_RELEASE_RESPONSE
        if transition_of(state, stimulus) is not None or is_release_answered:
            call(association)
            assert sent_by(association)
        else:
            with pytest.raises(AssociationOver if state is State.AWAITING_CLOSE else OutOfTurn):
                call(association)
            assert association.state is state


@pytest.mark.parametrize("state", REACHABLE_STATES)
def test_abort_is_possible_at_any_time(state: State) -> None:
    association = in_state(state)
    association.abort(now_s=2, source=PROVIDER, reason=UNEXPECTED)
    is_silent = state in (State.AWAITING_CLOSE, State.AWAITING_ASSOCIATE_RQ)
    assert sent_by(association) == (b"" if is_silent else encode_pdu(Abort(PROVIDER, UNEXPECTED)))
    assert association.state is (State.IDLE if state is State.AWAITING_ASSOCIATE_RQ else State.AWAITING_CLOSE)
    association.abort(now_s=2)
    assert sent_by(association) == b""


def test_association_is_agreed_on_used_and_released() -> None:
    wire = Wire()
    wire.exchange()
    assert wire.acceptor_events == [AssociationRequested(REQUEST)]
    wire.acceptor.accept(ANSWER, now_s=1)
    wire.exchange()
    assert wire.requestor_events == [AssociationAccepted(ANSWER)]
    assert wire.requestor.contexts.keys() == wire.acceptor.contexts.keys() == {1, 3}
    assert wire.requestor.peer_pdu_length_max == wire.acceptor.peer_pdu_length_max == PDU_LENGTH_MAX
    assert wire.requestor.answer == wire.acceptor.answer == ANSWER
    assert wire.requestor.request == wire.acceptor.request == REQUEST
    wire.requestor.send_pdvs([command_pdv(b"there")])
    wire.acceptor.send_pdvs([command_pdv(b"back")])
    wire.exchange()
    wire.requestor.release(now_s=2)
    wire.exchange()
    assert joined(wire.acceptor_events[1:]) == [PdvReceived(command_pdv(b"there")), ReleaseRequested()]
    wire.acceptor.release(now_s=2)
    wire.exchange()
    assert joined(wire.requestor_events[1:]) == [PdvReceived(command_pdv(b"back")), Released(by_peer=False), Closed()]
    assert wire.requestor.wants_close
    assert wire.acceptor_events[3:] + wire.acceptor.receive_eof(now_s=3) == [Released(by_peer=True), Closed()]


def test_rejection_reaches_the_requestor_with_source_and_reason() -> None:
    wire = Wire()
    wire.exchange()
    wire.acceptor.reject(REJECT_CALLED_AE_TITLE, now_s=1)
    wire.exchange()
    assert wire.requestor_events == [AssociationRejected(REJECT_CALLED_AE_TITLE, by_peer=True), Closed()]
    rejected = AssociationRejected(REJECT_CALLED_AE_TITLE, by_peer=False)
    assert wire.acceptor_events[1:] + wire.acceptor.receive_eof(now_s=2) == [rejected, Closed()]


def _with_contexts(number: int) -> AssociateRq:
    contexts = tuple(PresentationContextRq(each % 128 * 2 + 1, "1.2", (IMPLICIT,)) for each in range(number))
    return replace(REQUEST, presentation_contexts=contexts)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(replace(REQUEST, protocol_version=2), REJECT_PROTOCOL_VERSION, id="version"),
        pytest.param(replace(REQUEST, application_context_name="1.2"), REJECT_APPLICATION_CONTEXT, id="application"),
        pytest.param(_with_contexts(300), REJECT_REQUEST_BEYOND_LIMIT, id="300 contexts"),
        pytest.param(
            replace(REQUEST, user_information=replace(USER_INFORMATION, maximum_length_received=6)),
            REJECT_REQUEST_BEYOND_LIMIT,
            id="PDUs of six bytes",
        ),
    ],
)
def test_request_that_nobody_could_serve_is_rejected_by_the_provider(
    request_: AssociateRq, answer: AssociateRj
) -> None:
    association = Association.acceptor(LIMITS, now_s=0)
    (event,) = association.receive(encode_pdu(request_), now_s=1)
    assert isinstance(event, AssociationRejected)
    assert (event.answer, event.by_peer) == (answer, False)
    assert event.diagnostic
    assert sent_by(association) == encode_pdu(answer)
    assert association.state is State.AWAITING_CLOSE


def test_version_is_a_bit_among_those_of_later_versions() -> None:
    association = Association.acceptor(LIMITS, now_s=0)
    request = replace(REQUEST, protocol_version=3)
    assert association.receive(encode_pdu(request), now_s=1) == [AssociationRequested(request)]


def test_collision_of_releases_ends_at_both_ends() -> None:
    wire = established()
    wire.requestor.release(now_s=1)
    wire.acceptor.release(now_s=1)
    wire.exchange()
    assert wire.requestor_events == [Released(by_peer=False), Closed()]
    assert wire.acceptor_events == [Released(by_peer=True)]
    assert wire.acceptor.receive_eof(now_s=2) == [Closed()]


def test_data_still_comes_while_we_wait_for_the_release() -> None:
    wire = established()
    wire.requestor.release(now_s=1)
    wire.acceptor.send_pdvs([command_pdv()])
    wire.exchange()
    assert joined(wire.requestor_events) == [PdvReceived(command_pdv())]


def test_data_can_be_sent_before_the_release_is_agreed_to() -> None:
    wire = established()
    wire.requestor.release(now_s=1)
    wire.exchange()
    wire.acceptor.send_pdvs([command_pdv()])
    wire.acceptor.release(now_s=1)
    wire.exchange()
    assert joined(wire.requestor_events) == [PdvReceived(command_pdv()), Released(by_peer=False), Closed()]


def _aborted(events: list[Event]) -> Aborted:
    (event,) = [event for event in events if isinstance(event, Aborted)]
    return event


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(pack(">BxI", 9, 4), AbortReason.UNRECOGNIZED_PDU, id="unknown PDU"),
        pytest.param(encode_pdu(ReleaseRp()), UNEXPECTED, id="unexpected PDU"),
        pytest.param(pack(">BxI", 4, 5000), AbortReason.INVALID_PDU_PARAMETER_VALUE, id="too long"),
        pytest.param(
            encode_pdu(PDataTf((command_pdv(context_id=7),))),
            AbortReason.INVALID_PDU_PARAMETER_VALUE,
            id="context that was not accepted",
        ),
    ],
)
def test_what_the_peer_must_not_send_is_aborted_with_the_reason(data: bytes, reason: AbortReason) -> None:
    acceptor = established().acceptor
    aborted = _aborted(acceptor.receive(data + encode_pdu(DATA), now_s=2))
    assert (aborted.by_peer, aborted.source, aborted.reason) == (False, PROVIDER, reason)
    assert aborted.diagnostic
    assert sent_by(acceptor) == encode_pdu(Abort(PROVIDER, reason))
    assert acceptor.receive(encode_pdu(DATA), now_s=3) == []


def test_abort_of_the_peer_is_told_with_source_and_reason() -> None:
    wire = established()
    wire.requestor.abort(now_s=1, source=PROVIDER, reason=UNEXPECTED)
    wire.exchange()
    aborted = _aborted(wire.acceptor_events)
    assert (aborted.by_peer, aborted.source, aborted.reason) == (True, PROVIDER, UNEXPECTED)
    assert wire.acceptor_events[-1] == Closed()
    assert wire.acceptor.wants_close


def test_data_that_is_cut_off_by_our_abort_is_dropped() -> None:
    acceptor = established().acceptor
    stream = encode_pdu(DATA)
    assert len(acceptor.receive(stream[:14], now_s=1)) == 1
    acceptor.abort(now_s=1)
    assert [type(event) for event in acceptor.receive(stream[14:] + stream, now_s=1)] == [Aborted]


def test_peer_that_goes_on_after_the_end_is_answered_once() -> None:
    association = in_state(State.AWAITING_CLOSE)
    for _ in range(3):
        association.receive(encode_pdu(REQUEST), now_s=1)
    assert sent_by(association) == encode_pdu(Abort(PROVIDER, UNEXPECTED))
    assert association.deadline_s == LIMITS.artim_timeout_s


def test_request_that_comes_too_late_ends_the_connection() -> None:
    association = Association.acceptor(LIMITS, now_s=100)
    assert association.deadline_s == 130
    association.receive(encode_pdu(REQUEST)[:50], now_s=129)
    *before, last = association.tick(now_s=130)
    assert _aborted(before).by_peer is False
    assert last == Closed()
    assert association.wants_close


def test_idle_time_begins_anew_with_every_byte() -> None:
    acceptor = established().acceptor
    acceptor.receive(encode_pdu(DATA)[:1], now_s=300)
    assert acceptor.deadline_s == 660
    assert acceptor.tick(now_s=659) == []
    assert "Nothing was sent" in _aborted(acceptor.tick(now_s=660)).diagnostic
    assert sent_by(acceptor) == encode_pdu(USER_ABORT)


def test_what_is_sent_counts_as_activity() -> None:
    acceptor = established().acceptor
    acceptor.send_pdvs([command_pdv()])
    assert acceptor.deadline_s == 361
    assert acceptor.tick(now_s=361) == []
    assert acceptor.deadline_s == 721
    assert acceptor.tick(now_s=721) != []


def test_without_an_idle_limit_there_is_no_deadline() -> None:
    association = Association.acceptor(replace(LIMITS, idle_timeout_s=None), now_s=0)
    association.receive(encode_pdu(REQUEST), now_s=1)
    association.accept(ANSWER, now_s=1)
    assert association.deadline_s is None


@pytest.mark.parametrize("state", [State.AWAITING_ASSOCIATE_ANSWER, State.AWAITING_RELEASE_RP])
def test_answer_that_does_not_come_ends_in_an_abort(state: State) -> None:
    association = in_state(state)
    deadline_s = association.deadline_s
    assert deadline_s is not None
    assert "did not answer" in _aborted(association.tick(now_s=deadline_s)).diagnostic
    assert sent_by(association) == encode_pdu(USER_ABORT)


def test_data_is_neither_joined_nor_copied_on_its_way_out() -> None:
    requestor = established().requestor
    data = memoryview(bytes(1000))
    requestor.send_pdvs([Pdv(1, False, True, data)])
    assert requestor.outgoing_bytes == 1012
    header, same = requestor.take_outgoing()
    assert same is data
    assert bytes(header) == pack(">BxIIBB", 4, 1006, 1002, 1, 2)
    assert requestor.outgoing_bytes == 0


@pytest.mark.parametrize(
    "pdv",
    [
        pytest.param(Pdv(1, False, True, bytes(PDU_LENGTH_MAX - 5)), id="longer than the peer takes"),
        pytest.param(Pdv(5, False, True, b""), id="context that was not accepted"),
    ],
)
def test_what_the_peer_does_not_take_is_not_sent(pdv: Pdv) -> None:
    requestor = established().requestor
    with pytest.raises(OutOfTurn):
        requestor.send_pdvs([pdv])


def test_longest_pdv_that_the_peer_takes_comes_through() -> None:
    wire = established()
    pdv = Pdv(1, False, True, bytes(PDU_LENGTH_MAX - 6))
    wire.requestor.send_pdvs([pdv])
    wire.exchange()
    assert joined(wire.acceptor_events) == [PdvReceived(pdv)]


def test_peer_without_a_limit_is_sent_pdus_of_any_length() -> None:
    unlimited = replace(ANSWER, user_information=replace(USER_INFORMATION, maximum_length_received=0))
    wire = established(answer=unlimited)
    pdv = Pdv(1, False, True, bytes(100_000))
    wire.requestor.send_pdvs([pdv])
    wire.exchange()
    assert joined(wire.acceptor_events) == [PdvReceived(pdv)]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), cuts)
def test_same_events_come_however_the_stream_is_cut(contents: list[bytes], places: list[int]) -> None:
    pdvs = [Pdv(1 + number % 2 * 2, False, True, data) for number, data in enumerate(contents)]
    stream = encoded(REQUEST), encoded(*(PDataTf((pdv,)) for pdv in pdvs), ReleaseRq())
    outcomes = []
    for pieces in ([stream[1]], cut(stream[1], places), [stream[1][at : at + 1] for at in range(len(stream[1]))]):
        association = Association.acceptor(LIMITS, now_s=0)
        events = association.receive(stream[0], now_s=0)
        association.accept(ANSWER, now_s=0)
        for piece in pieces:
            events += association.receive(piece, now_s=0)
        outcomes.append(joined(events))
    assert outcomes[0][1:-1] == [PdvReceived(pdv) for pdv in pdvs]
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(st.binary(max_size=300), cuts, st.sampled_from(REACHABLE_STATES))
def test_any_bytes_in_any_state_give_the_same_events_however_they_are_cut(
    data: bytes, places: list[int], state: State
) -> None:
    whole, pieces = in_state(state), in_state(state)
    expected = joined(whole.receive(data, now_s=2))
    events = [event for piece in cut(data, places) for event in pieces.receive(piece, now_s=2)]
    assert joined(events) == expected
    assert pieces.state is whole.state
    assert sent_by(pieces) == sent_by(whole)
