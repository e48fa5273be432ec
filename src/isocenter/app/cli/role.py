"""`isocenter role`: say what applications and people may do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.directory import open_directory, parse_roles, partition_option, show_time
from isocenter.app.cli.options import config_option, data_dir_option, json_option
from isocenter.app.cli.output import print_json, print_table, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from isocenter.identity.registry import Registry


def _whose(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say whose role it is."""
    for option in (
        partition_option,
        click.option("--object", "object_id", metavar="ID", help="Whoever an external issuer knows by this `oid`."),
        click.option("--user", metavar="NAME", help="A person."),
        click.option("--app", "application", metavar="NAME", help="An application, by name or identifier."),
    ):
        command = option(command)
    return command


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter role assign reader --app dashboards",
        "isocenter role list",
    ),
)
def command() -> None:
    """Give roles to applications and people, and take them away.

    DICOM Data Owner (owner) may do everything with data; DICOM Data Reader (reader) may search, retrieve and read the
    change feed. A node that runs follows within a second.
    """


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter role assign owner --app worklist-sync",
        "isocenter role assign reader --user jane --partition north",
    ),
)
@click.argument("role")
@_whose
@data_dir_option
@config_option
def assign(
    role: str,
    application: str | None,
    user: str | None,
    object_id: str | None,
    partition: str,
    data_dir: str | None,
    config_file: Path | None,
) -> None:
    """Give a role."""
    (found,) = parse_roles((role,), partition_name=partition)
    with open_directory(data_dir, config_file) as registry:
        whose, name = _object(registry, application=application, user=user, object_id=object_id)
        is_new = registry.assign_role(whose, found, partition_name=partition)
    where = f" in {partition}" if partition else ""
    click.echo(f"{printable(name)} {'is now' if is_new else 'was already'} {found.name}{where}.")


@command.command(cls=CommandWithExamples, examples=("isocenter role remove owner --app worklist-sync",))
@click.argument("role")
@_whose
@data_dir_option
@config_option
def remove(
    role: str,
    application: str | None,
    user: str | None,
    object_id: str | None,
    partition: str,
    data_dir: str | None,
    config_file: Path | None,
) -> None:
    """Take a role away."""
    from isocenter.domain.errors import NotFound

    (found,) = parse_roles((role,), partition_name=partition)
    with open_directory(data_dir, config_file) as registry:
        whose, name = _object(registry, application=application, user=user, object_id=object_id)
        if not registry.directory.remove_assignment(whose, found.role_id, partition):
            raise NotFound(f"{name} is not {found.name}{f' in {partition}' if partition else ''}.")
    click.echo(f"{printable(name)} is no longer {found.name}{f' in {partition}' if partition else ''}.")


@command.command("list", cls=CommandWithExamples, examples=("isocenter role list",))
@data_dir_option
@config_option
@json_option
def list_roles(data_dir: str | None, config_file: Path | None, as_json: bool) -> None:
    """List who was given which role."""
    from isocenter.domain.role import find_role

    with open_directory(data_dir, config_file) as registry:
        directory = registry.directory
        names = {one.object_id: f"app {one.name}" for one in directory.applications()}
        names |= {one.object_id: f"user {one.name}" for one in directory.users()}
        assignments = directory.assignments()
    rows = []
    for one in assignments:
        role = find_role(one.role_id)
        rows.append(
            {
                "who": names.get(one.object_id, f"object {one.object_id}"),
                "object_id": one.object_id,
                "role": one.role_id if role is None else role.name,
                "partition": one.partition_name,
                "since": show_time(one.created_at),
            }
        )
    if as_json:
        print_json(rows)
    else:
        columns = ("who", "role", "partition", "since")
        print_table(columns, [tuple(row[column] or "every" for column in columns) for row in rows])


def _object(registry: Registry, *, application: str | None, user: str | None, object_id: str | None) -> tuple[str, str]:
    """Return the object whose role it is, and what to call it."""
    if sum(one is not None for one in (application, user, object_id)) != 1:
        raise click.UsageError("Say whose role it is, by one of --app, --user and --object.")
    if application is not None:
        found = registry.application(application)
        return found.object_id, found.name
    if user is not None:
        person = registry.user(user)
        return person.object_id, person.name
    assert object_id is not None
    return object_id, object_id
