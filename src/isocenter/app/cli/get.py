"""`isocenter get`: fetch instances as files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, parse_scope
from isocenter.app.cli.output import count_of, format_size, print_json, printable, show_count
from isocenter.app.cli.peers import Archive, archive_options
from isocenter.app.web_archive import WebArchive

if TYPE_CHECKING:
    from collections.abc import Callable

    from isocenter.app.fetching import FetchReport
    from isocenter.domain.identifiers import Scope


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter get 1.2.840.1 --from http://127.0.0.1:8080 -o ./study",
        "isocenter get 1.2.840.1/1.2.840.2 -o ./series",
        "isocenter get 1.2.840.1 --from PACS@10.1.2.3:11112 --as CT1 -o ./study",
    ),
)
@click.argument("names", metavar="STUDY[/SERIES[/INSTANCE]]…", nargs=-1, required=True)
@archive_options("--from")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the files.",
)
@json_option
def command(names: tuple[str, ...], archive: Archive, folder: Path, as_json: bool) -> int:
    """Fetch studies, series or instances as DICOM files, in the transfer syntax that they are stored in.

    Each file is DIR/STUDY/SERIES/INSTANCE.dcm and appears when it is whole. What is there already is not
    fetched again, so a run that was stopped goes on where it ended; no file is ever overwritten. A DIMSE peer is
    searched for what it has and asked for it by C-GET; `isocenter move` is for those that only move. Exit code
    1 where an instance could not be had, 3 where the archive cannot be reached.
    """
    scopes = [parse_scope(name) for name in names]
    reports = _fetch_all(archive, scopes, folder)
    if as_json:
        print_json([_as_json(name, report) for name, report in zip(names, reports, strict=True)])
    else:
        _print(reports, folder)
    return 1 if any(report.failed_count for report in reports) else 0


def _fetch_all(archive: Archive, scopes: list[Scope], folder: Path) -> list[FetchReport]:
    if isinstance(archive, WebArchive):
        from isocenter.app.fetching import fetch
        from isocenter.app.peer import open_peer

        with open_peer(archive) as client:
            return [_shown(partial(fetch, client, scope, folder=folder)) for scope in scopes]
    from isocenter.app.dimse_fetching import fetch_from_peer

    return [_shown(partial(fetch_from_peer, archive, scope, folder=folder)) for scope in scopes]


def _shown(fetch: Callable[..., FetchReport]) -> FetchReport:
    """Fetch something while progress is shown, and tell what failed."""
    with show_count("Fetching", total=None) as progress:

        def show(report: FetchReport) -> None:
            done = report.written + report.present
            progress.update(done, total=report.expected, note=format_size(report.size_bytes))

        report = fetch(on_progress=show)
    for name, reason in report.failed:
        click.echo(f"failed: {printable(name)}: {printable(reason)}", err=True)
    return report


def _print(reports: list[FetchReport], folder: Path) -> None:
    written, size_bytes = sum(report.written for report in reports), sum(report.size_bytes for report in reports)
    present, failed = sum(report.present for report in reports), sum(report.failed_count for report in reports)
    click.echo(
        f"Wrote {count_of(written, 'file')}, {format_size(size_bytes)}, to {folder}; {present:,} were there, "
        f"{failed:,} failed."
    )


def _as_json(name: str, report: FetchReport) -> dict[str, object]:
    return {
        "name": name,
        "written": report.written,
        "present": report.present,
        "failed": report.failed_count,
        "size_bytes": report.size_bytes,
        "failures": [{"instance": uid, "reason": reason} for uid, reason in report.failed],
    }
