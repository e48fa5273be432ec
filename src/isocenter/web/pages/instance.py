"""The page of one instance: all its attributes, and each value that the page cuts as a text of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import orjson
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.archive.metadata import iter_metadata
from isocenter.archive.retrieve import find_instance, read_instance
from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import IsocenterError, NotFound
from isocenter.domain.principal import Principal
from isocenter.domain.statuses import statuses_of
from isocenter.ports.index import InstanceRow
from isocenter.web.console.console import Console, Visit
from isocenter.web.console.section import STUDIES
from isocenter.web.light.attribute_rows import attribute_page, printable
from isocenter.web.light.dataset_json import Dataset, value_text
from isocenter.web.pages.study import (
    StudyPages,
    asked_scope,
    chosen_query,
    find_series,
    find_study,
    frame_values,
    instance_line,
    page_number,
)

PATH = "/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}"
WANTED_LENGTH_MAX = 64
DEPTH_MAX = 64
"""Steps of the path to a value: deeper than any data set is read."""
ITEM_DIGITS_MAX = 9
"""Of the number of an item in such a path: more than any sequence has."""
_PLAIN = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def instance_page_routes(
    console: Console, pages: StudyPages, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of an instance; `audit` records who saw its attributes and who took its file."""
    archive = pages.archive

    def show_instance(visit: Visit) -> Response:
        scope = asked_scope(visit)
        study = find_study(archive, visit.principal, scope)
        row = find_instance(archive, visit.principal, scope)
        wanted = printable(visit.parameter("q"))[:WANTED_LENGTH_MAX].strip()
        shown = attribute_page(_dataset(archive, visit.principal, row), number=page_number(visit), wanted=wanted)
        line = instance_line(row)

        def address(number: int) -> str:
            return f"{visit.prefix}{line.path}?" + urlencode({**({"q": wanted} if wanted else {}), "page": number})

        values = {
            **frame_values(visit, pages, study),
            "one": find_series(archive, visit.principal, scope),
            "instance": line,
            "wanted": wanted,
            "shown": shown,
            "previous": address(shown.number - 1) if shown.number > 1 else "",
            "next": address(shown.number + 1) if shown.has_next else "",
            "chosen": chosen_query(scope),
        }
        return console.page(visit, "instance.html", values, section=STUDIES.key)

    def show_value(visit: Visit) -> Response:
        row = find_instance(archive, visit.principal, asked_scope(visit))
        value = find_value(_dataset(archive, visit.principal, row), visit.parameter("path"))
        return PlainTextResponse(value, headers=_PLAIN)

    def give_file(visit: Visit) -> Response:
        row = find_instance(archive, visit.principal, asked_scope(visit))
        headers = {
            **_PLAIN,
            "Content-Length": str(row.address.length),
            "Content-Disposition": f'attachment; filename="{row.identifier.sop_instance_uid}.dcm"',
        }
        return StreamingResponse(read_instance(archive, row), media_type="application/dicom", headers=headers)

    def traced(show: Callable[[Visit], Response], operation: str) -> Callable[[Visit], Response]:
        return show if audit is None else _traced(show, audit, operation=operation)

    return [
        console.get(PATH, traced(show_instance, "retrieve-metadata"), name="instance"),
        console.get(f"{PATH}/value", traced(show_value, "retrieve-metadata"), name="instance-value"),
        console.get(f"{PATH}/file", traced(give_file, "retrieve"), name="instance-file"),
    ]


def _traced(
    show: Callable[[Visit], Response], write: Callable[[AuditRecord], None], *, operation: str
) -> Callable[[Visit], Response]:
    """Return a page that leaves two records, before and after, as the same request to the API does."""

    def traced(visit: Visit) -> Response:
        scope = asked_scope(visit)
        uids = (scope.study_instance_uid, scope.series_instance_uid, scope.sop_instance_uid)
        resource = {name: uid for name, uid in zip(("study", "series", "instance"), uids, strict=True) if uid}
        trail = open_trail(write, visit.request, operation=operation, resource=resource, properties={})
        trail.begin(visit.principal)
        try:
            response = show(visit)
        except IsocenterError as error:
            trail.end(statuses_of(error).http_status)
            raise
        trail.end(response.status_code)
        return response

    return traced


def find_value(dataset: Dataset, path: str) -> str:
    """Return a value as text, by the tags and numbers of items that lead to it; raises NotFound."""
    steps = path.split("/")
    if len(steps) % 2 == 0 or len(steps) > DEPTH_MAX:
        raise NotFound("There is no such attribute.")
    found: object = dataset
    for tag, number in _pairs(steps[:-1]):
        values = _values(found, tag)
        is_number = number.isdecimal() and len(number) <= ITEM_DIGITS_MAX
        found = values[int(number) - 1] if is_number and 0 < int(number) <= len(values) else None
    return "\n".join("" if value is None else value_text(value) for value in _values(found, steps[-1]))


def _pairs(steps: list[str]) -> Iterator[tuple[str, str]]:
    return zip(steps[::2], steps[1::2], strict=True)


def _values(dataset: object, tag: str) -> list[object]:
    attribute = dataset.get(tag) if isinstance(dataset, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    if not isinstance(values, list):
        raise NotFound("There is no such attribute.")
    return values


def _dataset(archive: Archive, principal: Principal, row: InstanceRow) -> Dataset:
    """Return the data set in the DICOM JSON model, bulk values by reference."""
    (text,) = iter_metadata(archive, principal, [row], with_bulk_data_uri=True)
    dataset: Dataset = orjson.loads(text)
    return dataset
