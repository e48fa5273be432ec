"""Console and viewer on a node that asks who it is, over https, and pages elsewhere that try to use a session."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from isocenter.modality.patients import Patient
from isocenter.modality.plans import CtSeriesPlan, Region, StudyPlan
from isocenter.modality.studies import iter_study
from isocenter.web.viewer_assets import DEFAULT_ARCHIVE
from tests.browser.conftest import ACTION_TIMEOUT_MS, WatchedPage
from tests.support.canvases import wait_for_pictures
from tests.support.peers import missing
from tests.support.secure_node import SecureNode, serve_securely

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SEED = 7
STARTED_AT = datetime(2026, 3, 1, 9, 30)
PASSWORD = "correct horse battery"


def _study() -> list[bytes]:
    series = CtSeriesPlan(Region.HEAD, "Head", 3, 5.0, 0.0, 240.0, (40, 90), edge=64)
    patient = Patient("Wide^Wanda", "W1", date(1970, 1, 1), "O")
    return list(iter_study(StudyPlan(patient, STARTED_AT, "W1", "CT Head", (series,)), SEED))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    if not DEFAULT_ARCHIVE.is_file():
        missing("the viewer's archive is not there; run scripts/vendor_viewer.py")
    with serve_securely(tmp_path_factory.mktemp("signed-in")) as started:
        started.operate("user", "add", "jane", "--role", "reader", "--password-file", "-", answer=PASSWORD + "\n")
        headers = {"Authorization": f"Bearer {started.operate('token').strip()}", "Content-Type": "application/dicom"}
        with started.client({**headers, "Accept": "application/dicom+json"}) as client:
            for instance in _study():
                assert client.post("/dicom-web/studies", content=instance).status_code == httpx.codes.OK
        yield started


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1000, "height": 700}, ignore_https_errors=True)
    context.set_default_timeout(ACTION_TIMEOUT_MS)
    watched = WatchedPage(context.new_page())
    watched.watch()
    yield watched.page
    assert watched.violations == []
    assert watched.dialogs == []
    context.close()


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Return the address of an empty page of another site."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def _sign_in(page: Page) -> None:
    page.get_by_label("Name").fill("jane")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_from_the_sign_in_to_the_list_the_picture_and_out(node: SecureNode, page: Page) -> None:
    page.goto(node.base_url)
    expect(page).to_have_url(re.compile("/login"))
    page.get_by_label("Name").fill("jane")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    _sign_in(page)
    row = page.locator("tr.study").filter(has_text="Wide, Wanda")
    row.get_by_role("button", name="Series of Wide, Wanda").click()
    expect(page.locator(".picture img")).to_have_js_property("naturalWidth", 128)
    row.get_by_role("link", name="Open Wide, Wanda").click()
    wait_for_pictures(page)
    page.goto(node.base_url)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(f"{node.base_url}/viewer/viewer?StudyInstanceUIDs=1.2")
    expect(page).to_have_url(re.compile("/login"))


def test_after_signing_in_one_is_where_one_wanted_to_be(node: SecureNode, page: Page) -> None:
    page.goto(f"{node.base_url}/?patient=wanda")
    _sign_in(page)
    expect(page).to_have_url(f"{node.base_url}/?patient=wanda")
    expect(page.locator("tr.study")).to_have_count(1)


def test_no_script_can_read_the_cookie(node: SecureNode, page: Page) -> None:
    page.goto(node.base_url)
    _sign_in(page)
    expect(page.locator("tr.study")).to_have_count(1)
    assert page.evaluate("document.cookie") == ""
    (cookie,) = page.context.cookies()
    name = f"__Host-isocenter-session-{node.base_url.rpartition(':')[2]}"
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"]) == (name, True, True)


def test_a_page_of_another_site_can_neither_read_nor_change_anything(
    node: SecureNode, page: Page, elsewhere: str
) -> None:
    page.goto(node.base_url)
    _sign_in(page)
    expect(page.locator("tr.study")).to_have_count(1)
    page.goto(elsewhere)
    read = "address => fetch(address, {credentials: 'include'}).then(answer => answer.text(), () => 'refused')"
    assert page.evaluate(read, f"{node.base_url}/dicom-web/studies") == "refused"
    blind = "address => fetch(address, {method: 'POST', mode: 'no-cors', credentials: 'include'}).then(() => 'sent')"
    assert page.evaluate(blind, f"{node.base_url}/logout") == "sent"
    post_form = """address => {
        const form = document.createElement("form");
        form.method = "post";
        form.action = address;
        document.body.append(form);
        form.submit();
    }"""
    with page.expect_navigation():
        page.evaluate(post_form, f"{node.base_url}/logout")
    expect(page.get_by_text("Status 403")).to_be_visible()
    page.goto(node.base_url)
    expect(page.locator("tr.study")).to_have_count(1)


def test_an_application_gets_its_code_through_the_browser(node: SecureNode, page: Page, elsewhere: str) -> None:
    callback = elsewhere + "callback"
    one = node.register("program", "--redirect-uri", callback, "--no-secret")
    query = httpx.QueryParams(
        {
            "client_id": one.client_id,
            "response_type": "code",
            "redirect_uri": callback,
            "scope": "https://dicom.healthcareapis.azure.com/.default",
            "state": "my-state",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
    )
    page.goto(f"{node.base_url}/{one.tenant_id}/oauth2/v2.0/authorize?{query}")
    page.get_by_label("Name").fill("jane")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    _sign_in(page)
    page.wait_for_url(re.compile(re.escape(callback) + r"\?code=.+&state=my-state"))
    code = httpx.URL(page.url).params["code"]
    with node.client() as client:
        answer = client.post(
            f"/{one.tenant_id}/oauth2/v2.0/token",
            data={
                "grant_type": "authorization_code",
                "client_id": one.client_id,
                "code": code,
                "redirect_uri": callback,
                "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            },
        )
        token = answer.json()["access_token"]
        found = client.get(
            "/v2/studies", headers={"Authorization": f"Bearer {token}", "Accept": "application/dicom+json"}
        )
    assert found.status_code == httpx.codes.OK
