"""What an HTTP answer or a failed connection means, as an error of the one tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


def error_of(status: int, service: str, reason: str = "") -> IsocenterError:
    """Return the error for a status that is no success, with the service's own words where it gave any."""
    kind = _ERRORS.get(status, Unavailable if status >= 500 else InvalidRequest)
    words = " ".join(reason.split())[:REASON_LENGTH_MAX] or _WORDS.get(status, "")
    return kind(f"{service} answered {status}: {words or kind.__doc__}")


def not_dicomweb(service: str) -> InvalidRequest:
    """Return the error for an answer that no DICOMweb service gives."""
    return InvalidRequest(
        f"{service} did not answer as a DICOMweb service; is the path right? It often ends in /dicom-web or /v2."
    )


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
