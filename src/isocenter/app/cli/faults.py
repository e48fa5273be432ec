"""`isocenter faults`: stand between components and put faults there; play outages with expected outcomes."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json, print_table, printable
from isocenter.app.faults.control import DEFAULT_FILE

if TYPE_CHECKING:
    from isocenter.app.faults.plane import FaultPlane
    from isocenter.modality.faults.link import LinkPlan
    from isocenter.modality.faults.record import Record
    from isocenter.modality.faults.scenario import Scenario

EXIT_NOT_AS_EXPECTED = 1

control_option = click.option(
    "--control",
    "control_file",
    metavar="FILE",
    default=DEFAULT_FILE,
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file by which the commands find a running fault plane.",
)


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter faults proxy pacs@4243=dimse://127.0.0.1:4242 cloud@8081=http://127.0.0.1:8080",
        "isocenter faults set cloud http-answer status=503 retry_after=5s --for 20s",
        "isocenter faults run internet-outage",
    ),
)
def command() -> None:
    """Put real faults between components, and play outages.

    A fault plane stands between two components as a proxy. What it does to connections is set while it runs.
    """


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter faults proxy pacs@4243=dimse://127.0.0.1:4242",
        "isocenter faults proxy cloud@127.0.0.1:8443=https://archive.example.org:443",
    ),
)
@click.argument("links", metavar="[NAME@]LISTEN=[PROTOCOL://]TARGET…", nargs=-1, required=True)
@control_option
def proxy(links: tuple[str, ...], control_file: Path) -> int:
    """Stand between components until Ctrl-C.

    LISTEN and TARGET are HOST:PORT; a port alone is one of loopback. PROTOCOL says what is looked into: dimse, http,
    or tcp, which takes anything, https too. A link without a name has that of its port.
    """
    import asyncio

    from isocenter.modality.faults.link import parse_link

    asyncio.run(_proxy([parse_link(text) for text in links], control_file))
    return 0


async def _proxy(plans: list[LinkPlan], control_file: Path) -> None:
    import asyncio
    import signal

    from isocenter.app.faults.api import serving_api
    from isocenter.app.faults.control import announced
    from isocenter.app.faults.plane import running_plane

    is_over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, is_over.set)
    async with running_plane(plans) as plane, serving_api(plane) as address:
        with announced(control_file, address):
            for link in plane.links.values():
                click.echo(f"{link.plan.name}: {link.plan.listen} → {link.plan.target} ({link.plan.protocol})")
            click.echo(f"Faults are set by `isocenter faults set`, which finds this by {control_file}. Ctrl-C ends it.")
            await is_over.wait()


@command.command(
    name="set",
    cls=CommandWithExamples,
    examples=(
        "isocenter faults set cloud refuse --for 30s",
        "isocenter faults set cloud reset after_bytes=100kB direction=requests count=1",
        "isocenter faults set pacs dimse-status status=A700 probability=0.2",
    ),
)
@click.argument("link")
@click.argument("kind")
@click.argument("keys", metavar="[KEY=VALUE]…", nargs=-1)
@click.option("--for", "duration", metavar="DURATION", help="Clear it after so long.")
@control_option
@json_option
def set_(
    *, link: str, kind: str, keys: tuple[str, ...], duration: str | None, control_file: Path, as_json: bool
) -> int:
    """Set a fault on a link of a running fault plane; `isocenter faults kinds` lists kinds and keys."""
    from isocenter.app.faults.control import PlaneClient
    from isocenter.modality.faults.sections import parse_words, written

    table = written(parse_words(kind, keys))
    answer = PlaneClient(control_file).set(link, {**table, **({} if duration is None else {"for": duration})})
    if as_json:
        print_json(answer)
    else:
        click.echo(printable(f"{link}: fault {answer['id']} is set: {answer['text']}"))
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter faults clear cloud", "isocenter faults clear cloud 3"))
@click.argument("link")
@click.argument("fault_id", metavar="[NUMBER]", required=False, type=int)
@control_option
def clear(link: str, fault_id: int | None, control_file: Path) -> int:
    """Clear a fault of a link, by its number, or all of them. Exit code 1 where none was set."""
    from isocenter.app.faults.control import PlaneClient

    cleared = PlaneClient(control_file).clear(link, fault_id)
    click.echo(printable(f"{link}: {count_of(cleared, 'fault')} cleared."))
    return 0 if cleared else 1


@command.command(name="list", cls=CommandWithExamples, examples=("isocenter faults list",))
@control_option
@json_option
def list_(control_file: Path, as_json: bool) -> int:
    """List the links of a running fault plane, their faults, and how often each struck."""
    from isocenter.app.faults.control import PlaneClient

    links = PlaneClient(control_file).links()
    if as_json:
        print_json(links)
        return 0
    print_table(
        ("link", "listens", "leads to", "connections", "fault", "struck"), [row for one in links for row in _rows(one)]
    )
    return 0


def _rows(link: dict[str, Any]) -> list[tuple[str, ...]]:
    listens = link["listen"] if link["is_listening"] else f"{link['listen']} (refused)"
    head = (link["name"], listens, f"{link['protocol']}://{link['target']}", str(link["counts"].get("connections", 0)))
    faults = [(f"{one['id']}: {one['text']}", str(one["struck"])) for one in link["faults"]] or [("-", "-")]
    return [(*(head if number == 0 else ("", "", "", "")), *fault) for number, fault in enumerate(faults)]


@command.command(cls=CommandWithExamples, examples=("isocenter faults kinds", "isocenter faults kinds http-answer"))
@click.argument("kind", required=False)
def kinds(kind: str | None) -> int:
    """List the kinds of faults, or the keys of one."""
    from isocenter.modality.faults.sections import FAULTS, parse_words

    if kind is None:
        print_table(("fault", "what it does"), [(section.kind, section.help) for section in FAULTS])
        return 0
    section = next((one for one in FAULTS if one.kind == kind), None)
    if section is None:
        parse_words(kind, ())  # says which one is near
        return 1
    click.echo(section.help)
    print_table(("key", "expected", "meaning"), [(key.name, key.kind.expected, key.help) for key in section.keys])
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter faults scenarios",))
def scenarios() -> int:
    """List the scenarios that ship with the program."""
    from isocenter.app.faults.shipped import check_scenario, shipped_names

    print_table(("scenario", "what it shows"), [(name, check_scenario(name).description) for name in shipped_names()])
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter faults show internet-outage > mine.toml", "isocenter faults run mine.toml"),
)
@click.argument("scenario")
def show(scenario: str) -> int:
    """Print a scenario, to copy and change it."""
    from isocenter.app.faults.shipped import scenario_text

    click.echo(scenario_text(scenario)[0], nl=False)
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter faults check mine.toml",))
@click.argument("scenario")
def check(scenario: str) -> int:
    """Check a scenario and tell everything that is wrong with it, with line and key. Exit code 2 where it is."""
    from isocenter.app.faults.shipped import check_scenario

    read = check_scenario(scenario)
    click.echo(
        f"Sound: {count_of(len(read.processes), 'process', 'processes')}, {count_of(len(read.links), 'link')}, "
        f"{count_of(len(read.steps), 'step')}, {count_of(len(read.expectations), 'expectation')}."
    )
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter faults run internet-outage", "isocenter faults run mine.toml --folder outage --json"),
)
@click.argument("scenario")
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data and logs of the components go and stay (default: a folder that is removed).",
)
@control_option
@json_option
def run(scenario: str, folder: Path | None, control_file: Path, as_json: bool) -> int:
    """Play a scenario: a file, or the name of one that ships.

    What happens is told as it happens; then come a drawing and what became of each expectation. Exit code 0 only where
    all of them hold. Meanwhile `isocenter faults set` can make it worse.
    """
    import asyncio

    from isocenter.app.cli.faults_outcome import print_outcome
    from isocenter.app.faults.shipped import ready_scenario

    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-faults-")))
        plan = ready_scenario(scenario, folder.resolve())
        try:
            record = asyncio.run(_run(plan, folder.resolve(), control_file))
        except asyncio.CancelledError as stopped:
            raise KeyboardInterrupt from stopped
    return 0 if print_outcome(plan, record, as_json=as_json) else EXIT_NOT_AS_EXPECTED


async def _run(plan: Scenario, folder: Path, control_file: Path) -> Record:
    import asyncio
    import signal
    from contextlib import AsyncExitStack

    from isocenter.app.faults.api import serving_api
    from isocenter.app.faults.control import announced
    from isocenter.app.faults.runner import play

    playing = asyncio.current_task()
    assert playing is not None
    for number in (signal.SIGINT, signal.SIGTERM):  # the components end and the folder goes, whoever stops it
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    async with AsyncExitStack() as stack:

        async def announce(plane: FaultPlane) -> None:
            address = await stack.enter_async_context(serving_api(plane))
            stack.enter_context(announced(control_file, address))

        return await play(plan, folder, on_event=_tell, on_plane=announce)


def _tell(text: str) -> None:
    click.echo(printable(text), err=True)
