"""For which service a client asks, and what it is to be allowed there: `scope` in version 2.0, `resource` in 1.0."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.identity.access_token import TokenVersion
from isocenter.identity.provider.form import Form
from isocenter.identity.provider.provider import Provider
from isocenter.identity.provider.refusal import INVALID_SCOPE, UNKNOWN_RESOURCE, OAuthRefusal

DEFAULT = "/.default"
OPENID, OFFLINE = "openid", "offline_access"
_OIDC = frozenset({OPENID, "profile", "email", OFFLINE})
DELEGATED = ("Dicom.ReadWrite", "user_impersonation")
"""What a person can let a client do; there is nothing finer, roles decide the rest."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for."""

    audience: str
    """As the client wrote it, for that is what it will find in the token."""
    wants_id_token: bool = False
    wants_refresh_token: bool = False


def asked_by_client(form: Form, version: TokenVersion, provider: Provider) -> Asked:
    """Return what a client asks for itself; raises OAuthRefusal."""
    if version is TokenVersion.V1:
        return Asked(_resource(form.need("resource"), provider))
    scope = form.need("scope").strip()
    if not scope.endswith(DEFAULT) or " " in scope:
        raise OAuthRefusal(INVALID_SCOPE, scope)
    return Asked(_resource(scope.removesuffix(DEFAULT), provider))


def asked_for_person(form: Form, version: TokenVersion, provider: Provider) -> Asked:
    """Return what a client asks in the name of somebody; raises OAuthRefusal."""
    words = form.get("scope").split()
    of_resources = [word for word in words if word not in _OIDC]
    if version is TokenVersion.V1:
        resource = form.get("resource") or provider.audiences[0]
        return Asked(_resource(resource, provider), OPENID in words, wants_refresh_token=True)
    audiences = {_resource(_resource_of(word), provider) for word in of_resources}
    if len(audiences) > 1:
        raise OAuthRefusal(INVALID_SCOPE, " ".join(of_resources))
    audience = audiences.pop() if audiences else provider.audiences[0]
    return Asked(audience, OPENID in words, OFFLINE in words)


def _resource_of(word: str) -> str:
    for ending in (DEFAULT, *(f"/{name}" for name in DELEGATED)):
        if word.lower().endswith(ending.lower()):
            return word[: -len(ending)]
    raise OAuthRefusal(INVALID_SCOPE, word)


def _resource(resource: str, provider: Provider) -> str:
    if not provider.is_audience(resource):
        raise OAuthRefusal(UNKNOWN_RESOURCE, resource)
    return resource
