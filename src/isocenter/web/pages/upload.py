"""The page where files are uploaded, and where they arrive: with a script file by file, without one as a form."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.audit import AuditRecord
from isocenter.domain.errors import InvalidRequest, IsocenterError
from isocenter.domain.principal import DataAction
from isocenter.domain.statuses import statuses_of
from isocenter.web.console.console import Console, Form, Visit
from isocenter.web.console.section import STUDIES
from isocenter.web.pages.upload_intake import receive_upload
from isocenter.web.pages.upload_report import UploadReport

UPLOAD_PATH = "/upload"
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def read_nothing(request: Request) -> Form:
    """Leave the body to the page, which takes it in as it comes."""
    return Form(())


def upload_routes(
    console: Console, archive: Archive, *, audit: Callable[[AuditRecord], None] | None
) -> list[BaseRoute]:
    """Return the routes of uploads."""

    def show(visit: Visit) -> Response:
        return console.page(visit, "upload.html", {"report": None}, section=STUDIES.key)

    async def receive(visit: Visit, form: Form) -> Response:
        request = visit.request
        if audit is None:
            return await take(visit)
        trail = open_trail(audit, request, operation="store", resource={}, properties={})
        trail.begin(visit.principal)
        try:
            answer = await take(visit)
        except IsocenterError as error:
            trail.end(statuses_of(error).http_status)
            raise
        trail.end(answer.status_code)
        return answer

    async def take(visit: Visit) -> Response:
        try:
            return _answer(visit, await receive_upload(archive, visit.principal, visit.request))
        except ClientDisconnect:
            return _refused(InvalidRequest("The upload broke off."))
        except IsocenterError as error:
            if not _is_script(visit):
                raise
            return _refused(error)

    def _answer(visit: Visit, report: UploadReport) -> Response:
        if _is_script(visit):
            return JSONResponse(report.as_json, headers=_NO_STORE)
        return console.page(visit, "upload.html", {"report": report}, section=STUDIES.key)

    return [
        console.get(UPLOAD_PATH, show, name="upload", action=DataAction.WRITE),
        console.post(UPLOAD_PATH, receive, name="upload-files", action=DataAction.WRITE, read=read_nothing),
    ]


def _is_script(visit: Visit) -> bool:
    return "application/json" in visit.request.headers.get("accept", "")


def _refused(error: IsocenterError) -> Response:
    return JSONResponse({"error": error.message}, statuses_of(error).http_status, headers=_NO_STORE)
