"""`isocenter user`: register the people who may sign in."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.directory import (
    ask_password,
    give_roles,
    open_directory,
    parse_roles,
    partition_option,
    role_option,
    show_time,
    tenant_option,
)
from isocenter.app.cli.options import config_option, data_dir_option, json_option, yes_option
from isocenter.app.cli.output import print_json, print_table, printable

password_option = click.option(
    "--password-file", metavar="FILE", help="Take the password from a file, or - the standard input, instead of asking."
)


@click.group(cls=GroupWithExamples, examples=("isocenter user add jane --role reader",))
def command() -> None:
    """Register the people who may sign in to the console and the viewer of this node."""


@command.command(cls=CommandWithExamples, examples=("isocenter user add jane --role reader",))
@click.argument("name")
@data_dir_option
@config_option
@role_option
@partition_option
@password_option
@tenant_option
def add(
    name: str,
    data_dir: str | None,
    config_file: Path | None,
    roles: tuple[str, ...],
    partition: str,
    password_file: str | None,
    tenant: str | None,
) -> None:
    """Register a person, and ask for a password."""
    parse_roles(roles, partition_name=partition)
    with open_directory(data_dir, config_file) as registry:
        home = registry.tenant(tenant)
        user = registry.add_user(name, ask_password(password_file), tenant=home)
        given = give_roles(registry, user.object_id, roles, partition_name=partition)
    click.echo(f"Registered {printable(name)}{', ' + ', '.join(given) if given else ', without a role yet'}.")


@command.command(cls=CommandWithExamples, examples=("isocenter user password jane",))
@click.argument("name")
@data_dir_option
@config_option
@password_option
def password(name: str, data_dir: str | None, config_file: Path | None, password_file: str | None) -> None:
    """Change a password; sessions that began with the old one end."""
    with open_directory(data_dir, config_file) as registry:
        user = registry.user(name)
        registry.set_password(user, ask_password(password_file))
    click.echo(f"{printable(user.name)} has a new password.")


@command.command("list", cls=CommandWithExamples, examples=("isocenter user list",))
@data_dir_option
@config_option
@json_option
def list_users(data_dir: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the people; `isocenter role list` shows what they may do."""
    with open_directory(data_dir, config_file) as registry:
        tenants = {tenant.tenant_id: tenant.name for tenant in registry.directory.tenants()}
        rows = [
            {
                "name": user.name,
                "object_id": user.object_id,
                "tenant": tenants[user.tenant_id],
                "since": show_time(user.created_at),
            }
            for user in registry.directory.users()
        ]
    if as_json:
        print_json(rows)
    else:
        columns = ("name", "object_id", "tenant", "since")
        print_table(columns, [tuple(row[column] for column in columns) for row in rows])


@command.command(cls=CommandWithExamples, examples=("isocenter user remove jane",))
@click.argument("name")
@data_dir_option
@config_option
@yes_option
def remove(name: str, data_dir: str | None, config_file: Path | None, is_sure: bool) -> int:
    """Remove a person: sessions and tokens are void from then on."""
    with open_directory(data_dir, config_file) as registry:
        user = registry.user(name)
        if not is_sure and not click.confirm(f"Remove {printable(user.name)}?"):
            click.echo("That person stays.")
            return 1
        registry.directory.remove_user(user.object_id)
    click.echo(f"Removed {printable(user.name)}.")
    return 0
