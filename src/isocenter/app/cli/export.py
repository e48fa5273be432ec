"""`isocenter export`: write instances out of a data folder."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import node_options, parse_scope, settings_of
from isocenter.app.cli.output import count_of, format_size, show_progress


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter export --data-dir ./archive --to ./copy --all",
        "isocenter export --data-dir ./archive --to ./copy 1.2.840.1",
    ),
)
@node_options
@click.option("--to", "folder", metavar="FOLDER", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--all", "is_all", is_flag=True, help="Export every study.")
@click.argument("names", metavar="[STUDY[/SERIES[/INSTANCE]]]…", nargs=-1)
def command(
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    folder: Path,
    is_all: bool,
    names: tuple[str, ...],
) -> int:
    """Write instances out of a data folder as DICOM files, bit for bit as they came.

    The node must not run. Each file is FOLDER/STUDY/SERIES/INSTANCE.dcm; with --all, those of a further data
    partition are in FOLDER/partition-NAME. What is there already with the same bytes is left, so an export that
    was stopped goes on where it ended. Other bytes are never overwritten. Exit code 1 where an instance could not
    be written.
    """
    if is_all == bool(names):
        raise click.UsageError("Name studies, or give --all.")
    scopes = None if is_all else [parse_scope(name) for name in names]
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.offline import ExportReport, export

    with show_progress("Exporting", total=1) as progress:

        def show(report: ExportReport) -> None:
            progress.update(report.done_bytes, total=report.total_bytes, note=count_of(report.written, "file"))

        report = export(settings, scopes, folder=folder, on_progress=show)
    for identifier, reason in report.failed:
        click.echo(f"failed: {identifier.study_instance_uid}/{identifier.sop_instance_uid}: {reason}", err=True)
    click.echo(
        f"Wrote {count_of(report.written, 'file')} ({format_size(report.done_bytes)} looked at); "
        f"{report.identical} were there, {report.failed_count} failed."
    )
    return 1 if report.failed_count else 0
