"""Answers that many routes give: refusals, and headers."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.dicomweb.codec.openapi.description import Answer, Contents, Header
from isocenter.dicomweb.codec.openapi.schemas import TEXT

PLAIN = "text/plain"
FAILURES: Mapping[int, str] = {
    400: "Something in the request cannot be understood or is not allowed; the body says what.",
    401: "Who calls is not known: no token, or one that is not valid. `WWW-Authenticate` says where to get one.",
    403: "Who calls is known, and may not do this.",
    404: "What the path names is not there.",
    406: "Nothing that the request accepts can be given.",
    408: "The body stood still for too long.",
    409: "It is against the present state of what is stored.",
    413: "The body is too large.",
    415: "The body is of a media type, or compressed in a way, that is not taken.",
    416: "The range lies behind the end.",
    431: "The headers of the request are too large.",
    500: "A fault of the node; its log says more.",
    503: "Not now: the same request may work later.",
    507: "The disk is full.",
}
RETRY_AFTER = Header("Retry-After", "Seconds after which to try again.")
WARNING = Header("Warning", 'What is to be known of the answer, as `299 host: "text"`, several parted by commas.')
VARY = Header("Vary", "Request headers that the answer depends on.")
ENCODING = Header("Content-Encoding", "`gzip` where the request accepts it and it is worth the while.")
LOCATION = Header("Location", "Where to ask on.", is_always_there=True)
ATTACHED = Header("Content-Disposition", "`attachment`: browsers save it.")
CACHED = Header("Cache-Control", "How long a browser may keep it.")
_HEADERS: Mapping[int, tuple[Header, ...]] = {
    401: (Header("WWW-Authenticate", "Where a token is to be had, by `authorization_uri` and `resource_id`."),),
    503: (RETRY_AFTER,),
    507: (RETRY_AFTER,),
}


def failure(status: int, text: str = "", contents: Contents | None = None) -> Answer:
    """Return how a failure is answered: with a sentence in plain text unless said otherwise."""
    return Answer(status, text or FAILURES[status], contents or {PLAIN: TEXT}, _HEADERS.get(status, ()))


def failures(*statuses: int) -> tuple[Answer, ...]:
    """Return how failures are answered that need no more words."""
    return tuple(failure(status) for status in statuses)
