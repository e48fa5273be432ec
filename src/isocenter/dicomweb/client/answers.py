"""What an HTTP answer or a failed connection means, as an error of the one tree.

Its cause (`__cause__`) is what was seen, for those who must tell a 429 from a 503: `AnsweredStatus`, `AnswerGarbled`,
or the error of the connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpx

from isocenter.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    IsocenterError,
    NotAcceptable,
    NotFound,
    Overloaded,
    PeerUnreachable,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

REASON_LENGTH_MAX = 500
"""Characters of a service's own words that are passed on."""

_ERRORS: dict[int, type[IsocenterError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: InvalidRequest,
    501: InvalidRequest,
    406: NotAcceptable,
    408: Unavailable,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMediaType,
    425: Unavailable,
    429: Overloaded,
    503: Unavailable,
    507: StorageFull,
}
_WORDS = {405: "It does not offer this.", 501: "It does not offer this."}
"""Where the sentence of the error would mislead and the service had none of its own."""


class AnsweredStatus(Exception):
    """The service answered with a status that is no success."""

    def __init__(self, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after_s = retry_after_s
        """How long it asks to be left alone, where it does."""


class AnswerGarbled(Exception):
    """The service answered with success, and with something that no DICOMweb service gives."""


def error_of(
    status: int, service: str, reason: str = "", *, headers: Mapping[str, str] | None = None
) -> IsocenterError:
    """Return the error for a status that is no success, with the service's own words where it gave any."""
    kind = _ERRORS.get(status, Unavailable if status >= 500 else InvalidRequest)
    words = " ".join(reason.split())[:REASON_LENGTH_MAX] or _WORDS.get(status, "")
    error = kind(f"{service} answered {status}: {words or kind.__doc__}")
    error.__cause__ = AnsweredStatus(status, retry_after_s(headers or {}))
    return error


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long a service asks to be left alone (RFC 9110 10.2.3); a date is taken against the answer's own."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal() and len(said) < 10:
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def not_dicomweb(service: str, *, status: int = httpx.codes.OK) -> InvalidRequest:
    """Return the error for an answer that no DICOMweb service gives."""
    error = InvalidRequest(
        f"{service} did not answer as a DICOMweb service; is the path right? It often ends in /dicom-web or /v2."
    )
    error.__cause__ = AnswerGarbled() if httpx.codes.is_success(status) else AnsweredStatus(status)
    return error


def public_name(url: httpx.URL) -> str:
    """Return an address as it may be shown: without user name, password and query."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None)).rstrip("/")


@contextmanager
def domain_errors(service: str) -> Iterator[None]:
    """Turn the failures of the connection inside into errors of the one tree."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise PeerUnreachable(f"Nothing answers at {service}: {error}") from error
    except httpx.TimeoutException as error:
        raise Unavailable(f"{service} did not answer in time.") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise InvalidRequest(f"{service} is not an http or https address.") from error
    except httpx.LocalProtocolError as error:
        raise Unavailable(f"What was being sent to {service} changed while it was read.") from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise Unavailable(f"The connection to {service} broke: {type(error).__name__}.") from error
