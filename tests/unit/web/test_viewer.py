from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from isocenter.web.viewer import viewer_routes
from isocenter.web.viewer_assets import ViewerArchive
from isocenter.web.viewer_page import ViewerSettings
from tests.support.asgi_client import AsgiClient
from tests.support.viewer_archives import MAIN_SCRIPT, PICTURE, SCRIPT, make_viewer_archive


@pytest.fixture
def client(tmp_path: Path) -> Iterator[AsgiClient]:
    with ViewerArchive(make_viewer_archive(tmp_path)) as archive:
        yield AsgiClient(Starlette(routes=viewer_routes(archive, ViewerSettings())))


@pytest.mark.parametrize(
    "path", ["/viewer", "/viewer/", "/viewer/viewer?StudyInstanceUIDs=1.2.3", "/viewer/tmtv", "/viewer/a/b"]
)
def test_every_path_without_an_extension_is_the_page(client: AsgiClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert 'window.PUBLIC_URL="/viewer/"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/viewer/none.js", "/viewer/assets/none.png", "/viewer/..%2f..%2fpasswd.txt"])
def test_a_missing_file_is_not_the_page(client: AsgiClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_raw_template_of_the_page_is_not_served(client: AsgiClient) -> None:
    assert client.get("/viewer/index.html").status_code == 404


def test_the_page_and_its_policy_share_a_nonce_that_is_new_each_time(client: AsgiClient) -> None:
    nonces = set()
    for _ in range(2):
        answer = client.get("/viewer/")
        (nonce,) = set(re.findall(r'nonce="([^"]+)"', answer.text))
        assert f"'nonce-{nonce}'" in answer.headers["content-security-policy"]
        nonces.add(nonce)
    assert len(nonces) == 2


def test_behind_a_proxy_page_and_configuration_carry_its_prefix(client: AsgiClient) -> None:
    headers = {"X-Forwarded-Prefix": "/imaging"}
    assert 'window.PUBLIC_URL="/imaging/viewer/"' in client.get("/viewer/viewer", headers=headers).text
    assert '"/imaging/dicom-web"' in client.get("/viewer/app-config.js", headers=headers).text


def test_the_configuration_is_never_stored(client: AsgiClient) -> None:
    answer = client.get("/viewer/app-config.js")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("encoding", ["gzip, deflate", "identity"])
def test_a_file_comes_gzipped_or_plain_as_the_browser_accepts(client: AsgiClient, encoding: str) -> None:
    answer = client.get(f"/viewer/{MAIN_SCRIPT}", headers={"Accept-Encoding": encoding})
    assert answer.content == SCRIPT
    assert answer.headers.get("content-encoding") == ("gzip" if "gzip" in encoding else None)
    assert answer.headers["vary"] == "Accept-Encoding"


def test_a_picture_is_not_compressed_twice(client: AsgiClient) -> None:
    answer = client.get("/viewer/assets/icon.png")
    assert answer.content == PICTURE
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"] == "image/png"


def test_hashed_files_are_kept_and_others_revalidated(client: AsgiClient) -> None:
    assert "immutable" in client.get(f"/viewer/{MAIN_SCRIPT}").headers["cache-control"]
    assert client.get("/viewer/app.bundle.css").headers["cache-control"] == "no-cache"


def test_an_unchanged_file_is_not_sent_again(client: AsgiClient) -> None:
    etag = client.get("/viewer/app.bundle.css").headers["etag"]
    again = client.get("/viewer/app.bundle.css", headers={"If-None-Match": f'"other", W/{etag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag


def test_the_length_of_a_file_can_be_asked(client: AsgiClient) -> None:
    answer = client.head(f"/viewer/{MAIN_SCRIPT}", headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-length"] == str(len(SCRIPT))
    assert answer.content == b""


def test_without_the_archive_the_page_says_how_to_get_the_viewer() -> None:
    client = AsgiClient(Starlette(routes=viewer_routes(None, ViewerSettings())))
    answer = client.get("/viewer/viewer?StudyInstanceUIDs=1.2.3")
    assert answer.status_code == 503
    assert "scripts/vendor_viewer.py" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert client.get("/viewer/app.js").status_code == 404
