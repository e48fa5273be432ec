"""Command sets: the bytes of a message (PS3.7 6.3.1, annex E), implicit VR little endian always.

Which elements a message has is read from its dataclass: a field without a default is mandatory. Decoding lets pass what
peers get wrong without harm (group length, padding, order, elements that the message does not know), and no more.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from struct import Struct
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from isocenter.dimse.message.command_elements import (
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    ELEMENTS,
    MESSAGE_ID,
    CommandElement,
)
from isocenter.dimse.message.messages import CCancelRq, Message, RefusalRsp
from isocenter.dimse.message.statuses import MISTYPED_ARGUMENT, UNRECOGNIZED_OPERATION
from isocenter.dimse.ul.errors import ProtocolViolation
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.errors import InvalidRequest

RESPONSE_BIT = 0x8000
"""What tells the command field of a response from that of its request."""

_NO_DATA_SET = 0x0101
_DATA_SET_FOLLOWS = 0x0001
_ABSENT: tuple[object, ...] = (None, "", ())
_HEADER = Struct("<HHI")
_GROUP_LENGTH = Struct("<HHII")


class DecodedCommand(NamedTuple):
    """A message, and whether its data set follows."""

    message: Message
    has_dataset: bool


class CommandUnusable(InvalidRequest):
    """The request cannot be understood."""

    def __init__(self, message: str | None = None, *, answer: RefusalRsp, has_dataset: bool) -> None:
        super().__init__(message)
        self.answer = answer
        """What the peer is owed for it."""
        self.has_dataset = has_dataset


class _Field(NamedTuple):
    element: CommandElement
    is_mandatory: bool


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the fields of one message stand in its command set, ascending by element number."""

    message_type: type[Any]
    fields: tuple[_Field, ...]
    encoded: tuple[CommandElement, ...]
    """Those fields, the command field and the data set type."""


def _layout_of(message_type: type[Any]) -> _Layout:
    found = [
        _Field(ELEMENTS[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(message_type)
        if each.name != "command_field"
    ]
    found.sort(key=lambda each: each.element.number)
    encoded = [each.element for each in found] + [ELEMENTS["command_field"], ELEMENTS["command_data_set_type"]]
    return _Layout(message_type, tuple(found), tuple(sorted(encoded, key=lambda each: each.number)))


_LAYOUTS = MappingProxyType({message_type: _layout_of(message_type) for message_type in get_args(Message)})
_BY_COMMAND_FIELD = MappingProxyType(
    {kind.command_field: layout for kind, layout in _LAYOUTS.items() if kind is not RefusalRsp}
)


def encode_command(message: Message, *, has_dataset: bool) -> bytes:
    """Return the command set of a message; its numbers are of 16 bits."""
    parts = [b""]
    for element in _LAYOUTS[type(message)].encoded:
        if element.number == COMMAND_DATA_SET_TYPE:
            value: Any = _DATA_SET_FOLLOWS if has_dataset else _NO_DATA_SET
        else:
            value = getattr(message, element.name)
        if value not in _ABSENT:
            parts.append(element.encode(element.number, value))
    parts[0] = _GROUP_LENGTH.pack(0, 0, 4, sum(map(len, parts)))
    return b"".join(parts)


def decode_command(data: Buffer) -> DecodedCommand:
    """Return the message of a command set.

    Raises CommandUnusable for a request that is to be answered with a failure, ProtocolViolation for what can only be
    aborted.
    """
    values = _read_values(bytes(data))
    command_field = _read_number(values, COMMAND_FIELD)
    has_dataset = _read_number(values, COMMAND_DATA_SET_TYPE) != _NO_DATA_SET
    layout = _BY_COMMAND_FIELD.get(command_field)
    if layout is None:
        raise _unusable(values, UNRECOGNIZED_OPERATION, has_dataset=has_dataset)
    arguments, offending = _decode_fields(layout, values)
    if offending is not None:
        raise _unusable(values, MISTYPED_ARGUMENT, offending=(offending,), has_dataset=has_dataset)
    return DecodedCommand(layout.message_type(**arguments), has_dataset)


def _read_values(data: bytes) -> dict[int, bytes]:
    """Return the values of the elements by their number in group 0000."""
    values: dict[int, bytes] = {}
    position, end = 0, len(data)
    while position < end:
        if end - position < _HEADER.size:
            raise ProtocolViolation("A command set ends within an element.")
        group, number, length = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        if group != 0:
            raise ProtocolViolation("A command set has an element of another group.")
        if length > end - position:
            raise ProtocolViolation("An element is longer than its command set.")
        values[number] = data[position : position + length]
        position += length
    return values


def _read_number(values: dict[int, bytes], number: int) -> int:
    value = values.get(number, b"")
    if len(value) != 2:
        raise ProtocolViolation(f"A command set has no readable element (0000,{number:04X}).")
    return int.from_bytes(value, "little")


def _decode_fields(layout: _Layout, values: dict[int, bytes]) -> tuple[dict[str, Any], int | None]:
    """Return the fields of a message, and the number of a mandatory one that is missing or malformed.

    An optional one that is malformed counts as absent: no operation depends on it.
    """
    arguments: dict[str, Any] = {}
    for element, is_mandatory in layout.fields:
        value = _decode_value(element, values.get(element.number))
        if value not in _ABSENT:
            arguments[element.name] = value
        elif is_mandatory:
            return arguments, element.number
    return arguments, None


def _decode_value(element: CommandElement, value: bytes | None) -> Any:
    try:
        return element.decode(value) if value else None
    except ValueError:
        return None


def _unusable(
    values: dict[int, bytes], status: int, *, has_dataset: bool, offending: tuple[int, ...] = ()
) -> CommandUnusable | ProtocolViolation:
    """Return the error for a command that cannot be understood: answered where it is a request that can be answered."""
    command_field = _read_number(values, COMMAND_FIELD)
    if command_field & RESPONSE_BIT or command_field == CCancelRq.command_field:
        return ProtocolViolation("A response or a cancel request is malformed.")
    answer = RefusalRsp(
        command_field=command_field | RESPONSE_BIT,
        message_id_being_responded_to=_read_number(values, MESSAGE_ID),
        status=status,
        affected_sop_class_uid=_read_class(values),
        offending_elements=offending,
    )
    return CommandUnusable(answer=answer, has_dataset=has_dataset)


def _read_class(values: dict[int, bytes]) -> str | None:
    elements = (ELEMENTS["affected_sop_class_uid"], ELEMENTS["requested_sop_class_uid"])
    found = (_decode_value(element, values.get(element.number)) for element in elements)
    return next((str(uid) for uid in found if uid), None)
