"""Decode the user information of an A-ASSOCIATE PDU (PS3.8 annex D, PS3.7 annex D.3.3)."""

from __future__ import annotations

from isocenter.dimse.ul.errors import BeyondLocalLimit, ProtocolViolation
from isocenter.dimse.ul.items import Fields, decode_uid, iter_items
from isocenter.dimse.ul.limits import PEER_PDU_LENGTH_MIN, RELATED_CLASSES_MAX, SUB_ITEMS_MAX
from isocenter.dimse.ul.user_information import (
    AsyncOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentityAc,
    UserIdentityRq,
    UserInformation,
)

DEFAULT_MAXIMUM_LENGTH = 16 * 1024
"""For a peer that announces none although it must: what every known implementation takes."""


def decode_user_information(content: bytes) -> UserInformation:
    """Return what the user information item holds; sub-items of unknown types are passed over.

    Raises ProtocolViolation, BeyondLocalLimit.
    """
    by_kind: dict[int, list[bytes]] = {}
    for item in iter_items(content, count_max=SUB_ITEMS_MAX):
        by_kind.setdefault(item.kind, []).append(item.content)
    class_uid, version_name = _only(by_kind, 0x52), _only(by_kind, 0x55)
    return UserInformation(
        maximum_length_received=_decode_maximum_length(_only(by_kind, 0x51)),
        implementation_class_uid="" if class_uid is None else decode_uid(class_uid),
        implementation_version_name=None if version_name is None else version_name.decode("latin-1").strip(" \0"),
        async_operations_window=_decode_async_operations_window(_only(by_kind, 0x53)),
        role_selections=tuple(map(_decode_role_selection, by_kind.get(0x54, ()))),
        extended_negotiations=tuple(map(_decode_extended, by_kind.get(0x56, ()))),
        common_extended_negotiations=tuple(map(_decode_common_extended, by_kind.get(0x57, ()))),
        user_identity=_decode_identity(rq=_only(by_kind, 0x58), ac=_only(by_kind, 0x59)),
    )


def _only(by_kind: dict[int, list[bytes]], kind: int) -> bytes | None:
    found = by_kind.get(kind, [])
    if len(found) > 1:
        raise ProtocolViolation(f"The user information has {len(found)} sub-items of type {kind:02X}H instead of one.")
    return found[0] if found else None


def _decode_maximum_length(content: bytes | None) -> int:
    if content is None:
        return DEFAULT_MAXIMUM_LENGTH
    maximum_length = Fields(content).take_number(4)
    if 0 < maximum_length < PEER_PDU_LENGTH_MIN:
        raise BeyondLocalLimit(f"PDUs of less than {PEER_PDU_LENGTH_MIN} bytes are not sent.")
    return maximum_length


def _decode_async_operations_window(content: bytes | None) -> AsyncOperationsWindow | None:
    if content is None:
        return None
    fields = Fields(content)
    return AsyncOperationsWindow(fields.take_number(2), fields.take_number(2))


def _decode_role_selection(content: bytes) -> RoleSelection:
    fields = Fields(content)
    return RoleSelection(fields.take_uid(), fields.take_number(1) == 1, fields.take_number(1) == 1)


def _decode_extended(content: bytes) -> ExtendedNegotiation:
    fields = Fields(content)
    return ExtendedNegotiation(fields.take_uid(), fields.rest)


def _decode_common_extended(content: bytes) -> CommonExtendedNegotiation:
    fields = Fields(content)
    sop_class_uid, service_class_uid = fields.take_uid(), fields.take_uid()
    related = Fields(fields.take_counted())
    uids: list[str] = []
    while related.rest:
        uids.append(related.take_uid())
        if len(uids) > RELATED_CLASSES_MAX:
            raise BeyondLocalLimit(f"A SOP class has at most {RELATED_CLASSES_MAX} related general ones.")
    return CommonExtendedNegotiation(sop_class_uid, service_class_uid, tuple(uids))


def _decode_identity(*, rq: bytes | None, ac: bytes | None) -> UserIdentityRq | UserIdentityAc | None:
    if rq is not None:
        fields = Fields(rq)
        identity_type, is_response_requested = fields.take_number(1), fields.take_number(1) == 1
        return UserIdentityRq(identity_type, is_response_requested, fields.take_counted(), fields.take_counted())
    return None if ac is None else UserIdentityAc(Fields(ac).take_counted())
