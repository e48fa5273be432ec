"""Signing in and out, and the authorization endpoint, without a socket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from isocenter.identity.gate import PLAIN_COOKIE
from isocenter.identity.password import FAILURES_OF_NAME_MAX
from isocenter.identity.provider.codes import challenge_of
from isocenter.identity.sessions import Sessions, SessionTimes
from isocenter.web.console_page import Templates
from isocenter.web.pages.authorize import authorize_routes
from isocenter.web.pages.sign_in import SignIn, sign_in_routes
from tests.support.asgi_call import Answer, ask
from tests.support.identity import AUDIENCE, PASSWORD, IdentityWorld

WEB = "https://viewer.example/callback"
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Site:
    """The pages over a provider in memory."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.world = IdentityWorld()
        self.user = self.world.user()
        self.client, _ = self.world.application("<b>viewer</b>", redirect_uris=(WEB,))
        self.sessions = Sessions(self.world.store, self.world.now, SessionTimes())
        self.forgotten: list[str] = []
        templates = Templates()
        sign_in = SignIn(self.sessions, self.forgotten.append, self.world.provider, None, templates)
        routes = [
            *sign_in_routes(sign_in, executor),
            *authorize_routes(self.world.provider, sign_in),
        ]
        self.application = Starlette(routes=routes)

    def get(self, path: str, *, cookie: str = "", **query: str) -> Answer:
        headers = {"cookie": f"{PLAIN_COOKIE}={cookie}"} if cookie else {}
        return ask(self.application, "GET", path, headers=headers, query=urlencode(query))

    def post(self, path: str, **values: str) -> Answer:
        return self.post_with({}, path, **values)

    def post_with(self, headers: dict[str, str], path: str, **values: str) -> Answer:
        body = urlencode(values).encode()
        return ask(self.application, "POST", path, headers={**FORM, **headers}, body=[body])

    def authorize(self, *, cookie: str = "", version: str = "/v2.0", **changes: str) -> Answer:
        query = {
            "client_id": self.client.client_id,
            "response_type": "code",
            "redirect_uri": WEB,
            "scope": f"{AUDIENCE}/.default",
            "state": "s",
            "code_challenge": challenge_of("v" * 43),
            "code_challenge_method": "S256",
            **changes,
        }
        return self.get(f"/{self.world.tenant.tenant_id}/oauth2{version}/authorize", cookie=cookie, **query)


@pytest.fixture
def site() -> Iterator[Site]:
    with ThreadPoolExecutor(1) as executor, capture_logs():
        yield Site(executor)


def test_a_person_signs_in_and_goes_on(site: Site) -> None:
    page = site.get("/login", next="/viewer?a=1")
    assert b'value="/viewer?a=1"' in page.body
    answer = site.post("/login", name="Jane", password=PASSWORD, next="/viewer?a=1")
    assert (answer.status, answer.headers["location"]) == (303, "/viewer?a=1")
    found = re.match(rf"{PLAIN_COOKIE}=([^;]+); HttpOnly; Path=/; SameSite=lax$", answer.headers["set-cookie"])
    assert found, answer.headers["set-cookie"]
    session = site.sessions.find(found.group(1))
    assert session is not None
    assert session.object_id == site.user.object_id
    assert site.get("/login", cookie=found.group(1)).status == 303


@pytest.mark.parametrize(
    "values",
    [
        {"name": "jane", "password": "wrong"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "", "password": ""},
        {},
        {"name": "jane", "password": PASSWORD, "tenant": "another"},
    ],
    ids=str,
)
def test_a_wrong_name_and_a_wrong_password_are_told_alike(site: Site, values: dict[str, str]) -> None:
    answer = site.post("/login", **values)
    assert answer.status == 401
    assert b"do not belong together" in answer.body
    assert "set-cookie" not in answer.headers
    assert PASSWORD.encode() not in answer.body


