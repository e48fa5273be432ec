"""Give a link by which somebody without an account sees one study, list and withdraw links, and open one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.archive.archive import Archive
from isocenter.dicomweb.server.public_path import public_origin, public_prefix
from isocenter.dicomweb.server.trail import open_trail
from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import DataAction, SharedStudy
from isocenter.identity.gate import cookie_name
from isocenter.identity.sharing import PLAIN_SHARE_COOKIE, SECURE_SHARE_COOKIE, Shares, principal_of
from isocenter.web.console.console import Console, Done, Form, Visit
from isocenter.web.console.moment import format_moment
from isocenter.web.console.section import STUDIES
from isocenter.web.pages.study import asked_scope, find_study
from isocenter.web.pages.study_row import StudyRow

SHARED_PATH = "/shared"
LASTING_S = {"1 hour": 3600.0, "1 day": 86_400.0, "1 week": 604_800.0}
"""How long a link may last: long enough for a second opinion, not for good."""
TOKEN_LENGTH_MAX = 128
_OVER = "This link has expired or was withdrawn. Ask whoever gave it to you for another one."
Audit = Callable[[AuditRecord], None]


def share_values(shares: Shares, visit: Visit, study: StudyRow) -> dict[str, object]:
    """Return what the page of a study shows of its links, to those who may give some."""
    if DataAction.EXPORT not in visit.principal.data_actions:
        return {}
    links = [
        {
            "share_id": share.share_id,
            "given_by": share.given_by,
            "created": format_moment(share.created_at),
            "expires": format_moment(share.expires_at),
        }
        for share in shares.of_study(SharedStudy(study.study_instance_uid, DEFAULT_PARTITION))
    ]
    return {"share": {"links": links, "lasting": list(LASTING_S)}}


def share_routes(console: Console, archive: Archive, shares: Shares, *, audit: Audit | None) -> list[BaseRoute]:
    """Return the routes of links."""

    def give(visit: Visit, form: Form) -> Response:
        study = find_study(archive, visit.principal, asked_scope(visit))
        lasting = form.one("lasts")
        if lasting not in LASTING_S:
            raise InvalidRequest("Choose how long the link is to last.")
        shared = SharedStudy(study.study_instance_uid, DEFAULT_PARTITION)
        token = shares.give(visit.principal, shared, lasts_s=LASTING_S[lasting])
        _note(audit, visit, "share", study)
        values = {
            "study": study,
            "lasting": lasting,
            "link": f"{public_origin(visit.request)}{visit.prefix}{SHARED_PATH}/{token}",
        }
        return console.page(visit, "shared.html", values, section=STUDIES.key)

    def withdraw(visit: Visit, form: Form) -> Done:
        scope = asked_scope(visit)
        shares.withdraw(SharedStudy(scope.study_instance_uid, DEFAULT_PARTITION), form.one("share"))
        _note(audit, visit, "withdraw-share", find_study(archive, visit.principal, scope))
        return Done(f"/studies/{scope.study_instance_uid}", "The link is withdrawn and opens nothing any more.")

    async def open_link(request: Request) -> Response:
        token = str(request.path_params["token"])
        share = await run_in_threadpool(shares.find, token) if len(token) <= TOKEN_LENGTH_MAX else None
        prefix = public_prefix(request)
        if share is None:
            values = {"prefix": prefix, "status": 404, "message": _OVER}
            return console.templates.page("error.html", values, status_code=404)
        if audit is not None:
            audit(_opened(request, share.study, principal_name=principal_of(share).name))
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        response = RedirectResponse(f"{prefix}/light/{share.study.study_instance_uid}", 303, headers=headers)
        is_secure = request.url.scheme == "https"
        name = cookie_name(SECURE_SHARE_COOKIE if is_secure else PLAIN_SHARE_COOKIE, request.headers)
        response.set_cookie(name, token, secure=is_secure, httponly=True, samesite="lax")
        return response

    path = "/studies/{study_instance_uid}/share"
    return [
        console.post(path, give, name="share", action=DataAction.EXPORT),
        console.post(f"{path}/withdraw", withdraw, name="withdraw-share", action=DataAction.EXPORT),
        Route(f"{SHARED_PATH}/{{token}}", open_link, methods=["GET"], name="shared"),
    ]


def _note(audit: Audit | None, visit: Visit, operation: str, study: StudyRow) -> None:
    if audit is not None:
        resource = {"study": study.study_instance_uid}
        trail = open_trail(audit, visit.request, operation=operation, resource=resource, properties={})
        trail.begin(visit.principal)
        trail.end(200)


def _opened(request: Request, study: SharedStudy, *, principal_name: str) -> AuditRecord:
    """Return the record of a link that was opened; its address is a secret and not in it."""
    return AuditRecord(
        AuditAction.EXECUTED,
        operation="open-share",
        correlation_id=str(uuid4()),
        caller=None,
        address="" if request.client is None else request.client.host,
        method=request.method,
        uri=f"{public_origin(request)}{SHARED_PATH}",
        status=303,
        resource={"study": study.study_instance_uid},
        properties={"by": principal_name},
    )
