"""Bodies in JSON that is not DICOM's, read as leniently as the service reads them (dicom-service 1.4).

Comments and trailing commas are passed over; both are common in what people keep beside their scripts.
"""

from __future__ import annotations

import re

import orjson

from isocenter.domain.errors import InvalidRequest

_PIECES = re.compile(
    rb"""
      (?P<text>"(?:[^"\\]++|\\.)*+"?)
    | (?P<blank>\s++|//[^\r\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)
    | (?P<comma>,)
    | (?P<end>[\]}])
    | (?P<other>[^"/,\]}\s]++|/\*(?:[^*]++|\*(?!/))*+|/)
    """,
    re.VERBOSE | re.DOTALL,
)
"""Every byte is in one piece, and none is looked at twice but those of a comment that never ends."""
_NO_VALUE_BEFORE = (b"[", b"{", b",", b":")


def parse_json_body(body: bytes) -> object:
    """Return the value of a body. Raises InvalidRequest where there is none or it is no JSON."""
    if not body.strip():
        raise InvalidRequest("The request body is missing.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.loads(_without_comments(body))
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("The syntax of the request body is invalid.") from error


def _without_comments(body: bytes) -> bytes:
    """Return a body without its comments and the commas behind last values."""
    kept: list[bytes] = []
    for found in _PIECES.finditer(body):
        if found.lastgroup == "blank":
            continue
        if found.lastgroup == "end" and len(kept) > 1 and kept[-1] == b"," and not kept[-2].endswith(_NO_VALUE_BEFORE):
            kept.pop()
        kept.append(found.group())
    return b" ".join(kept)
