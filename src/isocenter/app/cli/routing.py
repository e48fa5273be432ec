"""`isocenter routing`: the configuration of channels of a node, its versions, and what another one would change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option, yes_option
from isocenter.app.cli.output import print_json, print_table, printable
from isocenter.app.cli.router_options import reason_option, router_options

if TYPE_CHECKING:
    from isocenter.app.routing_client import RouterClient

_file_argument = click.argument(
    "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter routing export > channels.toml",
        'isocenter routing import channels.toml --reason "CT to the cloud too"',
        "isocenter routing rollback 3",
    ),
)
def command() -> None:
    """Export and import the configuration of channels of a node, with versions.

    A node reads the file that `routing.configuration` names; what is imported goes into that file, holds at once, and
    channels that did not change notice nothing. Secrets are named in it and never part of it.
    """


@command.command(cls=CommandWithExamples, examples=("isocenter routing export --version 2",))
@click.option("--version", "number", metavar="N", type=click.IntRange(1), help="Another version than that which holds.")
@click.option("--as-written", is_flag=True, help="As somebody wrote it, with comments, rather than always the same.")
@router_options
def export(number: int | None, as_written: bool, router: RouterClient) -> int:
    """Print the configuration: always written the same for the same, fit for source control."""
    from isocenter.app.routing_client import Question

    query = [("form", "written")] if as_written else []
    query += [] if number is None else [("version", str(number))]
    sys.stdout.write(router.ask(Question("GET", "/configuration", query))["text"])
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter routing example > channels.toml",))
def example() -> int:
    """Print a configuration to begin with: modalities, a PACS, a cloud archive."""
    from importlib.resources import files

    sys.stdout.write(files("isocenter.app.channels").joinpath("hospital.toml").read_text(encoding="utf-8"))
    return 0


@command.command("diff", cls=CommandWithExamples, examples=("isocenter routing diff channels.toml",))
@_file_argument
@router_options
@json_option
def diff(file: Path, router: RouterClient, as_json: bool) -> int:
    """Tell in words what a configuration would change, and whose traffic it touches."""
    preview = _preview(router, _read(file))
    if as_json:
        print_json(preview)
    else:
        _print_preview(preview)
    return 0


@command.command("import", cls=CommandWithExamples, examples=("isocenter routing import channels.toml --yes",))
@_file_argument
@reason_option
@yes_option
@router_options
def import_(file: Path, reason: str, is_sure: bool, router: RouterClient) -> int:
    """Have another configuration hold from now on, after a look at what it changes.

    One that cannot be used changes nothing: what is wrong is told with line and key, and the exit code is 1.
    """
    from isocenter.app.routing_client import Question

    text = _read(file)
    holds = router.ask(Question("GET", "/configuration"))["version"]
    preview = _preview(router, text)
    _print_preview(preview)
    if not is_sure:
        click.confirm("Have it hold from now on?", abort=True, err=True)
    body = {"text": text, "reason": reason, "version": holds}
    answer = router.ask(Question("PUT", "/configuration", body=body))
    click.echo(f"Version {answer['version']} holds.")
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter routing versions",))
@router_options
@json_option
def versions(router: RouterClient, as_json: bool) -> int:
    """List the versions of the configuration, the latest first."""
    from isocenter.app.routing_client import Question

    rows = router.ask(Question("GET", "/configuration/versions"))["versions"]
    if as_json:
        print_json(rows)
    else:
        columns = ("version", "at", "author", "reason")
        print_table(columns, [[str(one[column]) for column in columns] for one in rows])
    return 0


@command.command(cls=CommandWithExamples, examples=('isocenter routing rollback 3 --reason "CT was missing"',))
@click.argument("number", metavar="VERSION", type=click.IntRange(1))
@reason_option
@router_options
def rollback(number: int, reason: str, router: RouterClient) -> int:
    """Have an earlier version hold again, as a new one."""
    from isocenter.app.routing_client import Question

    answer = router.ask(Question("POST", f"/configuration/versions/{number}/rollback", body={"reason": reason}))
    click.echo(f"Version {answer['version']} holds; it says what version {number} said.")
    return 0


def _read(file: Path) -> str:
    from isocenter.app.channels.configuration import read_text

    return sys.stdin.read() if str(file) == "-" else read_text(file)


def _preview(router: RouterClient, text: str) -> dict[str, Any]:
    from isocenter.app.routing_client import Question

    preview: dict[str, Any] = router.ask(Question("POST", "/configuration/diff", body={"text": text}))
    return preview


def _print_preview(preview: dict[str, Any]) -> None:
    for one in preview["differences"]:
        click.echo(printable(one["words"]))
    if not preview["differences"]:
        click.echo("It says the same as the one that holds.")
    for warning in preview["warnings"]:
        click.echo(printable(f"warning: line {warning['line']}: {warning['key']}: {warning['message']}"), err=True)
    for missing in preview["missing_secrets"]:
        click.echo(printable(f"warning: {missing}"), err=True)
