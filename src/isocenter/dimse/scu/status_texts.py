"""What the status of a response means, in words for people (PS3.7 annex C, PS3.4 B.2.3, C.4.1 to C.4.3)."""

from __future__ import annotations

from isocenter.dimse.message.messages import CFindRsp, CGetRsp, CMoveRsp, CStoreRsp, Response

_ANY = {
    0x0105: "an attribute is not known there",
    0x0106: "the value of an attribute is not allowed",
    0x0107: "attributes were not understood, and left out",
    0x0110: "it could not process the request",
    0x0111: "another instance with this UID is there",
    0x0112: "no such SOP instance is there",
    0x0115: "a value of the request is not allowed",
    0x0117: "the SOP instance UID is not valid",
    0x0118: "the SOP class is not known there",
    0x0119: "the instance is not of this SOP class",
    0x0120: "a required attribute is missing",
    0x0121: "the value of a required attribute is missing",
    0x0122: "the SOP class is not supported there",
    0x0124: "this caller may not do that; allow it there",
    0x0210: "the message ID is in use",
    0x0211: "it does not know this operation",
    0x0212: "the request is not built as it expects",
    0x0213: "it is short of resources; try again later",
    0xA700: "it is out of resources; try again later",
    0xFE00: "the request was cancelled",
}
_STORE = {
    0xA900: "the data set does not match its SOP class",
    0xB000: "it changed some values while storing",
    0xB006: "it left some elements out while storing",
    0xB007: "it stored it, but the data set does not match its SOP class",
}
_FIND = {0xA900: "the identifier does not match the SOP class: a key or the level is not one of this model"}
_RETRIEVE = {
    0xA701: "it could not tell how many instances match",
    0xA702: "it could not send the instances: the destination cannot be reached, or refused them all",
    0xA801: "it does not know the destination; add its AE title and address there",
    0xA900: "the identifier does not match the SOP class: a unique key of a higher level is missing",
    0xB000: "some instances could not be sent",
}
_BY_RESPONSE: dict[type, dict[int, str]] = {
    CStoreRsp: _STORE,
    CFindRsp: _FIND,
    CMoveRsp: _RETRIEVE,
    CGetRsp: _RETRIEVE,
}
_RANGES = {0xA7: "it is out of resources; try again later", 0xA9: "the data set does not match its SOP class"}
_UNABLE: dict[type, str] = {
    CStoreRsp: "it could not understand the data set",
    CMoveRsp: "it could not process the request; often it knows no such destination, or has nothing of that name",
    CGetRsp: "it could not process the request; often it has nothing of that name",
}
"""C000 to CFFF."""
COMMENT_SHOWN_MAX = 64
"""An error comment is no longer (PS3.5 LO)."""


def describe_status(response: Response) -> str:
    """Return a status with its meaning, and what the peer itself says of it."""
    status = response.status
    meaning = _BY_RESPONSE.get(type(response), {}).get(status) or _ANY.get(status)
    if meaning is None and isinstance(response, CStoreRsp):
        meaning = _RANGES.get(status >> 8)
    if meaning is None and status >> 12 == 0xC:
        meaning = _UNABLE.get(type(response), "it could not understand the request")
    meaning = meaning or "which the standard does not name"
    comment = (getattr(response, "error_comment", None) or "")[:COMMENT_SHOWN_MAX].strip()
    return f"{status:04X}, {meaning}" + (f" ({comment})" if comment else "")
