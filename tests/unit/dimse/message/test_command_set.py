from __future__ import annotations

import dataclasses
from dataclasses import replace
from struct import pack
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pynetdicom import dimse_messages
from pynetdicom.dsutils import encode

from isocenter.dimse.message.command_elements import ELEMENTS
from isocenter.dimse.message.command_set import (
    RESPONSE_BIT,
    CommandUnusable,
    decode_command,
    encode_command,
)
from isocenter.dimse.message.messages import (
    CEchoRq,
    CEchoRsp,
    CFindRsp,
    CStoreRq,
    Message,
    NActionRq,
    RefusalRsp,
    Request,
    Response,
)
from isocenter.dimse.message.statuses import MISTYPED_ARGUMENT, UNRECOGNIZED_OPERATION
from isocenter.dimse.ul.errors import ProtocolViolation
from tests.support.dimse_strategies import messages

KNOWN = [kind for kind in get_args(Message) if kind is not RefusalRsp]
EXAMPLES_OF_EACH = 20
"""There are two dozen messages, all made of the same elements."""
ECHO = CEchoRq(message_id=7)
STORE = CStoreRq(message_id=7, affected_sop_class_uid="1.2.3", affected_sop_instance_uid="1.2.3.4")


def by_pynetdicom(message: Message, *, has_dataset: bool) -> bytes:
    """Return the command set that pynetdicom sends: its own list of elements with our values."""
    name = "".join(f"_{each}" if each.isupper() else each for each in type(message).__name__)
    other: Any = getattr(dimse_messages, _pynetdicom_name(name))()
    dataset: Dataset = other.command_set
    for field in dataclasses.fields(message):
        value = getattr(message, field.name)
        keyword = keyword_for_tag(ELEMENTS[field.name].number)
        if value is None or value == ():
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, list(value) if isinstance(value, tuple) else value)
    for left_over in [each.keyword for each in dataset if each.tag not in _tags_of(message)]:
        del dataset[left_over]
    dataset.CommandField = message.command_field
    dataset.CommandDataSetType = 0x0001 if has_dataset else 0x0101
    dataset.CommandGroupLength = 0
    rest = bytes(encode(dataset, True, True) or b"")[12:]
    return pack("<HHII", 0, 0, 4, len(rest)) + rest


def _pynetdicom_name(snake: str) -> str:
    """Return C_STORE_RQ for _C_Store_Rq, N_EVENT_REPORT_RQ for _N_Event_Report_Rq."""
    return snake.strip("_").upper()


def _tags_of(message: Message) -> set[int]:
    own = {ELEMENTS[field.name].number for field in dataclasses.fields(message)}
    return own | {0x0000, 0x0100, 0x0800}


@pytest.mark.parametrize("kind", KNOWN)
@settings(max_examples=EXAMPLES_OF_EACH)
@given(data=st.data(), has_dataset=st.booleans())
def test_command_set_has_the_bytes_that_pynetdicom_sends(
    kind: type[Message], data: st.DataObject, has_dataset: bool
) -> None:
    message = data.draw(messages(kind))
    assert encode_command(message, has_dataset=has_dataset) == by_pynetdicom(message, has_dataset=has_dataset)


@pytest.mark.parametrize("kind", KNOWN)
@settings(max_examples=EXAMPLES_OF_EACH)
@given(data=st.data(), has_dataset=st.booleans())
def test_message_comes_back_as_it_was_encoded(kind: type[Message], data: st.DataObject, has_dataset: bool) -> None:
    message = data.draw(messages(kind))
    assert decode_command(encode_command(message, has_dataset=has_dataset)) == (message, has_dataset)


@pytest.mark.parametrize("kind", get_args(Request))
def test_response_differs_from_its_request_in_one_bit(kind: type[Request]) -> None:
    (response,) = (each for each in get_args(Response) if each.__name__ == kind.__name__[:-2] + "Rsp")
    assert response.command_field == kind.command_field | RESPONSE_BIT


def element(number: int, value: bytes, *, group: int = 0) -> bytes:
    return pack("<HHI", group, number, len(value)) + value


def number(element_number: int, value: int) -> bytes:
    return element(element_number, pack("<H", value))


FIELD, ID, TYPE = number(0x0100, 0x0030), number(0x0110, 7), number(0x0800, 0x0101)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(FIELD + ID + TYPE, id="no group length"),
        pytest.param(element(0, pack("<I", 9999)) + FIELD + ID + TYPE, id="wrong group length"),
        pytest.param(TYPE + ID + FIELD, id="order turned round"),
        pytest.param(FIELD + ID + TYPE + element(0x0001, pack("<I", 99)), id="retired element"),
        pytest.param(FIELD + ID + TYPE + element(0x0002, b"1.2.840.10008.1.1"), id="UID of odd length"),
        pytest.param(FIELD + ID + TYPE + element(0x0002, b"1.2.840.10008.1.1 "), id="UID with a space"),
        pytest.param(FIELD + ID + TYPE + element(0x0002, b""), id="UID left empty"),
    ],
)
def test_harmless_mistakes_are_let_pass(command: bytes) -> None:
    assert decode_command(command) == (ECHO, False)


