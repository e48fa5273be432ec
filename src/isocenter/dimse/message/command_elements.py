"""The elements of command sets: tag and encoding by the name of the attribute (PS3.7 table E.1-1, edition 2025)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from types import MappingProxyType
from typing import Any

UID_LENGTH_MAX = 64
AE_TITLE_LENGTH_MAX = 16
LONG_STRING_LENGTH_MAX = 64
"""Of an error comment (PS3.5 6.2, LO)."""

_HEADER = Struct("<HHI")
_NUMBER_ELEMENT = Struct("<HHIH")
_NUMBER = Struct("<H")
_TAG = Struct("<HH")


@dataclass(frozen=True, slots=True)
class CommandElement:
    """One element; its group is 0000."""

    name: str
    number: int
    encode: Callable[[int, Any], bytes]
    """From element number and value to the whole element. Values are what the dataclasses of the messages say."""
    decode: Callable[[bytes], Any]
    """From the bytes of the value; raises ValueError for what it cannot be."""


def _encode_value(number: int, value: bytes, padding: bytes) -> bytes:
    if len(value) & 1:
        value += padding
    return _HEADER.pack(0, number, len(value)) + value


def _encode_uid(number: int, uid: str) -> bytes:
    return _encode_value(number, uid.encode("ascii"), b"\0")


def _decode_uid(value: bytes) -> str:
    bare = value.rstrip(b" \0")
    if len(bare) > UID_LENGTH_MAX:
        raise ValueError("The value is too long for a UID.")
    return bare.decode("ascii")


def _encode_number(number: int, value: int) -> bytes:
    return _NUMBER_ELEMENT.pack(0, number, 2, value)


def _decode_number(value: bytes) -> int:
    if len(value) != _NUMBER.size:
        raise ValueError("The value has not two bytes.")
    return int.from_bytes(value, "little")


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _encode_ae_title(number: int, ae_title: str) -> bytes:
    return _encode_value(number, ae_title.encode("ascii", errors="replace")[:AE_TITLE_LENGTH_MAX], b" ")


def _decode_text(value: bytes) -> str:
    # What a peer writes ends up in logs and on terminals.
    return _printable(value.decode("latin-1"))


def _encode_comment(number: int, comment: str) -> bytes:
    # The default repertoire, one value, no more than LO holds: a comment is never worth a broken response.
    one_value = _printable(comment.replace("\\", " "))[:LONG_STRING_LENGTH_MAX].rstrip()
    return _encode_value(number, one_value.encode("ascii", errors="replace"), b" ")


def _encode_tags(number: int, tags: tuple[int, ...]) -> bytes:
    return _encode_value(number, b"".join(_TAG.pack(tag >> 16, tag & 0xFFFF) for tag in tags), b"")


def _decode_tags(value: bytes) -> tuple[int, ...]:
    if len(value) % _TAG.size:
        raise ValueError("The value is no list of tags.")
    return tuple(group << 16 | element for group, element in _TAG.iter_unpack(value))


_UID = (_encode_uid, _decode_uid)
_US = (_encode_number, _decode_number)
_AE = (_encode_ae_title, _decode_text)
_LO = (_encode_comment, _decode_text)
_AT = (_encode_tags, _decode_tags)

COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
COMMAND_DATA_SET_TYPE = 0x0800

ELEMENTS = MappingProxyType(
    {
        name: CommandElement(name, number, encode, decode)
        for name, number, (encode, decode) in (
            ("affected_sop_class_uid", 0x0002, _UID),
            ("requested_sop_class_uid", 0x0003, _UID),
            ("command_field", COMMAND_FIELD, _US),
            ("message_id", MESSAGE_ID, _US),
            ("message_id_being_responded_to", 0x0120, _US),
            ("move_destination", 0x0600, _AE),
            ("priority", 0x0700, _US),
            ("command_data_set_type", COMMAND_DATA_SET_TYPE, _US),
            ("status", 0x0900, _US),
            ("offending_elements", 0x0901, _AT),
            ("error_comment", 0x0902, _LO),
            ("error_id", 0x0903, _US),
            ("affected_sop_instance_uid", 0x1000, _UID),
            ("requested_sop_instance_uid", 0x1001, _UID),
            ("event_type_id", 0x1002, _US),
            ("attribute_identifier_list", 0x1005, _AT),
            ("action_type_id", 0x1008, _US),
            ("number_of_remaining_suboperations", 0x1020, _US),
            ("number_of_completed_suboperations", 0x1021, _US),
            ("number_of_failed_suboperations", 0x1022, _US),
            ("number_of_warning_suboperations", 0x1023, _US),
            ("move_originator_ae_title", 0x1030, _AE),
            ("move_originator_message_id", 0x1031, _US),
        )
    }
)
"""By the names that the fields of the messages bear; the group length (0000,0000) is made and passed over elsewhere."""
