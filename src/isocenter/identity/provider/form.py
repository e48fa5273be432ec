"""What a client sent to an endpoint: parameters, each at most once, and who it says it is (RFC 6749 2.3, 3.1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from isocenter.identity.provider.refusal import MALFORMED, MISSING_PARAMETER, REPEATED_PARAMETER, OAuthRefusal

PARAMETERS_MAX = 100
"""A request has some ten."""
VALUE_LENGTH_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of a request."""

    values: Mapping[str, str]

    def need(self, name: str) -> str:
        """Return a parameter; raises OAuthRefusal where it is missing or empty."""
        value = self.values.get(name)
        if not value:
            raise OAuthRefusal(MISSING_PARAMETER, name)
        return value

    def get(self, name: str) -> str:
        """Return a parameter, empty where it is missing."""
        return self.values.get(name, "")


def read_form(pairs: Iterable[tuple[str, str]]) -> Form:
    """Return the parameters of a request; raises OAuthRefusal where one is given twice or is too long."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise OAuthRefusal(REPEATED_PARAMETER, name)
        if len(values) >= PARAMETERS_MAX or len(value) > VALUE_LENGTH_MAX:
            raise OAuthRefusal(MALFORMED, "it is too long.")
        values[name] = value
    return Form(values)


@dataclass(frozen=True, slots=True)
class ClientClaim:
    """Who a client says it is, and what it shows for it."""

    client_id: str
    secret: str | None


def read_client(form: Form, authorization: str | None) -> ClientClaim:
    """Return who asks, from the form or by HTTP Basic, whose two parts are form-encoded; raises OAuthRefusal."""
    if authorization is not None and authorization[:6].lower() == "basic ":
        try:
            name, colon, secret = base64.b64decode(authorization[6:].strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise OAuthRefusal(MALFORMED, "the Authorization header cannot be read.") from error
        if not colon:
            raise OAuthRefusal(MALFORMED, "the Authorization header cannot be read.")
        return ClientClaim(unquote_plus(name), unquote_plus(secret))
    return ClientClaim(form.need("client_id"), form.values.get("client_secret"))
