from __future__ import annotations

from struct import pack

import pytest

from isocenter.dimse.ul.errors import BeyondLocalLimit, ProtocolViolation
from isocenter.dimse.ul.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAc,
    UserIdentityRq,
    UserInformation,
)
from isocenter.dimse.ul.user_information_decoder import DEFAULT_MAXIMUM_LENGTH, decode_user_information


def item(kind: int, content: bytes) -> bytes:
    return pack(">BxH", kind, len(content)) + content


def counted(content: bytes) -> bytes:
    return pack(">H", len(content)) + content


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (item(0x51, bytes(4)), "maximum_length_received", 0),
        (item(0x51, pack(">I", 16384)), "maximum_length_received", 16384),
        (item(0x52, b"1.2.3\0"), "implementation_class_uid", "1.2.3"),
        (item(0x53, pack(">HH", 5, 0)), "async_operations_window", AsyncOperationsWindow(5, 0)),
        (item(0x54, counted(b"1.2") + b"\0\1"), "role_selections", (RoleSelection("1.2", False, True),)),
        (item(0x55, b"OFFIS_DCMTK_367 "), "implementation_version_name", "OFFIS_DCMTK_367"),
        (item(0x56, counted(b"1.2") + b"\1\0\1"), "extended_negotiations", (ExtendedNegotiation("1.2", b"\1\0\1"),)),
        (item(0x56, counted(b"1.2")), "extended_negotiations", (ExtendedNegotiation("1.2", b""),)),
        (
            item(0x57, counted(b"1.2") + counted(b"1.3") + counted(counted(b"1.4") + counted(b"1.5"))),
            "common_extended_negotiations",
            (CommonExtendedNegotiation("1.2", "1.3", ("1.4", "1.5")),),
        ),
        (
            item(0x57, counted(b"1.2") + counted(b"1.3") + counted(b"") + b"later editions may say more"),
            "common_extended_negotiations",
            (CommonExtendedNegotiation("1.2", "1.3", ()),),
        ),
        (
            item(0x58, b"\2\1" + counted(b"name") + counted(b"word")),
            "user_identity",
            UserIdentityRq(2, True, b"name", b"word"),
        ),
        (item(0x58, b"\5\0" + counted(b"token") + counted(b"")), "user_identity", UserIdentityRq(5, False, b"token")),
        (item(0x59, counted(b"ticket")), "user_identity", UserIdentityAc(b"ticket")),
    ],
)
def test_sub_item_is_read(content: bytes, name: str, expected: object) -> None:
    assert getattr(decode_user_information(content), name) == expected


def test_nothing_is_read_as_what_holds_without_negotiation() -> None:
    assert decode_user_information(b"") == UserInformation(DEFAULT_MAXIMUM_LENGTH, "")


def test_sub_item_of_an_unknown_type_is_passed_over() -> None:
    assert decode_user_information(item(0x5A, b"?")) == decode_user_information(b"")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(item(0x51, bytes(3)), id="maximum length of three bytes"),
        pytest.param(item(0x51, bytes(4)) * 2, id="maximum length twice"),
        pytest.param(item(0x53, bytes(3)), id="half a window"),
        pytest.param(item(0x54, counted(b"1.2") + b"\1"), id="one role"),
        pytest.param(item(0x54, pack(">H", 9) + b"1.2"), id="UID longer than its item"),
        pytest.param(item(0x57, counted(b"1.2") + counted(b"1.3")), id="no list of related classes"),
        pytest.param(
            item(0x57, counted(b"1.2") + counted(b"1.3") + counted(pack(">H", 4) + b"1.4")), id="half a related class"
        ),
        pytest.param(item(0x58, b"\1"), id="half an identity"),
        pytest.param(item(0x58, b"\1\0" + counted(b"name")), id="identity without its second field"),
        pytest.param(item(0x59, pack(">H", 1)), id="response longer than its item"),
        pytest.param(pack(">BxH", 0x52, 4) + b"1.2", id="sub-item longer than the user information"),
    ],
)
def test_malformed_sub_item_is_a_violation(content: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode_user_information(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(item(0x51, pack(">I", 127)), id="PDUs of 127 bytes"),
        pytest.param(item(0x5A, b"") * 1025, id="1025 sub-items"),
        pytest.param(
            item(0x57, counted(b"1.2") + counted(b"1.3") + counted(counted(b"1.4") * 129)), id="129 related classes"
        ),
    ],
)
def test_user_information_beyond_a_limit_says_so(content: bytes) -> None:
    with pytest.raises(BeyondLocalLimit):
        decode_user_information(content)
