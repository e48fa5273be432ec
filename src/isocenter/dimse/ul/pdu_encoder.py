"""PDUs as bytes (PS3.8 9.3, annex D; PS3.7 annex D.3.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

from isocenter.dimse.ul.pdu import (
    AE_TITLE_LENGTH_MAX,
    Abort,
    AssociateAc,
    AssociateRj,
    AssociateRq,
    PDataTf,
    Pdu,
    Pdv,
    PresentationContextAc,
    PresentationContextRq,
    ReleaseRp,
    ReleaseRq,
)
from isocenter.dimse.ul.user_information import (
    CommonExtendedNegotiation,
    UserIdentityAc,
    UserIdentityRq,
    UserInformation,
)
from isocenter.domain.errors import InvalidRequest

_PDU_HEADER = Struct(">BxI")
_ASSOCIATE = Struct(">H2x16s16s32x")
_ITEM_HEADER = Struct(">BxH")
_LENGTH = Struct(">H")
_DATA_HEADER = Struct(">BxIIBB")
_SHORT = Struct(">BxIxBBB")
_LENGTH_MAX = 0xFFFF
"""Of every item: its length has two bytes."""


def encode_pdu(pdu: Pdu) -> bytes:
    """Return the bytes of a PDU.

    Raises InvalidRequest where a title or an item is longer than its field.
    """
    match pdu:
        case AssociateRq():
            return _encode_associate(0x01, pdu, map(_context_rq, pdu.presentation_contexts))
        case AssociateAc():
            return _encode_associate(0x02, pdu, map(_context_ac, pdu.presentation_contexts))
        case AssociateRj():
            return _SHORT.pack(0x03, 4, pdu.result, pdu.source, pdu.reason)
        case PDataTf():
            items = b"".join(
                _DATA_HEADER.pack(0, 0, len(pdv.data) + 2, pdv.context_id, control_header(pdv))[6:] + bytes(pdv.data)
                for pdv in pdu.pdvs
            )
            return _PDU_HEADER.pack(0x04, len(items)) + items
        case ReleaseRq():
            return _SHORT.pack(0x05, 4, 0, 0, 0)
        case ReleaseRp():
            return _SHORT.pack(0x06, 4, 0, 0, 0)
        case Abort():
            return _SHORT.pack(0x07, 4, 0, pdu.source, pdu.reason)


def encode_data_header(pdv: Pdv) -> bytes:
    """Return what stands before the data of the only PDV of a P-DATA-TF PDU."""
    length = len(pdv.data)
    return _DATA_HEADER.pack(0x04, length + 6, length + 2, pdv.context_id, control_header(pdv))


def control_header(pdv: Pdv) -> int:
    """Return the message control header (PS3.8 annex E.2)."""
    return pdv.is_command | pdv.is_last << 1


def _encode_associate(kind: int, pdu: AssociateRq | AssociateAc, contexts: Iterable[bytes]) -> bytes:
    body = b"".join(
        (
            _ASSOCIATE.pack(pdu.protocol_version, _title(pdu.called_ae_title), _title(pdu.calling_ae_title)),
            _uid_item(0x10, pdu.application_context_name),
            *contexts,
            _item(0x50, b"".join(_iter_sub_items(pdu.user_information))),
        )
    )
    return _PDU_HEADER.pack(kind, len(body)) + body


def _title(ae_title: str) -> bytes:
    encoded = ae_title.encode("latin-1", errors="replace")
    if len(encoded) > AE_TITLE_LENGTH_MAX:
        raise InvalidRequest(f"An AE title has at most {AE_TITLE_LENGTH_MAX} characters.")
    return encoded.ljust(AE_TITLE_LENGTH_MAX)


def _item(kind: int, content: bytes) -> bytes:
    if len(content) > _LENGTH_MAX:
        raise InvalidRequest(f"An item of an A-ASSOCIATE PDU has at most {_LENGTH_MAX} bytes.")
    return _ITEM_HEADER.pack(kind, len(content)) + content


def _uid_item(kind: int, uid: str) -> bytes:
    return _item(kind, uid.encode("ascii"))


def _counted(content: bytes) -> bytes:
    if len(content) > _LENGTH_MAX:
        raise InvalidRequest(f"A field of an A-ASSOCIATE PDU has at most {_LENGTH_MAX} bytes.")
    return _LENGTH.pack(len(content)) + content


def _counted_uid(uid: str) -> bytes:
    return _counted(uid.encode("ascii"))


def _context_rq(context: PresentationContextRq) -> bytes:
    syntaxes = b"".join(_uid_item(0x40, uid) for uid in context.transfer_syntax_uids)
    return _item(0x20, bytes((context.context_id, 0, 0, 0)) + _uid_item(0x30, context.abstract_syntax_uid) + syntaxes)


def _context_ac(context: PresentationContextAc) -> bytes:
    # The transfer syntax of a refused context means nothing, but stands there (PS3.8 9.3.3.2).
    syntax = _uid_item(0x40, context.transfer_syntax_uid)
    return _item(0x21, bytes((context.context_id, 0, context.result, 0)) + syntax)


def _iter_sub_items(information: UserInformation) -> Iterator[bytes]:
    """Yield the sub-items in the order of their types, as receivers are used to see them."""
    yield _item(0x51, information.maximum_length_received.to_bytes(4, "big"))
    yield _uid_item(0x52, information.implementation_class_uid)
    window = information.async_operations_window
    if window is not None:
        limits = (window.operations_invoked_max, window.operations_performed_max)
        yield _item(0x53, b"".join(map(_LENGTH.pack, limits)))
    for role in information.role_selections:
        yield _item(0x54, _counted_uid(role.sop_class_uid) + bytes((role.scu_role, role.scp_role)))
    if information.implementation_version_name is not None:
        yield _item(0x55, information.implementation_version_name.encode("ascii"))
    for extended in information.extended_negotiations:
        yield _item(0x56, _counted_uid(extended.sop_class_uid) + extended.application_information)
    for common in information.common_extended_negotiations:
        yield _item(0x57, _common_extended(common))
    match information.user_identity:
        case UserIdentityRq() as identity:
            head = bytes((identity.identity_type, identity.positive_response_requested))
            yield _item(0x58, head + _counted(identity.primary_field) + _counted(identity.secondary_field))
        case UserIdentityAc() as identity:
            yield _item(0x59, _counted(identity.server_response))
        case None:
            pass


def _common_extended(common: CommonExtendedNegotiation) -> bytes:
    related = b"".join(map(_counted_uid, common.related_general_sop_class_uids))
    return _counted_uid(common.sop_class_uid) + _counted_uid(common.service_class_uid) + _counted(related)
