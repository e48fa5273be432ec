"""`isocenter channel`: look at the channels of a node, start, pause and stop them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json, print_table, printable
from isocenter.app.cli.router_options import reason_option, router_options

if TYPE_CHECKING:
    from isocenter.app.routing_client import RouterClient

COUNTERS = ("received", "delivered", "waiting", "needs_human", "cancelled")
COUNTER_HEADINGS = ("received", "delivered", "waiting", "needs human", "cancelled")
_PAST = {"start": "started", "pause": "paused", "stop": "stopped", "restart": "restarted"}


@click.group(cls=GroupWithExamples, examples=("isocenter channel list", "isocenter channel stop router"))
def command() -> None:
    """Look at the channels of a node, start, pause, stop and restart them.

    Paused, a channel refuses for the time being, so that senders try again; stopped, its port is closed and its folder
    is not watched. What it took in before is delivered all the same. Orders outlive a restart of the node; given while
    it does not run, they hold from its next start. Translators are listed behind channels, as `translators.NAME`.
    """


@command.command("list", cls=CommandWithExamples, examples=("isocenter channel list --json",))
@router_options
@json_option
def list_channels(router: RouterClient, as_json: bool) -> int:
    """List channels with their state and counters.

    received = delivered + waiting + needs human + cancelled, always.
    """
    from isocenter.app.routing_client import Question

    answer = router.ask(Question("GET", "/channels"))
    if as_json:
        print_json(answer["channels"])
        return 0
    rows = [
        [one["name"], one["kind"], one["address"], one["state"], *counter_cells(one["counters"])]
        for one in answer["channels"]
    ]
    print_table(("channel", "source", "address", "state", *COUNTER_HEADINGS), rows)
    for one in answer["channels"]:
        if one["state"] == "failed":
            click.echo(printable(f"{one['name']}: {one['problem']}"), err=True)
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter channel show router",))
@click.argument("name", metavar="CHANNEL")
@router_options
@json_option
def show(name: str, router: RouterClient, as_json: bool) -> int:
    """Show a channel, and its counters by destination."""
    from isocenter.app.routing_client import Question

    answer = router.ask(Question("GET", f"/channels/{name}"))
    if as_json:
        print_json(answer)
        return 0
    click.echo(printable(f"{answer['name']} ({answer['kind']}) at {answer['address']}: {answer['state']}"))
    for text in (answer["description"], answer["problem"]):
        if text:
            click.echo(printable(text))
    if answer["ordered_by"]:
        why = f": {answer['reason']}" if answer["reason"] else ""
        click.echo(printable(f"So since {answer['ordered_at']} by {answer['ordered_by']}{why}"))
    if answer["refused"]:
        click.echo(f"{count_of(answer['refused'], 'instance')} refused; `isocenter channel refusals {name}` tells why.")
    rows = [[one["destination"] or "(nowhere)", *counter_cells(one)] for one in answer["by_destination"]]
    print_table(("destination", *COUNTER_HEADINGS), rows)
    return 0


@command.command(cls=CommandWithExamples, examples=("isocenter channel refusals router",))
@click.argument("name", metavar="CHANNEL")
@router_options
@json_option
def refusals(name: str, router: RouterClient, as_json: bool) -> int:
    """List what a channel refused lately, and why."""
    from isocenter.app.routing_client import Question

    rows = router.ask(Question("GET", f"/channels/{name}/refusals"))["refusals"]
    if as_json:
        print_json(rows)
        return 0
    columns = ("at", "sender", "status", "reason", "sop_instance_uid")
    print_table(("at", "sender", "status", "reason", "instance"), [[one[column] for column in columns] for one in rows])
    return 0


def counter_cells(counters: dict[str, Any]) -> list[str]:
    """Return counters as cells of a table."""
    return [str(counters[name]) for name in COUNTERS]


def _order(word: str, help_text: str) -> None:
    @command.command(word, cls=CommandWithExamples, examples=(f"isocenter channel {word} router",), help=help_text)
    @click.argument("names", metavar="CHANNEL…", nargs=-1, required=True)
    @reason_option
    @router_options
    def order(names: tuple[str, ...], reason: str, router: RouterClient) -> int:
        from isocenter.app.routing_client import Question

        for name in names:
            answer = router.ask(Question("POST", f"/channels/{name}/{word}", body={"reason": reason}))
            note = f" {answer['problem']}" if answer["problem"] else ""
            click.echo(printable(f"{name} is {_PAST[word]}.{note}"))
        return 0


_order("start", "Start channels.")
_order("pause", "Have channels refuse for the time being.")
_order("stop", "Stop channels: nobody listens, nothing is watched.")
_order("restart", "Stop channels and start them again.")
