"""`isocenter find`: search an archive."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from isocenter.app.cli.command import CommandWithExamples
from isocenter.app.cli.options import json_option
from isocenter.app.cli.output import count_of, print_json, print_named_rows, print_table
from isocenter.app.cli.peers import Archive, archive_options
from isocenter.app.web_archive import WebArchive
from isocenter.domain.identifiers import Level

if TYPE_CHECKING:
    from isocenter.app.dimse_peer import DimsePeer
    from isocenter.dicomweb.client.client import DicomwebClient

LEVELS = {"patient": Level.PATIENT, "study": Level.STUDY, "series": Level.SERIES, "instance": Level.INSTANCE}
COLUMNS = {
    Level.PATIENT: (
        ("patient", "00100010"),
        ("patient id", "00100020"),
        ("birth date", "00100030"),
        ("sex", "00100040"),
        ("studies", "00201200"),
    ),
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
UIDS: dict[Level, tuple[tuple[str, str], ...]] = {
    Level.PATIENT: (),
    Level.STUDY: (_STUDY,),
    Level.SERIES: (_STUDY, _SERIES),
    Level.INSTANCE: (_STUDY, _SERIES, _INSTANCE),
}
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
        "isocenter find PatientName=DOE* --from PACS@10.1.2.3:11112",
    ),
)
@click.argument("matches", metavar="[KEY=VALUE]…", nargs=-1)
@archive_options("--from")
@click.option(
    "--level", type=click.Choice(list(LEVELS)), default="study", show_default=True, help="What each row stands for."
)
@click.option(
    "--model",
    type=click.Choice(["study", "patient"]),
    default=None,
    help="The information model of a DIMSE peer to search in; `patient` for the level patient, else `study`.",
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
def command(
    matches: tuple[str, ...], archive: Archive, level: str, model: str | None, limit: int, as_json: bool
) -> int:
    """Search an archive for patients, studies, series or instances.

    KEY is the keyword or tag of an attribute, down sequences by dots. VALUE may hold `*` and `?`, a range of dates
    as 20240101-20241231, or several UIDs separated by commas. Other parameters of QIDO-RS are passed on to a
    DICOMweb service; a DIMSE peer knows includefield and fuzzymatching of them. On a terminal each row ends with
    what `get` and `delete` take; elsewhere the columns are separated by tabs.
    """
    parameters = [_parse_match(match) for match in matches]
    asked = LEVELS[level]
    if isinstance(archive, WebArchive):
        rows = _ask_service(archive, asked, parameters, model=model, limit=limit, as_json=as_json)
    else:
        rows = _ask_peer(archive, asked, parameters, model=model, limit=limit)
    if as_json:
        print_json(rows)
    else:
        _print_rows(rows, asked, limit=limit)
    return 0


def _print_rows(rows: list[dict[str, Any]], asked: Level, *, limit: int) -> None:
    if not sys.stdout.isatty():
        columns = (*UIDS[asked], *COLUMNS[asked])
        print_table(_headings(columns), [[_text(row, tag) for _heading, tag in columns] for row in rows])
        return
    cells = [[_text(row, tag)[:VALUE_WIDTH_MAX] for _heading, tag in COLUMNS[asked]] for row in rows]
    names = ["/".join(_text(row, tag) for _heading, tag in UIDS[asked]) for row in rows]
    print_named_rows(_headings(COLUMNS[asked]), cells, names)
    click.echo(f"{count_of(len(rows), 'row')}{' or more; --limit gives more.' if len(rows) == limit else '.'}")


def _headings(columns: tuple[tuple[str, str], ...]) -> list[str]:
    return [heading for heading, _tag in columns]


def _parse_match(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE, for example PatientID=558.", param_hint="'KEY=VALUE'")
    return key, value


def _ask_service(
    service: WebArchive,
    level: Level,
    parameters: list[tuple[str, str]],
    *,
    model: str | None,
    limit: int,
    as_json: bool,
) -> list[dict[str, Any]]:
    if level is Level.PATIENT or model is not None:
        raise click.UsageError("--level patient and --model are for a DIMSE peer; DICOMweb searches from studies on.")
    from isocenter.app.peer import open_peer

    wanted = parameters if as_json else [*parameters, *NOT_BY_DEFAULT[level]]
    with open_peer(service) as client:
        return _search(client, level, wanted, limit=limit)


def _ask_peer(
    peer: DimsePeer, level: Level, parameters: list[tuple[str, str]], *, model: str | None, limit: int
) -> list[dict[str, Any]]:
    from isocenter.app.finding import FindRequest, build_identifier, search_peer
    from isocenter.domain.errors import InvalidRequest

    if level is Level.PATIENT and model == "study":
        raise click.UsageError("The model `study` has no level patient; leave --model out.")
    included = [value for key, value in parameters if key == "includefield"]
    fuzzy = [value for key, value in parameters if key == "fuzzymatching"]
    unknown = [key for key, _value in parameters if key in {"limit", "offset"}]
    if unknown:
        raise click.UsageError(f"A DIMSE peer knows no {unknown[0]}; give --limit.")
    keys = tuple((key, value) for key, value in parameters if key not in {"includefield", "fuzzymatching"})
    request = FindRequest(
        level,
        keys,
        returned=(*(tag for _heading, tag in COLUMNS[level]), *included),
        by_patient=level is Level.PATIENT or model == "patient",
        matches_names_fuzzily=fuzzy[-1:] == ["true"],
        limit=limit,
    )
    try:
        identifier = build_identifier(request)
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint="'KEY=VALUE'") from error
    return search_peer(peer, request, identifier)


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
