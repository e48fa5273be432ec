"""The way from a page to where a person signs in, and back to it."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from isocenter.dicomweb.server.public_path import public_prefix


def to_sign_in(request: Request, login_path: str) -> Response:
    """Return the redirect that leads to the sign-in, and from there to what was asked for."""
    prefix = public_prefix(request)
    wanted = prefix + request.url.path + (f"?{request.url.query}" if request.url.query else "")
    address = f"{prefix}{login_path}?next={quote(wanted, safe='')}"
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
