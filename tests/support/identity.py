"""An embedded identity provider over the memory store, with a clock that a test moves."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from isocenter.domain.directory import Application, Tenant, User
from isocenter.domain.role import Role
from isocenter.identity.attempts import FailureLimiter
from isocenter.identity.hashing import SecretHasher
from isocenter.identity.host_names import HostNames
from isocenter.identity.issuers import EmbeddedIssuer, OwnNames
from isocenter.identity.key_ring import KeyRing
from isocenter.identity.provider.form import Form, read_form
from isocenter.identity.provider.provider import Provider
from isocenter.identity.registry import Registry
from isocenter.identity.token_verifier import TokenVerifier
from isocenter.storage.memory import MemoryIdentityStore

START = 1_795_000_000.0
BASE = "https://localhost:8443"
AUDIENCE = "https://dicom.healthcareapis.azure.com"
PASSWORD = "correct horse battery"
DAY_S = 86_400.0


@dataclass(slots=True)
class Seconds:
    """The time, in seconds since the epoch."""

    value: float = START

    def __call__(self) -> float:
        """Return the time."""
        return self.value

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.value += seconds


@dataclass(slots=True)
class IdentityWorld:
    """A directory, the provider over it, and whoever verifies its tokens."""

    now: Seconds = field(default_factory=Seconds)
    store: MemoryIdentityStore = field(default_factory=MemoryIdentityStore)
    public_url: str = ""
    registry: Registry = field(init=False)
    provider: Provider = field(init=False)
    tenant: Tenant = field(init=False)
    verifier: TokenVerifier = field(init=False)

    def __post_init__(self) -> None:
        numbers = itertools.count(1)

        def new_id() -> str:
            return str(UUID(int=next(numbers)))

        hasher = SecretHasher()
        self.registry = Registry(self.store, hasher, self.now, new_id)
        self.tenant = self.registry.first_tenant()
        keys = KeyRing(self.store, self.now)
        names = OwnNames(public_url=self.public_url, is_own_host=HostNames(frozenset({"node.example"})).is_allowed)
        self.provider = Provider(
            store=self.store,
            keys=keys,
            hasher=hasher,
            failures=FailureLimiter(self.now),
            names=names,
            audiences=(AUDIENCE,),
            now=self.now,
            new_id=new_id,
        )
        issuer = EmbeddedIssuer(keys, is_own_base=names.is_own, is_tenant=self._is_tenant)
        self.verifier = TokenVerifier([issuer], audiences=[AUDIENCE], now=self.now)

    def _is_tenant(self, tenant_id: str) -> bool:
        return any(tenant.tenant_id == tenant_id for tenant in self.store.tenants())

    def application(
        self, name: str = "client", *, role: Role | None = None, redirect_uris: tuple[str, ...] = ()
    ) -> tuple[Application, str]:
        """Register an application with a secret, and return both."""
        one = self.registry.register_application(name, tenant=self.tenant, redirect_uris=redirect_uris)
        _, secret = self.registry.add_secret(one, lifetime_s=30 * DAY_S)
        if role is not None:
            self.registry.assign_role(one.object_id, role)
        return one, secret

    def user(self, name: str = "jane", *, role: Role | None = None) -> User:
        """Register a person."""
        user = self.registry.add_user(name, PASSWORD, tenant=self.tenant)
        if role is not None:
            self.registry.assign_role(user.object_id, role)
        return user


def form(**values: str) -> Form:
    """Return the parameters of a request."""
    return read_form(values.items())


@cache
def foreign_key(number: int = 0) -> rsa.RSAPrivateKey:
    """Return a key that is none of ours; the same for the same number."""
    return rsa.generate_private_key(65537, 2048)


def unverified(token: str) -> dict[str, Any]:
    """Return what a token says, whoever signed it."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def encode_part(document: object) -> str:
    """Return a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()
