"""`isocenter delivery`: look at deliveries and say what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option, yes_option
from isocenter.app.cli.output import count_of, print_json, print_table, printable
from isocenter.app.cli.router_options import router_options, selection_options

if TYPE_CHECKING:
    from isocenter.app.routing_client import RouterClient

LIMIT_MAX = 100_000
PAGE = 1000
_HEADINGS = ("delivery", "state", "destination", "channel", "note", "what to do", "instance")
_PAST = {"hold": "put aside", "release": "let go", "cancel": "cancelled", "send-again": "queued again"}


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter delivery list --state needs-human",
        "isocenter delivery send-again --destination cloud --note stow:A900",
        "isocenter delivery cancel 4711",
    ),
)
def command() -> None:
    """Look at deliveries, hold, release and cancel them, send them again.

    A delivery is one instance on its way to one destination. Its states: queued, sending, held, needs-human, delivered,
    delivered-with-note, cancelled.
    """


@command.command("list", cls=CommandWithExamples, examples=("isocenter delivery list --state needs-human --json",))
@selection_options
@click.option(
    "--limit", metavar="N", default=100, show_default=True, type=click.IntRange(1, LIMIT_MAX), help="At most so many."
)
@router_options
@json_option
def list_deliveries(selection: dict[str, Any], limit: int, router: RouterClient, as_json: bool) -> int:
    """List deliveries, the newest first, with what to do about those that need a person."""
    rows = _page(router, selection, limit)
    if as_json:
        print_json(rows)
        return 0
    print_table(_HEADINGS, [_row(one) for one in rows])
    return 0


def _page(router: RouterClient, selection: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    from isocenter.app.routing_client import Question

    query = [(name, value) for name, value in selection.items() if name != "states"]
    query += [("state", state) for state in selection.get("states", ())]
    rows: list[dict[str, Any]] = []
    after: int | None = None
    while len(rows) < limit:
        paging = [("limit", str(min(PAGE, limit - len(rows)))), *([("after", str(after))] if after else [])]
        page = router.ask(Question("GET", "/deliveries", (*query, *paging)))
        rows += page["deliveries"]
        after = page["after"]
        if after is None:
            break
    return rows


def _row(one: dict[str, Any]) -> list[str]:
    told = one.get("explanation", {})
    remedy = told.get("remedy", "") if one["state"] == "needs-human" else ""
    return [
        str(one["delivery"]),
        one["state"],
        one["destination"] or "(nowhere)",
        one["channel"],
        one["note"],
        remedy,
        one["instance"],
    ]


@command.command(cls=CommandWithExamples, examples=("isocenter delivery show 4711",))
@click.argument("delivery", metavar="DELIVERY", type=click.IntRange(1))
@router_options
@json_option
def show(delivery: int, router: RouterClient, as_json: bool) -> int:
    """Show a delivery, what its attempts came to, and what to do about it."""
    from isocenter.app.routing_client import Question

    answer = router.ask(Question("GET", f"/deliveries/{delivery}"))
    if as_json:
        print_json(answer)
        return 0
    for name in ("instance", "series", "study", "size_bytes", "channel", "rule", "configuration_version", "destination",
                 "priority", "calling_ae_title", "state", "received_at", "due_at", "failures"):  # fmt: skip
        if answer[name] not in ("", None):
            click.echo(printable(f"{name.replace('_', ' ')}: {answer[name]}"))
    if answer["note"]:
        told = answer["explanation"]
        click.echo(printable(f"{told['name']} ({told['code']}): {told['meaning']}"))
        click.echo(printable(f"Who can mend it: {told['side']}. {told['remedy']}"))
    rows = [[one["began_at"], one["ended_at"], one["note"], one["detail"]] for one in answer["attempts"]]
    if rows:
        print_table(("began", "ended", "note", "it said"), rows)
    return 0


def _step(word: str, help_text: str) -> None:
    @command.command(
        word,
        cls=CommandWithExamples,
        examples=(f"isocenter delivery {word} 4711", f"isocenter delivery {word} --destination cloud"),
        help=help_text,
    )
    @click.argument("deliveries", metavar="[DELIVERY]…", nargs=-1, type=click.IntRange(1))
    @selection_options
    @click.option(
        "--rules",
        type=click.Choice(["original", "current"]),
        default="original",
        help="By which rules deliveries are sent again: those that planned them, or those that hold now.",
        hidden=word != "send-again",
    )
    @yes_option
    @router_options
    @json_option
    def step(
        deliveries: tuple[int, ...],
        selection: dict[str, Any],
        rules: str,
        is_sure: bool,
        router: RouterClient,
        as_json: bool,
    ) -> int:
        from isocenter.app.routing_client import Question

        if deliveries:
            selection["deliveries"] = list(deliveries)
        if not selection:
            raise click.UsageError("Say which deliveries: by number, or by --destination, --study and the like.")
        if not deliveries and not is_sure:
            words = ", ".join(f"{name} {value}" for name, value in selection.items())
            click.confirm(printable(f"All deliveries with {words}?"), abort=True, err=True)
        count, is_complete = 0, False
        while not is_complete:
            body = {"selection": selection, "rules": rules}
            answer = router.ask(Question("POST", f"/deliveries/{word}", body=body))
            count, is_complete = count + answer["count"], answer["is_complete"]
        if as_json:
            print_json({"count": count})
        else:
            click.echo(f"{count_of(count, 'delivery', 'deliveries')} {_PAST[word]}.")
        return 0 if count else 1


_step("hold", "Put deliveries aside; exit code 1 where there were none to put aside.")
_step("release", "Let go of deliveries that were put aside; exit code 1 where there were none.")
_step("cancel", "Give deliveries up; exit code 1 where there were none that wait.")
_step(
    "send-again",
    "Queue deliveries again: those that need a person, and others where --state, --instance or their numbers name "
    "them; exit code 1 where there were none.",
)
