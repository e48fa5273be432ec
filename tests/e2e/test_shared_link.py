"""A link to one study on a real node that asks who calls: what it opens, what it does not, and when it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.console_studies import ROOT, make_instance
from tests.support.secure_node import SecureNode, serve_securely

PASSWORD = "a long enough password"
SHARED, OTHER = f"{ROOT}.1", f"{ROOT}.2"
SERIES = f"studies/{SHARED}/series/{SHARED}.1"
OPENED = (
    f"/light/{SHARED}",
    f"/light/{SHARED}/{SHARED}.1/{SHARED}.1.1/attributes",
    f"/light/{SHARED}/{SHARED}.1/thumbnail",
    f"/viewer/viewer?StudyInstanceUIDs={SHARED}",
    f"/dicom-web/studies?StudyInstanceUID={SHARED}",
    f"/dicom-web/studies/{SHARED}/series",
    f"/dicom-web/{SERIES}/metadata",
    f"/dicom-web/{SERIES}/instances/{SHARED}.1.1/frames/1",
    f"/v2/studies/{SHARED}/metadata",
)
CLOSED = (
    "/",
    "/patients",
    "/upload",
    "/send",
    "/router",
    "/service",
    "/system",
    "/query",
    "/console/events",
    "/api/associations",
    "/metrics",
    f"/studies/{SHARED}",
    f"/studies/{OTHER}",
    f"/studies/{SHARED}/series",
    f"/download?study={SHARED}&media=zip",
    f"/delete?study={SHARED}",
    f"/light/{OTHER}",
    f"/light/{OTHER}/{OTHER}.1/{OTHER}.1.1/frames/1",
    f"/light/{OTHER}/{OTHER}.1/stack",
    f"/dicom-web/studies/{OTHER}/metadata",
    f"/dicom-web/studies/{OTHER}/series",
    f"/dicom-web/studies/{OTHER}/rendered",
    "/v2/changefeed",
    "/v2/extendedquerytags",
    "/v1/workitems",
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    with serve_securely(tmp_path_factory.mktemp("shared")) as node:
        node.operate("user", "add", "jane", "--role", "owner", "--password-file", "-", answer=PASSWORD)
        node.operate("user", "add", "rita", "--role", "reader", "--password-file", "-", answer=PASSWORD)
        with _signed_in(node, "jane") as jane:
            files = [("files", (f"{study}.dcm", make_instance(study), "application/dicom")) for study in (1, 2)]
            assert jane.post("/upload", files=files, headers={"Accept": "application/json"}).json()["stored"] == 2
        yield node


@contextmanager
def _signed_in(node: SecureNode, name: str) -> Iterator[httpx.Client]:
    with node.client() as client:
        answer = client.post("/login", data={"name": name, "password": PASSWORD, "next": "/"})
        assert answer.status_code == 303, answer.text
        yield client


def _give(node: SecureNode, lasts: str = "1 hour") -> str:
    with _signed_in(node, "jane") as jane:
        page = jane.post(f"/studies/{SHARED}/share", data={"lasts": lasts}).text
        found = re.search(r'value="(https://[^"]+/shared/[^"]+)"', page)
        assert found is not None, page
        return found[1]


def _withdraw_all(node: SecureNode) -> None:
    with _signed_in(node, "jane") as jane:
        page = jane.get(f"/studies/{SHARED}").text
        for share_id in re.findall(r'name="share" value="([0-9a-f]{64})"', page):
            assert jane.post(f"/studies/{SHARED}/share/withdraw", data={"share": share_id}).status_code == 303


@pytest.fixture
def stranger(node: SecureNode) -> Iterator[httpx.Client]:
    """Somebody without an account who opened the link."""
    link = _give(node)
    with node.client() as client:
        answer = client.get(link)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/light/{SHARED}"
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "secure" in cookie
        yield client
    _withdraw_all(node)


def test_a_link_opens_its_study_in_both_viewers_and_nothing_else(stranger: httpx.Client) -> None:
    for path in OPENED:
        assert stranger.get(path).status_code == 200, path
    for path in CLOSED:
        answer = stranger.get(path)
        assert answer.status_code in (401, 403, 404) or _leads_to_the_sign_in(answer), path
        assert OTHER not in answer.text, path


def _leads_to_the_sign_in(answer: httpx.Response) -> bool:
    """Tell whether whoever has an account is asked to show it."""
    return answer.status_code == 303 and answer.headers["location"].startswith("/login")


def test_a_link_changes_nothing(stranger: httpx.Client) -> None:
    for path in ("/delete", "/send", "/upload", f"/studies/{SHARED}/share", f"/studies/{SHARED}/share/withdraw"):
        assert _leads_to_the_sign_in(stranger.post(path, data={"study": SHARED})), path
    assert stranger.delete(f"/dicom-web/studies/{SHARED}").status_code == 403
    assert stranger.post("/dicom-web/studies", content=b"x").status_code == 403


def test_pages_of_other_sites_get_nothing_by_the_cookie(stranger: httpx.Client) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert stranger.get(f"/dicom-web/studies/{SHARED}/metadata", headers=foreign).status_code == 401


def test_a_withdrawn_link_ends_at_once(node: SecureNode, stranger: httpx.Client) -> None:
    assert stranger.get(f"/dicom-web/studies/{SHARED}/metadata").status_code == 200
    _withdraw_all(node)
    assert stranger.get(f"/dicom-web/studies/{SHARED}/metadata").status_code == 401
    assert stranger.get(f"/light/{SHARED}").status_code == 303


def test_a_link_that_never_was_says_whom_to_ask(node: SecureNode) -> None:
    with node.client() as client:
        for token in ("x", "x" * 500):
            answer = client.get(f"/shared/{token}")
            assert answer.status_code == 404
            assert "expired or was withdrawn" in answer.text


def test_a_link_ends_with_the_account_that_gave_it(node: SecureNode) -> None:
    node.operate("user", "add", "otto", "--role", "owner", "--password-file", "-", answer=PASSWORD)
    with _signed_in(node, "otto") as otto:
        page = otto.post(f"/studies/{SHARED}/share", data={"lasts": "1 week"}).text
        link = re.findall(r'value="(https://[^"]+/shared/[^"]+)"', page)[0]
    node.operate("user", "remove", "otto", "--yes")
    with node.client() as client:
        assert client.get(link).status_code == 404


def test_a_reader_gives_no_link(node: SecureNode) -> None:
    with _signed_in(node, "rita") as rita:
        assert "Share by link" not in rita.get(f"/studies/{SHARED}").text
        assert rita.post(f"/studies/{SHARED}/share", data={"lasts": "1 hour"}).status_code == 403


@pytest.mark.long
def test_a_link_outlives_a_restart_of_the_node(tmp_path: Path) -> None:
    with serve_securely(tmp_path / "node") as node:
        node.operate("user", "add", "jane", "--role", "owner", "--password-file", "-", answer=PASSWORD)
        with _signed_in(node, "jane") as jane:
            files = [("files", ("a.dcm", make_instance(), "application/dicom"))]
            jane.post("/upload", files=files, headers={"Accept": "application/json"})
        path = httpx.URL(_give(node)).path
    with serve_securely(tmp_path / "node") as node, node.client() as client:
        assert client.get(path).status_code == 303
        assert client.get(f"/light/{SHARED}").status_code == 200
