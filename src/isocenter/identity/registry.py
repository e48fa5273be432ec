"""Register applications, people and roles, and find them by what an operator calls them.

A secret is made here, returned once, and kept as a hash only.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from isocenter.domain.directory import Application, ClientSecret, RoleAssignment, Tenant, User
from isocenter.domain.errors import Conflict, InvalidRequest, NotFound
from isocenter.domain.role import Role
from isocenter.identity.hashing import SECRET_LENGTH_MAX, SecretHasher
from isocenter.identity.provider.authorization import is_redirect_uri
from isocenter.identity.provider.clients import SECRETS_MAX, hint_of
from isocenter.ports.directory import Directory

DEFAULT_TENANT_NAME = "default"
SECRET_SIZE_BYTES = 32
SECRET_LENGTH_MIN = 16
PASSWORD_LENGTH_MIN = 12
"""Of a password that is the only factor; failed attempts are limited besides."""
NAME_LENGTH_MAX = 120
_TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Registry:
    """The directory, for an operator."""

    directory: Directory
    hasher: SecretHasher
    now: Callable[[], float]
    new_id: Callable[[], str]

    def first_tenant(self) -> Tenant:
        """Return the tenant that stands for all where none is named; it is made at the first start."""
        while True:
            tenants = self.directory.tenants()
            if tenants:
                return tenants[0]
            self.directory.add_tenant(Tenant(self.new_id(), DEFAULT_TENANT_NAME, self.now()))

    def tenant(self, wanted: str | None) -> Tenant:
        """Return a tenant by name or identifier, or the first one; raises NotFound."""
        if wanted is None:
            return self.first_tenant()
        for tenant in self.directory.tenants():
            if wanted.lower() in (tenant.tenant_id, tenant.name):
                return tenant
        raise NotFound(f"There is no tenant {wanted!r}; `isocenter tenant list` shows them.")

    def add_tenant(self, name: str, *, tenant_id: str | None = None) -> Tenant:
        """Make a tenant; raises InvalidRequest, Conflict."""
        if not _TENANT_NAME.fullmatch(name) or _is_guid(name):
            raise InvalidRequest("The name of a tenant has small letters, digits, dots and hyphens.")
        tenant = Tenant(self._identifier(tenant_id), name, self.now())
        if not self.directory.add_tenant(tenant):
            raise Conflict("A tenant of that name or identifier is there already.")
        return tenant

    def register_application(
        self, name: str, *, tenant: Tenant, redirect_uris: Iterable[str] = (), client_id: str | None = None
    ) -> Application:
        """Register an application; raises InvalidRequest, Conflict."""
        uris = tuple(redirect_uris)
        _require_name(name)
        for uri in uris:
            if not is_redirect_uri(uri):
                raise InvalidRequest(f"{uri!r} cannot be a redirect URI; it must be https, or http on localhost.")
        if any(one.name == name and one.tenant_id == tenant.tenant_id for one in self.directory.applications()):
            raise Conflict(f"An application {name!r} is registered already.")
        one = Application(self._identifier(client_id), tenant.tenant_id, self.new_id(), name, uris, self.now())
        if not self.directory.add_application(one):
            raise Conflict("An application with that identifier is registered already.")
        return one

    def application(self, wanted: str) -> Application:
        """Return an application by name or identifier; raises NotFound, and Conflict where several have the name."""
        found = self.directory.application(wanted.lower())
        if found is not None:
            return found
        named = [one for one in self.directory.applications() if wanted in (one.name, one.object_id)]
        if len(named) > 1:
            raise Conflict(f"Several tenants have an application {wanted!r}; name it by its identifier.")
        if not named:
            raise NotFound(f"There is no application {wanted!r}; `isocenter app list` shows them.")
        return named[0]

    def add_secret(
        self, application: Application, *, lifetime_s: float, secret: str | None = None
    ) -> tuple[ClientSecret, str]:
        """Give an application a further secret and return it, for the only time; raises InvalidRequest, Conflict."""
        if secret is not None and not SECRET_LENGTH_MIN <= len(secret) <= SECRET_LENGTH_MAX:
            raise InvalidRequest(f"A secret has {SECRET_LENGTH_MIN} to {SECRET_LENGTH_MAX} characters.")
        if len(self.directory.secrets(application.client_id)) >= SECRETS_MAX:
            raise Conflict(f"The application has {SECRETS_MAX} secrets; remove one first.")
        value = secret or secrets.token_urlsafe(SECRET_SIZE_BYTES)
        now = self.now()
        kept = ClientSecret(
            self.new_id(), application.client_id, self.hasher.hash(value), hint_of(value), now, now + lifetime_s
        )
        if not self.directory.add_secret(kept):
            raise NotFound("The application is not registered any more.")
        return kept, value

    def add_user(self, name: str, password: str, *, tenant: Tenant) -> User:
        """Register a person; raises InvalidRequest, Conflict."""
        _require_name(name)
        _require_password(name, password)
        user = User(self.new_id(), tenant.tenant_id, name, self.hasher.hash(password), self.now())
        if not self.directory.add_user(user):
            raise Conflict(f"{name!r} is registered already.")
        return user

    def set_password(self, user: User, password: str) -> None:
        """Change a password, and end the sessions that began with the old one; raises InvalidRequest."""
        _require_password(user.name, password)
        self.directory.set_password(user.object_id, self.hasher.hash(password))

    def user(self, wanted: str) -> User:
        """Return a person by name or identifier; raises NotFound, and Conflict where several have the name."""
        found = [one for one in self.directory.users() if wanted.casefold() in (one.name.casefold(), one.object_id)]
        if len(found) > 1:
            raise Conflict(f"Several tenants know {wanted!r}; use the object identifier.")
        if not found:
            raise NotFound(f"There is nobody of the name {wanted!r}; `isocenter user list` shows who there is.")
        return found[0]

    def assign_role(self, object_id: str, role: Role, *, partition_name: str = "") -> bool:
        """Give a role, everywhere or in one partition; return False where it was given already."""
        return self.directory.assign_role(RoleAssignment(object_id, role.role_id, partition_name, self.now()))

    def _identifier(self, wanted: str | None) -> str:
        if wanted is None:
            return self.new_id()
        if not _is_guid(wanted):
            raise InvalidRequest(f"{wanted!r} is not a GUID, as 6f1b3e0a-0000-4000-8000-000000000000 is.")
        return str(UUID(wanted))


def _is_guid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _require_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidRequest(f"A name has 1 to {NAME_LENGTH_MAX} printable characters.")


def _require_password(name: str, password: str) -> None:
    if not PASSWORD_LENGTH_MIN <= len(password) <= SECRET_LENGTH_MAX:
        raise InvalidRequest(f"A password has {PASSWORD_LENGTH_MIN} to {SECRET_LENGTH_MAX} characters.")
    if password.casefold() == name.casefold():
        raise InvalidRequest("The password must not be the name.")
