"""The pages of one study: its series with their pictures, a series with its instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import find_instances
from isocenter.archive.search import search
from isocenter.dicom.dictionary import uid_name
from isocenter.domain.errors import NotFound
from isocenter.domain.identifiers import Level, Scope, parse_uid
from isocenter.domain.principal import Principal
from isocenter.domain.query import Query
from isocenter.ports.index import InstanceRow
from isocenter.web.console.console import Console, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.console.section import STUDIES
from isocenter.web.console.size import format_bytes
from isocenter.web.pages.studies import SERIES_SHOWN_MAX
from isocenter.web.pages.study_row import SeriesRow, StudyRow, series_rows, study_row
from isocenter.web.viewer import VIEWER_PATH

INSTANCES_PER_PAGE = 100
PAGE_NUMBER_MAX = 1_000_000


def no_more(visit: Visit, study: StudyRow) -> dict[str, object]:
    """Add nothing to the page of a study."""
    return {}


@dataclass(frozen=True, slots=True)
class StudyPages:
    """What the pages of a study show, and where they lead."""

    archive: Archive
    dicomweb_path: str = "/dicom-web"
    can_send: bool = False
    more: Callable[[Visit, StudyRow], Mapping[str, object]] = field(default=no_more)
    """Gives what else the page of a study shows: its links for others."""


@dataclass(frozen=True, slots=True)
class InstanceLine:
    """One instance as the page of a series shows it."""

    sop_instance_uid: str
    path: str
    thumbnail_path: str
    number: str
    kind: str
    frames: int
    size: str
    transfer_syntax: str
    received_at: str


def study_page_routes(console: Console, pages: StudyPages) -> list[BaseRoute]:
    """Return the routes of the pages of a study and its series."""

    def show_study(visit: Visit) -> Response:
        scope = asked_scope(visit)
        study = find_study(pages.archive, visit.principal, scope)
        query = Query(Level.SERIES, study_instance_uid=scope.study_instance_uid, limit=SERIES_SHOWN_MAX)
        values = {
            **frame_values(visit, pages, study),
            "series": series_rows(search(pages.archive, visit.principal, query)),
            "series_shown_max": SERIES_SHOWN_MAX,
            "chosen": chosen_query(scope),
            "share": None,
            **pages.more(visit, study),
        }
        return console.page(visit, "study.html", values, section=STUDIES.key)

    def show_series(visit: Visit) -> Response:
        scope = asked_scope(visit)
        study = find_study(pages.archive, visit.principal, scope)
        one = find_series(pages.archive, visit.principal, scope)
        rows = find_instances(pages.archive, visit.principal, scope)
        number = page_number(visit)
        first = (number - 1) * INSTANCES_PER_PAGE
        values = {
            **frame_values(visit, pages, study),
            "one": one,
            "instances": [instance_line(row) for row in rows[first : first + INSTANCES_PER_PAGE]],
            "count": len(rows),
            "size": format_bytes(sum(row.address.length for row in rows)),
            "page": number,
            "first": first + 1,
            "has_next": len(rows) > first + INSTANCES_PER_PAGE,
            "chosen": chosen_query(scope),
        }
        return console.page(visit, "series.html", values, section=STUDIES.key)

    return [
        console.get("/studies/{study_instance_uid}", show_study, name="study"),
        console.get("/studies/{study_instance_uid}/series/{series_instance_uid}", show_series, name="one-series"),
    ]


def frame_values(visit: Visit, pages: StudyPages, study: StudyRow) -> dict[str, object]:
    """Return what all pages of a study show."""
    return {
        "dicomweb": visit.prefix + pages.dicomweb_path,
        "viewer": visit.prefix + VIEWER_PATH,
        "study": study,
        "can_send": pages.can_send,
    }


def asked_scope(visit: Visit) -> Scope:
    """Return what the path of a page names; raises InvalidRequest for what is no UID."""
    parts: Mapping[str, Any] = visit.request.path_params
    names = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")
    return Scope(*(parse_uid(str(parts[name])) if name in parts else None for name in names))  # type: ignore[arg-type]  # a path names its study


def find_study(archive: Archive, principal: Principal, scope: Scope) -> StudyRow:
    """Return the study of a scope; raises NotFound, Forbidden."""
    rows = search(archive, principal, Query(Level.STUDY, study_instance_uid=scope.study_instance_uid, limit=1))
    if not rows:
        raise NotFound("This study is not here, or not any more.")
    return study_row(rows[0])


def find_series(archive: Archive, principal: Principal, scope: Scope) -> SeriesRow:
    """Return the series of a scope; raises NotFound, Forbidden."""
    query = Query(
        Level.SERIES,
        study_instance_uid=scope.study_instance_uid,
        series_instance_uid=scope.series_instance_uid,
        limit=1,
    )
    rows = search(archive, principal, query)
    if not rows:
        raise NotFound("This series is not here, or not any more.")
    return series_rows(rows)[0]


def page_number(visit: Visit) -> int:
    """Return the page that an address asks for, the first where it says nothing that makes sense."""
    text = visit.parameter("page")
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(PAGE_NUMBER_MAX))
    return max(1, int(text)) if is_number else 1


def chosen_query(scope: Scope) -> str:
    """Return the parameters by which the pages that act on a choice know a scope."""
    names = ("study", "series", "instance")
    uids = (scope.study_instance_uid, scope.series_instance_uid, scope.sop_instance_uid)
    return urlencode([(name, uid) for name, uid in zip(names, uids, strict=True) if uid is not None])


def instance_line(row: InstanceRow) -> InstanceLine:
    """Return what the page of a series shows of an instance."""
    identifier = row.identifier
    study, series, instance = (
        quote(uid, safe="")
        for uid in (identifier.study_instance_uid, identifier.series_instance_uid, identifier.sop_instance_uid)
    )
    path = f"/studies/{study}/series/{series}/instances/{instance}"
    return InstanceLine(
        sop_instance_uid=identifier.sop_instance_uid,
        path=path,
        thumbnail_path=f"{path}/thumbnail?viewport=64,64",
        number="" if row.instance_number is None else str(row.instance_number),
        kind=(uid_name(row.sop_class_uid) or row.sop_class_uid).removesuffix(" Storage"),
        frames=row.number_of_frames or 1,
        size=format_bytes(row.address.length),
        transfer_syntax=uid_name(row.transfer_syntax_uid) or row.transfer_syntax_uid,
        received_at=format_moment(row.received_at),
    )
