"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from isocenter.domain.errors import InvalidSetting
from isocenter.domain.identifiers import Scope, is_uid

if TYPE_CHECKING:
    from isocenter.app.settings import Settings

Command = TypeVar("Command", bound=Callable[..., object])

data_dir_option = click.option(
    "--data-dir", metavar="DIR", help="The folder that the node keeps everything in (default: ./isocenter-data)."
)
config_option = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    envvar="ISOCENTER_CONFIG",
    type=click.Path(path_type=Path),
    help="The settings file (default: isocenter.toml in the data folder).",
)
set_option = click.option(
    "--set",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set any setting; `isocenter config show` lists them. Can be given again.",
)
yes_option = click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def node_options(command: Command) -> Command:
    """Add what names a node's settings: --data-dir, --config, --set."""
    return data_dir_option(config_option(set_option(command)))


def settings_of(
    *,
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...] = (),
    flags: Mapping[str, str | None] | None = None,
) -> Settings:
    """Load the settings with what the command line says."""
    from isocenter.app.settings import load_settings

    named = {"data_dir": data_dir, **(flags or {})}
    given = {name: text for name, text in named.items() if text is not None}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise InvalidSetting(f"--set takes NAME=VALUE, for example --set log.level=debug, not {assignment!r}.")
        if name.strip() in given:
            raise InvalidSetting(f"{name.strip()} is given twice.")
        given[name.strip()] = value
    return load_settings(given, os.environ, config_file)


def parse_scope(text: str) -> Scope:
    """Return what STUDY[/SERIES[/INSTANCE]] names."""
    parts = text.strip("/").split("/")
    if len(parts) > 3 or not all(is_uid(part) for part in parts):
        raise click.BadParameter(
            f"{text!r} is not STUDY, STUDY/SERIES or STUDY/SERIES/INSTANCE, each by its UID.", param_hint="'STUDY'"
        )
    return Scope(*parts)
