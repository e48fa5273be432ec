"""The provider as its endpoints see it: what it keeps, what it signs with, and the tenant that a request is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from isocenter.domain.directory import TENANT_ALIASES, Application, Tenant
from isocenter.domain.role import find_role
from isocenter.identity.attempts import FailureLimiter
from isocenter.identity.hashing import SecretHasher
from isocenter.identity.issuers import OwnNames
from isocenter.identity.key_ring import KeyRing
from isocenter.identity.provider.refusal import UNKNOWN_CLIENT, UNKNOWN_HOST, UNKNOWN_TENANT, OAuthRefusal
from isocenter.ports.directory import Directory
from isocenter.ports.grants import Grants


class IdentityStore(Directory, Grants, Protocol):
    """What the endpoints need of the store."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The embedded identity provider."""

    store: IdentityStore
    keys: KeyRing
    hasher: SecretHasher
    failures: FailureLimiter
    names: OwnNames
    audiences: tuple[str, ...]
    """The services that tokens are given for, the usual one first."""
    now: Callable[[], float]
    new_id: Callable[[], str]

    def tenant(self, segment: str) -> Tenant:
        """Return the tenant that a segment of a path names; raises OAuthRefusal."""
        tenants = self.store.tenants()
        wanted = segment.lower()
        for tenant in tenants:
            if wanted in (tenant.tenant_id, tenant.name):
                return tenant
        if wanted in TENANT_ALIASES and tenants:
            return tenants[0]
        raise OAuthRefusal(UNKNOWN_TENANT, segment)

    def base(self, requested: str) -> str:
        """Return the name under which to answer a request; raises OAuthRefusal where it is not ours."""
        base = self.names.base_for(requested)
        if base is None:
            raise OAuthRefusal(UNKNOWN_HOST, requested)
        return base

    def application(self, client_id: str, tenant: Tenant) -> Application:
        """Return an application of a tenant; raises OAuthRefusal."""
        found = self.store.application(client_id.lower())
        if found is None or found.tenant_id != tenant.tenant_id:
            raise OAuthRefusal(UNKNOWN_CLIENT, client_id)
        return found

    def is_audience(self, resource: str) -> bool:
        """Tell whether tokens are given for a service; a slash at its end does not matter."""
        return resource.rstrip("/") in (audience.rstrip("/") for audience in self.audiences)

    def role_names(self, object_id: str) -> tuple[str, ...]:
        """Return the roles that a token shows; which of them hold is looked up when it is used."""
        roles = (find_role(one.role_id) for one in self.store.assignments(object_id) if not one.partition_name)
        return tuple(role.name for role in roles if role is not None)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return claims as a token."""
        return self.keys.sign(claims)

    def key_documents(self) -> Sequence[Mapping[str, Any]]:
        """Return the published keys."""
        return self.keys.documents()
