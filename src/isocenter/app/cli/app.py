"""`isocenter app`: register the programs that may call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.directory import (
    describe_application,
    give_roles,
    open_directory,
    parse_roles,
    partition_option,
    read_secret,
    role_option,
    show_time,
    tenant_option,
)
from isocenter.app.cli.options import config_option, data_dir_option, json_option, yes_option
from isocenter.app.cli.output import print_json, print_table, printable
from isocenter.app.setting_kinds import DURATION

if TYPE_CHECKING:
    from isocenter.identity.registry import Registry

LIFETIME = "365d"

expires_option = click.option(
    "--expires", metavar="DURATION", default=LIFETIME, show_default=True, help="How long the secret is valid."
)
secret_file_option = click.option(
    "--secret-file", metavar="FILE", help="Take the secret from a file, or - the standard input, instead of making one."
)


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter app register worklist-sync --role owner",
        "isocenter app secret add worklist-sync",
    ),
)
def command() -> None:
    """Register the programs that may call this node, and give them secrets."""


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter app register worklist-sync --role owner",
        "isocenter app register dashboards --role reader --partition north",
        "isocenter app register viewer --redirect-uri https://viewer.example/callback",
    ),
)
@click.argument("name")
@data_dir_option
@config_option
@role_option
@partition_option
@click.option(
    "--redirect-uri",
    "redirect_uris",
    metavar="URI",
    multiple=True,
    help="Where people who sign in for it may be sent back to. Can be given again.",
)
@click.option(
    "--client-id", metavar="GUID", help="The identifier that an existing client is set up with (default: a new one)."
)
@click.option("--no-secret", is_flag=True, help="Give it no secret, for a program that only acts for people.")
@secret_file_option
@expires_option
@tenant_option
@json_option
def register(name: str, data_dir: str | None, config_file: Path | None, as_json: bool, **how: Any) -> None:
    """Register an application, and show its secret this once.

    The node may run meanwhile. What is shown goes into the client's settings: with azure-identity the tenant, the
    client and the secret, and the node's address as authority.
    """
    parse_roles(how["roles"], partition_name=how["partition"])
    lifetime_s = _lifetime(how["expires"])
    wanted = None if how["secret_file"] is None else read_secret(how["secret_file"])
    with open_directory(data_dir, config_file) as registry:
        home = registry.tenant(how["tenant"])
        application = registry.register_application(
            name, tenant=home, redirect_uris=how["redirect_uris"], client_id=how["client_id"]
        )
        given = give_roles(registry, application.object_id, how["roles"], partition_name=how["partition"])
        document = {**describe_application(application, home), "roles": given, "partition": how["partition"]}
        if not how["no_secret"]:
            kept, value = registry.add_secret(application, lifetime_s=lifetime_s, secret=wanted)
            document |= {"secret": value, "expires_on": show_time(kept.expires_at)}
    if as_json:
        print_json(document)
        return
    click.echo(f"Registered {printable(name)}.")
    _print_document(document)


@command.command("list", cls=CommandWithExamples, examples=("isocenter app list",))
@data_dir_option
@config_option
@json_option
def list_applications(data_dir: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the applications, with their roles and when their secrets expire; secrets themselves are not kept."""
    with open_directory(data_dir, config_file) as registry:
        tenants = {tenant.tenant_id: tenant for tenant in registry.directory.tenants()}
        rows: list[dict[str, Any]] = [
            {
                **describe_application(one, tenants[one.tenant_id]),
                "tenant": tenants[one.tenant_id].name,
                "roles": [_describe_role(role_id, where) for role_id, where in _roles(registry, one.object_id)],
                "secrets": [
                    {"secret_id": secret.secret_id, "hint": secret.hint, "expires_on": show_time(secret.expires_at)}
                    for secret in registry.directory.secrets(one.client_id)
                ],
            }
            for one in registry.directory.applications()
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("name", "client", "tenant", "roles", "secrets"),
        [
            (
                row["name"],
                row["client_id"],
                row["tenant"],
                ", ".join(row["roles"]),
                ", ".join(f"{one['hint']}… until {one['expires_on']}" for one in row["secrets"]),
            )
            for row in rows
        ],
    )


