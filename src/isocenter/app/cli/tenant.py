"""`isocenter tenant`: the directories of the embedded identity provider, and their keys."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.directory import open_directory, show_time
from isocenter.app.cli.options import config_option, data_dir_option, json_option, settings_of, yes_option
from isocenter.app.cli.output import print_json, print_table, printable


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter tenant list",
        "isocenter tenant rotate-keys",
    ),
)
def command() -> None:
    """Show and add the tenants that applications and people belong to; the first is made by itself."""


@command.command("list", cls=CommandWithExamples, examples=("isocenter tenant list",))
@data_dir_option
@config_option
@json_option
def list_tenants(data_dir: str | None, config_file: Path | None, as_json: bool) -> None:
    """List the tenants; the first is meant where none is named."""
    with open_directory(data_dir, config_file) as registry:
        registry.first_tenant()
        tenants = registry.directory.tenants()
    rows = [{"name": one.name, "tenant_id": one.tenant_id, "since": show_time(one.created_at)} for one in tenants]
    if as_json:
        print_json(rows)
    else:
        columns = ("name", "tenant_id", "since")
        print_table(columns, [tuple(row[column] for column in columns) for row in rows])


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter tenant add contoso.example",
        "isocenter tenant add contoso.example --id 6f1b3e0a-7c1d-4c0e-9a55-0d2f6f0f9a11",
    ),
)
@click.argument("name")
@click.option("--id", "tenant_id", metavar="GUID", help="The identifier that clients are set up with already.")
@data_dir_option
@config_option
def add(name: str, tenant_id: str | None, data_dir: str | None, config_file: Path | None) -> None:
    """Add a tenant; clients name it in the address, by name or identifier."""
    with open_directory(data_dir, config_file) as registry:
        tenant = registry.add_tenant(name, tenant_id=tenant_id)
    click.echo(f"Added {printable(tenant.name)}, {tenant.tenant_id}.")


@command.command("rotate-keys", cls=CommandWithExamples, examples=("isocenter tenant rotate-keys --revoke",))
@click.option("--revoke", is_flag=True, help="Make every token void that was signed before, as when a key is known.")
@data_dir_option
@config_option
@yes_option
def rotate_keys(revoke: bool, data_dir: str | None, config_file: Path | None, is_sure: bool) -> int:
    """Sign with a new key from now on; by itself that happens every month."""
    from isocenter.app.node_identity import open_identity_store, open_key_ring

    if revoke and not is_sure and not click.confirm("Make all tokens of this node void?"):
        click.echo("They stay valid.")
        return 1
    with open_identity_store(settings_of(data_dir=data_dir, config_file=config_file)) as store:
        open_key_ring(store).replace_now(forget_old=revoke)
    click.echo("A new key signs; all earlier tokens are void." if revoke else "A new key signs.")
    return 0
