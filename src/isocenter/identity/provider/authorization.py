"""The authorization endpoint: a client sends a person here, and the person is sent back with a code (RFC 6749 4.1).

First whether the client and the address to go back to are known: before that nobody is sent anywhere. What is wrong
after that is told to the client, by the way back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from isocenter.domain.directory import Application, Tenant
from isocenter.identity.access_token import TokenVersion
from isocenter.identity.host_names import is_loopback
from isocenter.identity.provider.codes import Consent, issue_code
from isocenter.identity.provider.form import Form
from isocenter.identity.provider.provider import Provider
from isocenter.identity.provider.refusal import (
    CHALLENGE_NEEDED,
    MALFORMED,
    UNSUPPORTED_RESPONSE,
    WRONG_REDIRECT,
    OAuthRefusal,
)
from isocenter.identity.provider.scopes import asked_for_person

STATE_LENGTH_MAX = 8192
_AUTHORITY = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?", re.ASCII)
"""Host and port, and nobody's name before them; it stands in a policy of ours."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class ResponseMode(StrEnum):
    """How the answer goes back (OAuth 2.0 Multiple Response Types, Form Post Response Mode)."""

    QUERY = "query"
    FRAGMENT = "fragment"
    FORM_POST = "form_post"


@dataclass(frozen=True, slots=True)
class WayBack:
    """Where the answer goes, and how; both were checked."""

    redirect_uri: str
    mode: ResponseMode
    state: str

    def address(self, answer: Mapping[str, str]) -> str:
        """Return where to send the person's browser with an answer; for modes other than a form."""
        mark = "#" if self.mode is ResponseMode.FRAGMENT else "&" if "?" in self.redirect_uri else "?"
        return self.redirect_uri + mark + urlencode(self.fields(answer))

    def fields(self, answer: Mapping[str, str]) -> Mapping[str, str]:
        """Return an answer as the client wants it: with its own word in it."""
        return {**answer, **({"state": self.state} if self.state else {})}

    @property
    def origin(self) -> str:
        """Return scheme, host and port of the address."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks of a person."""

    application: Application
    consent: Consent
    prompt: str
    login_hint: str


def read_way_back(provider: Provider, form: Form, tenant: Tenant) -> tuple[Application, WayBack]:
    """Return which application asks and how to answer it; raises OAuthRefusal, to be shown to the person."""
    application = provider.application(form.need("client_id"), tenant)
    redirect_uri = form.need("redirect_uri")
    if not any(_is_same_redirect(redirect_uri, known) for known in application.redirect_uris):
        raise OAuthRefusal(WRONG_REDIRECT, redirect_uri)
    mode = form.get("response_mode") or ResponseMode.QUERY.value
    if mode not in list(ResponseMode):
        raise OAuthRefusal(MALFORMED, "the response_mode is not supported.")
    state = form.get("state")
    if len(state) > STATE_LENGTH_MAX:
        raise OAuthRefusal(MALFORMED, "the state is too long.")
    return application, WayBack(redirect_uri, ResponseMode(mode), state)


def read_authorization_request(
    provider: Provider, form: Form, application: Application, version: TokenVersion
) -> AuthorizationRequest:
    """Return what is asked of the person; raises OAuthRefusal, to be told to the client."""
    if form.need("response_type") != "code":
        raise OAuthRefusal(UNSUPPORTED_RESPONSE, form.get("response_type"))
    if form.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(form.get("code_challenge")):
        raise OAuthRefusal(CHALLENGE_NEEDED)
    asked = asked_for_person(form, version, provider)
    consent = Consent(
        audience=asked.audience,
        version=version.value,
        wants_id_token=asked.wants_id_token,
        wants_refresh_token=asked.wants_refresh_token,
        redirect_uri=form.need("redirect_uri"),
        challenge=form.get("code_challenge"),
        nonce=form.get("nonce"),
    )
    return AuthorizationRequest(application, consent, form.get("prompt"), form.get("login_hint"))


def grant_code(provider: Provider, request: AuthorizationRequest, *, object_id: str) -> Mapping[str, str]:
    """Return the answer that lets the client act for a person."""
    client_id = request.application.client_id
    return {"code": issue_code(provider, request.consent, object_id=object_id, client_id=client_id)}


def tell_refusal(refusal: OAuthRefusal) -> Mapping[str, str]:
    """Return the answer that tells the client why not."""
    return {"error": refusal.reason.error, "error_description": refusal.message}


def is_redirect_uri(uri: str) -> bool:
    """Tell whether people may be sent back to an address: https, or a program on their own machine (RFC 8252 7.3)."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    if (
        "#" in uri
        or " " in uri
        or not parts.hostname
        or not uri.isprintable()
        or not _AUTHORITY.fullmatch(parts.netloc)
    ):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def _is_same_redirect(given: str, known: str) -> bool:
    """Compare letter by letter; only the port of a program on the person's machine is its own affair."""
    if given == known:
        return True
    if not is_redirect_uri(given):
        return False
    one, other = urlsplit(given), urlsplit(known)
    if one.scheme != "http" or other.scheme != "http" or other.hostname is None or not is_loopback(other.hostname):
        return False
    return one.hostname == other.hostname and (one.path or "/", one.query) == (other.path or "/", other.query)
