from __future__ import annotations

import pytest
from starlette.applications import Starlette

from isocenter.web.static_files import static_routes
from tests.support.asgi_client import AsgiClient


def _client() -> AsgiClient:
    return AsgiClient(Starlette(routes=static_routes()))


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
def test_static_files_have_their_type_and_are_kept(name: str, media_type: str) -> None:
    answer = _client().get(f"/static/{name}")
    assert answer.headers["content-type"].startswith(media_type)
    assert "immutable" in answer.headers["cache-control"]


def test_no_other_file_is_served() -> None:
    client = _client()
    assert client.get("/static/..%2ftemplates%2f_page.html").status_code == 404
    assert client.get("/static/none.css").status_code == 404


def test_a_caller_that_takes_gzip_gets_it_and_another_the_file() -> None:
    packed = _client().get("/static/console.js", headers={"Accept-Encoding": "gzip"})
    plain = _client().get("/static/console.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
