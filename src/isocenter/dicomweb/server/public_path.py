"""Where the node lies for a browser: the path that a proxy or `--root-path` puts before ours."""

from __future__ import annotations

import re

from starlette.requests import Request

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+){1,16}")
"""No empty segment: `//host/` in a link would lead to another site."""


def public_prefix(request: Request) -> str:
    """Return the path before ours, without a slash at the end: empty at the root of a site.

    A proxy that strips its path says so by X-Forwarded-Prefix; what is not a plain path is ignored.
    """
    scope_path = str(request.scope.get("app_root_path", request.scope.get("root_path", "")))
    for candidate in (request.headers.get("x-forwarded-prefix", ""), scope_path):
        prefix = candidate.rstrip("/")
        if _PREFIX.fullmatch(prefix) and not {".", ".."}.intersection(prefix.split("/")):
            return prefix
    return ""


def public_origin(request: Request) -> str:
    """Return scheme, host and port as the caller sees them, from what a proxy forwards (X-Forwarded-Host, -Proto)."""
    host = request.headers.get("x-forwarded-host", "").split(",")[0].strip()
    if not _HOST.fullmatch(host):
        host = request.headers.get("host", "")
        if not _HOST.fullmatch(host):
            host = request.url.netloc
    return f"{request.url.scheme}://{host}"
