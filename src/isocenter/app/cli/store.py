"""`isocenter store`: send DICOM files and folders to an archive."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import url_option
from isocenter.app.cli.output import count_of, format_size, printable, show_progress

if TYPE_CHECKING:
    from isocenter.app.sending import SendReport

FAILURES_PRINTED_MAX = 100
"""More lines than this help nobody at a terminal; the count is always whole."""


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter store ~/scans --to http://127.0.0.1:8080",
        "isocenter store a.dcm b.dcm --to https://archive.example/dicom-web",
        "isocenter store ~/scans --dry-run --list-skipped",
    ),
)
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@url_option("--to")
@click.option(
    "-j",
    "--parallel",
    metavar="N",
    default=2,
    show_default=True,
    type=click.IntRange(1, 16),
    help="How many requests are in flight at once.",
)
@click.option(
    "--journal",
    "journal_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where it is noted what the archive acknowledged (default: the user's state folder).",
)
@click.option("--again", is_flag=True, help="Send everything, whatever the journal says.")
@click.option("--list-skipped", is_flag=True, help="Name the files that are not DICOM instances.")
@click.option("--dry-run", is_flag=True, help="Look and count, send nothing.")
def command(
    paths: tuple[Path, ...],
    url: str,
    parallel: int,
    journal_path: Path | None,
    again: bool,
    list_skipped: bool,
    dry_run: bool,
) -> int:
    """Send DICOM files to an archive, folders with everything below them.

    What the archive acknowledged is noted in a journal, so that a run that was stopped goes on where it
    ended: give the same command again. Files are known by their content (DICOM Part 10), not by name;
    others are skipped and counted. Exit code 1 where an instance was not stored, 3 where the archive
    cannot be reached.
    """
    if dry_run:
        report, size_bytes = _look(paths)
    else:
        report, size_bytes = _send(paths, url, parallel=parallel, journal_path=journal_path, again=again)
    if list_skipped:
        for path in report.skipped:
            click.echo(f"skipped: {printable(path)}")
    for path, reason in report.failed[:FAILURES_PRINTED_MAX]:
        click.echo(f"failed: {printable(path)}: {printable(reason)}", err=True)
    if report.failed_count > FAILURES_PRINTED_MAX:
        click.echo(f"failed: {report.failed_count - FAILURES_PRINTED_MAX:,} more", err=True)
    if dry_run:
        click.echo(
            f"Would send {count_of(report.stored, 'instance')}, {format_size(size_bytes)}; "
            f"{count_of(report.not_dicom, 'other file')} skipped."
        )
    else:
        click.echo(_summary(report))
    return 1 if report.failed_count else 0


def _summary(report: SendReport) -> str:
    parts = [f"{report.stored:,} stored", f"{report.identical:,} identical", f"{report.failed_count:,} refused"]
    skipped = f"{report.acknowledged_before + report.not_dicom:,} skipped"
    reasons = []
    if report.acknowledged_before:
        reasons.append(f"{report.acknowledged_before:,} sent before")
    if report.not_dicom:
        reasons.append(f"{report.not_dicom:,} not DICOM")
    return ", ".join([*parts, skipped + (f" ({', '.join(reasons)})" if reasons else "")]) + "."


def _look(paths: tuple[Path, ...]) -> tuple[SendReport, int]:
    from isocenter.app.part10_files import iter_files
    from isocenter.app.sending import Candidates, SendReport

    report, size_bytes = SendReport(), 0
    for file in Candidates(None, report, on_passed=lambda size: None).select(iter_files(paths)):
        report.stored += 1
        size_bytes += file.size_bytes
    return report, size_bytes


def _send(
    paths: tuple[Path, ...], url: str, *, parallel: int, journal_path: Path | None, again: bool
) -> tuple[SendReport, int]:
    from isocenter.app.journal import Journal, default_journal_path
    from isocenter.app.part10_files import iter_files
    from isocenter.app.peer import open_peer
    from isocenter.app.sending import Candidates, SendReport, send, still_has

    report = SendReport()
    with open_peer(url) as client:
        path = journal_path or default_journal_path(client.service, paths)
        total = sum(file.size_bytes for file in iter_files(paths))
        with Journal(path, url=client.service) as journal, show_progress("Storing", total=total) as progress:
            if again:
                journal.forget()
            elif not still_has(client, journal):
                click.echo("The archive no longer has what it acknowledged before; sending everything.", err=True)
                journal.forget()
            done = _Counter()

            def advance(size_bytes: int) -> None:
                progress.update(
                    min(total, done.add(size_bytes)),
                    note=f"{report.failed_count} failed" if report.failed_count else "",
                )

            files = Candidates(journal, report, on_passed=advance).select(iter_files(paths))
            try:
                send(client, files, journal=journal, report=report, parallel=parallel, on_sent=advance)
            except BaseException:
                click.echo(f"{_summary(report)} Give the same command again to go on.", err=True)
                raise
    return report, total


class _Counter:
    """A sum that several threads add to."""

    def __init__(self) -> None:
        self._sum = 0
        self._lock = threading.Lock()

    def add(self, number: int) -> int:
        """Add to the sum and return it."""
        with self._lock:
            self._sum += number
            return self._sum
