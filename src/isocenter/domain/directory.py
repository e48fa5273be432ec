"""What the embedded identity provider knows: tenants, applications, people, who was given which role, keys.

Secrets are here only as what is left of them after hashing. Times are seconds since the epoch, as in tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

TENANT_ALIASES = frozenset({"common", "organizations"})
"""Segments of a path that stand for the first tenant where a client does not know which."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A directory of its own: applications and people belong to one."""

    tenant_id: str
    name: str
    """Unique; can stand in a path in the place of the identifier."""
    created_at: float


@dataclass(frozen=True, slots=True)
class Application:
    """A program that may ask for tokens (an app registration)."""

    client_id: str
    tenant_id: str
    object_id: str
    """Of its service principal: `oid` in the tokens that it gets for itself."""
    name: str
    redirect_uris: tuple[str, ...]
    """Where people who signed in for it may be sent back to."""
    created_at: float


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret of an application, hashed."""

    secret_id: str
    client_id: str
    digest: str = field(repr=False)
    hint: str
    """Its first letters, by which a person tells it from others."""
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in."""

    object_id: str
    tenant_id: str
    name: str
    """What is typed at sign-in; unique in the tenant, whatever the case."""
    digest: str = field(repr=False)
    created_at: float


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role given to an application or a person, everywhere or in one partition."""

    object_id: str
    """Of the application's service principal, the person, or whoever an external issuer knows by it."""
    role_id: str
    partition_name: str
    """Empty where it holds everywhere."""
    created_at: float


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with which tokens are signed."""

    key_id: str
    private_pem: bytes = field(repr=False)
    created_at: float
    signs_from: float
    signs_until: float
    published_until: float
    """Until when tokens that it signed may still be about."""


class GrantKind(StrEnum):
    """What was handed out for being shown again."""

    CODE = "code"
    REFRESH = "refresh"
    SESSION = "session"
    SHARE = "share"
    """A link by which one study can be seen."""
    SIGN_IN = "sign-in"
    """A person who was sent to an external issuer to sign in."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Something handed out to be shown again: an authorization code, a refresh token, a session of the console.

    It is known by the digest of what was handed out, so that whoever reads the store cannot use it.
    """

    kind: GrantKind
    digest: bytes = field(repr=False)
    object_id: str
    """Whom it stands for."""
    client_id: str
    """To whom it was given; empty for the console."""
    expires_at: float
    created_at: float
    details: str
    """JSON: what the kind needs besides."""
