"""`isocenter config`: show the settings."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import print_json, print_table


@click.group()
def command() -> None:
    """Show every setting and where its value comes from."""


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter config show",
        "isocenter config show --toml > isocenter.toml",
    ),
)
@node_options
@json_option
@click.option("--toml", "as_toml", is_flag=True, help="Print a settings file with these values.")
def show(
    data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool, as_toml: bool
) -> None:
    """Show the value of every setting and its origin: flag, environment, file or default."""
    from isocenter.app.settings import to_toml

    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    rows = [(setting.name, text, origin) for setting, text, origin in settings.rows()]
    if as_json:
        print_json({name: {"value": text, "origin": origin} for name, text, origin in rows})
    elif as_toml:
        click.echo(to_toml(settings), nl=False)
    else:
        print_table(("setting", "value", "origin"), rows)
