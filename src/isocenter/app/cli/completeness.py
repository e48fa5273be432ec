"""`isocenter completeness`: which studies are whole, by which evidence, and to have one treated so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of, yes_option
from isocenter.app.cli.output import print_json, print_table, printable

HEADINGS = ("last", "state", "evidence", "instances", "reopened", "modality", "device", "why", "study")


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter completeness --data-dir ./archive",
        "isocenter completeness 1.2.840.99.1",
        "isocenter completeness 1.2.840.99.1 --complete --yes",
        "isocenter completeness 1.2.840.99.1 --expect 512",
    ),
)
@click.argument("study", required=False)
@click.option("--complete", "is_complete", is_flag=True, help="Treat the study as complete.")
@click.option("--expect", "count", metavar="N", type=click.IntRange(1), help="Note that it has so many instances.")
@click.option(
    "--limit", metavar="N", default=50, show_default=True, type=click.IntRange(1), help="At most so many rows."
)
@node_options
@yes_option
@json_option
def command(
    study: str | None,
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
    **how: Any,
) -> int:
    """List studies and whether they are whole, or show one of them with what is expected of it.

    A study is whole when evidence says so: performed procedure steps, an expected count, a storage commitment
    request, or that nothing came for the time that its device teaches. Late instances open it again.
    """
    if (how["is_complete"] or how["count"]) and not study:
        raise click.UsageError("--complete and --expect need a study.")
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.completing.table import Completeness
    from isocenter.app.wiring import SystemClock
    from isocenter.app.worklist import open_index

    with open_index(settings) as index:
        table = Completeness(index.watched_studies, now=SystemClock().now)
        if study and how["count"]:
            table.expect(study, origin="a command", count=how["count"])
            click.echo(f"Noted: {how['count']} instances.", err=True)
            if not how["is_complete"]:
                return 0
        if study and how["is_complete"]:
            if not how["is_sure"] and not click.confirm(f"Treat {printable(study)} as complete?"):
                click.echo("It stays as it is.")
                return 1
            table.treat_as_complete(study, origin="a command")
        rows = [table.find(study)] if study else table.overview(limit=how["limit"])
    if as_json:
        print_json(rows[0] if study else rows)
        return 0
    cells = [
        [
            row["last_at"],
            "complete" if row["is_complete"] else "open",
            row["evidence"] or "-",
            str(row["instances"]),
            str(row["reopened"]),
            row["modality"] or "-",
            row["device"] or "-",
            row["told"],
            row["study_instance_uid"],
        ]
        for row in rows
    ]
    print_table(HEADINGS, cells)
    for one in rows[0]["expected"] if study else ():
        click.echo(f"{printable(one['origin'])}: {one['instances']} instances{'' if one['is_final'] else ' so far'}.")
    return 0
