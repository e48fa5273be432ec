"""`isocenter audit`: look after the audit log."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import node_options, settings_of
from isocenter.app.cli.output import count_of


@click.group(cls=GroupWithExamples, examples=("isocenter audit verify",))
def command() -> None:
    """Look after the audit log, a file a day in the folder `audit.dir`."""


@command.command(cls=CommandWithExamples, examples=("isocenter audit verify",))
@node_options
def verify(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...]) -> int:
    """Check that no line of the audit log was changed, taken out or put in; the node may run meanwhile.

    Each line carries the digest of the one before. Exit code 1 where the chain breaks.
    """
    from isocenter.app.audit_log import iter_breaks

    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    lines = 0

    def count() -> None:
        nonlocal lines
        lines += 1

    found = 0
    for one in iter_breaks(settings.audit.dir, on_line=count):
        found += 1
        click.echo(f"broken: {one.path.name}, line {one.line} does not follow from the one before it", err=True)
    click.echo(f"{count_of(lines, 'record')}, {'none of them touched' if not found else count_of(found, 'break')}.")
    return 1 if found else 0
