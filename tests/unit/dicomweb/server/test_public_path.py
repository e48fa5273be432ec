from __future__ import annotations

import pytest
from starlette.requests import Request

from isocenter.dicomweb.server.public_path import public_origin, public_prefix


def _request(*, root_path: str = "", forwarded: str = "") -> Request:
    headers = [(b"x-forwarded-prefix", forwarded.encode())] if forwarded else []
    return Request({"type": "http", "path": "/", "root_path": root_path, "headers": headers})


def test_at_the_root_of_a_site_there_is_no_prefix() -> None:
    assert public_prefix(_request()) == ""


def test_the_root_path_of_the_server_is_the_prefix() -> None:
    assert public_prefix(_request(root_path="/imaging")) == "/imaging"


def test_a_proxy_that_strips_its_path_says_so_by_header() -> None:
    assert public_prefix(_request(forwarded="/hospital/imaging/")) == "/hospital/imaging"


@pytest.mark.parametrize(
    "hostile",
    [
        "//evil.example",
        "/a//b",
        "https://evil.example",
        "/..",
        "/a/../b",
        '/"><script>',
        "javascript:x",
        "/a?b",
        "a",
        "/é",
    ],
)
def test_what_is_not_a_plain_path_is_ignored(hostile: str) -> None:
    assert public_prefix(_request(forwarded=hostile, root_path="/imaging")) == "/imaging"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "archive:8080"}, "http://archive:8080"),
        ({"host": "archive", "x-forwarded-host": "pacs.example"}, "http://pacs.example"),
        ({"host": "[::1]:80"}, "http://[::1]:80"),
        ({"host": "archive", "x-forwarded-host": 'a b"<x>'}, "http://archive"),
    ],
)
def test_the_origin_is_what_the_caller_sees(headers: dict[str, str], expected: str) -> None:
    scope = {
        "type": "http",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    assert public_origin(Request(scope)) == expected
