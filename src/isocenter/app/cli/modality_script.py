"""`isocenter modality script`: the five scripts of the walk-through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.modality_options import COARSENESS_MAX
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json, printable, show_count
from isocenter.app.cli.peers import PEER_METAVAR
from isocenter.domain.errors import InvalidRequest

if TYPE_CHECKING:
    from isocenter.app.modality.scripts import ScriptReport, SentImage
    from isocenter.domain.application_entity import AeAddress
    from isocenter.modality.devices.scripts import StoryAddresses
    from isocenter.modality.story import Script, StoryMode

EXIT_NOT_HELD, EXIT_UNREACHABLE = 1, 3


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter modality script 1-preload-orthanc",
        "isocenter modality script 2 3 4 --hospital ~/hospital",
        "isocenter modality script 5 --qietoazure QIETOAZURE@10.0.1.4:4006 --extended",
    ),
)
@click.argument("names", metavar="SCRIPT…", nargs=-1, required=True)
@click.option("--extended", is_flag=True, help="Send CT, MR, ultrasound and mammograms, too, not only radiographs.")
@click.option("--orthanc", metavar=PEER_METAVAR, help="The PACS (default: ORTHANC@127.0.0.1:4242).")
@click.option("--qierouter", metavar=PEER_METAVAR, help="The router (default: QIEROUTER@127.0.0.1:4007).")
@click.option("--qietoazure", metavar=PEER_METAVAR, help="The translator (default: QIETOAZURE@127.0.0.1:4006).")
@click.option(
    "--hospital",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Take the addresses of the demo that runs in this folder.",
)
@click.option(
    "--coarse",
    metavar="N",
    default=1,
    show_default=True,
    type=click.IntRange(1, COARSENESS_MAX),
    help="Make pictures with N times fewer pixels along each edge.",
)
@json_option
def script_command(
    names: tuple[str, ...], extended: bool, folder: Path | None, coarse: int, as_json: bool, **given: str | None
) -> int:
    """Play scripts of the walk-through, by number or name: one association for each image, called as GDCM.

    `isocenter modality list` tells what each sends. Exit code 1 where an image was not acknowledged, 3 where a
    peer cannot be reached.
    """
    from isocenter.app.logging_setup import set_up_logging
    from isocenter.modality.story import StoryMode

    set_up_logging("error", "console")
    scripts = [_parse(name) for name in names]
    addresses = _addresses(folder, **given)
    mode = StoryMode.EXTENDED if extended else StoryMode.FAITHFUL
    reports = []
    for script in scripts:
        reports.append(_play(script, addresses, mode, coarse))
        if not as_json:
            _print(reports[-1])
    if as_json:
        print_json([report.as_json() for report in reports])
    if not all(report.was_reached for report in reports):
        return EXIT_UNREACHABLE
    return 0 if all(report.held for report in reports) else EXIT_NOT_HELD


def _parse(name: str) -> Script:
    from isocenter.modality.devices.scripts import parse_script

    try:
        return parse_script(name)
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint="'SCRIPT'") from error


def _addresses(folder: Path | None, **given: str | None) -> StoryAddresses:
    from isocenter.app.modality.scripts import addresses_in
    from isocenter.modality.devices.scripts import StoryAddresses

    known = StoryAddresses() if folder is None else addresses_in(folder)
    named = {name: _address(name, text) for name, text in given.items() if text is not None}
    return StoryAddresses(
        named.get("orthanc", known.orthanc),
        named.get("qierouter", known.qierouter),
        named.get("qietoazure", known.qietoazure),
    )


def _address(name: str, text: str) -> AeAddress:
    from isocenter.domain.application_entity import parse_ae_address

    try:
        return parse_ae_address(text)
    except InvalidRequest as error:
        raise click.BadParameter(printable(error.message), param_hint=f"'--{name}'") from error


def _play(script: Script, addresses: StoryAddresses, mode: StoryMode, coarse: int) -> ScriptReport:
    from isocenter.app.modality.scripts import run_script
    from isocenter.modality.devices.scripts import studies_of

    total = sum(study.plan.number_of_instances for study in studies_of(script, mode))
    done = 0
    with show_count(script.value, total=total) as progress:

        def note(_image: SentImage) -> None:
            nonlocal done
            done += 1
            progress.update(done)

        return run_script(script, addresses, mode, note, reduction=coarse)


def _print(report: ScriptReport) -> None:
    for problem in report.problems:
        click.echo(f"failed: {printable(problem)}", err=True)
    images = count_of(report.expected, "image")
    click.echo(f"{report.script}: {report.peer} acknowledged {len(report.acknowledged)} of {images}.")
