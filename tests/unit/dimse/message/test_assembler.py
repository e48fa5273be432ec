from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.message.assembler import (
    COMMAND_LENGTH_MAX,
    DatasetFragment,
    MessageAssembler,
    MessageBegun,
    MessageEvent,
    MessageUnusable,
)
from isocenter.dimse.message.command_set import encode_command
from isocenter.dimse.message.fragmenter import iter_pdvs
from isocenter.dimse.message.messages import CEchoRq, CStoreRq, Message, RefusalRsp
from isocenter.dimse.message.statuses import UNRECOGNIZED_OPERATION
from isocenter.dimse.ul.errors import ProtocolViolation
from isocenter.dimse.ul.pdu import Pdv
from tests.support.dimse_strategies import cut, cuts, messages

STORE = CStoreRq(message_id=7, affected_sop_class_uid="1.2.3", affected_sop_instance_uid="1.2.3.4")
COMMAND = encode_command(STORE, has_dataset=True)
UNKNOWN = encode_command(
    RefusalRsp(command_field=0x0666, message_id_being_responded_to=0, status=0), has_dataset=True
).replace(b"\x20\x01\x02\0\0\0\0\0", b"\x10\x01\x02\0\0\0\x07\0")
"""A request of an operation that does not exist, with message ID 7."""

any_message = st.sampled_from([kind for kind in get_args(Message) if kind is not RefusalRsp]).flatmap(messages)

even_bytes = st.binary(max_size=250).map(lambda half: half + half)


def command_pdv(data: bytes = COMMAND, *, is_last: bool = True, context_id: int = 1) -> Pdv:
    return Pdv(context_id, True, is_last, data)


def data_pdv(data: bytes, *, is_last: bool = True, context_id: int = 1) -> Pdv:
    return Pdv(context_id, False, is_last, data)


def feed_all(pdvs: list[Pdv]) -> list[MessageEvent]:
    assembler = MessageAssembler()
    return [event for pdv in pdvs for event in assembler.feed(pdv)]


def contents(events: list[MessageEvent]) -> list[object]:
    """Return messages with their data sets whole."""
    out: list[object] = []
    for event in events:
        if isinstance(event, DatasetFragment):
            dataset = out.pop()
            assert isinstance(dataset, bytes)
            out.append(dataset + bytes(event.data))
        else:
            out.append(event)
            if isinstance(event, MessageBegun) and event.has_dataset:
                out.append(b"")
    return out


@given(st.lists(st.tuples(any_message, st.none() | even_bytes), max_size=4), st.integers(128, 300))
def test_messages_come_out_as_they_were_cut(sent: list[tuple[Message, bytes | None]], length_max: int) -> None:
    pdvs = [
        pdv
        for message, dataset in sent
        for pdv in iter_pdvs(3, message, dataset=None if dataset is None else [dataset], pdu_length_max=length_max)
    ]
    expected: list[object] = []
    for message, dataset in sent:
        expected.append(MessageBegun(3, message, dataset is not None))
        expected += [] if dataset is None else [dataset]
    assert contents(feed_all(pdvs)) == expected


@given(st.binary(max_size=200), cuts, cuts)
def test_same_message_comes_however_its_fragments_are_cut(
    dataset: bytes, command_cuts: list[int], dataset_cuts: list[int]
) -> None:
    *firsts, last = cut(COMMAND, command_cuts)
    pdvs = [command_pdv(piece, is_last=False) for piece in firsts] + [command_pdv(last)]
    *firsts, last = cut(dataset, dataset_cuts)
    pdvs += [data_pdv(piece, is_last=False) for piece in firsts] + [data_pdv(last)]
    assert contents(feed_all(pdvs)) == [MessageBegun(1, STORE, True), dataset]


def test_data_is_handed_on_as_it_came() -> None:
    data = memoryview(bytes(100))
    begun, fragment = feed_all([command_pdv(), Pdv(1, False, False, data)])
    assert begun == MessageBegun(1, STORE, True)
    assert isinstance(fragment, DatasetFragment)
    assert fragment.data is data
    assert not fragment.is_last


def test_assembler_knows_whether_a_message_is_under_way() -> None:
    assembler = MessageAssembler()
    states = []
    for pdv in (command_pdv(is_last=False, data=COMMAND[:5]), command_pdv(COMMAND[5:]), data_pdv(b"ab")):
        assembler.feed(pdv)
        states.append(assembler.is_between_messages)
    assert states == [False, False, True]


def test_unknown_operation_is_answered_and_its_data_set_swallowed() -> None:
    echo = command_pdv(encode_command(CEchoRq(message_id=8), has_dataset=False))
    pdvs = [command_pdv(UNKNOWN), data_pdv(b"ab", is_last=False), data_pdv(b"cd"), echo]
    refused, begun = feed_all(pdvs)
    answer = RefusalRsp(command_field=0x8666, message_id_being_responded_to=7, status=UNRECOGNIZED_OPERATION)
    assert refused == MessageUnusable(1, answer)
    assert begun == MessageBegun(1, CEchoRq(message_id=8), False)


@pytest.mark.parametrize(
    "pdvs",
    [
        pytest.param([data_pdv(b"ab")], id="data set without a command"),
        pytest.param([command_pdv(), command_pdv()], id="command where a data set is due"),
        pytest.param([command_pdv(), data_pdv(b"ab"), data_pdv(b"cd")], id="data set twice"),
        pytest.param([command_pdv(), data_pdv(b"ab", context_id=3)], id="data set on another context"),
        pytest.param(
            [command_pdv(COMMAND[:8], is_last=False), command_pdv(COMMAND[8:], context_id=3)],
            id="command on two contexts",
        ),
        pytest.param([command_pdv(COMMAND[:8], is_last=False), data_pdv(b"ab")], id="data set within a command"),
        pytest.param([command_pdv(b"")], id="empty command"),
        pytest.param([command_pdv(COMMAND[:-1])], id="command cut off"),
        pytest.param([command_pdv(bytes(COMMAND_LENGTH_MAX + 1), is_last=False)], id="command too long"),
        pytest.param(
            [command_pdv(bytes(COMMAND_LENGTH_MAX), is_last=False), command_pdv(b"\0")], id="command too long in all"
        ),
    ],
)
def test_what_no_peer_may_send_is_a_violation(pdvs: list[Pdv]) -> None:
    with pytest.raises(ProtocolViolation):
        feed_all(pdvs)
