"""`isocenter prefetch`: fetch a patient's earlier studies by the rules, or tell what they would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import print_json, print_table, printable

if TYPE_CHECKING:
    from isocenter.app.prefetching.asking import Explained
    from isocenter.app.settings import Settings
    from isocenter.routing.prefetch.trigger import Trigger

HEADINGS = ("run", "received", "rule", "by", "state", "attempts", "chosen", "fetched", "deadline", "problem")


@click.command(
    cls=CommandWithExamples,
    examples=(
        'isocenter prefetch --patient 4711 --modality CT --description "CT chest" --dry-run',
        "isocenter prefetch --csv tomorrow.csv",
        "isocenter prefetch --list",
    ),
)
@click.option("--patient", "patient_id", metavar="ID", help="The identifier of the patient.")
@click.option("--issuer", metavar="NAME", default="", help="Who gave it.")
@click.option("--birth-date", metavar="YYYYMMDD", default="", help="Studies with another birth date are left out.")
@click.option("--modality", metavar="CODE", default="", help="Of the study to come.")
@click.option("--description", metavar="TEXT", default="", help="What is to be examined, in the words of an order.")
@click.option("--appointment", metavar="TIME", default="", help="When, such as 2026-11-23T09:30.")
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Patients by line, with a heading: patient_id, issuer, birth_date, modality, description, "
    "study_instance_uid, appointment.",
)
@click.option("--rule", metavar="NAME", default="", help="Only by this rule.")
@click.option("--dry-run", is_flag=True, help="Search, and tell what would be fetched and why; fetch nothing.")
@click.option("--list", "wants_list", is_flag=True, help="List the last runs and what became of them.")
@click.option("--limit", metavar="N", default=50, show_default=True, type=click.IntRange(1), help="Rows of --list.")
@node_options
@json_option
def command(
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
    **how: Any,
) -> int:
    """Fetch the earlier studies of patients by the rules of `routing.configuration`.

    A request is kept, and the node carries it out, now or when it runs; --list shows what became of it. What is
    here already is not fetched again, and a request that repeats another is suppressed.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    if how["wants_list"]:
        return _list(settings, how["limit"], as_json=as_json)
    triggers = _triggers(how)
    from isocenter.app.prefetching.asking import explain, hand_in
    from isocenter.app.prefetching.desk import run_json

    if how["dry_run"]:
        return _show(explain(settings, triggers, rule=how["rule"]), as_json=as_json)
    runs = [run_json(run) for run in hand_in(settings, triggers, rule=how["rule"])]
    if as_json:
        print_json(runs)
        return 0
    for run in runs:
        click.echo(f"Run {run['run']} of rule {printable(run['rule'])}: {run['state']}.")
    if not runs:
        click.echo("No rule heeds it; rules with for_modalities heed others only.")
    return 0


def _triggers(how: dict[str, Any]) -> list[Trigger]:
    from isocenter.app.prefetching.asking import parse_appointment, read_csv
    from isocenter.routing.prefetch.rule import TriggerKind
    from isocenter.routing.prefetch.trigger import Trigger

    if bool(how["patient_id"]) == bool(how["csv_file"]):
        raise click.UsageError("Give either --patient or --csv.")
    if how["csv_file"]:
        return list(read_csv(how["csv_file"]))
    appointment = parse_appointment(how["appointment"], where="--appointment") if how["appointment"] else None
    return [
        Trigger(
            TriggerKind.REQUEST,
            how["patient_id"],
            issuer=how["issuer"],
            birth_date=how["birth_date"],
            modality=how["modality"].upper(),
            description=how["description"],
            appointment=appointment,
        )
    ]


def _show(explained: list[Explained], *, as_json: bool) -> int:
    rows = [one.as_json() for one in explained]
    if as_json:
        print_json(rows)
    for row in [] if as_json else rows:
        click.echo(f"Rule {printable(row['rule'])}:")
        cells = [
            [
                one["study_date"] or "-",
                ",".join(one["modalities"]) or "-",
                one["source"],
                f"{one['reason']}{_missing(one)}",
                one["study_instance_uid"],
            ]
            for one in row["judgements"]
        ]
        print_table(["date", "modality", "source", "why", "study"], cells)
        for problem in row["problems"]:
            click.echo(f"{printable(problem['source'])}: {printable(problem['reason'])}", err=True)
    return 1 if any(row["problems"] for row in rows) else 0


def _missing(judgement: dict[str, Any]) -> str:
    if "missing_series" not in judgement:
        return ""
    count = len(judgement["missing_series"])
    return f"; {count} series to fetch" if count else "; it is here already"


def _list(settings: Settings, limit: int, *, as_json: bool) -> int:
    from isocenter.app.prefetching.asking import list_runs

    rows, hits = list_runs(settings, limit=limit)
    if as_json:
        print_json({"runs": rows, "fetched": hits.fetched, "opened": hits.opened})
        return 0
    cells = [
        [
            str(row["run"]),
            row["received_at"],
            row["rule"],
            row["kind"],
            row["state"],
            str(row["attempts"]),
            str(sum(one["is_chosen"] for one in row["report"].get("judgements", []))),
            str(sum(one["instances"] for one in row["report"].get("fetched", []))),
            row["deadline"] or "-",
            next((one["reason"] for one in row["report"].get("problems", [])), ""),
        ]
        for row in rows
    ]
    print_table(HEADINGS, cells)
    click.echo(f"{hits.fetched} studies were fetched, and {hits.opened} of them opened.")
    return 0
