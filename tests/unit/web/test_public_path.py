from __future__ import annotations

import pytest
from starlette.requests import Request

from isocenter.web.public_path import public_prefix


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
