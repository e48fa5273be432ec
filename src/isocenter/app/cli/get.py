"""`isocenter get`: fetch instances as files."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import parse_scope, url_option
from isocenter.app.cli.output import Progress, count_of, format_size, show_count


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter get 1.2.840.1 --from http://127.0.0.1:8080 -o ./study",
        "isocenter get 1.2.840.1/1.2.840.2 -o ./series",
    ),
)
@click.argument("names", metavar="STUDY[/SERIES[/INSTANCE]]…", nargs=-1, required=True)
@url_option("--from")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the files.",
)
def command(names: tuple[str, ...], url: str, folder: Path) -> int:
    """Fetch studies, series or instances as DICOM files, in the transfer syntax that they are stored in.

    Each file is DIR/STUDY/SERIES/INSTANCE.dcm and appears when it is whole. What is there already is not
    fetched again, so a run that was stopped goes on where it ended; no file is ever overwritten. Exit code
    1 where an instance could not be had, 3 where the archive cannot be reached.
    """
    scopes = [parse_scope(name) for name in names]
    from isocenter.app.fetching import FetchReport, fetch
    from isocenter.app.peer import open_peer

    written = present = failed = size_bytes = 0
    with open_peer(url) as client:
        for scope in scopes:
            with show_count("Fetching", total=None) as progress:

                def show(report: FetchReport, progress: Progress = progress) -> None:
                    done = report.written + report.present
                    progress.update(done, total=report.expected, note=format_size(report.size_bytes))

                report = fetch(client, scope, folder=folder, on_progress=show)
            for name, reason in report.failed:
                click.echo(f"failed: {name}: {reason}", err=True)
            written, present = written + report.written, present + report.present
            failed, size_bytes = failed + report.failed_count, size_bytes + report.size_bytes
    click.echo(
        f"Wrote {count_of(written, 'file')}, {format_size(size_bytes)}, to {folder}; {present:,} were there, "
        f"{failed:,} failed."
    )
    return 1 if failed else 0
