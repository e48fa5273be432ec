"""Pages of the reference that are made from the tables they describe: settings, commands, monitoring, conformance."""

from __future__ import annotations

import click

from isocenter.app.cli import COMMANDS, group
from isocenter.app.reference_channels import render_channels
from isocenter.app.reference_conformance import render_conformance
from isocenter.app.reference_dicomweb import render_dicomweb_conformance
from isocenter.app.reference_errors import render_errors
from isocenter.app.reference_faults import render_faults
from isocenter.app.reference_monitoring import render_monitoring
from isocenter.app.reference_router import render_router
from isocenter.app.settings_table import OTHER_VARIABLES, SETTINGS, Setting

WIDTH = 100
"""Columns of the help texts, whatever terminal made the page."""
_NOTE = "<!-- Made by scripts/write_reference.py from the table in the code; a test compares. -->"


def pages() -> dict[str, str]:
    """Return every page by its name in `docs`."""
    return {
        "reference/settings.md": render_settings(),
        "reference/commands.md": render_commands(),
        "reference/monitoring.md": render_monitoring(_NOTE),
        "reference/channels.md": render_channels(_NOTE),
        "reference/router.md": render_router(_NOTE),
        "reference/errors.md": render_errors(_NOTE),
        "reference/faults.md": render_faults(_NOTE),
        "conformance/dicom.md": render_conformance(_NOTE),
        "conformance/dicomweb.md": render_dicomweb_conformance(_NOTE),
    }


def render_settings() -> str:
    """Return the page of settings."""
    lines = [
        "# Settings",
        "",
        _NOTE,
        "",
        "A value comes from the first of these that names it: a flag (`--set NAME=VALUE`, or one of its own), the",
        "environment, the settings file, the default. The settings file is TOML: the one that `--config` or the",
        "variable `ISOCENTER_CONFIG` names, else `isocenter.toml` in the data folder; a relative path in it starts",
        "from its folder. Unknown names are refused. `isocenter config show` prints every value and where it comes",
        "from, and `isocenter config show --toml` a settings file.",
        "",
        "Sizes are written as `64MiB` or `1GB`, durations as `60s`, `500ms`, `5min` or `2h`.",
        "",
    ]
    for setting in SETTINGS:
        lines += _section(setting)
    lines += ["## Other variables", ""]
    lines += [f"- `{name}`: {meaning}." for name, meaning in OTHER_VARIABLES.items()]
    return "\n".join(lines) + "\n"


def _section(setting: Setting) -> list[str]:
    default = f"`{setting.default}`" if setting.default else setting.derived_from or "empty"
    return [
        f"## `{setting.name}`",
        "",
        setting.help,
        "",
        f"- Expected: {setting.kind.expected}.",
        f"- Default: {default}.",
        f"- Variable: `{setting.variable}`.",
        "",
    ]


def render_commands() -> str:
    """Return the page of commands: the help of each, as the program prints it."""
    lines = ["# Commands", "", _NOTE, "", "```text", _help(group, "isocenter"), "```", ""]
    context = click.Context(group, info_name="isocenter")
    for entry in COMMANDS:
        command = group.get_command(context, entry.name)
        assert command is not None
        lines += _command_section(command, f"isocenter {entry.name}")
    return "\n".join(lines).rstrip() + "\n"


def _command_section(command: click.Command, name: str) -> list[str]:
    own = [f"## `{name}`", "", "```text", _help(command, name), "```", ""]
    if not isinstance(command, click.Group):
        return own
    inner = [line for one in command.commands.values() for line in _command_section(one, f"{name} {one.name}")]
    return [*own, *inner] if command.invoke_without_command else inner


def _help(command: click.Command, name: str) -> str:
    context = click.Context(
        command,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=group.context_settings["help_option_names"],
    )
    return command.get_help(context).rstrip()
