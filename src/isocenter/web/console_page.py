"""Pages from templates, under the strict policy of the console: no script and no style but our own files."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

CONSOLE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONSOLE_POLICY,
    "Cache-Control": "no-store",  # a page shows patients; a shared workstation must not keep it
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_STATIC_TYPES = {
    "api.css": "text/css",
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""The files that are served, and no others."""


class Templates:
    """Render pages; everything in them is escaped."""

    def __init__(self) -> None:
        self._static = {name: _read_static(name) for name in _STATIC_TYPES}
        self._environment = Environment(
            loader=PackageLoader("isocenter.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._environment.globals["version"] = f"{zlib.crc32(b''.join(self._static.values())):08x}"

    def page(
        self, name: str, values: Mapping[str, object], *, status_code: int = 200, form_target: str = ""
    ) -> Response:
        """Return a rendered page with the headers that every page of the console has.

        `form_target` is an origin where a form of the page may lead in the end, besides our own.
        """
        text = self._environment.get_template(name).render(values)
        headers = PAGE_HEADERS
        if form_target:
            headers = {**PAGE_HEADERS, "Content-Security-Policy": f"{CONSOLE_POLICY} {form_target}"}
        return Response(text, status_code, media_type="text/html", headers=headers)

    def static_routes(self) -> list[BaseRoute]:
        """Return the routes of style sheet, script and icon; their addresses carry a version and are kept for good."""

        def static(request: Request) -> Response:
            name = str(request.path_params["name"])
            if name not in self._static:
                return PlainTextResponse("There is no such file.", 404)
            headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
            return Response(self._static[name], media_type=_STATIC_TYPES[name], headers=headers)

        return [Route("/static/{name}", static, name="static")]


def _read_static(name: str) -> bytes:
    return resources.files("isocenter.web").joinpath("static", name).read_bytes()
