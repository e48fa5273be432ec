"""Pages from templates, under the strict policy of the console: no script and no style but our own files."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from isocenter.web.static_files import static_files

CONSOLE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the little pictures within Tabler's style sheet
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
_FRAMELESS: Mapping[str, object] = {
    "user": "",
    "node_name": "",
    "sections": (),
    "section": "",
    "notice": None,
    "may": {},
}
"""What the frame of a page shows where no visit is known: nothing."""


class Templates:
    """Render pages; everything in them is escaped."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("isocenter.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        files = static_files()
        self._environment.globals.update(version=files.version, is_dressed=files.is_dressed, **_FRAMELESS)

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
