"""Who is known at each part: one person who administers all of them, and the application of the router."""

from __future__ import annotations

from pathlib import Path

from isocenter.app.hospital.folder import Installation
from isocenter.app.node_identity import IDENTITY_FILE, open_registry
from isocenter.domain.errors import NotFound
from isocenter.domain.role import DATA_OWNER
from isocenter.identity.registry import Registry
from isocenter.storage.sqlite.identity import SqliteIdentityStore

TENANT_NAME = "hospital"
APPLICATION_NAME = "hospital"
SECRET_LIFETIME_S = 10 * 365 * 24 * 3600.0
"""A folder that somebody comes back to after years still works; the secret never leaves this machine."""


def register(data_dir: Path, installed: Installation) -> None:
    """Make person and application known in the data folder of a node, with what it has to show now; it may run."""
    with SqliteIdentityStore(data_dir / IDENTITY_FILE) as store:
        registry = open_registry(store)
        _register_person(registry, installed)
        _register_application(registry, installed)


def _register_person(registry: Registry, installed: Installation) -> None:
    try:
        user = registry.user(installed.person.name)
        registry.set_password(user, installed.person.password)
    except NotFound:
        tenant = _tenant(registry, installed)
        user = registry.add_user(installed.person.name, installed.person.password, tenant=registry.tenant(tenant))
    registry.assign_role(user.object_id, DATA_OWNER)


def _register_application(registry: Registry, installed: Installation) -> None:
    application = registry.directory.application(installed.client_id)
    if application is None:
        tenant = registry.tenant(_tenant(registry, installed))
        application = registry.register_application(APPLICATION_NAME, tenant=tenant, client_id=installed.client_id)
    for old in registry.directory.secrets(application.client_id):
        registry.directory.remove_secret(application.client_id, old.secret_id)
    registry.add_secret(application, lifetime_s=SECRET_LIFETIME_S, secret=installed.client_secret)
    registry.assign_role(application.object_id, DATA_OWNER)


def _tenant(registry: Registry, installed: Installation) -> str:
    """Return the tenant that is the same at every part."""
    if installed.tenant_id not in {one.tenant_id for one in registry.directory.tenants()}:
        registry.add_tenant(TENANT_NAME, tenant_id=installed.tenant_id)
    return installed.tenant_id