@command.command(cls=CommandWithExamples, examples=("isocenter app remove worklist-sync",))
@click.argument("application")
@data_dir_option
@config_option
@yes_option
def remove(application: str, data_dir: str | None, config_file: Path | None, is_sure: bool) -> int:
    """Remove an application, by name or identifier: its secrets and tokens are void from then on."""
    with open_directory(data_dir, config_file) as registry:
        found = registry.application(application)
        if not is_sure and not click.confirm(f"Remove {printable(found.name)} ({found.client_id})?"):
            click.echo("It stays.")
            return 1
        registry.directory.remove_application(found.client_id)
    click.echo(f"Removed {printable(found.name)}.")
    return 0


@command.group()
def secret() -> None:
    """Give an application a further secret, or take one away."""


@secret.command(cls=CommandWithExamples, examples=("isocenter app secret add worklist-sync --expires 90d",))
@click.argument("application")
@data_dir_option
@config_option
@secret_file_option
@expires_option
@json_option
def add(
    application: str,
    data_dir: str | None,
    config_file: Path | None,
    secret_file: str | None,
    expires: str,
    as_json: bool,
) -> None:
    """Give an application a further secret, and show it this once; the others stay valid."""
    lifetime_s = _lifetime(expires)
    wanted = None if secret_file is None else read_secret(secret_file)
    with open_directory(data_dir, config_file) as registry:
        found = registry.application(application)
        kept, value = registry.add_secret(found, lifetime_s=lifetime_s, secret=wanted)
    document: dict[str, object] = {
        "client_id": found.client_id,
        "secret_id": kept.secret_id,
        "secret": value,
        "expires_on": show_time(kept.expires_at),
    }
    if as_json:
        print_json(document)
    else:
        _print_document(document)


@secret.command("remove", cls=CommandWithExamples, examples=("isocenter app secret remove worklist-sync SECRET_ID",))
@click.argument("application")
@click.argument("secret_id")
@data_dir_option
@config_option
def remove_secret(application: str, secret_id: str, data_dir: str | None, config_file: Path | None) -> None:
    """Take a secret away; `isocenter app list --json` shows their identifiers. Tokens live on for an hour at most."""
    from isocenter.domain.errors import NotFound

    with open_directory(data_dir, config_file) as registry:
        found = registry.application(application)
        if not registry.directory.remove_secret(found.client_id, secret_id):
            raise NotFound(f"{found.name} has no secret {secret_id}.")
    click.echo("Removed.")


def _roles(registry: Registry, object_id: str) -> list[tuple[str, str]]:
    return [(one.role_id, one.partition_name) for one in registry.directory.assignments(object_id)]


def _describe_role(role_id: str, partition_name: str) -> str:
    from isocenter.domain.role import find_role

    role = find_role(role_id)
    name = role_id if role is None else role.name
    return f"{name} in {partition_name}" if partition_name else name


def _lifetime(text: str) -> float:
    try:
        lifetime_s = DURATION.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not {DURATION.expected}.", param_hint="'--expires'") from error
    assert isinstance(lifetime_s, float)
    return lifetime_s


def _print_document(document: dict[str, object]) -> None:
    labels = {
        "tenant_id": "Tenant",
        "client_id": "Client",
        "secret_id": "Secret id",
        "secret": "Secret",
        "expires_on": "Expires",
        "roles": "Roles",
        "redirect_uris": "Redirect",
    }
    for key, label in labels.items():
        value = document.get(key)
        if value:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            where = f" in {document['partition']}" if key == "roles" and document.get("partition") else ""
            click.echo(f"{label:<10} {printable(shown)}{where}")
    if "secret" in document:
        click.echo("The secret is not kept; nobody can show it again.")
