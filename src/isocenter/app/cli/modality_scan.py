"""`isocenter modality scan`: the whole life of an order, against real peers."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.commit import parse_listen_address
from isocenter.app.cli.modality_options import Making, making_options, misbehaviour_options
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import print_json, printable, show_count
from isocenter.app.cli.peers import PEER_METAVAR, peer_beside, peer_option
from isocenter.domain.errors import InvalidRequest
from isocenter.modality.devices.misbehaviour import Misbehaviour
from isocenter.modality.devices.sending import AssociationPer

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import DimsePeer
    from isocenter.app.modality.report import ScanReport
    from isocenter.app.modality.scanning import Manner, Peers
    from isocenter.modality.devices.acquisition import Acquisition

EXIT_NOT_HELD, EXIT_UNREACHABLE = 1, 3


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter modality scan --profile CT --to PACS@10.1.2.3:11112",
        "isocenter modality scan --profile CT --to QIEROUTER@127.0.0.1:4007 --no-mpps --no-commit --pace real",
        "isocenter modality scan --profile MR --to PACS@10.1.2.3:11112 --worklist RIS@10.1.2.4:104 --accession A123",
        "isocenter modality scan --profile CR --to PACS@10.1.2.3:11112 --wrong-patient --seed 7",
        "isocenter modality scan --profile CT --to PACS@10.1.2.3:11112 --listen 0.0.0.0:11113 --abort-after 20",
    ),
)
@peer_option("--to")
@making_options
@click.option(
    "--worklist",
    metavar=PEER_METAVAR,
    help="Whose work list to ask (default: nobody's; the study is unscheduled).",
)
@click.option("--accession", "accession_number", metavar="NUMBER", default="", help="The item of that number.")
@click.option("--patient-id", metavar="ID", default="", help="An item of that patient.")
@click.option("--any-station", is_flag=True, help="Take an item of another station, too.")
@click.option("--any-day", is_flag=True, help="Take an item of another day, too.")
@click.option(
    "--mpps",
    metavar=PEER_METAVAR,
    help="Who is told of the performed procedure step (default: the peer of --worklist, else that of --to).",
)
@click.option("--commit", metavar=PEER_METAVAR, help="Who is asked to commit (default: the peer of --to).")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where the peer may open an association to us to report on the commitment; else it has to come on ours.",
)
@click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0, 86_400),
    help="How long to wait for the report on the commitment.",
)
@click.option(
    "--pace",
    "pace_text",
    metavar="real|fast|Nx",
    default="fast",
    show_default=True,
    help="Deliver images as a real device does, without waiting, or N times faster than a real one.",
)
@click.option(
    "--association-per",
    type=click.Choice([each.value for each in AssociationPer]),
    help="For how long an association is kept (default: as the profile does).",
)
@misbehaviour_options()
@json_option
def scan_command(
    peer: DimsePeer, making: Making, misbehaviour: Misbehaviour, listen: str | None, as_json: bool, **how: Any
) -> int:
    """Make a study and send it: work list, performed step, images, storage commitment, and a report.

    The device calls by its own title unless --as gives another. What it did is held against what it was to do: exit
    code 0 where everything held, 1 where something did not, 3 where the archive cannot be reached.
    """
    from isocenter.app.committing import bind
    from isocenter.app.logging_setup import set_up_logging

    set_up_logging("error", "console")
    peer = _as_device(peer, making)
    address = None if listen is None else parse_listen_address(listen)
    manner, peers = _manner(how), _peers(peer, how)
    acquisition = _acquisition(peer, making, misbehaviour, how)
    with nullcontext() if address is None else closing(bind(*address)) as listener:
        report = _scan(acquisition, peers, replace(manner, listener=listener))
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    if not report.was_reached:
        return EXIT_UNREACHABLE
    return 0 if report.held else EXIT_NOT_HELD


def _as_device(peer: DimsePeer, making: Making) -> DimsePeer:
    """Return the peer called by the device's own title, where --as gives no other."""
    if click.get_current_context().params.get("calling_ae_title") is not None:
        return peer
    return replace(peer, calling_ae_title=making.profile.ae_title)


def _manner(how: dict[str, Any]) -> Manner:
    from isocenter.app.modality.scanning import Manner
    from isocenter.modality.devices.pace import parse_pace

    try:
        pace = parse_pace(how["pace_text"])
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint="'--pace'") from error
    per = how["association_per"]
    return Manner(pace, None if per is None else AssociationPer(per), how["wait_s"])


def _peers(peer: DimsePeer, how: dict[str, Any]) -> Peers:
    from isocenter.app.modality.scanning import Peers

    steps = how["mpps"] or how["worklist"]
    return Peers(
        archive=peer,
        steps=peer if steps is None else peer_beside(steps, peer, "--mpps"),
        commitment=peer if how["commit"] is None else peer_beside(how["commit"], peer, "--commit"),
    )


def _acquisition(peer: DimsePeer, making: Making, misbehaviour: Misbehaviour, how: dict[str, Any]) -> Acquisition:
    from isocenter.app.modality.choosing import Choice, choose_order
    from isocenter.modality.devices.acquisition import Acquisition
    from isocenter.modality.devices.order import unscheduled_order

    numbers = {"accession_number": how["accession_number"], "patient_id": how["patient_id"]}
    if how["worklist"] is None:
        if how["any_station"] or how["any_day"]:
            raise click.UsageError("--any-station and --any-day are for a --worklist.")
        order = unscheduled_order(making.seed, **numbers)
    else:
        asked = peer_beside(how["worklist"], peer, "--worklist")
        choice = Choice(**numbers, any_station=how["any_station"], any_day=how["any_day"])
        day = making.begun_at(None).date()
        order = choose_order(asked, making.profile, choice, ae_title=peer.calling_ae_title, day=day)
    begun_at = making.begun_at(order.scheduled_at)
    return Acquisition(
        making.profile,
        order,
        making.seed,
        begun_at,
        peer.calling_ae_title,
        misbehaviour,
        making.slices,
        making.coarseness,
    )


def _scan(acquisition: Acquisition, peers: Peers, manner: Manner) -> ScanReport:
    from isocenter.app.modality.scanning import Scan
    from isocenter.modality.devices.outcome import Outcome

    done = 0
    with show_count("Sending", total=acquisition.number_of_images + acquisition.number_of_late_images) as progress:

        def note(_outcome: Outcome) -> None:
            nonlocal done
            done += 1
            progress.update(done)

        return Scan(acquisition, peers, manner, note).run()


def _print(report: ScanReport) -> None:
    acquisition = report.acquisition
    kind = "as scheduled" if acquisition.order.is_scheduled else "unscheduled"
    click.echo(
        f"{acquisition.ae_title} made study {acquisition.study_instance_uid}, {kind}, accession number "
        f"{printable(acquisition.order.accession_number) or 'none'}, seed {acquisition.seed}."
    )
    for check in report.checks:
        click.echo(f"{'ok    ' if check.held else 'FAILED'}  {check.name}: {printable(check.told)}", err=not check.held)
    failed = [check.name for check in report.checks if not check.held]
    if failed:
        click.echo(f"{len(failed)} of {len(report.checks)} did not hold: {', '.join(failed)}.", err=True)
    else:
        click.echo("All held.")
