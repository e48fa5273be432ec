"""`isocenter destination`: look at the destinations of a node, put them aside and take them up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isocenter.app.cli.channel import COUNTER_HEADINGS, counter_cells
from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import print_json, print_table, printable
from isocenter.app.cli.router_options import reason_option, router_options

if TYPE_CHECKING:
    from isocenter.app.routing_client import RouterClient


@click.group(
    cls=GroupWithExamples,
    examples=("isocenter destination list", 'isocenter destination hold cloud --reason "moving house"'),
)
def command() -> None:
    """Look at the destinations of a node, put them aside and take them up again.

    What is put aside takes nothing until it is released, across restarts too; its deliveries wait, safe on disk.
    `isocenter test-connection` finds out whether a destination can be used.
    """


@command.command("list", cls=CommandWithExamples, examples=("isocenter destination list --json",))
@router_options
@json_option
def list_destinations(router: RouterClient, as_json: bool) -> int:
    """List destinations with their state and counters."""
    from isocenter.app.routing_client import Question

    answer = router.ask(Question("GET", "/destinations"))["destinations"]
    if as_json:
        print_json(answer)
        return 0
    rows = [[one["name"], one["kind"], one["state"], *counter_cells(one["counters"]), one["words"]] for one in answer]
    print_table(("destination", "kind", "state", *COUNTER_HEADINGS, "in words"), rows)
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter destination show cloud",))
@click.argument("name", metavar="DESTINATION")
@router_options
@json_option
def show(name: str, router: RouterClient, as_json: bool) -> int:
    """Show how a destination is doing, what is wrong and what to do about it."""
    from isocenter.app.routing_client import Question

    answer = router.ask(Question("GET", f"/destinations/{name}"))
    if as_json:
        print_json(answer)
        return 0
    click.echo(printable(f"{answer['name']} ({answer['kind']}): {answer['words']}"))
    failure = answer["failure"]
    if failure is not None:
        told = failure["explanation"]
        click.echo(printable(f"{told['name']} ({told['code']}): {told['meaning']} {told['remedy']}"))
        if failure["detail"]:
            click.echo(printable(f"It said: {failure['detail']}"))
    rows = [[one["channel"] or "(by hand)", *counter_cells(one)] for one in answer["by_channel"]]
    print_table(("channel", *COUNTER_HEADINGS), rows)
    return 0


def _wish(word: str, done: str, help_text: str) -> None:
    @command.command(word, cls=CommandWithExamples, examples=(f"isocenter destination {word} cloud",), help=help_text)
    @click.argument("names", metavar="DESTINATION…", nargs=-1, required=True)
    @reason_option
    @router_options
    def wish(names: tuple[str, ...], reason: str, router: RouterClient) -> int:
        from isocenter.app.routing_client import Question

        for name in names:
            router.ask(Question("POST", f"/destinations/{name}/{word}", body={"reason": reason}))
            click.echo(printable(f"{name} is {done}."))
        return 0


_wish("hold", "put aside", "Put destinations aside until they are released.")
_wish("release", "taken up again", "Take destinations up again.")
_wish("probe", "probed", "Have sick destinations probed at once.")
