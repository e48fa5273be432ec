"""The token endpoint: a form in, a JSON object out, in both of Entra ID's versions.

Client credentials, authorization codes with PKCE, refresh tokens. Nothing here knows HTTP.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import Any

from isocenter.domain.directory import Application, Tenant
from isocenter.identity.access_token import (
    LIFETIME_S,
    Person,
    TokenSubject,
    TokenVersion,
    access_token_claims,
    id_token_claims,
)
from isocenter.identity.host_names import is_loopback_url
from isocenter.identity.provider import codes
from isocenter.identity.provider.clients import authenticate_client
from isocenter.identity.provider.form import Form, read_client
from isocenter.identity.provider.provider import Provider
from isocenter.identity.provider.refusal import REFRESH_GONE, UNSUPPORTED_GRANT, OAuthRefusal
from isocenter.identity.provider.scopes import DELEGATED, OFFLINE, OPENID, asked_by_client

EXPIRES_IN_S = LIFETIME_S - 1
"""What Entra tells clients, so that they renew in time."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to the token endpoint."""

    form: Form
    authorization: str | None
    """The header, where the client proves itself by it."""
    tenant: Tenant
    version: TokenVersion
    base: str
    address: str
    """Where the request came from."""


def answer_token_request(provider: Provider, request: TokenRequest) -> dict[str, Any]:
    """Return the answer to a request for a token; raises OAuthRefusal."""
    grant_type = request.form.need("grant_type")
    grants = {
        "client_credentials": _for_client,
        "authorization_code": _for_code,
        "refresh_token": _for_refresh_token,
    }
    if grant_type not in grants:
        raise OAuthRefusal(UNSUPPORTED_GRANT, grant_type)
    return grants[grant_type](provider, request)


def mint_for_client(provider: Provider, application: Application, *, base: str, audience: str) -> str:
    """Return an access token for an application, in form 2.0."""
    subject = _client_subject(provider, application, base=base, audience=audience)
    claims = access_token_claims(subject, TokenVersion.V2, now=provider.now(), token_id=provider.new_id())
    return provider.sign(claims)


def _for_client(provider: Provider, request: TokenRequest) -> dict[str, Any]:
    claim = read_client(request.form, request.authorization)
    application = authenticate_client(provider, claim, request.tenant, address=request.address)
    asked = asked_by_client(request.form, request.version, provider)
    subject = _client_subject(provider, application, base=request.base, audience=asked.audience)
    return _answer(provider, subject, request.version)


def _client_subject(provider: Provider, application: Application, *, base: str, audience: str) -> TokenSubject:
    return TokenSubject(
        audience=audience,
        base=base,
        tenant_id=application.tenant_id,
        client_id=application.client_id,
        object_id=application.object_id,
        roles=provider.role_names(application.object_id),
    )


def _for_code(provider: Provider, request: TokenRequest) -> dict[str, Any]:
    form = request.form
    code = form.need("code")
    is_public = is_loopback_url(codes.peek_redirect_uri(provider, code))
    application, is_client_known = _client_of_person(provider, request, is_public=is_public)
    consent, object_id = codes.redeem_code(
        provider,
        code,
        client_id=application.client_id,
        redirect_uri=form.need("redirect_uri"),
        verifier=form.need("code_verifier"),
    )
    return _for_person(provider, request, application, consent, object_id, is_client_known=is_client_known)


def _for_refresh_token(provider: Provider, request: TokenRequest) -> dict[str, Any]:
    token = request.form.need("refresh_token")
    application, is_client_known = _client_of_person(provider, request, is_public=True)
    consent, object_id = codes.redeem_refresh_token(provider, token, client_id=application.client_id)
    consent = replace(consent, nonce="")
    return _for_person(provider, request, application, consent, object_id, is_client_known=is_client_known)


def _client_of_person(provider: Provider, request: TokenRequest, *, is_public: bool) -> tuple[Application, bool]:
    """Return the client that acts for somebody, and whether it proved who it is.

    A program on the person's own machine, or one without a secret, cannot; the code's verifier then has to do.
    """
    claim = read_client(request.form, request.authorization)
    needs_secret = not is_public and bool(provider.store.secrets(claim.client_id.lower()))
    application = authenticate_client(
        provider, claim, request.tenant, address=request.address, needs_secret=needs_secret
    )
    return application, claim.secret is not None


def _for_person(
    provider: Provider,
    request: TokenRequest,
    application: Application,
    consent: codes.Consent,
    object_id: str,
    *,
    is_client_known: bool,
) -> dict[str, Any]:
    user = provider.store.user(object_id)
    if user is None:
        raise OAuthRefusal(REFRESH_GONE)
    subject = TokenSubject(
        audience=consent.audience,
        base=request.base,
        tenant_id=user.tenant_id,
        client_id=application.client_id,
        object_id=object_id,
        roles=provider.role_names(object_id),
        person=Person(user.name, DELEGATED),
        is_client_known=is_client_known,
    )
    answer = _answer(provider, subject, request.version)
    asked = consent.asked()
    answer["scope"] = " ".join(f"{asked.audience.rstrip('/')}/{name}" for name in DELEGATED)
    if asked.wants_refresh_token:
        answer["refresh_token"] = codes.issue_refresh_token(
            provider, consent, object_id=object_id, client_id=application.client_id
        )
        answer["scope"] += f" {OFFLINE}"
    if asked.wants_id_token:
        claims = id_token_claims(subject, now=provider.now(), token_id=provider.new_id(), nonce=consent.nonce)
        answer["id_token"] = provider.sign(claims)
        answer["scope"] += f" {OPENID}"
    if request.form.get("client_info") == "1":
        answer["client_info"] = _client_info(object_id, user.tenant_id)
    return answer


def _answer(provider: Provider, subject: TokenSubject, version: TokenVersion) -> dict[str, Any]:
    now = provider.now()
    claims = access_token_claims(subject, version, now=now, token_id=provider.new_id())
    token = provider.sign(claims)
    if version is TokenVersion.V2:
        return {
            "token_type": "Bearer",
            "expires_in": EXPIRES_IN_S,
            "ext_expires_in": EXPIRES_IN_S,
            "access_token": token,
        }
    return {
        "token_type": "Bearer",
        "expires_in": str(EXPIRES_IN_S),
        "ext_expires_in": str(EXPIRES_IN_S),
        "expires_on": str(claims["exp"]),
        "not_before": str(claims["nbf"]),
        "resource": subject.audience,
        "access_token": token,
    }


def _client_info(object_id: str, tenant_id: str) -> str:
    """Return what MSAL tells accounts apart by."""
    document = json.dumps({"uid": object_id, "utid": tenant_id}).encode()
    return base64.urlsafe_b64encode(document).rstrip(b"=").decode()
