"""`isocenter demo`: a whole hospital on this machine, and what can be ordered of it."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import GroupWithExamples
from isocenter.app.cli.demo_orders import cut, heal, kill, start, status, stop
from isocenter.app.cli.output import printable

if TYPE_CHECKING:
    from isocenter.app.hospital.options import HospitalOptions, PortName
    from isocenter.app.hospital.reach import PacsKind, Reach

EXIT_INTERRUPTED = 130


@click.group(
    cls=GroupWithExamples,
    invoke_without_command=True,
    examples=(
        "isocenter demo",
        "isocenter demo --pacs orthanc --port cloud=9000",
        "isocenter demo cut cloud",
        "isocenter demo --check",
    ),
)
@click.option(
    "--folder",
    metavar="DIR",
    default="demo-data",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that everything is kept in.",
)
@click.option(
    "--pacs",
    default="isocenter",
    show_default=True,
    type=click.Choice(["isocenter", "orthanc"]),
    help="Which program is the PACS.",
)
@click.option(
    "--port",
    "ports",
    metavar="NAME=PORT",
    multiple=True,
    help="Where something listens instead of where it usually does, 0 for any free port: front (8040), pacs (4242), "
    "pacs-web (8042), qietoazure (4006), qierouter (4007), router-web (8041), cloud (8080). Can be given again. "
    "A port that is taken gives way to the next free one.",
)
@click.option("--empty", "is_empty", is_flag=True, help="Take no images in at the first start.")
@click.option(
    "--with-samples",
    "samples",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of DICOM files that the cloud takes in as well.",
)
@click.option(
    "--check", "is_check", is_flag=True, help="Play the whole story in a hospital of its own, prove each step, end."
)
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --check: where its results go as JSON.",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    folder: Path,
    pacs: str,
    ports: tuple[str, ...],
    is_check: bool,
    report: Path | None,
    **images: Any,
) -> int:
    """Run a whole hospital on this machine until Ctrl-C: PACS, router, cloud, viewer.

    Each is a process of its own; all of them listen on loopback alone, keep everything in one folder, and end with
    this command. The first start draws passwords and takes first images in: recent studies of eight patients in the
    PACS, studies of others in the cloud. The next start goes on where the last one ended.

    From another terminal, `isocenter demo stop|start|kill PART` ends and starts a part (pacs, router, cloud), and
    `isocenter demo cut|heal LINE` cuts the line between the router and an archive (pacs, cloud).
    """
    ctx.obj = folder
    if ctx.invoked_subcommand is not None:
        return 0
    from isocenter.app.hospital.options import HospitalOptions
    from isocenter.app.hospital.reach import PacsKind

    for number in (signal.SIGTERM, signal.SIGHUP):  # the terminal that is closed ends it as Ctrl-C does
        signal.signal(number, _interrupt)
    if is_check:
        return _check(PacsKind(pacs), report)
    options = HospitalOptions(
        PacsKind(pacs), _parse_ports(ports), is_filled=not images["is_empty"], samples=images["samples"]
    )
    return _run(folder, options)


for _order in (status, stop, start, kill, cut, heal):
    command.add_command(_order)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parse_ports(texts: tuple[str, ...]) -> dict[PortName, int]:
    from isocenter.app.hospital.options import PortName
    from isocenter.domain.nearest import did_you_mean

    ports: dict[PortName, int] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in list(PortName):
            hint = did_you_mean(name, list(PortName), f"there are {', '.join(PortName)}.")
            raise click.BadParameter(f"nothing of the name {printable(name)} listens; {hint}", param_hint="'--port'")
        if not (number.isascii() and number.isdecimal() and int(number) <= 65535):
            raise click.BadParameter(f"{printable(text)} is not NAME=PORT, as cloud=9000 is.", param_hint="'--port'")
        ports[PortName(name)] = int(number)
    return ports


def _run(folder: Path, options: HospitalOptions) -> int:
    from isocenter.app.hospital.running import running_hospital

    click.echo("Starting PACS, router and cloud …")
    try:
        with running_hospital(folder, options, tell=_tell) as hospital:
            _print_reach(hospital.reach)
            hospital.wait()
    except KeyboardInterrupt:
        click.echo(f"\nThe hospital has ended; everything stays in {printable(str(folder))} for the next start.")
    return 0


def _tell(text: str) -> None:
    click.echo("\n".join(map(printable, text.split("\n"))))


def _check(pacs: PacsKind, report: Path | None) -> int:
    from isocenter.app.story.check import CheckOptions, check_story

    try:
        return 0 if check_story(CheckOptions(pacs, report_file=report), _tell) else 1
    except KeyboardInterrupt:
        click.echo("\nThe check was stopped; its hospital has ended and is removed.")
        return EXIT_INTERRUPTED


def _print_reach(reach: Reach) -> None:
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    from isocenter.app.hospital.map_values import demo_command

    pacs, demo = f"{reach.pacs.web_url}/", demo_command(reach.folder)
    lines = [
        f"Start here   {reach.supervisor.web_url}/",
        "",
        f"PACS         {pacs:<30}  {reach.pacs.address}",
        f"Router       {reach.router.web_url + '/':<30}  {reach.router.qierouter}",
        f"{'':<43}  {reach.router.qietoazure}",
        f"Cloud        {reach.cloud_url + '/':<30}  DICOMweb {reach.cloud_url}/v2",
        f"Viewer       {reach.cloud_url}/viewer/",
        "",
        f"Sign in as   {reach.person.name}   {reach.person.password}",
        "",
        f"Orders       {demo} status",
        "             … cut cloud, heal cloud, stop pacs, start pacs: from another terminal",
        "",
        f"Folder       {reach.folder}",
        "",
        "Ctrl-C ends all of it; the data stays for the next start.",
    ]
    width = max(map(len, lines)) + 4
    console = Console(width=max(width, Console().width) if width > Console().width else None, highlight=False)
    console.print(Panel(Text("\n".join(lines), no_wrap=True), title="isocenter demo", box=ROUNDED, expand=False))
