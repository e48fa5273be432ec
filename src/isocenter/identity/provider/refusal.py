"""How the provider refuses: the errors of OAuth 2.0 with the numbers that clients of Entra ID know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from isocenter.domain.errors import Refused


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of refusal."""

    error: str
    """RFC 6749 5.2."""
    number: int
    """Of Entra ID's list (AADSTS…)."""
    status: int
    sentence: str


MISSING_PARAMETER = Reason("invalid_request", 900144, 400, "The request body must contain the parameter '{}'.")
REPEATED_PARAMETER = Reason("invalid_request", 9002313, 400, "The request is malformed: '{}' is given more than once.")
MALFORMED = Reason("invalid_request", 9002313, 400, "The request is malformed: {}")
UNKNOWN_TENANT = Reason("invalid_request", 90002, 400, "Tenant '{}' not found. Check that it is the right one.")
UNKNOWN_HOST = Reason(
    "invalid_request", 90038, 400, "This node is no issuer under the name '{}'; list it in http.allowed_hosts."
)
UNKNOWN_CLIENT = Reason(
    "unauthorized_client", 700016, 400, "Application with identifier '{}' was not found in the directory."
)
WRONG_SECRET = Reason(
    "invalid_client",
    7000215,
    401,
    "Invalid client secret provided. Ensure the secret being sent is the client secret value, not its identifier.",
)
EXPIRED_SECRET = Reason("invalid_client", 7000222, 401, "The provided client secret has expired. Make a new one.")
MISSING_SECRET = Reason("invalid_client", 7000218, 401, "The request body must contain the parameter 'client_secret'.")
UNSUPPORTED_GRANT = Reason("unsupported_grant_type", 70003, 400, "The grant type '{}' is not supported.")
UNSUPPORTED_RESPONSE = Reason("unsupported_response_type", 70005, 400, "The response type '{}' is not supported.")
INVALID_SCOPE = Reason(
    "invalid_scope", 1002012, 400, "The scope '{}' is not valid. A client asks for its resource with '/.default'."
)
UNKNOWN_RESOURCE = Reason("invalid_resource", 500011, 400, "The resource '{}' was not found in the tenant.")
WRONG_REDIRECT = Reason(
    "invalid_request", 50011, 400, "The redirect URI '{}' does not match those registered for the application."
)
CODE_GONE = Reason("invalid_grant", 54005, 400, "The authorization code was redeemed already, or has expired.")
CODE_OF_ANOTHER = Reason("invalid_grant", 70000, 400, "The code was given to another client or redirect URI.")
WRONG_VERIFIER = Reason("invalid_grant", 501481, 400, "The code_verifier does not match the code_challenge.")
CHALLENGE_NEEDED = Reason(
    "invalid_request", 9002325, 400, "Proof Key for Code Exchange is required: send code_challenge with method S256."
)
REFRESH_GONE = Reason("invalid_grant", 700082, 400, "The refresh token has expired or was used before; sign in again.")
LOGIN_NEEDED = Reason("login_required", 50058, 400, "Nobody is signed in, and the request asks not to be asked.")
TOO_MANY = Reason("temporarily_unavailable", 50196, 429, "Too many failed attempts; wait and try again.")
BUSY = Reason("temporarily_unavailable", 90033, 503, "A transient error has occurred. Please try again.")


class OAuthRefusal(Refused):
    """The request for a token is refused."""

    def __init__(self, reason: Reason, about: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(f"AADSTS{reason.number}: {reason.sentence.format(_printable(about))}")
        self.reason = reason
        self.retry_after_s = retry_after_s


def refusal_document(refusal: OAuthRefusal, *, now: float, trace_id: str, correlation_id: str) -> dict[str, Any]:
    """Return the JSON that tells a client of a refusal."""
    timestamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    said = f"{refusal.message} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
    return {
        "error": refusal.reason.error,
        "error_description": said,
        "error_codes": [refusal.reason.number],
        "timestamp": timestamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
    }


def _printable(text: str) -> str:
    """Return what a caller sent in a form that can stand in a sentence."""
    return "".join(letter for letter in text[:100] if letter.isprintable() and letter not in "<>\"'&")
