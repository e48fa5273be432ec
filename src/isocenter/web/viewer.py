"""Routes of the viewer: its page, its configuration, its files.

The page answers every path without an extension below `/viewer`, so that OHIF's own routes can be opened and
bookmarked; a file that is not there is a 404. Endpoints are plain functions: Starlette runs them in its thread pool.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.dicomweb.server.public_path import public_prefix
from isocenter.domain.errors import Unauthenticated
from isocenter.web.console_page import Templates
from isocenter.web.to_sign_in import to_sign_in
from isocenter.web.viewer_assets import Member, ViewerArchive, accepts_gzip
from isocenter.web.viewer_page import ViewerSettings, render_config, render_index, viewer_policy

VIEWER_PATH = "/viewer"
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
NEVER_STORED = "no-store"
NONCE_SIZE_BYTES = 16
"""128 bits, as CSP 3 (2.3.1) asks."""

_COMMON_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def viewer_routes(
    archive: ViewerArchive | None,
    settings: ViewerSettings,
    *,
    authenticate: Callable[[Mapping[str, str]], object] | None = None,
) -> list[BaseRoute]:
    """Return the routes of the viewer, to be mounted at the root of the node.

    Without an archive every page below `/viewer` explains how to get it. With `authenticate`, whoever it does not know
    is sent to sign in first; the viewer's files are everybody's, what it shows is guarded by DICOMweb.
    """
    templates = Templates()

    def page(request: Request) -> Response:
        if authenticate is not None and settings.login_path is not None:
            try:
                authenticate(request.headers)
            except Unauthenticated:
                return to_sign_in(request, settings.login_path)
        prefix = public_prefix(request)
        if archive is None:
            return _missing_page(templates, prefix=prefix, settings=settings)
        nonce = secrets.token_urlsafe(NONCE_SIZE_BYTES)
        template = archive.find("index.html")
        assert template is not None, "the script that makes the archive checks its page"
        text = render_index(archive.read(template).decode(), base=f"{prefix}{VIEWER_PATH}/", nonce=nonce)
        headers = {"Cache-Control": NEVER_STORED, "Content-Security-Policy": viewer_policy(nonce)}
        return Response(text, media_type="text/html", headers=_COMMON_HEADERS | headers)

    def config(request: Request) -> Response:
        text = render_config(settings, prefix=public_prefix(request), viewer_path=VIEWER_PATH)
        headers = _COMMON_HEADERS | {"Cache-Control": NEVER_STORED}
        return Response(text, media_type="text/javascript", headers=headers)

    def file_or_page(request: Request) -> Response:
        path = str(request.path_params["path"])
        if "." not in path.rsplit("/", 1)[-1]:
            return page(request)
        member = archive.find(path) if archive is not None and path != "index.html" else None
        if archive is None or member is None:
            return PlainTextResponse("There is no such file.", 404, headers=_COMMON_HEADERS)
        return _file(archive, member, request.headers)

    return [
        Route(VIEWER_PATH, page, name="viewer"),
        Route(f"{VIEWER_PATH}/app-config.js", config, name="viewer-config"),
        Route(VIEWER_PATH + "/{path:path}", file_or_page, name="viewer-file"),
    ]


def _file(archive: ViewerArchive, member: Member, request_headers: Mapping[str, str]) -> Response:
    gzip = member.is_deflated and accepts_gzip(request_headers.get("accept-encoding", ""))
    etag = member.etag(gzip=gzip)
    headers = _COMMON_HEADERS | {
        "Cache-Control": IMMUTABLE if member.is_immutable else REVALIDATE,
        "ETag": etag,
        "Vary": "Accept-Encoding",
    }
    if _matches(request_headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    if gzip:
        headers["Content-Encoding"] = "gzip"
    content = archive.read_gzip(member) if gzip else archive.read(member)
    response = Response(content, headers=headers)
    response.headers["Content-Type"] = member.content_type
    return response


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly (RFC 9110 13.1.2)."""
    candidates = {item.strip().removeprefix("W/") for item in if_none_match.split(",")}
    return etag in candidates or "*" in candidates


def _missing_page(templates: Templates, *, prefix: str, settings: ViewerSettings) -> Response:
    return templates.page(
        "viewer_missing.html",
        {"prefix": prefix, "studies_path": settings.studies_path},
        status_code=503,
    )
