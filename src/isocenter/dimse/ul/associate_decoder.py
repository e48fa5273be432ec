"""Decode the body of an A-ASSOCIATE PDU (PS3.8 9.3.2 and 9.3.3).

Items of unknown types are passed over, as PS3.8 9.3.1 wants it; items that do not fit into their PDU are a violation.
"""

from __future__ import annotations

from struct import Struct

from isocenter.dimse.ul.errors import BeyondLocalLimit, ProtocolViolation
from isocenter.dimse.ul.items import Item, decode_uid, iter_items
from isocenter.dimse.ul.limits import CONTEXT_ITEMS_MAX, CONTEXTS_MAX, ITEMS_MAX
from isocenter.dimse.ul.pdu import (
    AssociateAc,
    AssociateRq,
    ContextResult,
    PresentationContextAc,
    PresentationContextRq,
)
from isocenter.dimse.ul.user_information_decoder import decode_user_information

_FIXED = Struct(">H2x16s16s32x")
ASSOCIATE_LENGTH_MIN = _FIXED.size
"""Protocol version, titles and reserved bytes (PS3.8 tables 9-11 and 9-17)."""

_CONTEXT_HEADER_LENGTH = 4


def decode_associate_rq(body: bytes) -> AssociateRq:
    """Return the request in the body of an A-ASSOCIATE-RQ PDU.

    Raises ProtocolViolation, BeyondLocalLimit.
    """
    version, called, calling = _FIXED.unpack_from(body)
    items = list(iter_items(body, ASSOCIATE_LENGTH_MIN, count_max=ITEMS_MAX))
    return AssociateRq(
        called_ae_title=_decode_title(called),
        calling_ae_title=_decode_title(calling),
        presentation_contexts=tuple(map(_decode_context_rq, _contexts(items, 0x20))),
        user_information=decode_user_information(_single(items, 0x50)),
        application_context_name=decode_uid(_single(items, 0x10)),
        protocol_version=version,
    )


def decode_associate_ac(body: bytes) -> AssociateAc:
    """Return the answer in the body of an A-ASSOCIATE-AC PDU.

    Raises ProtocolViolation, BeyondLocalLimit.
    """
    version, called, calling = _FIXED.unpack_from(body)
    items = list(iter_items(body, ASSOCIATE_LENGTH_MIN, count_max=ITEMS_MAX))
    return AssociateAc(
        called_ae_title=_decode_title(called),
        calling_ae_title=_decode_title(calling),
        presentation_contexts=tuple(map(_decode_context_ac, _contexts(items, 0x21))),
        user_information=decode_user_information(_single(items, 0x50)),
        application_context_name=decode_uid(_single(items, 0x10)),
        protocol_version=version,
    )


def _single(items: list[Item], kind: int) -> bytes:
    found = [item.content for item in items if item.kind == kind]
    if len(found) != 1:
        raise ProtocolViolation(f"An item has {len(found)} items of type {kind:02X}H instead of one.")
    return found[0]


def _contexts(items: list[Item], kind: int) -> list[bytes]:
    """Return the contents of the presentation contexts, whose IDs are odd and differ."""
    contexts = [item.content for item in items if item.kind == kind]
    if len(contexts) > CONTEXTS_MAX:
        raise BeyondLocalLimit(f"An association has at most {CONTEXTS_MAX} presentation contexts.")
    if any(len(content) < _CONTEXT_HEADER_LENGTH for content in contexts):
        raise ProtocolViolation("A presentation context is too short.")
    context_ids = {content[0] for content in contexts}
    if len(context_ids) < len(contexts):
        raise ProtocolViolation("A presentation context ID is used twice.")
    if not all(context_id & 1 for context_id in context_ids):
        raise ProtocolViolation("A presentation context ID is not odd.")
    return contexts


def _decode_title(raw: bytes) -> str:
    # Some senders fill up with NUL where PS3.8 wants spaces.
    return raw.decode("latin-1").strip(" \0")


def _decode_context_rq(content: bytes) -> PresentationContextRq:
    items = list(iter_items(content, _CONTEXT_HEADER_LENGTH, count_max=CONTEXT_ITEMS_MAX))
    syntaxes = [item.content for item in items if item.kind == 0x40]
    if not syntaxes:
        raise ProtocolViolation("A presentation context has no transfer syntax.")
    return PresentationContextRq(content[0], decode_uid(_single(items, 0x30)), tuple(map(decode_uid, syntaxes)))


def _decode_context_ac(content: bytes) -> PresentationContextAc:
    context_id, result = content[0], content[2]
    syntaxes = [
        item.content
        for item in iter_items(content, _CONTEXT_HEADER_LENGTH, count_max=CONTEXT_ITEMS_MAX)
        if item.kind == 0x40
    ]
    if result != ContextResult.ACCEPTANCE:
        # Its transfer syntax shall not be tested (PS3.8 9.3.3.2); some acceptors leave it out.
        return PresentationContextAc(context_id, result)
    if len(syntaxes) != 1:
        raise ProtocolViolation("An accepted presentation context has not one transfer syntax.")
    return PresentationContextAc(context_id, result, decode_uid(syntaxes[0]))
