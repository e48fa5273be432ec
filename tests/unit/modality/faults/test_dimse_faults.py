from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.message.assembler import MessageAssembler, MessageBegun
from isocenter.dimse.message.fragmenter import iter_pdvs
from isocenter.dimse.message.messages import CStoreRq, CStoreRsp, Message
from isocenter.dimse.ul.pdu import AssociateRq, PDataTf, Pdv, PresentationContextRq, ReleaseRq
from isocenter.dimse.ul.pdu_decoder import PduDecoder
from isocenter.dimse.ul.pdu_encoder import encode_pdu
from isocenter.dimse.ul.user_information import UserInformation
from isocenter.modality.faults.action import Action, Cut, CutKind, Pass
from isocenter.modality.faults.board import FaultBoard
from isocenter.modality.faults.dimse_faults import DimseFaults
from isocenter.modality.faults.fault import DimseAbort, DimseReject, DimseStatus, Direction, Fault

REQUESTS, ANSWERS = Direction.REQUESTS, Direction.ANSWERS
CT = "1.2.840.10008.5.1.4.1.1.2"
INFORMATION = UserInformation(maximum_length_received=16384, implementation_class_uid="1.2.3")
ASSOCIATE = encode_pdu(
    AssociateRq("SCP", "SCU", (PresentationContextRq(1, CT, ("1.2.840.10008.1.2.1",)),), INFORMATION)
)


class Ends:
    """Both ends of a link, as bytes."""

    def __init__(self, *faults: Fault) -> None:
        self.board = FaultBoard()
        for fault in faults:
            self.board.set(fault)
        self.counts, self.instances = Counter[str](), Counter[str]()
        self.faults = DimseFaults(self.board, self.counts, self.instances)
        self.passed = {REQUESTS: b"", ANSWERS: b""}
        self.cuts: list[Cut] = []

    def send(self, direction: Direction, data: bytes, *, size: int = 50) -> None:
        """Send bytes in pieces."""
        for start in range(0, len(data), size):
            self._carry_out(self.faults.receive(direction, data[start : start + size]))

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Pass):
                self.passed[action.direction] += action.data
            else:
                self.cuts.append(action)

    def taken(self, direction: Direction) -> bytes:
        """Return what has passed since the last call."""
        passed, self.passed[direction] = self.passed[direction], b""
        return passed


def _message(message: Message, dataset: bytes | None = None, *, length_max: int = 128) -> bytes:
    pdvs = iter_pdvs(1, message, dataset=None if dataset is None else [dataset], pdu_length_max=length_max)
    return b"".join(encode_pdu(PDataTf((pdv,))) for pdv in pdvs)


def _request(number: int) -> bytes:
    request = CStoreRq(message_id=number, affected_sop_class_uid=CT, affected_sop_instance_uid=f"1.2.{number}")
    return _message(request, bytes(500))


def _response(number: int, status: int = 0, *, length_max: int = 128) -> bytes:
    return _message(
        CStoreRsp(message_id_being_responded_to=number, status=status, affected_sop_class_uid=CT), length_max=length_max
    )


def _statuses(data: bytes) -> list[tuple[int, int]]:
    assembler, found = MessageAssembler(), []
    for decoded in PduDecoder().feed(data):
        for event in assembler.feed(decoded) if isinstance(decoded, Pdv) else ():
            assert isinstance(event, MessageBegun)
            assert isinstance(event.command, CStoreRsp)
            found.append((event.command.message_id_being_responded_to, event.command.status))
    return found


@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_without_faults_every_byte_passes_as_it_came(size: int) -> None:
    ends = Ends()
    asked = ASSOCIATE + _request(1) + _request(2) + encode_pdu(ReleaseRq())
    answered = _response(1) + _response(2, 0xB000)
    ends.send(REQUESTS, asked, size=size)
    ends.send(ANSWERS, answered, size=size)
    assert (ends.taken(REQUESTS), ends.taken(ANSWERS)) == (asked, answered)
    assert ends.counts == {"associations": 1, "stores": 2, "stores answered": 2, "stores succeeded": 1}
    assert ends.instances == {"1.2.1": 1, "1.2.2": 1}


