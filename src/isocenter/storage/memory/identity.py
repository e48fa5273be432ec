"""What the embedded identity provider knows, in dictionaries."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from isocenter.domain.directory import (
    Application,
    ClientSecret,
    Grant,
    GrantKind,
    RoleAssignment,
    SigningKey,
    Tenant,
    User,
)


class MemoryIdentityStore:
    """Keep directory, signing keys and grants in memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._revision = 0
        self._tenants: dict[str, Tenant] = {}
        self._applications: dict[str, Application] = {}
        self._secrets: dict[str, ClientSecret] = {}
        self._users: dict[str, User] = {}
        self._assignments: dict[tuple[str, str, str], RoleAssignment] = {}
        self._keys: dict[str, SigningKey] = {}
        self._grants: dict[tuple[GrantKind, bytes], Grant] = {}

    def revision(self) -> int:
        """Return a number that differs after every change, whoever made it."""
        return self._revision

    def tenants(self) -> Sequence[Tenant]:
        """Return all tenants, the oldest first."""
        with self._lock:
            return sorted(self._tenants.values(), key=lambda one: (one.created_at, one.tenant_id))

    def add_tenant(self, tenant: Tenant) -> bool:
        """Keep a new tenant; identifier and name are unique."""
        with self._lock:
            if tenant.tenant_id in self._tenants or any(one.name == tenant.name for one in self._tenants.values()):
                return False
            self._tenants[tenant.tenant_id] = tenant
            self._revision += 1
            return True

    def application(self, client_id: str) -> Application | None:
        """Return an application."""
        return self._applications.get(client_id)

    def applications(self) -> Sequence[Application]:
        """Return all applications by name."""
        with self._lock:
            return sorted(self._applications.values(), key=lambda one: (one.name, one.client_id))

    def add_application(self, application: Application) -> bool:
        """Keep a new application."""
        with self._lock:
            if application.client_id in self._applications:
                return False
            if any(one.object_id == application.object_id for one in self._applications.values()):
                return False
            self._applications[application.client_id] = application
            self._revision += 1
            return True

    def remove_application(self, client_id: str) -> bool:
        """Forget an application with its secrets, roles and what was granted to it."""
        with self._lock:
            found = self._applications.pop(client_id, None)
            if found is None:
                return False
            self._secrets = {key: one for key, one in self._secrets.items() if one.client_id != client_id}
            self._grants = {key: one for key, one in self._grants.items() if one.client_id != client_id}
            self._forget_roles(found.object_id)
            return True

    def secrets(self, client_id: str) -> Sequence[ClientSecret]:
        """Return the secrets of an application, the oldest first."""
        with self._lock:
            found = [one for one in self._secrets.values() if one.client_id == client_id]
            return sorted(found, key=lambda one: (one.created_at, one.secret_id))

    def add_secret(self, secret: ClientSecret) -> bool:
        """Keep a further secret of an application that is there."""
        with self._lock:
            if secret.client_id not in self._applications or secret.secret_id in self._secrets:
                return False
            self._secrets[secret.secret_id] = secret
            self._revision += 1
            return True

    def remove_secret(self, client_id: str, secret_id: str) -> bool:
        """Forget a secret."""
        with self._lock:
            found = self._secrets.get(secret_id)
            if found is None or found.client_id != client_id:
                return False
            del self._secrets[secret_id]
            self._revision += 1
            return True

    def user(self, object_id: str) -> User | None:
        """Return a person."""
        return self._users.get(object_id)

    def user_named(self, tenant_id: str, name: str) -> User | None:
        """Return the person of that name in a tenant, whatever the case."""
        with self._lock:
            return next((one for one in self._users.values() if _identity(one) == (tenant_id, name.casefold())), None)

    def users(self) -> Sequence[User]:
        """Return all people by name."""
        with self._lock:
            return sorted(self._users.values(), key=lambda one: (one.name.casefold(), one.object_id))

    def add_user(self, user: User) -> bool:
        """Keep a new person."""
        with self._lock:
            if user.object_id in self._users or self.user_named(user.tenant_id, user.name) is not None:
                return False
            self._users[user.object_id] = user
            self._revision += 1
            return True

    def set_password(self, object_id: str, digest: str) -> bool:
        """Change a person's password, and forget what was granted with the old one."""
        with self._lock:
            found = self._users.get(object_id)
            if found is None:
                return False
            self._users[object_id] = replace(found, digest=digest)
            self._forget_grants_of(object_id)
            return True

    def remove_user(self, object_id: str) -> bool:
        """Forget a person with roles and what was granted."""
        with self._lock:
            if self._users.pop(object_id, None) is None:
                return False
            self._forget_roles(object_id)
            self._forget_grants_of(object_id)
            return True

    def _forget_roles(self, object_id: str) -> None:
        self._assignments = {key: one for key, one in self._assignments.items() if one.object_id != object_id}
        self._revision += 1

    def _forget_grants_of(self, object_id: str) -> None:
        self._grants = {key: one for key, one in self._grants.items() if one.object_id != object_id}
        self._revision += 1

    def assignments(self, object_id: str | None = None) -> Sequence[RoleAssignment]:
        """Return the roles of one, or all."""
        with self._lock:
            return [one for _, one in sorted(self._assignments.items()) if object_id in (None, one.object_id)]

    def assign_role(self, assignment: RoleAssignment) -> bool:
        """Give a role."""
        with self._lock:
            key = (assignment.object_id, assignment.role_id, assignment.partition_name)
            if key in self._assignments:
                return False
            self._assignments[key] = assignment
            self._revision += 1
            return True

    def remove_assignment(self, object_id: str, role_id: str, partition_name: str) -> bool:
        """Take a role away, and with the last one the links that were given."""
        with self._lock:
            self._revision += 1
            is_done = self._assignments.pop((object_id, role_id, partition_name), None) is not None
            if is_done and not any(one.object_id == object_id for one in self._assignments.values()):
                links = [
                    one for one in self._grants.values() if (one.object_id, one.kind) == (object_id, GrantKind.SHARE)
                ]
                for one in links:
                    del self._grants[one.kind, one.digest]
            return is_done

    def signing_keys(self) -> Sequence[SigningKey]:
        """Return all keys, the oldest first."""
        with self._lock:
            return sorted(self._keys.values(), key=lambda one: (one.created_at, one.key_id))

    def change_signing_keys(self, *, add: Sequence[SigningKey], remove: Sequence[str], known: Sequence[str]) -> bool:
        """Add and remove keys in one commit; return False, with nothing changed, where others than `known` are."""
        with self._lock:
            if self._keys.keys() != set(known):
                return False
            self._keys = {key_id: key for key_id, key in self._keys.items() if key_id not in remove}
            self._keys |= {key.key_id: key for key in add}
            self._revision += 1
            return True

    def add_grant(self, grant: Grant) -> None:
        """Keep something that is handed out."""
        with self._lock:
            self._grants[grant.kind, grant.digest] = grant

    def grant(self, kind: GrantKind, digest: bytes) -> Grant | None:
        """Return what was handed out."""
        return self._grants.get((kind, digest))

    def grants_of_kind(self, kind: GrantKind) -> Sequence[Grant]:
        """Return all of a kind, the oldest first."""
        with self._lock:
            return sorted((one for one in self._grants.values() if one.kind is kind), key=lambda one: one.created_at)

    def take_grant(self, kind: GrantKind, digest: bytes) -> Grant | None:
        """Return what was handed out and forget it; of several callers only one gets it."""
        with self._lock:
            return self._grants.pop((kind, digest), None)

    def prolong_grant(self, kind: GrantKind, digest: bytes, *, expires_at: float) -> bool:
        """Let something be valid for longer; return False where it is not there any more."""
        with self._lock:
            found = self._grants.get((kind, digest))
            if found is None:
                return False
            self._grants[kind, digest] = replace(found, expires_at=expires_at)
            return True

    def forget_grants(self, *, expired_at: float) -> int:
        """Forget what has expired by then, and return how many those were."""
        with self._lock:
            kept = {key: one for key, one in self._grants.items() if one.expires_at > expired_at}
            forgotten = len(self._grants) - len(kept)
            self._grants = kept
            return forgotten


def _identity(user: User) -> tuple[str, str]:
    return user.tenant_id, user.name.casefold()
