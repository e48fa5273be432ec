"""`isocenter worklist`: keep the modality work list, or ask a peer for its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples, GroupWithExamples
from isocenter.app.cli.options import json_option, node_options, settings_of, yes_option
from isocenter.app.cli.output import count_of, print_json, print_table, printable
from isocenter.app.cli.peers import peer_option

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import DimsePeer
    from isocenter.domain.worklist import WorklistQuery

STEPS = "00400100"
COLUMNS = (
    ("date", f"{STEPS}/00400002"),
    ("time", f"{STEPS}/00400003"),
    ("modality", f"{STEPS}/00080060"),
    ("station", f"{STEPS}/00400001"),
    ("patient", "00100010"),
    ("patient id", "00100020"),
    ("accession", "00080050"),
    ("procedure", "00321060"),
    ("step id", f"{STEPS}/00400009"),
)
FAILURES_PRINTED_MAX = 100
"""More lines than this help nobody at a terminal; the count is always whole."""

limit_option = click.option(
    "--limit", metavar="N", default=1000, show_default=True, type=click.IntRange(1), help="At most so many rows."
)
keys_argument = click.argument("keys", metavar="[KEY=VALUE]…", nargs=-1)


@click.group(
    cls=GroupWithExamples,
    examples=(
        "isocenter worklist add today.json --data-dir ./archive",
        "isocenter worklist list Modality=CT ScheduledProcedureStepStartDate=20240705",
        "isocenter worklist find Modality=CT --from RIS@10.1.2.3:104",
    ),
)
def command() -> None:
    """Keep the modality work list of a node, or ask a peer for its own.

    Devices ask the node for it by C-FIND at its DICOM address. The commands work on the data folder, while the
    node runs or while it does not.
    """


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter worklist add item.wl more-items/ --data-dir ./archive",
        "isocenter worklist add today.json",
        "isocenter worklist add wklist1.dump",
    ),
)
@click.argument("paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@node_options
def add(paths: tuple[Path, ...], data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...]) -> int:
    """Add items to the work list, each in the place of the one with the same study, procedure and step ids.

    A FILE is a DICOM file or bare data set, DICOM JSON (an object, or a list of them), or text as dcmdump prints
    and dump2dcm reads it; a folder stands for everything below it. Exit code 1 where one could not be added.
    """
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.worklist import add_files, open_index

    with open_index(settings, may_be_new=True) as index:
        report = add_files(index.worklist, paths)
    for path, problem in report.failed[:FAILURES_PRINTED_MAX]:
        click.echo(f"failed: {printable(path)}: {problem}", err=True)
    notes = [f"{report.replaced} in the place of earlier ones"] if report.replaced else []
    notes += [f"{count_of(report.others, 'other file')} left out"] if report.others else []
    click.echo(
        f"Added {count_of(report.added, 'item')} to the work list in {settings.data_dir}"
        + (f" ({', '.join(notes)})" if notes else "")
        + (f"; {len(report.failed)} failed." if report.failed else ".")
    )
    return 1 if report.failed or not report.added else 0


@command.command(
    name="list",
    cls=CommandWithExamples,
    examples=(
        "isocenter worklist list --data-dir ./archive",
        "isocenter worklist list PatientID=558 --json",
    ),
)
@keys_argument
@limit_option
@node_options
@json_option
def list_(
    keys: tuple[str, ...],
    limit: int,
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> int:
    """List the scheduled steps of the work list in the order of their start, with the number of their item.

    KEY is the keyword or tag of an attribute; VALUE may hold `*` and `?`, or a range of dates or times. A state
    other than SCHEDULED comes from a performed procedure step.
    """
    query = _query(keys)
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.worklist import entry_json, list_entries, open_index

    with open_index(settings) as index:
        rows = [entry_json(entry) for entry in list_entries(index.worklist, query, limit=limit)]
    if as_json:
        print_json(rows)
        return 0
    headings = ["item", "state", *(heading for heading, _path in COLUMNS)]
    cells = [
        [str(row["item"]), row["state"], *(_text(row["attributes"], path, row["step"]) for _heading, path in COLUMNS)]
        for row in rows
    ]
    print_table(headings, cells)
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter worklist remove 3 7 --data-dir ./archive",
        "isocenter worklist remove ScheduledProcedureStepStartDate=-20240704 --yes",
        "isocenter worklist remove --all",
    ),
)
@click.argument("names", metavar="[ITEM|KEY=VALUE]…", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Remove every item.")
@yes_option
@node_options
def remove(
    names: tuple[str, ...],
    is_all: bool,
    is_sure: bool,
    data_dir: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
) -> int:
    """Remove items by their numbers, or those with a step that fits all keys.

    Asks first, unless --yes is given. Exit code 1 where there was nothing to remove or it was to stay.
    """
    numbers = [int(name) for name in names if name.isascii() and name.isdecimal()]
    keys = [name for name in names if not (name.isascii() and name.isdecimal())]
    if is_all == bool(names) or (numbers and keys):
        raise click.UsageError("Name items by number, or by KEY=VALUE, or give --all.")
    query = None if numbers else _query(tuple(keys))
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.worklist import list_entries, open_index, remove_entries

    with open_index(settings) as index:
        if query is not None:
            numbers = list(dict.fromkeys(entry.item_key for entry in list_entries(index.worklist, query)))
        question = f"Remove {count_of(len(numbers), 'item')} from the work list for good?"
        if numbers and not is_sure and not click.confirm(question):
            click.echo("They stay.")
            return 1
        removed = remove_entries(index.worklist, numbers)
    click.echo(f"Removed {count_of(removed, 'item')}.")
    return 0 if removed else 1


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter worklist performed --data-dir ./archive", "isocenter worklist performed --json"),
)
@limit_option
@node_options
@json_option
def performed(
    limit: int, data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool
) -> int:
    """List the performed procedure steps that modalities told of, the last created first."""
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.worklist import list_performed_steps, open_index

    with open_index(settings) as index:
        rows = list_performed_steps(index.performed_steps, limit=limit)
    if as_json:
        print_json(rows)
        return 0
    columns = (("patient", "00100010"), ("patient id", "00100020"), ("modality", "00080060"), ("step", "00400253"))
    headings = ["created", "changed", "state", "from", *(heading for heading, _tag in columns), "SOP instance"]
    cells = [
        [
            row["created_at"],
            row["changed_at"],
            row["state"],
            row["ae_title"],
            *(_text(row["attributes"], tag) for _heading, tag in columns),
            row["sop_instance_uid"],
        ]
        for row in rows
    ]
    print_table(headings, cells)
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=("isocenter worklist forwarded --data-dir ./archive", "isocenter worklist forwarded --json"),
)
@limit_option
@node_options
@json_option
def forwarded(
    limit: int, data_dir: str | None, config_file: Path | None, assignments: tuple[str, ...], as_json: bool
) -> int:
    """List what was said of performed procedure steps and is told to `worklist.ris`, the last one first."""
    settings = settings_of(data_dir=data_dir, config_file=config_file, assignments=assignments)
    from isocenter.app.worklist import open_index
    from isocenter.app.worklist_pass_status import message_json

    with open_index(settings) as index:
        rows = [message_json(message) for message in index.step_messages.recent(limit=limit)]
    if as_json:
        print_json(rows)
        return 0
    names = ("received_at", "operation", "destination", "state", "attempts", "problem", "sop_instance_uid")
    headings = ("received", "operation", "to", "state", "attempts", "problem", "SOP instance")
    print_table(headings, [[str(row[name]) for name in names] for row in rows])
    return 0


@command.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter worklist find --from RIS@10.1.2.3:104 --as CT1",
        "isocenter worklist find ScheduledStationAETitle=CT1 ScheduledProcedureStepStartDate=20240705 --from "
        "RIS@10.1.2.3:104",
    ),
)
@keys_argument
@peer_option("--from")
@limit_option
@json_option
def find(keys: tuple[str, ...], peer: DimsePeer, limit: int, as_json: bool) -> int:
    """Ask another application entity for its work list (C-FIND).

    KEY is the keyword or tag of an attribute; VALUE may hold `*` and `?`, or a range of dates or times. Exit code
    1 where the peer refuses, 3 where it cannot be reached.
    """
    parsed = [_parse_key(key) for key in keys]
    from isocenter.app.worklist import search_peer
    from isocenter.domain.errors import InvalidRequest

    try:
        rows = search_peer(peer, parsed, limit=limit)
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint="'KEY=VALUE'") from error
    if as_json:
        print_json(rows)
        return 0
    print_table([heading for heading, _path in COLUMNS], [[_text(row, path) for _, path in COLUMNS] for row in rows])
    return 0


def _query(keys: tuple[str, ...]) -> WorklistQuery:
    parsed = [_parse_key(key) for key in keys]
    from isocenter.app.worklist import build_query
    from isocenter.domain.errors import InvalidRequest

    try:
        return build_query(parsed)
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint="'KEY=VALUE'") from error


def _parse_key(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE, for example Modality=CT.", param_hint="'KEY=VALUE'")
    return key, value


def _text(row: dict[str, Any], path: str, step: int = 0) -> str:
    """Return the text of an attribute, one of the scheduled step by way of its sequence."""
    sequence, slash, tag = path.partition("/")
    if slash:
        items = row.get(sequence, {}).get("Value", [])
        return _text(items[step], tag) if step < len(items) else ""
    return "\\".join(_one(value) for value in row.get(path, {}).get("Value", []))


def _one(value: object) -> str:
    if isinstance(value, dict):
        return next((str(value[key]) for key in ("Alphabetic", "Ideographic", "Phonetic") if value.get(key)), "")
    return "" if value is None else str(value)
