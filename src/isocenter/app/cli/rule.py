"""`isocenter rule`: try the rules of channels on files, check and compare configurations of channels."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json, print_table, printable
from isocenter.app.cli.router_options import router_options

if TYPE_CHECKING:
    from isocenter.app.routing_client import RouterClient
    from isocenter.app.rule_trying import Tried

HEADINGS = ("file", "channel", "rules", "goes to")
NOWHERE = "-"
VALUE_LENGTH_MAX = 64
"""Characters of a value that are shown; JSON has it whole."""

_configuration_argument = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter rule try scans/ --rules channels.toml",
        "isocenter rule check channels.toml",
        "isocenter rule diff channels.toml channels-new.toml",
        "isocenter rule replay --days 7 --configuration channels-new.toml",
    ),
)
def command() -> None:
    """Try the rules of channels before they are used, and ask afterwards what they did.

    The commands change nothing. `explain` and `replay` ask a node; the others read files.
    """


@command.command(
    name="try",
    cls=CommandWithExamples,
    examples=(
        "isocenter rule try ct.dcm --rules channels.toml --why",
        "isocenter rule try scans/ --rules channels.toml --channel router --calling CT1 --at 2026-11-21T23:30",
    ),
)
@click.argument("paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--rules", "configuration_file", metavar="CONFIG", required=True, type=_configuration_argument,
              help="The configuration of channels.")  # fmt: skip
@click.option("--channel", metavar="NAME", help="Only the rules of this channel.")
@click.option(
    "--calling", "calling_ae_title", metavar="TITLE", help="The AE title that the files are taken to come from."
)
@click.option(
    "--called",
    "called_ae_title",
    metavar="TITLE",
    help="The AE title that they are sent to (default: that of the channel).",
)
@click.option("--address", metavar="ADDRESS", help="The IP address that they are taken to come from.")
@click.option(
    "--at",
    "received_at",
    metavar="TIME",
    type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]),
    help="When they are taken to come (default: now).",
)
@click.option("--why", "explains", is_flag=True, help="Show of every rule which part of its condition holds.")
@click.option("--values", "with_values", is_flag=True, help="Show the compared values too, which are patient data.")
@click.option(
    "--changes", "makes_changes", is_flag=True, help="Show what transforms change, before and after: patient data."
)
@json_option
def try_(
    *,
    paths: tuple[Path, ...],
    configuration_file: Path,
    channel: str | None,
    explains: bool,
    with_values: bool,
    makes_changes: bool,
    as_json: bool,
    **came: Any,
) -> int:
    """Show which rules match DICOM files and where the files would go.

    A folder stands for everything below it. Exit code 1 where a file cannot be read as DICOM, or none was found.
    """
    from isocenter.app.rule_trying import Arrival, Left, choose_channels, load_configuration, tried_json, try_rules

    configuration = load_configuration(configuration_file).configuration
    channels = choose_channels(configuration, channel)
    received_at: datetime = came.pop("received_at") or datetime.now()
    arrival = Arrival(received_at.astimezone(), **came)
    left = Left()
    tried = list(try_rules(configuration, channels, paths, arrival, left, makes_changes=makes_changes))
    if as_json:
        print_json([tried_json(one, with_values=with_values) for one in tried])
    elif explains or with_values or makes_changes:
        for one in tried:
            _print_explained(one, with_reasons=explains or with_values, with_values=with_values)
    else:
        print_table(HEADINGS, [_row(one) for one in tried])
    if left.other_files:
        click.echo(f"{count_of(left.other_files, 'other file')} left out.", err=True)
    return 1 if not tried or any(one.decision is None for one in tried) else 0


def _row(tried: Tried) -> tuple[str, str, str, str]:
    if tried.decision is None:
        return tried.path, tried.channel or NOWHERE, NOWHERE, f"failed: {tried.problem}"
    destinations = ", ".join(
        " ".join([delivery.destination, *(f"({name})" for name in delivery.transforms)])
        for delivery in tried.decision.deliveries
    )
    return tried.path, tried.channel, ", ".join(tried.decision.matched) or NOWHERE, destinations or NOWHERE


def _print_explained(tried: Tried, *, with_reasons: bool, with_values: bool) -> None:
    from isocenter.app.rule_trying import why

    path, channel, _, destinations = _row(tried)
    click.secho(printable(f"{path}  {channel} → {destinations}"), bold=True)
    for record in tried.decision.records if tried.decision is not None and with_reasons else ():
        click.echo(printable(f"  {record.rule.name}: {record.outcome}"))
        for line in why(record, with_values=with_values):
            click.echo(f"    {printable(line)}")
    for destination, changes in tried.changes.items():
        click.echo(f"  {destination}: {changes.problem or count_of(len(changes.differences), 'change')}")
        for one in changes.differences:
            click.echo(printable(f"    {one.name}: {_told(one.before)} → {_told(one.after)}"))


def _told(values: tuple[str, ...] | None) -> str:
    if values is None:
        return "absent"
    return "\\".join(value[:VALUE_LENGTH_MAX] for value in values) or "empty"


@command.command(cls=CommandWithExamples, examples=("isocenter rule check channels.toml",))
@click.argument("configuration_file", metavar="CONFIG", type=_configuration_argument)
@json_option
def check(configuration_file: Path, as_json: bool) -> int:
    """Check a configuration of channels and tell everything that is wrong with it, with line and key.

    Exit code 2 where it cannot be used; what is allowed and hardly meant is told, and is 0.
    """
    from isocenter.app.cli import EXIT_USAGE
    from isocenter.app.rule_trying import load_configuration
    from isocenter.routing.configuration.problem import InvalidConfiguration

    try:
        read = load_configuration(configuration_file)
    except InvalidConfiguration as error:
        if not as_json:
            raise
        print_json({"is_sound": False, "problems": [_problem_json(problem) for problem in error.problems]})
        return EXIT_USAGE
    configuration = read.configuration
    if as_json:
        print_json({"is_sound": True, "warnings": [_problem_json(warning) for warning in read.warnings]})
        return 0
    for warning in read.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(
        f"Sound: {count_of(len(configuration.channels), 'channel')}, "
        f"{count_of(len(configuration.destinations), 'destination')}, "
        f"{count_of(len(configuration.transforms), 'transform')}."
    )
    return 0


def _problem_json(problem: object) -> dict[str, object]:
    return {name: getattr(problem, name) for name in ("file", "line", "key", "message")}


@command.command(cls=CommandWithExamples, examples=("isocenter rule diff channels.toml channels-new.toml",))
@click.argument("before", metavar="BEFORE", type=_configuration_argument)
@click.argument("after", metavar="AFTER", type=_configuration_argument)
@json_option
def diff(before: Path, after: Path, as_json: bool) -> int:
    """Tell in words what changes from one configuration of channels to another, and whose traffic it touches."""
    from isocenter.app.rule_trying import load_configuration
    from isocenter.routing.configuration.difference import compare_configurations

    differences = compare_configurations(
        load_configuration(before).configuration, load_configuration(after).configuration
    )
    if as_json:
        print_json(
            [
                {
                    "change": one.change.value,
                    "thing": one.thing.value,
                    "name": one.name,
                    "details": list(one.details),
                    "channels": list(one.channels),
                }
                for one in differences
            ]
        )
        return 0
    for one in differences:
        click.echo(printable(str(one)))
    if not differences:
        click.echo("Both say the same.")
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter rule explain 4711", "isocenter rule explain 1.2.840.113619.2.55.3 --values"),
)
@click.argument("what", metavar="DELIVERY|INSTANCE")
@click.option("--values", "with_values", is_flag=True, help="Show the compared values too, which are patient data.")
@router_options
@json_option
def explain(what: str, with_values: bool, router: RouterClient, as_json: bool) -> int:
    """Tell what each rule compared when a delivery was planned, by the version of the rules that planned it.

    An instance is named by its SOP Instance UID: each of its deliveries is explained.
    """
    from isocenter.app.routing_client import Question

    keys = [what]
    if not what.isdecimal():
        found = router.ask(Question("GET", "/deliveries", (("instance", what),)))["deliveries"]
        keys = [str(one["delivery"]) for one in found]
    query = (("values", "true"),) if with_values else ()
    answers = [router.ask(Question("GET", f"/deliveries/{key}/explanation", query)) for key in keys]
    if as_json:
        print_json(answers)
    else:
        for one in answers:
            _print_explanation(one)
    if not answers:
        click.echo("No delivery of that instance is known.", err=True)
    return 0 if answers else 1


def _print_explanation(one: dict[str, Any]) -> None:
    planned = one["planned"]
    where = planned["destination"] or "nowhere"
    click.secho(printable(f"Delivery {one['delivery']} to {where}, of channel {one['channel']}"), bold=True)
    click.echo(printable(f"  planned by {planned['rule'] or 'no rule'}, version {one['configuration_version']}"))
    for rule in one["rules"]:
        click.echo(printable(f"  {rule['name']}: {rule['outcome']}"))
        for line in rule["why"]:
            click.echo(f"    {printable(line)}")


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter rule replay --days 7 --configuration channels-new.toml",),
)
@click.option(
    "--days",
    metavar="N",
    default=7.0,
    show_default=True,
    type=click.FloatRange(0.001, 92),
    help="How far to look back.",
)
@click.option(
    "--configuration",
    "configuration_file",
    metavar="FILE",
    type=_configuration_argument,
    help="The configuration that is tried (default: the one that holds).",
)
@router_options
@json_option
def replay(days: float, configuration_file: Path | None, router: RouterClient, as_json: bool) -> int:
    """Tell what of past traffic would have gone elsewhere by a configuration."""
    from isocenter.app.channels.configuration import read_text
    from isocenter.app.routing_client import Question

    text = "" if configuration_file is None else read_text(configuration_file)
    answer = router.ask(Question("POST", "/replay", body={"days": days, "text": text}))
    if as_json:
        print_json(answer["channels"])
        return 0
    for one in answer["channels"]:
        click.echo(printable(f"{one['channel']}: {count_of(one['instances'], 'instance')}, {one['same']} as before."))
        if not one["is_there"]:
            click.echo("  This channel is not in the configuration.")
        if one["gone"]:
            click.echo(f"  {one['gone']} cannot be looked at any more.")
        for change in one["changes"]:
            click.echo(printable(f"  {change['instances']} {change['change']} (such as {change['examples'][0]})"))
    if not answer["channels"]:
        click.echo("Nothing came by a channel in that time.")
    return 0
