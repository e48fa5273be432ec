"""`isocenter move`: have an archive send to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, parse_scope
from isocenter.app.cli.output import Progress as Shown
from isocenter.app.cli.output import count_of, print_json, printable, show_count
from isocenter.app.cli.peers import peer_option

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import DimsePeer
    from isocenter.dimse.scu.retrieve import Progress, Retrieved
    from isocenter.domain.identifiers import Scope


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter move 1.2.840.1 --from PACS@10.1.2.3:11112 --to WORKSTATION",
        "isocenter move 1.2.840.1/1.2.840.2 --from PACS@10.1.2.3:11112 --to WORKSTATION --as CT1",
    ),
)
@click.argument("names", metavar="STUDY[/SERIES[/INSTANCE]]…", nargs=-1, required=True)
@peer_option("--from")
@click.option(
    "--to", "destination", metavar="AET", required=True, help="The AE title to send to, which the peer must know."
)
@json_option
def command(names: tuple[str, ...], peer: DimsePeer, destination: str, as_json: bool) -> int:
    """Have an application entity send studies, series or instances to another one (C-MOVE).

    The destination is an AE title, whose address the peer looks up in a table of its own. Exit code 1 where an
    instance was not sent or nothing matched, 3 where the peer cannot be reached.
    """
    scopes = [parse_scope(name) for name in names]
    from isocenter.app.retrieving import move_scopes
    from isocenter.domain.application_entity import is_ae_title

    if not is_ae_title(destination):
        raise click.BadParameter("An AE title has 1 to 16 characters, none of them a backslash.", param_hint="'--to'")
    with show_count("Moving", total=None) as progress:
        results = move_scopes(peer, scopes, destination=destination, on_progress=_Sum(progress).show)
    if as_json:
        print_json([_as_json(name, result) for name, result in zip(names, results, strict=True)])
    else:
        for name, result in zip(names, results, strict=True):
            _print(name, result, destination)
    return 0 if all(_is_done(result) for result in results) else 1


class _Sum:
    """Adds up the progress of several moves."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._parts: dict[Scope, Progress] = {}

    def show(self, scope: Scope, progress: Progress) -> None:
        """Show how far all of them have come."""
        self._parts[scope] = progress
        parts = self._parts.values()
        failed = sum(part.failed for part in parts)
        self._shown.update(
            sum(part.done for part in parts),
            total=sum(part.total for part in parts),
            note=f"{failed} failed" if failed else "",
        )


def _is_done(result: Retrieved) -> bool:
    is_warning = result.status >> 12 == 0xB
    return result.progress.done > 0 and not result.progress.failed and (not result.told or is_warning)


def _print(name: str, result: Retrieved, destination: str) -> None:
    progress = result.progress
    sent = progress.completed + progress.warning
    click.echo(f"{name}: {count_of(sent, 'instance')} sent to {destination}, {progress.failed:,} failed.")
    for uid in result.failed_sop_instance_uids:
        click.echo(f"failed: {printable(uid)}", err=True)
    if result.told:
        click.echo(f"{name}: the peer ended with {printable(result.told)}.", err=True)
    elif not progress.done:
        click.echo(f"{name}: the peer has nothing of that name.", err=True)


def _as_json(name: str, result: Retrieved) -> dict[str, object]:
    progress = result.progress
    return {
        "name": name,
        "status": f"{result.status:04X}",
        "completed": progress.completed,
        "warning": progress.warning,
        "failed": progress.failed,
        "failed_sop_instance_uids": list(result.failed_sop_instance_uids),
    }
