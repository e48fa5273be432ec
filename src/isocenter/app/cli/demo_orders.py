"""`isocenter demo stop|start|kill|cut|heal|status`: what is ordered of a demo that runs in another terminal."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import print_json, print_table, printable

if TYPE_CHECKING:
    from isocenter.app.hospital.control import HospitalControl, HospitalStatus
    from isocenter.app.hospital.reach import Reach

PARTS = ("pacs", "router", "cloud")
LINES = ("pacs", "cloud")
WAYS = ("refuse", "silence", "reset", "slow")

folder_option = click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the demo (default: that of `isocenter demo`).",
)
part_argument = click.argument("part", metavar="PART", type=click.Choice(PARTS))
line_argument = click.argument("line", metavar="LINE", type=click.Choice(LINES))


@click.command(cls=CommandWithExamples, examples=("isocenter demo stop pacs",))
@part_argument
@folder_option
@click.pass_obj
def stop(default: Path, part: str, folder: Path | None) -> int:
    """Ask a part to end: pacs, router or cloud. It stays down until it is started."""
    _control(folder or default).stop(part)
    click.echo(f"The {part} has ended; `isocenter demo start {part}` starts it again.")
    return 0


@click.command(cls=CommandWithExamples, examples=("isocenter demo start pacs",))
@part_argument
@folder_option
@click.pass_obj
def start(default: Path, part: str, folder: Path | None) -> int:
    """Start a part, and wait until it is ready."""
    _control(folder or default).start(part)
    click.echo(f"The {part} runs.")
    return 0


@click.command(cls=CommandWithExamples, examples=("isocenter demo kill pacs",))
@part_argument
@folder_option
@click.pass_obj
def kill(default: Path, part: str, folder: Path | None) -> int:
    """End a part at once, as where the power goes. It stays down until it is started."""
    _control(folder or default).kill(part)
    click.echo(f"The {part} was killed; `isocenter demo start {part}` starts it again.")
    return 0


@click.command(cls=CommandWithExamples, examples=("isocenter demo cut cloud", "isocenter demo cut pacs --how silence"))
@line_argument
@click.option(
    "--how",
    default="refuse",
    show_default=True,
    type=click.Choice(WAYS),
    help="refuse: nobody listens; silence: connections are taken and nothing passes; reset: every connection breaks; "
    "slow: everything passes, at 56 kbit/s.",
)
@folder_option
@click.pass_obj
def cut(default: Path, line: str, how: str, folder: Path | None) -> int:
    """Cut the line between the router and an archive: pacs or cloud.

    Modalities still reach the router, and a browser still reaches the archive. What the archive is to get waits at the
    router, and goes out when the line is healed.
    """
    _control(folder or default).cut(line, how)
    click.echo(f"The line between router and {line} is cut ({how}); `isocenter demo heal {line}` heals it.")
    return 0


@click.command(cls=CommandWithExamples, examples=("isocenter demo heal cloud",))
@line_argument
@folder_option
@click.pass_obj
def heal(default: Path, line: str, folder: Path | None) -> int:
    """Make a line sound again."""
    _control(folder or default).heal(line)
    click.echo(f"The line between router and {line} is sound again.")
    return 0


@click.command(cls=CommandWithExamples, examples=("isocenter demo status", "isocenter demo status --json"))
@folder_option
@json_option
@click.pass_obj
def status(default: Path, folder: Path | None, as_json: bool) -> int:
    """Show how parts and lines are, where to look, and who to sign in as. Exit code 3 where no demo runs."""
    from isocenter.app.hospital.control import HospitalControl
    from isocenter.app.hospital.reach import read_reach

    reach = read_reach(folder or default)
    found = HospitalControl(reach).status()
    if as_json:
        print_json(_document(reach, found))
    else:
        _print(reach, found)
    return 0


def _control(folder: Path) -> HospitalControl:
    from isocenter.app.hospital.control import HospitalControl

    return HospitalControl.of_folder(folder)


def _places(reach: Reach) -> dict[str, str]:
    return {
        "pacs": f"{reach.pacs.web_url}/, {reach.pacs.address}",
        "router": f"{reach.router.web_url}/, {reach.router.qierouter}, {reach.router.qietoazure}",
        "cloud": f"{reach.cloud_url}/",
    }


def _print(reach: Reach, found: HospitalStatus) -> None:
    places = _places(reach)
    print_table(
        ("part", "state", "process", "where", "message"),
        [
            (one.name.value, one.state.value, str(one.process_id or "-"), places[one.name], printable(one.message))
            for one in found.parts
        ],
    )
    print_table(
        ("line", "state", "connections"),
        [
            (f"router - {one.name}", "sound" if one.cut is None else f"cut ({one.cut})", str(one.open_connections))
            for one in found.lines
        ],
    )
    click.echo(f"Start at {reach.supervisor.web_url}/; sign in as {reach.person.name}, {reach.person.password}")
    if found.filling:
        click.echo(printable(found.filling))


def _document(reach: Reach, found: HospitalStatus) -> dict[str, object]:
    return {
        **asdict(found),
        "front_url": f"{reach.supervisor.web_url}/",
        "process_id": reach.supervisor.process_id,
        "pacs": {"kind": reach.pacs.kind.value, "url": f"{reach.pacs.web_url}/", "address": str(reach.pacs.address)},
        "router": {
            "url": f"{reach.router.web_url}/",
            "qierouter": str(reach.router.qierouter),
            "qietoazure": str(reach.router.qietoazure),
        },
        "cloud": {"url": f"{reach.cloud_url}/"},
        "person": {"name": reach.person.name, "password": reach.person.password},
    }
