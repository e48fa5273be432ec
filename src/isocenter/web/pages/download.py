"""Downloads: the page that offers them, and the ZIP file as it is written."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.audit import AuditRecord
from isocenter.domain.identifiers import Scope
from isocenter.web.console.console import Console, Visit
from isocenter.web.console.section import STUDIES
from isocenter.web.console.size import format_bytes
from isocenter.web.pages.choice import Chosen, choice_address, look_at, parse_choice
from isocenter.web.pages.download_plan import Download, file_set_entries, readable_entries
from isocenter.web.pages.zip_names import safe_name
from isocenter.web.pages.zip_stream import iter_zip

DOWNLOAD_PATH = "/download"
FOLDERS, FILE_SET = "zip", "dicomdir"


def asked_choice(visit: Visit) -> list[Scope]:
    """Return what the address of a page names; raises InvalidRequest."""
    studies = visit.request.query_params.getlist("study")
    return parse_choice(studies, visit.parameter("series"), visit.parameter("instance"))


def choice_values(chosen: list[Chosen]) -> dict[str, object]:
    """Return what the pages that act on a choice show of it."""
    return {
        "chosen": chosen,
        "address": choice_address([one.scope for one in chosen]),
        "instances": sum(one.instances for one in chosen),
        "size": format_bytes(sum(one.size_bytes for one in chosen)),
    }


def download_routes(
    console: Console, archive: Archive, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of downloads."""

    def download(visit: Visit) -> Response:
        chosen = look_at(archive, visit.principal, asked_choice(visit))
        media = visit.parameter("media")
        if media not in (FOLDERS, FILE_SET):
            return console.page(visit, "download.html", choice_values(chosen), section=STUDIES.key)
        wanted = Download(archive, visit.principal, [one.scope for one in chosen])
        wanted.rows()  # what is too much is refused while a page can still tell so
        entries = (
            readable_entries(wanted)
            if media == FOLDERS
            else file_set_entries(wanted, sop_instance_uid=f"2.25.{uuid4().int}")
        )
        if audit is not None:
            resource = {"study": ",".join(one.scope.study_instance_uid for one in chosen)}
            trail = open_trail(audit, visit.request, operation="retrieve", resource=resource, properties={})
            trail.begin(visit.principal)
            trail.end(200)
        headers = {
            "Content-Disposition": f'attachment; filename="{_file_name(chosen, media)}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(iter_zip(entries), media_type="application/zip", headers=headers)

    return [console.get(DOWNLOAD_PATH, download, name="download")]


def _file_name(chosen: list[Chosen], media: str) -> str:
    first = chosen[0].study
    name = f"{len(chosen)} studies" if len(chosen) > 1 else f"{first.patient_id} {first.study_date}"
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"{safe_name(ascii_name, otherwise='study')}{' DICOMDIR' if media == FILE_SET else ''}.zip"
