"""What an access token of the embedded provider says: the claims that Azure's tokens have, version 1.0 and 2.0.

Values only: the time, the identifier of the token and the key come from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LIFETIME_S = 3600
"""Azure's tokens live for 60 to 90 minutes; clients are told one hour."""
BY_SECRET, BY_NOTHING = "1", "0"
"""How the client proved who it is; a public client cannot."""


class TokenVersion(StrEnum):
    """Which of Azure's two forms a token has; it follows from the endpoint that was asked."""

    V1 = "1.0"
    V2 = "2.0"


@dataclass(frozen=True, slots=True)
class Person:
    """On whose behalf a client acts."""

    name: str
    scopes: tuple[str, ...]
    """What the person let the client do."""


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """Whom a token stands for, and for which service it is."""

    audience: str
    base: str
    """Scheme, host and path under which the provider was asked, without a slash at the end."""
    tenant_id: str
    client_id: str
    object_id: str
    """Of the person, or of the client where it acts for itself."""
    roles: tuple[str, ...] = ()
    person: Person | None = None
    is_client_known: bool = True
    """Whether the client proved who it is."""


def issuer_of(base: str, tenant_id: str, version: TokenVersion) -> str:
    """Return the name of the issuer, as its discovery document and tokens have it."""
    return f"{base}/{tenant_id}/v2.0" if version is TokenVersion.V2 else f"{base}/{tenant_id}/"


def access_token_claims(subject: TokenSubject, version: TokenVersion, *, now: float, token_id: str) -> dict[str, Any]:
    """Return the claims of an access token that is valid from now on."""
    issued_at = int(now)
    issuer = issuer_of(subject.base, subject.tenant_id, version)
    claims: dict[str, Any] = {
        "aud": subject.audience,
        "iss": issuer,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + LIFETIME_S,
        "idp": issuer,
        "oid": subject.object_id,
        "sub": subject.object_id,
        "tid": subject.tenant_id,
        "uti": token_id,
        "ver": version.value,
        **_client_claims(subject, version),
    }
    if subject.roles:
        claims["roles"] = list(subject.roles)
    if subject.person is None:
        claims["idtyp"] = "app"
    else:
        claims |= _person_claims(subject.person, version)
    return claims


def id_token_claims(subject: TokenSubject, *, now: float, token_id: str, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token: it tells the client who signed in, and is for nobody else."""
    assert subject.person is not None, "only people sign in"
    issued_at = int(now)
    return {
        "aud": subject.client_id,
        "iss": issuer_of(subject.base, subject.tenant_id, TokenVersion.V2),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + LIFETIME_S,
        "oid": subject.object_id,
        "sub": subject.object_id,
        "tid": subject.tenant_id,
        "name": subject.person.name,
        "preferred_username": subject.person.name,
        "uti": token_id,
        "ver": TokenVersion.V2.value,
        **({"nonce": nonce} if nonce else {}),
    }


def _client_claims(subject: TokenSubject, version: TokenVersion) -> Mapping[str, str]:
    proof = BY_SECRET if subject.is_client_known else BY_NOTHING
    if version is TokenVersion.V2:
        return {"azp": subject.client_id, "azpacr": proof}
    return {"appid": subject.client_id, "appidacr": proof}


def _person_claims(person: Person, version: TokenVersion) -> Mapping[str, Any]:
    named = {"preferred_username": person.name} if version is TokenVersion.V2 else {"upn": person.name}
    return {"name": person.name, "scp": " ".join(person.scopes), **named}
