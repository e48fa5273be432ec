"""`isocenter find`: search an archive."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option, url_option
from isocenter.app.cli.output import count_of, print_json, print_named_rows, print_table
from isocenter.domain.identifiers import Level

if TYPE_CHECKING:
    from isocenter.dicomweb.client.client import DicomwebClient

LEVELS = {"study": Level.STUDY, "series": Level.SERIES, "instance": Level.INSTANCE}
COLUMNS = {
    Level.STUDY: (
        ("date", "00080020"),
        ("patient", "00100010"),
        ("patient id", "00100020"),
        ("accession", "00080050"),
        ("modalities", "00080061"),
        ("description", "00081030"),
        ("series", "00201206"),
        ("instances", "00201208"),
    ),
    Level.SERIES: (
        ("number", "00200011"),
        ("modality", "00080060"),
        ("description", "0008103E"),
        ("instances", "00201209"),
    ),
    Level.INSTANCE: (
        ("number", "00200013"),
        ("SOP class", "00080016"),
        ("frames", "00280008"),
    ),
}
_STUDY, _SERIES, _INSTANCE = ("study", "0020000D"), ("series uid", "0020000E"), ("instance", "00080018")
UIDS = {Level.STUDY: (_STUDY,), Level.SERIES: (_STUDY, _SERIES), Level.INSTANCE: (_STUDY, _SERIES, _INSTANCE)}
VALUE_WIDTH_MAX = 28
"""What a column of the table may take of a line; a name and a description then stand side by side."""
NOT_BY_DEFAULT = {Level.STUDY: (("includefield", "StudyDescription"),), Level.SERIES: (), Level.INSTANCE: ()}
"""What the table shows and a service gives only when it is asked (PS3.18 10.6.3.3)."""
PAGE_COUNT = 200
"""The most that Azure's service gives at once (dicom-service 4.1)."""


@click.command(
    cls=CommandWithExamples,
    examples=(
        "isocenter find PatientID=558",
        "isocenter find StudyDate=20240101-20241231 ModalitiesInStudy=CT --limit 10",
        "isocenter find --level series StudyInstanceUID=1.2.840.1 --json",
    ),
)
@click.argument("matches", metavar="[KEY=VALUE]…", nargs=-1)
@url_option("--from")
@click.option(
    "--level", type=click.Choice(list(LEVELS)), default="study", show_default=True, help="What each row stands for."
)
@click.option(
    "--limit",
    metavar="N",
    default=100,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="At most so many rows.",
)
@json_option
def command(matches: tuple[str, ...], url: str, level: str, limit: int, as_json: bool) -> int:
    """Search an archive for studies, series or instances.

    KEY is the keyword or tag of an attribute. VALUE may hold `*` and `?`, a range of dates as
    20240101-20241231, or several UIDs separated by commas; other parameters of QIDO-RS (includefield,
    fuzzymatching, offset) are passed on. On a terminal each row ends with what `get` and `delete` take; elsewhere the
    columns are separated by tabs.
    """
    parameters = [_parse_match(match) for match in matches]
    asked = LEVELS[level]
    from isocenter.app.peer import open_peer

    with open_peer(url) as client:
        if as_json:
            print_json(_search(client, asked, parameters, limit=limit))
            return 0
        rows = _search(client, asked, [*parameters, *NOT_BY_DEFAULT[asked]], limit=limit)
    if not sys.stdout.isatty():
        columns = (*UIDS[asked], *COLUMNS[asked])
        print_table(_headings(columns), [[_text(row, tag) for _heading, tag in columns] for row in rows])
        return 0
    cells = [[_text(row, tag)[:VALUE_WIDTH_MAX] for _heading, tag in COLUMNS[asked]] for row in rows]
    names = ["/".join(_text(row, tag) for _heading, tag in UIDS[asked]) for row in rows]
    print_named_rows(_headings(COLUMNS[asked]), cells, names)
    click.echo(f"{count_of(len(rows), 'row')}{' or more; --limit gives more.' if len(rows) == limit else '.'}")
    return 0


def _headings(columns: tuple[tuple[str, str], ...]) -> list[str]:
    return [heading for heading, _tag in columns]


def _parse_match(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE, for example PatientID=558.", param_hint="'KEY=VALUE'")
    return key, value


def _search(
    client: DicomwebClient, level: Level, parameters: list[tuple[str, str]], *, limit: int
) -> list[dict[str, Any]]:
    """Ask page by page until the limit, an empty page, or a page that brings nothing new."""
    start = next((int(value) for key, value in parameters if key == "offset" and value.isdecimal()), 0)
    others = [(key, value) for key, value in parameters if key not in {"offset", "limit"}]
    rows: list[dict[str, Any]] = []
    while len(rows) < limit:
        count = min(PAGE_COUNT, limit - len(rows))
        paging = [("limit", str(count)), ("offset", str(start + len(rows)))]
        page = client.search(level, [*others, *paging])
        if not page or page[0] in rows[-len(page) :]:
            break
        rows += page
        if len(page) < count:
            break
    return rows[:limit]


def _text(row: dict[str, Any], tag: str) -> str:
    values = row.get(tag, {}).get("Value", [])
    return "\\".join(_one(value) for value in values)


def _one(value: object) -> str:
    """Return a value as text; of a person name the first form that is there."""
    if isinstance(value, dict):
        return next((str(value[key]) for key in ("Alphabetic", "Ideographic", "Phonetic") if value.get(key)), "")
    return "" if value is None else str(value)