def test_a_rejection_takes_the_place_of_the_target() -> None:
    ends = Ends(DimseReject(result=2, source=3, reason=2))
    ends.send(REQUESTS, ASSOCIATE)
    assert ends.taken(ANSWERS) == b"\x03\x00\x00\x00\x00\x04\x00\x02\x03\x02"
    assert ends.taken(REQUESTS) == b""
    assert ends.cuts == [Cut(CutKind.CLOSE, ANSWERS)]


def test_an_abort_comes_before_the_next_instance() -> None:
    ends = Ends(DimseAbort(after_instances=1, source=2, reason=1))
    ends.send(REQUESTS, ASSOCIATE + _request(1))
    ends.send(ANSWERS, _response(1))
    assert (ends.taken(REQUESTS), ends.taken(ANSWERS)) == (ASSOCIATE + _request(1), _response(1))
    ends.send(REQUESTS, _request(2))
    abort = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x01"
    assert (ends.taken(REQUESTS), ends.taken(ANSWERS)) == (abort, abort)
    assert ends.cuts


def test_an_abort_can_take_the_place_of_an_answer() -> None:
    ends = Ends(DimseAbort(after_instances=0, hides_answer=True))
    ends.send(REQUESTS, ASSOCIATE + _request(1))
    assert ends.taken(REQUESTS) == ASSOCIATE + _request(1)
    ends.send(ANSWERS, _response(1))
    assert ends.taken(ANSWERS)[:1] == b"\x07"
    assert not ends.passed[ANSWERS]


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_status_keeps_the_instance_from_the_target(size: int) -> None:
    ends = Ends(DimseStatus(status=0xA700, count=1))
    ends.send(REQUESTS, ASSOCIATE + _request(1), size=size)
    assert ends.taken(REQUESTS) == ASSOCIATE
    assert _statuses(ends.taken(ANSWERS)) == [(1, 0xA700)]
    ends.send(REQUESTS, _request(2), size=size)
    assert ends.taken(REQUESTS) == _request(2)
    assert (ends.counts["stores answered"], ends.counts["stores succeeded"]) == (1, 0)


@pytest.mark.parametrize("length_max", [48, 16384])
def test_a_status_takes_the_place_of_that_of_the_target_however_it_is_fragmented(length_max: int) -> None:
    ends = Ends(DimseStatus(status=0xB007, reaches_target=True, count=1))
    ends.send(REQUESTS, ASSOCIATE + _request(1))
    assert ends.taken(REQUESTS) == ASSOCIATE + _request(1)
    ends.send(ANSWERS, _response(1, length_max=length_max))
    ends.send(ANSWERS, _response(2, length_max=length_max))
    assert _statuses(ends.taken(ANSWERS)) == [(1, 0xB007), (2, 0)]


def test_what_is_no_dimse_passes_untouched() -> None:
    ends = Ends(DimseReject(), DimseStatus(status=0xA700))
    ends.send(REQUESTS, b"GET / HTTP/1.1\r\n\r\n")
    ends.send(ANSWERS, b"HTTP/1.1 200 OK\r\n\r\n")
    assert (ends.taken(REQUESTS), ends.taken(ANSWERS)) == (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")


def test_messages_that_nobody_can_read_pass_for_the_ends_to_judge() -> None:
    ends = Ends(DimseStatus(status=0xA700))
    broken = encode_pdu(PDataTf((Pdv(1, is_command=False, is_last=True, data=b"before its command"),)))
    ends.send(REQUESTS, ASSOCIATE + broken + _request(1))
    assert ends.taken(REQUESTS) == ASSOCIATE + broken + _request(1)


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), max_size=8),
    st.lists(st.integers(0, 20_000), max_size=6),
    st.sampled_from([None, DimseAbort(after_instances=1), DimseStatus(status=0xA700, probability=0.5), DimseReject()]),
)
def test_whatever_comes_nothing_is_raised_and_without_faults_nothing_changed(
    changes: list[tuple[int, int]], at: list[int], fault: Fault | None
) -> None:
    stream = bytearray(ASSOCIATE + _request(1) + _request(2) + _response(1) + _response(2))
    for position, value in changes:
        stream[position % len(stream)] = value
    ends = Ends(*([] if fault is None else [fault]))
    bounds = [0, *sorted(each % len(stream) for each in at), len(stream)]
    for direction in (REQUESTS, ANSWERS):
        for start, end in pairwise(bounds):
            ends.send(direction, bytes(stream[start:end]), size=10_000)
    if fault is None:
        assert all(bytes(stream).startswith(passed) for passed in ends.passed.values())
