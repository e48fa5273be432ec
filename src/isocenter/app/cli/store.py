"""`isocenter store`: send DICOM files and folders to an archive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, format_size, print_json, printable, show_progress
from isocenter.app.cli.peers import Archive, archive_options
from isocenter.app.web_archive import WebArchive

if TYPE_CHECKING:
    from isocenter.app.cli.output import Progress
    from isocenter.app.dimse_peer import DimsePeer
    from isocenter.app.journal import Journal
    from isocenter.app.part10_files import FoundFile
    from isocenter.app.sending import SendReport

REQUESTS = 2
ASSOCIATIONS = 1
"""In flight at once unless it is said otherwise; many AEs take one association at a time."""

FAILURES_PRINTED_MAX = 100
"""More lines than this help nobody at a terminal; the count is always whole."""


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter store ~/scans --to http://127.0.0.1:8080",
        "isocenter store a.dcm b.dcm --to https://archive.example/dicom-web",
        "isocenter store ~/scans --to PACS@10.1.2.3:11112 --as CT1",
        "isocenter store ~/scans --dry-run --list-skipped",
    ),
)
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@archive_options("--to")
@click.option(
    "-j",
    "--parallel",
    metavar="N",
    type=click.IntRange(1, 16),
    help="How many requests (default: 2) or associations (default: 1) are in flight at once.",
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
@json_option
def command(paths: tuple[Path, ...], archive: Archive, list_skipped: bool, dry_run: bool, **how: Any) -> int:
    """Send DICOM files to an archive, folders with everything below them.

    What the archive acknowledged is noted in a journal, so that a run that was stopped goes on where it
    ended: give the same command again. Files are known by their content (DICOM Part 10), not by name;
    others are skipped and counted. A DIMSE peer gets each file in its transfer syntax, or, where it does not take
    that, without loss in one that it takes. Exit code 1 where an instance was not stored, 3 where the archive
    cannot be reached.
    """
    as_json: bool = how.pop("as_json")
    if dry_run:
        report, size_bytes = _look(paths)
    else:
        report, size_bytes = _send(paths, archive, **how)
    if as_json:
        print_json(_as_json(report, size_bytes, is_dry=dry_run, list_skipped=list_skipped))
    else:
        _print(report, size_bytes, is_dry=dry_run, list_skipped=list_skipped)
    return 1 if report.failed_count else 0


def _print(report: SendReport, size_bytes: int, *, is_dry: bool, list_skipped: bool) -> None:
    if list_skipped:
        for path in report.skipped:
            click.echo(f"skipped: {printable(path)}")
    for path, reason in report.failed[:FAILURES_PRINTED_MAX]:
        click.echo(f"failed: {printable(path)}: {printable(reason)}", err=True)
    if report.failed_count > FAILURES_PRINTED_MAX:
        click.echo(f"failed: {report.failed_count - FAILURES_PRINTED_MAX:,} more", err=True)
    if is_dry:
        click.echo(
            f"Would send {count_of(report.stored, 'instance')}, {format_size(size_bytes)}; "
            f"{count_of(report.not_dicom, 'other file')} skipped."
        )
    else:
        click.echo(_summary(report))


def _as_json(report: SendReport, size_bytes: int, *, is_dry: bool, list_skipped: bool) -> dict[str, object]:
    counts: dict[str, object] = {
        "would_send" if is_dry else "stored": report.stored,
        "warned": report.warned,
        "identical": report.identical,
        "failed": report.failed_count,
        "sent_before": report.acknowledged_before,
        "not_dicom": report.not_dicom,
        "size_bytes": size_bytes,
        "failures": [{"path": path, "reason": reason} for path, reason in report.failed],
    }
    return {**counts, "skipped": report.skipped} if list_skipped else counts


def _summary(report: SendReport) -> str:
    warned = f" ({report.warned:,} with a warning)" if report.warned else ""
    parts = [f"{report.stored:,} stored{warned}", f"{report.identical:,} identical", f"{report.failed_count:,} refused"]
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
    paths: tuple[Path, ...], archive: Archive, *, parallel: int | None, journal_path: Path | None, again: bool
) -> tuple[SendReport, int]:
    from isocenter.app.part10_files import iter_files

    run = _Run(paths, journal_path, again, total=sum(file.size_bytes for file in iter_files(paths)))
    if isinstance(archive, WebArchive):
        _send_to_service(run, archive, parallel=parallel or REQUESTS)
    else:
        _send_to_peer(run, archive, parallel=parallel or ASSOCIATIONS)
    return run.report, run.total


class _Run:
    """One run of the command: its journal, its report, its progress."""

    def __init__(self, paths: tuple[Path, ...], journal_path: Path | None, again: bool, *, total: int) -> None:
        from isocenter.app.sending import SendReport

        self.paths = paths
        self.total = total
        self.report = SendReport()
        self._journal_path = journal_path
        self._again = again

    def go(
        self,
        name: str,
        *,
        still_has: Callable[[Journal], bool],
        send: Callable[[Iterator[FoundFile], Journal, Callable[[int], None]], None],
    ) -> None:
        """Send what the archive of that name has not acknowledged yet."""
        from isocenter.app.journal import Journal, default_journal_path
        from isocenter.app.part10_files import iter_files
        from isocenter.app.sending import Candidates

        path = self._journal_path or default_journal_path(name, self.paths)
        with Journal(path, url=name) as journal, show_progress("Storing", total=self.total) as progress:
            if self._again:
                journal.forget()
            elif not still_has(journal):
                click.echo("The archive no longer has what it acknowledged before; sending everything.", err=True)
                journal.forget()
            advance = _Advance(self.report, self.total, progress)
            files = Candidates(journal, self.report, on_passed=advance).select(iter_files(self.paths))
            try:
                send(files, journal, advance)
            except BaseException:
                click.echo(f"{_summary(self.report)} Give the same command again to go on.", err=True)
                raise


def _send_to_service(run: _Run, service: WebArchive, *, parallel: int) -> None:
    from isocenter.app.peer import open_peer
    from isocenter.app.sending import send, still_has

    with open_peer(service) as client:
        run.go(
            client.service,
            still_has=lambda journal: still_has(client, journal),
            send=lambda files, journal, on_sent: send(
                client, files, journal=journal, report=run.report, parallel=parallel, on_sent=on_sent
            ),
        )


def _send_to_peer(run: _Run, peer: DimsePeer, *, parallel: int) -> None:
    from isocenter.app.dimse_sending import send_to_peer, still_has_at_peer

    run.go(
        str(peer),
        still_has=lambda journal: still_has_at_peer(peer, journal),
        send=lambda files, journal, on_sent: send_to_peer(
            peer, files, journal=journal, report=run.report, parallel=parallel, on_sent=on_sent
        ),
    )


class _Advance:
    """Show the progress that several threads make."""

    def __init__(self, report: SendReport, total: int, progress: Progress) -> None:
        self._report = report
        self._total = total
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()

    def __call__(self, size_bytes: int) -> None:
        """Add to what is done."""
        with self._lock:
            self._done += size_bytes
            done = min(self._total, self._done)
        failed = self._report.failed_count
        self._progress.update(done, note=f"{failed} failed" if failed else "")
