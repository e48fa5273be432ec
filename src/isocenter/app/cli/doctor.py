"""`isocenter doctor`: check this machine and a data folder."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import print_json, printable

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=CommandWithExamples, examples=("isocenter doctor --data-dir ./archive", "isocenter doctor --json"))
@node_options
@json_option
def command(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool) -> int:
    """Check this machine and a data folder, and say what to do about what is not right.

    Nothing is changed. Exit code 1 where a check fails; warnings are 0.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.doctor import State, all_checks, examine, worst

    answers = examine(settings, all_checks())
    if as_json:
        print_json([answer.as_json() for answer in answers])
    else:
        for answer in answers:
            state = click.style(f"{answer.state:4}", fg=_COLORS[answer.state])
            click.echo(f"{state}  {answer.name:16}  {printable(answer.finding)}")
            if answer.remedy:
                click.echo(f"{'':24}→ {answer.remedy}")
    return 1 if worst(answers) is State.FAIL else 0
