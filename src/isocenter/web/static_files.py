"""The files of the console's pages: ours, and the three of others where the installation fetched them.

They are read once for the process, kept compressed, and sent to be kept for good: their addresses carry a version.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from isocenter.web.viewer_assets import accepts_gzip

HTMX, TABLER = "htmx.js", "tabler.css"
_OTHERS = (HTMX, "htmx-sse.js", TABLER)
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_KEPT = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """What is served, and no other file."""

    compressed: Mapping[str, bytes]
    version: str
    """Changes with any of them."""

    @property
    def is_dressed(self) -> bool:
        """Tell whether the files of others are there."""
        return all(name in self.compressed for name in _OTHERS)


@cache
def static_files() -> StaticFiles:
    """Return the files of this installation."""
    ours = sorted(one.name for one in resources.files("isocenter.web").joinpath("static").iterdir())
    files = {name: gzip.compress(_read("static", name), mtime=0) for name in ours if name.rpartition(".")[2] in _TYPES}
    for name in _OTHERS:
        try:
            files[name] = _read("vendored", f"{name}.gz")
        except OSError:
            continue
    return StaticFiles(files, f"{zlib.crc32(b''.join(files.values())):08x}")


def static_routes() -> list[BaseRoute]:
    """Return the routes of the files, to be mounted at the root of the node."""
    files = static_files()

    def static(request: Request) -> Response:
        name = str(request.path_params["name"])
        content = files.compressed.get(name)
        if content is None:
            return PlainTextResponse("There is no such file.", 404)
        media_type = _TYPES[name.rpartition(".")[2]]
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(content, media_type=media_type, headers={**_KEPT, "Content-Encoding": "gzip"})
        return Response(gzip.decompress(content), media_type=media_type, headers=_KEPT)

    return [Route("/static/{name}", static, name="static")]


def _read(folder: str, name: str) -> bytes:
    return resources.files("isocenter.web").joinpath(folder, name).read_bytes()
