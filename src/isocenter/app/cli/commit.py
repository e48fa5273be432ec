"""`isocenter commit`: ask a peer to commit to the safekeeping of instances."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json
from isocenter.app.cli.peers import peer_option

if TYPE_CHECKING:
    from isocenter.app.committing import CommitReport
    from isocenter.app.dimse_peer import DimsePeer

FAILURES_PRINTED_MAX = 100
"""More lines than this help nobody at a terminal; the count is always whole."""


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter commit ~/scans --to PACS@10.1.2.3:11112",
        "isocenter commit ~/scans --to PACS@10.1.2.3:11112 --as CT1 --listen 0.0.0.0:11113 --wait 600",
    ),
)
@click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@peer_option("--to")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where the peer may open an association to us for its report; else it has to come on ours.",
)
@click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0, 86_400),
    help="How long to wait for the reports.",
)
@json_option
def command(paths: tuple[Path, ...], peer: DimsePeer, listen: str | None, wait_s: float, as_json: bool) -> int:
    """Ask a peer to commit to the safekeeping of the instances in files and folders (storage commitment).

    Exit code 1 where the peer does not commit to an instance or does not report in time, 3 where it cannot be
    reached.
    """
    address = None if listen is None else _parse_address(listen)
    from isocenter.app.committing import CommitReport, bind, commit, read_references

    report = CommitReport()
    references = read_references(paths, report)
    if references:
        with nullcontext() if address is None else closing(bind(*address)) as listener:
            commit(peer, references, report, wait_s=wait_s, listener=listener)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report, peer)
    return 0 if report.committed and not (report.failed or report.unanswered) else 1


def _parse_address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT.", param_hint="'--listen'")
    return host.strip("[]"), int(port)


def _print(report: CommitReport, peer: DimsePeer) -> None:
    from isocenter.app.committing import describe_reason

    for reference, reason in report.failed[:FAILURES_PRINTED_MAX]:
        click.echo(f"failed: {reference.sop_instance_uid}: {describe_reason(reason)}", err=True)
    for reference in report.unanswered[:FAILURES_PRINTED_MAX]:
        click.echo(f"unanswered: {reference.sop_instance_uid}", err=True)
    click.echo(
        f"{peer} commits to {count_of(len(report.committed), 'instance')}; {len(report.failed)} failed, "
        f"{len(report.unanswered)} unanswered, {count_of(report.skipped, 'file')} skipped."
    )