@pytest.mark.parametrize("data_set_type", [0x0000, 0x0001, 0x0102, 0xFFFF])
def test_every_type_but_one_says_that_a_data_set_follows(data_set_type: int) -> None:
    assert decode_command(FIELD + ID + number(0x0800, data_set_type)).has_dataset


def test_malformed_optional_element_counts_as_absent() -> None:
    malformed = element(0x0700, b"\1") + element(0x1031, bytes(4))
    assert decode_command(encode_command(STORE, has_dataset=True) + malformed).message == STORE


def test_text_of_another_repertoire_is_read() -> None:
    response = encode_command(CFindRsp(message_id_being_responded_to=1, status=0xC001), has_dataset=False)
    decoded = decode_command(response + element(0x0902, "für Müller ".encode("latin-1"))).message
    assert isinstance(decoded, CFindRsp)
    assert decoded.error_comment == "für Müller"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ID + TYPE, id="no command field"),
        pytest.param(FIELD + ID, id="no data set type"),
        pytest.param((FIELD + ID + TYPE)[:-1], id="value cut off"),
        pytest.param(FIELD + ID + TYPE + b"\0" * 7, id="header cut off"),
        pytest.param(FIELD + ID + TYPE + element(0x0010, b"", group=8), id="element of another group"),
        pytest.param(element(0x0100, b"\x30") + ID + TYPE, id="command field of one byte"),
        pytest.param(number(0x0100, 0x8030) + TYPE, id="response without a status"),
        pytest.param(number(0x0100, 0x8FF0) + ID + TYPE, id="unknown response"),
        pytest.param(number(0x0100, 0x0FFF) + TYPE, id="cancel of nothing"),
        pytest.param(number(0x0100, 0x0777) + TYPE, id="unknown request that cannot be answered"),
        pytest.param(FIELD + TYPE, id="request that cannot be answered"),
    ],
)
def test_what_cannot_be_answered_is_a_violation(command: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode_command(command)


@pytest.mark.parametrize("data_set_type", [0x0101, 0x0001])
def test_unknown_operation_is_answered_with_its_status(data_set_type: int) -> None:
    command = number(0x0100, 0x0666) + ID + number(0x0800, data_set_type) + element(0x0003, b"1.2\0")
    with pytest.raises(CommandUnusable) as raised:
        decode_command(command)
    assert raised.value.has_dataset == (data_set_type != 0x0101)
    assert raised.value.answer == RefusalRsp(
        command_field=0x8666,
        message_id_being_responded_to=7,
        status=UNRECOGNIZED_OPERATION,
        affected_sop_class_uid="1.2",
    )


@pytest.mark.parametrize("instance", [b"", element(0x1000, b""), element(0x1000, b"1" * 66)])
def test_missing_argument_is_answered_with_its_tag(instance: bytes) -> None:
    command = number(0x0100, 0x0001) + ID + TYPE + element(0x0002, b"1.2.3\0") + instance
    with pytest.raises(CommandUnusable) as raised:
        decode_command(command)
    assert raised.value.answer == RefusalRsp(
        command_field=0x8001,
        message_id_being_responded_to=7,
        status=MISTYPED_ARGUMENT,
        affected_sop_class_uid="1.2.3",
        offending_elements=(0x00001000,),
    )


@given(messages(RefusalRsp))
def test_refusal_stands_in_the_place_of_the_response(refusal: Message) -> None:
    assert isinstance(refusal, RefusalRsp)
    command = encode_command(replace(refusal, command_field=CEchoRsp.command_field), has_dataset=False)
    assert decode_command(command).message == CEchoRsp(
        message_id_being_responded_to=refusal.message_id_being_responded_to,
        status=refusal.status,
        affected_sop_class_uid=refusal.affected_sop_class_uid,
        error_comment=refusal.error_comment,
        offending_elements=refusal.offending_elements,
    )


@pytest.mark.parametrize("kind", get_args(Request))
@settings(max_examples=EXAMPLES_OF_EACH)
@given(data=st.data())
def test_damaged_request_is_a_message_a_refusal_or_a_violation(kind: type[Message], data: st.DataObject) -> None:
    command = bytearray(encode_command(data.draw(messages(kind)), has_dataset=False))
    for place in data.draw(st.lists(st.integers(0, len(command) - 1), min_size=1, max_size=4)):
        command[place] = data.draw(st.integers(0, 255))
    try:
        decode_command(bytes(command))
    except (CommandUnusable, ProtocolViolation):
        return


def test_optional_elements_are_left_out() -> None:
    action = NActionRq(message_id=1, requested_sop_class_uid="1", requested_sop_instance_uid="2", action_type_id=1)
    assert pack("<HH", 0, 0x1005) not in encode_command(action, has_dataset=False)
    assert pack("<HH", 0, 0x1030) not in encode_command(STORE, has_dataset=True)
