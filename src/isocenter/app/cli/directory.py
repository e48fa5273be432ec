"""What the commands about applications, people and roles share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.options import settings_of
from isocenter.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from isocenter.domain.directory import Application, Tenant
    from isocenter.domain.role import Role
    from isocenter.identity.registry import Registry

SECRET_FILE_SIZE_MAX = 4096

role_option = click.option(
    "--role",
    "roles",
    metavar="ROLE",
    multiple=True,
    help="A role to give at once: owner or reader. Can be given again.",
)
partition_option = click.option(
    "--partition", metavar="NAME", default="", help="Give the role in this partition only (default: everywhere)."
)
tenant_option = click.option("--tenant", metavar="NAME", help="The tenant, by name or identifier (default: the first).")


@contextmanager
def open_directory(data_dir: str | None, config_file: Path | None) -> Iterator[Registry]:
    """Open the directory of a data folder; a node may run on it meanwhile."""
    from isocenter.app.node_identity import open_identity_store, open_registry

    settings = settings_of(data_dir=data_dir, config_file=config_file)
    with open_identity_store(settings) as store:
        yield open_registry(store)


def read_secret(path: str, *, length_max: int = SECRET_FILE_SIZE_MAX) -> str:
    """Return the first line of a file, or of the standard input for `-`."""
    try:
        with click.open_file(path, encoding="utf-8") as file:
            text: str = file.read(length_max)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The file {path} cannot be read.") from error
    secret = text.split("\n", 1)[0].rstrip("\r")
    if not secret:
        raise InvalidRequest(f"There is no secret in the first line of {path}.")
    return secret


def ask_password(path: str | None) -> str:
    """Return a password from a file, or ask for it twice."""
    if path is not None:
        return read_secret(path)
    if not sys.stdin.isatty():
        raise InvalidRequest("Give the password in a file, or by --password-file - on the standard input.")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def show_time(at: float) -> str:
    """Return a time as a day."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def give_roles(registry: Registry, object_id: str, roles: tuple[str, ...], *, partition_name: str) -> list[str]:
    """Give roles, all of them or none, and return their names."""
    found = parse_roles(roles, partition_name=partition_name)
    for role in found:
        registry.assign_role(object_id, role, partition_name=partition_name)
    return [role.name for role in found]


def parse_roles(roles: tuple[str, ...], *, partition_name: str) -> list[Role]:
    """Return roles by their names; raises InvalidRequest, also for a partition that cannot be."""
    from isocenter.domain.partition import parse_partition_name
    from isocenter.domain.role import parse_role

    if partition_name:
        parse_partition_name(partition_name)
    return [parse_role(role) for role in roles]


def describe_application(application: Application, tenant: Tenant) -> dict[str, object]:
    """Return what a client needs to know of its registration."""
    return {
        "name": application.name,
        "tenant_id": tenant.tenant_id,
        "client_id": application.client_id,
        "object_id": application.object_id,
        "redirect_uris": list(application.redirect_uris),
    }
