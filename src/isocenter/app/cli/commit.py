"""`isocenter commit`: ask a peer to commit to the safekeeping of instances."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json, printable, show_count
from isocenter.app.cli.peers import is_url, peer_beside, peer_option, service_from_environment
from isocenter.domain.identifiers import is_uid

if TYPE_CHECKING:
    from isocenter.app.committing import CommitReport
    from isocenter.app.dimse_peer import DimsePeer
    from isocenter.app.listing_references import Lister
    from isocenter.domain.commitment import InstanceReference

FAILURES_PRINTED_MAX = 100
"""More lines than this help nobody at a terminal; the count is always whole."""


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter commit ~/scans --to PACS@10.1.2.3:11112",
        "isocenter commit ~/scans --to PACS@10.1.2.3:11112 --as CT1 --listen 0.0.0.0:11113 --wait 600",
        "isocenter commit --study 1.2.840.1 --listed-by http://127.0.0.1:8080 --to PACS@10.1.2.3:11112",
    ),
)
@click.argument("paths", metavar="[PATH]…", nargs=-1, type=click.Path(exists=True, path_type=Path))
@peer_option("--to")
@click.option(
    "--study",
    "studies",
    metavar="UID",
    multiple=True,
    help="A study by its UID: of the instances in the files that are named, or else of those that --listed-by has. "
    "Can be given again.",
)
@click.option(
    "--listed-by",
    metavar="URL|AET@HOST:PORT",
    help="Who tells which instances a study has: a node or DICOMweb service (shown ISOCENTER_TOKEN), or another peer "
    "(over TLS with ?tls=on), called without the user. Default: the peer of --to itself, which then commits to what "
    "it says it has.",
)
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
def command(
    paths: tuple[Path, ...],
    peer: DimsePeer,
    studies: tuple[str, ...],
    listed_by: str | None,
    listen: str | None,
    wait_s: float,
    as_json: bool,
) -> int:
    """Ask a peer to commit to the safekeeping of instances (storage commitment): of files and folders, or of studies.

    A study by its UID is looked up where it is said to be, for example at the node that it was sent from: the peer
    commits to every instance that is there, or says which it has not. Exit code 1 where the peer does not commit to
    an instance or does not report in time, or where there is nothing to ask for, 3 where it cannot be reached.
    """
    address = None if listen is None else parse_listen_address(listen)
    _check_usage(paths, studies, listed_by)
    lister = None if paths else _lister(listed_by, peer)
    from isocenter.app.committing import CommitReport, bind, commit

    report = CommitReport()
    references = _references(paths, studies, lister, report)
    if references:
        with (
            nullcontext() if address is None else closing(bind(*address)) as listener,
            show_count("Committing", total=len(references)) as progress,
        ):
            commit(peer, references, report, wait_s=wait_s, on_progress=progress.update, listener=listener)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report, peer)
    return 0 if report.committed and not (report.failed or report.unanswered) else 1


def _check_usage(paths: tuple[Path, ...], studies: tuple[str, ...], listed_by: str | None) -> None:
    if not paths and not studies:
        raise click.UsageError("Name files and folders, or a study by --study.")
    if listed_by is not None and (paths or not studies):
        raise click.UsageError("--listed-by is for --study without files.")
    for uid in studies:
        if not is_uid(uid):
            raise click.BadParameter(f"{printable(uid)} is no UID.", param_hint="'--study'")


def _lister(listed_by: str | None, peer: DimsePeer) -> Lister:
    if listed_by is None:
        return peer
    if is_url(listed_by):
        return service_from_environment(listed_by)
    return peer_beside(listed_by, peer, "--listed-by")


def _references(
    paths: tuple[Path, ...], studies: tuple[str, ...], lister: Lister | None, report: CommitReport
) -> list[InstanceReference]:
    from isocenter.app.listing_references import references_in_files, references_listed_by

    if lister is not None:
        return references_listed_by(lister, studies)
    references, report.skipped = references_in_files(paths, studies)
    return references


def parse_listen_address(text: str) -> tuple[str, int]:
    """Return host and port where a peer may open associations to us."""
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
