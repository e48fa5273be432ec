"""The embedded provider over HTTP, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from isocenter.web.form_body import BODY_SIZE_MAX_BYTES, local_path
from isocenter.web.provider_routes import provider_routes
from tests.support.asgi_call import Answer, ask
from tests.support.asgi_client import AsgiClient
from tests.support.identity import AUDIENCE, IdentityWorld

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Site:
    """The routes over a provider in memory."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.world = IdentityWorld()
        self.application = Starlette(routes=provider_routes(self.world.provider, executor))
        self.client = AsgiClient(self.application)
        self.tenant = self.world.tenant.tenant_id

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        given = {**FORM, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return ask(self.application, "POST", path, headers=given, body=[body])


@pytest.fixture
def site() -> Iterator[Site]:
    with ThreadPoolExecutor(1) as executor, capture_logs():
        yield Site(executor)


@pytest.mark.parametrize("path", ["", "/v2.0"])
def test_documents_are_found_under_every_name_of_the_tenant(site: Site, path: str) -> None:
    for tenant in (site.tenant, "common", "default"):
        answer = site.client.get(
            f"/{tenant}{path}/.well-known/openid-configuration", headers={"host": "node.example:8443"}
        )
        assert answer.status_code == 200
        assert answer.json()["issuer"].startswith(f"http://node.example:8443/{site.tenant}/")


@pytest.mark.parametrize("path", ["/{tenant}/discovery/keys", "/{tenant}/discovery/v2.0/keys"])
def test_keys_are_public(site: Site, path: str) -> None:
    site.world.provider.sign({})
    answer = site.client.get(path.replace("{tenant}", site.tenant), headers={"host": "localhost"})
    assert len(answer.json()["keys"]) == 1
    assert "max-age" in answer.headers["cache-control"]


def test_the_instance_is_discovered_as_msal_asks_for_it(site: Site) -> None:
    query = {"authorization_endpoint": "https://localhost/x/oauth2/v2.0/authorize", "api-version": "1.1"}
    answer = site.client.get("/common/discovery/instance", params=query, headers={"host": "localhost:8443"})
    assert answer.json()["tenant_discovery_endpoint"].endswith(f"/{site.tenant}/v2.0/.well-known/openid-configuration")


@pytest.mark.parametrize(
    ("tenant", "host", "number"), [("other", "localhost", 90002), ("common", "evil.example", 90038)]
)
def test_what_is_not_ours_is_refused_as_json(site: Site, tenant: str, host: str, number: int) -> None:
    answer = site.client.get(f"/{tenant}/v2.0/.well-known/openid-configuration", headers={"host": host})
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [number])


def _body(site: Site, **changes: str) -> bytes:
    application, secret = site.world.application()
    values = {
        "grant_type": "client_credentials",
        "client_id": application.client_id,
        "client_secret": secret,
        "scope": f"{AUDIENCE}/.default",
        **changes,
    }
    return urlencode(values).encode()


def test_a_token_is_kept_by_nobody_on_the_way(site: Site) -> None:
    answer = site.post(f"/{site.tenant}/oauth2/v2.0/token", _body(site))
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert b"access_token" in answer.body


def test_a_refusal_echoes_the_request_of_the_client_and_asks_for_proof(site: Site) -> None:
    body = _body(site, client_secret="wrong")
    answer = site.post(f"/{site.tenant}/oauth2/v2.0/token", body, client_request_id="my-request")
    assert answer.status == 401
    assert b'"correlation_id":"my-request"' in answer.body


def test_many_failures_are_answered_with_how_long_to_wait(site: Site) -> None:
    body = _body(site, client_secret="wrong")
    statuses = [site.post(f"/{site.tenant}/oauth2/v2.0/token", body) for _ in range(11)]
    assert [one.status for one in statuses] == [401] * 10 + [429]
    assert int(statuses[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"content_type": "application/json"}, 415),
        (b"grant_type=client_credentials", {"content_type": "text/plain"}, 415),
        (b"x" * (BODY_SIZE_MAX_BYTES + 1), {}, 413),
        (b"&".join(b"a%d=1" % number for number in range(200)), {}, 413),
        (b"", {}, 400),
        (b"\xff\xfe=%ff%zz&&=", {}, 400),
        (b"grant_type=client_credentials&grant_type=password", {}, 400),
    ],
    ids=["json", "text", "too long", "too many", "empty", "garbage", "twice"],
)
def test_a_body_that_is_no_form_is_refused(site: Site, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = site.post(f"/{site.tenant}/oauth2/token", body, **headers)
    assert answer.status == status
    assert b'"error":"invalid_request"' in answer.body


def test_a_token_is_asked_for_by_post_alone(site: Site) -> None:
    assert site.client.get(f"/{site.tenant}/oauth2/v2.0/token").status_code == 405


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/viewer?a=1", "/viewer?a=1"),
        ("/", "/"),
        ("", "/else"),
        ("viewer", "/else"),
        ("//evil.example", "/else"),
        ("/\\evil.example", "/else"),
        ("/a\\b", "/else"),
        ("https://evil.example", "/else"),
        ("/\nSet-Cookie: x", "/else"),
    ],
)
def test_a_sign_in_leads_to_a_path_of_ours(wanted: str, path: str) -> None:
    assert local_path(wanted, otherwise="/else") == path
