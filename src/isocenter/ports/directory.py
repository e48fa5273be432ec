"""Where the embedded identity provider keeps tenants, applications, people and their roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from isocenter.domain.directory import Application, ClientSecret, RoleAssignment, Tenant, User


class Directory(Protocol):
    """Keep what is registered; each change is durable when its call returns.

    What adds returns False, with nothing changed, where the identity is taken; what removes, where nothing was there.
    """

    def revision(self) -> int:
        """Return a number that differs after every change, whoever made it."""

    def tenants(self) -> Sequence[Tenant]:
        """Return all tenants, the oldest first."""

    def add_tenant(self, tenant: Tenant) -> bool:
        """Keep a new tenant; identifier and name are unique."""

    def application(self, client_id: str) -> Application | None:
        """Return an application."""

    def applications(self) -> Sequence[Application]:
        """Return all applications by name."""

    def add_application(self, application: Application) -> bool:
        """Keep a new application."""

    def remove_application(self, client_id: str) -> bool:
        """Forget an application with its secrets, roles and what was granted to it."""

    def secrets(self, client_id: str) -> Sequence[ClientSecret]:
        """Return the secrets of an application, the oldest first."""

    def add_secret(self, secret: ClientSecret) -> bool:
        """Keep a further secret of an application that is there."""

    def remove_secret(self, client_id: str, secret_id: str) -> bool:
        """Forget a secret."""

    def user(self, object_id: str) -> User | None:
        """Return a person."""

    def user_named(self, tenant_id: str, name: str) -> User | None:
        """Return the person of that name in a tenant, whatever the case."""

    def users(self) -> Sequence[User]:
        """Return all people by name."""

    def add_user(self, user: User) -> bool:
        """Keep a new person."""

    def set_password(self, object_id: str, digest: str) -> bool:
        """Change a person's password, and forget what was granted with the old one."""

    def remove_user(self, object_id: str) -> bool:
        """Forget a person with roles and what was granted."""

    def assignments(self, object_id: str | None = None) -> Sequence[RoleAssignment]:
        """Return the roles of one, or all."""

    def assign_role(self, assignment: RoleAssignment) -> bool:
        """Give a role."""

    def remove_assignment(self, object_id: str, role_id: str, partition_name: str) -> bool:
        """Take a role away, and with the last one the links to studies that were given."""
