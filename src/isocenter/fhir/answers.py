"""What an answer of a FHIR server means: try again, somebody was faster, never, or nothing works before it is mended.

Of what a server says of an error only codes and paths are passed on: its sentences may hold values of patients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from isocenter.domain.errors import IsocenterError, Refused
from isocenter.fhir.errors import FhirConflict, FhirNotUsable, FhirRefused, FhirUnavailable

ISSUES_MAX = 5
"""Of one answer that are passed on."""
_CODE = re.compile(r"[A-Za-z0-9-]{1,40}")
_PATH = re.compile(r"[A-Za-z0-9_.\[\]():]{1,120}")
_LATER = frozenset({408, 425, 429})
_CONFLICTS = frozenset({404, 409, 410, 412})
"""Behind a search that found a resource, one that is gone is a conflict too."""


def error_of(status: int, document: Mapping[str, Any] | None, headers: Mapping[str, str]) -> IsocenterError:
    """Return the error for a status that is no success."""
    said = _issues(document)
    words = f"The FHIR server answered {status}{f' ({said})' if said else ''}"
    if status in _LATER or (status >= 500 and status != httpx.codes.NOT_IMPLEMENTED):
        return FhirUnavailable(f"{words}.", retry_after_s=retry_after_s(headers))
    if status in (401, 403):
        return FhirNotUsable(
            f"{words}: it does not accept who we are; check fhir.client_id, its secret and its rights."
        )
    if status in _CONFLICTS:
        return FhirConflict(f"{words}: somebody else changed a resource meanwhile, or refers to it.")
    if 300 <= status < 400:
        return FhirNotUsable(f"{words}: it is somewhere else; correct fhir.url, redirects are not followed.")
    return FhirRefused(f"{words}.")


def _issues(document: Mapping[str, Any] | None) -> str:
    """Return the codes and paths of an OperationOutcome, nothing else of it."""
    issues = document.get("issue") if document is not None else None
    if not isinstance(issues, list):
        return ""
    return "; ".join(filter(None, map(_issue, issues[:ISSUES_MAX])))


def _issue(issue: Any) -> str:
    if not isinstance(issue, Mapping):
        return ""
    code, paths = issue.get("code"), issue.get("expression") or issue.get("location")
    words = [code] if isinstance(code, str) and _CODE.fullmatch(code) else []
    if isinstance(paths, list):
        words += [path for path in paths[:ISSUES_MAX] if isinstance(path, str) and _PATH.fullmatch(path)]
    return " ".join(words)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks to be left alone (RFC 9110 10.2.3); a date is taken against the answer's own."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal() and len(said) < 10:
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


@contextmanager
def fhir_errors() -> Iterator[None]:
    """Turn the failures of a request into errors of this room."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise FhirNotUsable("fhir.url is not an http or https address.") from error
    except httpx.TimeoutException as error:
        raise FhirUnavailable("The FHIR server did not answer in time.") from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise FhirUnavailable(f"The FHIR server cannot be reached: {type(error).__name__}.") from error
    except FhirRefused:
        raise
    except Refused as error:  # no token for us
        raise FhirNotUsable(error.message) from error
