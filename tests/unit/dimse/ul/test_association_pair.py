"""Both ends on an imaginary wire, with whatever their owners want, the network does and the clock shows.

Any history ends with both ends in Sta1; no call raises but what tells local mistakes and lateness; each end is told
once how it ended, and last that it is closed; what arrives is the beginning of what was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
from isocenter.dimse.ul.pdu import REJECT_TEMPORARY_CONGESTION, Pdv
from isocenter.dimse.ul.state_table import State
from tests.support.dimse_wire import ANSWER, LIMITS, REQUEST, sent_by

ENDINGS = (AssociationRejected, Released, Aborted)
LONGEST_WAIT_S = 400
"""Longer than each of the limits."""


@dataclass
class End:
    """One end, what is under way to it, and what it was told."""

    association: Association
    inbox: bytearray = field(default_factory=bytearray)
    is_peer_gone: bool = False
    """The peer has closed: when the inbox is empty, the connection is at its end."""
    is_closed: bool = False
    events: list[Event] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)

    @property
    def received(self) -> bytes:
        """Return the content of all that came."""
        return b"".join(bytes(event.pdv.data) for event in self.events if isinstance(event, PdvReceived))


class AssociationPair(RuleBasedStateMachine):
    """Random owners, a random network, a random clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.requestor = End(Association.requestor(REQUEST, LIMITS, now_s=0))
        self.acceptor = End(Association.acceptor(LIMITS, now_s=0))
        self.is_damaged = False
        self.has_bad_luck = False

    ends = st.sampled_from(["requestor", "acceptor"])

    @initialize(is_agreed_on=st.sampled_from([True, True, True, False]), has_bad_luck=st.booleans())
    def begin(self, *, is_agreed_on: bool, has_bad_luck: bool) -> None:
        """Begin mostly behind the negotiation: by chance alone few histories come so far."""
        self.has_bad_luck = has_bad_luck
        if is_agreed_on:
            self.deliver_all()
            self.accept()
            self.deliver_all()

    def _peer_of(self, end: End) -> End:
        return self.acceptor if end is self.requestor else self.requestor

    def _end(self, name: str) -> End:
        return self.requestor if name == "requestor" else self.acceptor

    def _write(self, end: End) -> None:
        """Do what an owner does after every call: write, and close where that is wanted."""
        peer = self._peer_of(end)
        written = sent_by(end.association)
        if not end.is_closed and not peer.is_closed:
            peer.inbox += written
        if end.association.wants_close:
            end.is_closed = True
            peer.is_peer_gone = True

    def _want(self, name: str, call: Callable[[Association], None]) -> bool:
        """Let an owner try something; tell whether it was in turn."""
        end = self._end(name)
        state = end.association.state
        try:
            call(end.association)
        except OutOfTurn:
            assert state not in (State.IDLE, State.AWAITING_CLOSE)
            return False
        except AssociationOver:
            assert state in (State.IDLE, State.AWAITING_CLOSE)
            return False
        self._write(end)
        return True

    @rule()
    def accept(self) -> None:
        self._want("acceptor", partial(Association.accept, answer=ANSWER, now_s=self.now_s))

    @rule()
    def reject(self) -> None:
        self._want("acceptor", partial(Association.reject, answer=REJECT_TEMPORARY_CONGESTION, now_s=self.now_s))

    @rule(name=ends, contents=st.lists(st.binary(min_size=1, max_size=30), max_size=3))
    def send(self, name: str, contents: list[bytes]) -> None:
        pdvs = [Pdv(1, False, True, content) for content in contents]
        if self._want(name, partial(Association.send_pdvs, pdvs=pdvs)):
            self._end(name).sent += b"".join(contents)

    @rule(name=ends)
    def release(self, name: str) -> None:
        self._want(name, partial(Association.release, now_s=self.now_s))

    @precondition(lambda self: self.has_bad_luck)
    @rule(name=ends)
    def abort_at(self, name: str) -> None:
        self.abort(name)

    def abort(self, name: str) -> None:
        self._want(name, partial(Association.abort, now_s=self.now_s))

    @rule(name=ends, share=st.floats(0, 1))
    def deliver(self, name: str, share: float) -> None:
        self._deliver(self._end(name), share)

    @rule()
    def deliver_all(self) -> None:
        for _ in range(3):
            self._deliver(self.acceptor, 1)
            self._deliver(self.requestor, 1)

    def _deliver(self, end: End, share: float) -> None:
        if end.is_closed:
            return
        length = round(len(end.inbox) * share)
        data = bytes(end.inbox[:length])
        del end.inbox[:length]
        end.events += end.association.receive(data, now_s=self.now_s)
        if end.is_peer_gone and not end.inbox:
            end.events += end.association.receive_eof(now_s=self.now_s)
        self._write(end)

    @rule()
    def release_at_both_ends(self) -> None:
        self.release("requestor")
        self.release("acceptor")

    @precondition(lambda self: self.has_bad_luck)
    @rule()
    def lose_what_is_under_way(self) -> None:
        """Let the connection break: both ends see its end, the bytes in between are gone."""
        for end in (self.requestor, self.acceptor):
            end.inbox.clear()
            end.is_peer_gone = True

    @precondition(lambda self: self.has_bad_luck and (self.acceptor.inbox or self.requestor.inbox))
    @rule(place=st.integers(0, 1 << 16), value=st.integers(0, 255))
    def damage(self, place: int, value: int) -> None:
        inbox = self.acceptor.inbox or self.requestor.inbox
        inbox[place % len(inbox)] = value
        self.is_damaged = True

    @precondition(lambda self: self.has_bad_luck)
    @rule(name=ends, garbage=st.binary(min_size=1, max_size=40))
    def insert(self, name: str, garbage: bytes) -> None:
        self._end(name).inbox += garbage
        self.is_damaged = True

    @rule(passed_s=st.sampled_from([0, 0.1, 1, 5, 31, 61, LONGEST_WAIT_S]))
    def wait(self, passed_s: float) -> None:
        self.now_s += passed_s
        for end in (self.requestor, self.acceptor):
            if not end.is_closed:
                end.events += end.association.tick(now_s=self.now_s)
                self._write(end)

    @invariant()
    def order_of_events_holds(self) -> None:
        for end in (self.requestor, self.acceptor):
            kinds = [type(event) for event in end.events]
            assert kinds.count(Closed) <= 1
            assert Closed not in kinds[:-1], "nothing comes behind it"
            assert sum(kind in ENDINGS for kind in kinds) <= 1
            begun = AssociationRequested if end is self.acceptor else AssociationAccepted
            assert kinds.count(begun) <= 1
            if {PdvReceived, ReleaseRequested, Released} & set(kinds):
                assert kinds[0] is begun

    @invariant()
    def what_arrives_was_sent(self) -> None:
        if not self.is_damaged:
            assert bytes(self.acceptor.sent).startswith(self.requestor.received)
            assert bytes(self.requestor.sent).startswith(self.acceptor.received)

    @invariant()
    def only_what_is_open_has_a_deadline(self) -> None:
        for end in (self.requestor, self.acceptor):
            state = end.association.state
            is_ours = state in (State.IDLE, State.AWAITING_LOCAL_ASSOCIATE_RESPONSE)
            assert (end.association.deadline_s is None) == is_ours

    def teardown(self) -> None:
        """Let the owners lose interest and time pass: both ends end."""
        self.abort("requestor" if self.now_s % 2 else "acceptor")
        self.release("requestor")
        for _ in range(4):
            self.wait(LONGEST_WAIT_S)
            self.deliver_all()
        self.abort("acceptor")
        self.wait(LONGEST_WAIT_S)
        for end in (self.requestor, self.acceptor):
            if not end.is_closed:
                end.events += end.association.receive_eof(now_s=self.now_s)
            assert end.association.state is State.IDLE
            end.events += end.association.receive(b"", now_s=self.now_s)
            assert end.events[-1] == Closed()
        self.order_of_events_holds()


TestAssociationPair = AssociationPair.TestCase
TestAssociationPair.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
