"""`isocenter fhir`: where the cast to a FHIR server stands, what went wrong, and what is to be tried again."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of
from isocenter.app.cli.output import count_of, print_json, print_table, show_count

ERROR_HEADINGS = ("kind", "study", "instance", "attribute", "reason", "since", "last")
COMPARISON_HEADINGS = ("study", "series here", "there", "instances here", "there")
KINDS = ("tag", "dicom", "fhir", "transient")


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter fhir check --data-dir ./archive",
        "isocenter fhir status --data-dir ./archive",
        "isocenter fhir errors --kind fhir",
        "isocenter fhir retry 1.2.826.0.1.3680043.10.1455.1",
    ),
)
def command() -> None:
    """Look after the cast of studies to a FHIR server (`fhir.url`).

    The commands work on the data folder, while the node runs or while it does not: what they ask for a running
    node takes up within `fhir.poll_interval_s`, another one when it starts.
    """


@command.command(cls=CommandWithExamples, examples=("isocenter fhir status", "isocenter fhir status --json"))
@node_options
@json_option
def status(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool) -> int:
    """Show how far the change feed was cast, when that went well last, and what waits.

    Exit code 1 where the server cannot be written to, or studies wait for a person.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.fhir_desk import moment_of, standing
    from isocenter.app.worklist import open_index

    with open_index(settings) as index:
        found = standing(settings, index)
    if as_json:
        print_json(found.as_json())
    else:
        behind = f"{count_of(found.behind, 'row')} behind" if found.behind else "in step"
        click.echo(f"{found.url}: {behind} (row {found.sequence} of {found.latest})")
        click.echo(f"last success: {moment_of(found.succeeded_at) or 'none yet'}")
        if found.failure:
            click.echo(f"failing since row {found.sequence + 1}, last at {moment_of(found.failed_at)}: {found.failure}")
        click.echo(
            f"studies: {found.waiting} tried again by themselves, {found.shelved} shelved until `isocenter fhir retry`"
        )
        click.echo("errors: " + ", ".join(f"{count} {kind}" for kind, count in found.errors.items()))
    return 1 if found.failure or found.shelved else 0


@command.command(
    cls=CommandWithExamples, examples=("isocenter fhir errors", "isocenter fhir errors --kind dicom --json")
)
@click.option("--kind", type=click.Choice(KINDS), help="Only errors of this kind.")
@click.option(
    "--limit", metavar="N", default=100, show_default=True, type=click.IntRange(1), help="At most so many rows."
)
@node_options
@json_option
def errors(
    kind: str | None,
    limit: int,
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> int:
    """List what went wrong, the last first.

    Kinds: `tag`, an attribute was left out; `dicom`, an instance was left out; `fhir`, the server did not take a
    study, which waits for `isocenter fhir retry`; `transient`, a study is tried again by itself.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.fhir_desk import error_json, list_errors
    from isocenter.app.worklist import open_index

    with open_index(settings) as index:
        rows = [error_json(error) for error in list_errors(index, kind=kind, limit=limit)]
    if as_json:
        print_json(rows)
        return 0
    columns = ("kind", "study_instance_uid", "sop_instance_uid", "attribute", "reason", "first_at", "last_at")
    print_table(ERROR_HEADINGS, [[str(row[column]) for column in columns] for row in rows])
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter fhir retry", "isocenter fhir retry 1.2.826.0.1.3680043.10.1455.1"),
)
@click.argument("studies", metavar="[STUDY]…", nargs=-1)
@node_options
def retry(
    studies: tuple[str, ...], data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...]
) -> int:
    """Have studies cast again that were shelved or put off: those of some UIDs, or all."""
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.fhir_desk import retry as ask_again
    from isocenter.app.worklist import open_index

    with open_index(settings) as index:
        count = ask_again(index, studies)
    click.echo(f"{count_of(count, 'study', 'studies')} will be cast again.")
    return 0


@command.command(
    cls=CommandWithExamples, examples=("isocenter fhir rerun", "isocenter fhir rerun --from 4711 --data-dir ./archive")
)
@click.option(
    "--from",
    "sequence",
    metavar="SEQUENCE",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="The first row of the change feed.",
)
@node_options
def rerun(sequence: int, data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...]) -> int:
    """Have the change feed cast anew, from a row on.

    Harmless at any time: what the server has as it is to be is left as it is.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.fhir_desk import rerun as cast_anew
    from isocenter.app.worklist import open_index

    with open_index(settings) as index:
        count = cast_anew(settings, index, sequence=sequence)
    click.echo(f"{count_of(count, 'row')} of the change feed will be cast anew.")
    return 0


@command.command(
    cls=CommandWithExamples, examples=("isocenter fhir reconcile", "isocenter fhir reconcile --heal --json")
)
@click.option("--heal", "heals", is_flag=True, help="Have studies that differ cast again.")
@node_options
@json_option
def reconcile(
    heals: bool, data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool
) -> int:
    """Compare the studies of the archive with those of the FHIR server, by their counts of series and instances.

    Instances that were left out (`isocenter fhir errors --kind dicom`) do not count. Exit code 1 where studies
    differ; while the cast is behind that is to be expected.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.fhir_desk import comparison_json
    from isocenter.app.fhir_desk import reconcile as compare
    from isocenter.app.worklist import open_index

    compared = 0
    with open_index(settings) as index, show_count("compared", total=None) as progress:

        def note(number: int) -> None:
            nonlocal compared
            compared = number
            progress.update(number)

        rows = [comparison_json(one) for one in compare(settings, index, heals=heals, on_study=note)]
    if as_json:
        print_json(rows)
        return 1 if rows else 0
    if rows:
        columns = ("study_instance_uid", "archive_series", "server_series", "archive_instances", "server_instances")
        print_table(COMPARISON_HEADINGS, [[str(row[column]) for column in columns] for row in rows])
    healed = "; they will be cast again" if heals and rows else ""
    click.echo(
        f"{count_of(compared, 'study was', 'studies were')} compared, {len(rows)} differ{healed}.", err=bool(rows)
    )
    return 1 if rows else 0


@command.command(cls=CommandWithExamples, examples=("isocenter fhir check", "isocenter fhir check --set fhir.url=…"))
@node_options
def check(data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...]) -> int:
    """Ask the FHIR server whether studies can be cast to it."""
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.fhir_desk import check as ask

    capability = ask(settings)
    click.echo(f"{settings.fhir.url} is {capability.software}, FHIR {capability.fhir_version}, with transactions.")
    return 0