def test_guessing_has_to_wait(site: Site) -> None:
    for _ in range(FAILURES_OF_NAME_MAX):
        assert site.post("/login", name="jane", password="wrong").status == 401
    answer = site.post("/login", name="jane", password=PASSWORD)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}], ids=str)
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_a_form_of_another_site_is_refused(site: Site, path: str, headers: dict[str, str]) -> None:
    answer = site.post_with(headers, path, name="jane", password=PASSWORD)
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_each_sign_in_ends_the_session_before(site: Site) -> None:
    old = site.sessions.open(site.user.object_id)
    site.post_with({"cookie": f"{PLAIN_COOKIE}={old}"}, "/login", name="jane", password=PASSWORD)
    assert site.sessions.find(old) is None
    assert site.forgotten == [old]


def test_signing_out_ends_the_session_and_takes_the_cookie_away(site: Site) -> None:
    cookie = site.sessions.open(site.user.object_id)
    answer = site.post_with({"cookie": f"{PLAIN_COOKIE}={cookie}"}, "/logout")
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert site.sessions.find(cookie) is None
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_hostile_next_is_text_and_leads_nowhere_else(site: Site) -> None:
    page = site.get("/login", next='/"><script>alert(1)</script>')
    assert b"<script>alert" not in page.body
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert b'name="next" value="/"' in site.get("/login", next="//evil.example").body


def test_an_application_sends_a_person_here_and_gets_a_code(site: Site) -> None:
    page = site.authorize(login_hint="jane")
    assert page.status == 200
    assert b"&lt;b&gt;viewer&lt;/b&gt;" in page.body
    next_path = re.search(rb'name="next" value="([^"]+)"', page.body)
    assert next_path is not None
    wanted = next_path.group(1).decode().replace("&amp;", "&")
    signed_in = site.post("/login", name="jane", password=PASSWORD, next=wanted)
    assert signed_in.status == 200, "a page and no redirect, so that the form's policy does not hold for the client"
    assert b"data-go" in signed_in.body
    cookie = signed_in.headers["set-cookie"].split(";")[0].partition("=")[2]
    back = site.authorize(cookie=cookie)
    assert back.status == 303
    address = urlsplit(back.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == WEB
    assert parse_qs(address.query).keys() == {"code", "state"}


def test_who_is_signed_in_is_not_asked_again_unless_the_application_wants_it(site: Site) -> None:
    cookie = site.sessions.open(site.user.object_id)
    assert site.authorize(cookie=cookie).status == 303
    asked = site.authorize(cookie=cookie, prompt="login")
    assert asked.status == 200
    assert b"prompt" not in asked.body


def test_a_silent_request_is_answered_that_nobody_is_signed_in(site: Site) -> None:
    back = site.authorize(prompt="none")
    assert parse_qs(urlsplit(back.headers["location"]).query)["error"] == ["login_required"]


def test_a_wrong_request_goes_back_to_the_client_and_one_with_a_wrong_address_does_not(site: Site) -> None:
    back = site.authorize(code_challenge_method="plain")
    assert back.headers["location"].startswith(f"{WEB}?error=invalid_request")
    shown = site.authorize(redirect_uri="https://evil.example/")
    assert shown.status == 400
    assert "location" not in shown.headers


def test_a_form_is_sent_to_the_client_and_the_policy_lets_it(site: Site) -> None:
    cookie = site.sessions.open(site.user.object_id)
    page = site.authorize(cookie=cookie, response_mode="form_post")
    assert page.status == 200
    assert f'action="{WEB}"'.encode() in page.body
    assert page.headers["content-security-policy"].endswith("form-action 'self' https://viewer.example")


def test_a_person_of_another_tenant_has_to_sign_in(site: Site) -> None:
    other = site.world.registry.add_tenant("other")
    user = site.world.registry.add_user("joe", PASSWORD, tenant=other)
    assert site.authorize(cookie=site.sessions.open(user.object_id)).status == 200


def test_version_1_authorizes_as_well(site: Site) -> None:
    cookie = site.sessions.open(site.user.object_id)
    assert "code=" in site.authorize(cookie=cookie, version="", resource=AUDIENCE).headers["location"]


def test_without_an_issuer_to_sign_in_at_that_is_told(site: Site) -> None:
    assert site.get("/login/external").status == 403
    assert site.get("/login/callback", code="x", state="y").status == 403
