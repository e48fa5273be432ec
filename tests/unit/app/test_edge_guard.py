"""What stands before every route: plain http from afar, strict transport, other origins."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from isocenter.app.edge_guard import guarded
from isocenter.app.settings import load_settings
from tests.support.asgi_call import Answer, ask

VIEWER = "https://viewer.example"
OPEN = {"http.listen": "0.0.0.0:80", "http.trusted_proxies": "192.0.2.0/24"}
SECURE = {"http.tls_listen": "0.0.0.0:443"}


@dataclass
class _From:
    """An application that is called from some address over some scheme."""

    application: ASGIApp
    address: str = "127.0.0.1"
    scheme: str = "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.application({**scope, "client": (self.address, 1), "scheme": self.scheme}, receive, send)


def _ask(
    flags: dict[str, str],
    *,
    method: str = "GET",
    address: str = "127.0.0.1",
    scheme: str = "http",
    path: str = "/v2/studies",
    has_own_certificate: bool = True,
    headers: dict[str, str] | None = None,
) -> tuple[Answer, list[Scope]]:
    seen: list[Scope] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await PlainTextResponse("inside")(scope, receive, send)

    application = guarded(inner, load_settings(flags, {}, None).http, has_own_certificate=has_own_certificate)
    return ask(_From(application, address, scheme), method, path, headers=headers), seen


@pytest.mark.parametrize(
    ("address", "scheme", "path", "status"),
    [
        ("127.0.0.1", "http", "/v2/studies", 200),
        ("::1", "http", "/v2/studies", 200),
        ("192.0.2.7", "http", "/v2/studies", 200),
        ("::ffff:192.0.2.7", "http", "/v2/studies", 200),
        ("198.51.100.1", "http", "/v2/studies", 403),
        ("198.51.100.1", "http", "/", 403),
        ("198.51.100.1", "http", "/health/ready", 200),
        ("198.51.100.1", "https", "/v2/studies", 200),
    ],
)
def test_plain_http_is_for_this_machine_and_trusted_proxies(address: str, scheme: str, path: str, status: int) -> None:
    assert _ask(OPEN, address=address, scheme=scheme, path=path)[0].status == status


@pytest.mark.parametrize(
    ("address", "client", "scheme"),
    [("192.0.2.7", "203.0.113.5", "https"), ("198.51.100.1", "198.51.100.1", "http")],
    ids=["trusted", "anybody"],
)
def test_what_a_proxy_forwards_is_believed_only_of_trusted_ones(address: str, client: str, scheme: str) -> None:
    headers = {"x-forwarded-for": "203.0.113.5", "x-forwarded-proto": "https"}
    flags = {**OPEN} if address == "192.0.2.7" else {"http.listen": "127.0.0.1:80"}
    _, (scope,) = _ask(flags, address=address, headers=headers)
    assert (scope["client"][0], scope["scheme"]) == (client, scheme)


def test_a_forged_header_does_not_open_plain_http() -> None:
    headers = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}
    assert _ask(OPEN, address="198.51.100.1", headers=headers)[0].status == 403


@pytest.mark.parametrize(
    ("scheme", "has_own_certificate", "is_strict"),
    [("https", False, True), ("https", True, False), ("http", False, False)],
)
def test_browsers_come_back_over_https_where_the_certificate_is_a_real_one(
    scheme: str, has_own_certificate: bool, is_strict: bool
) -> None:
    answer, _ = _ask(SECURE, scheme=scheme, has_own_certificate=has_own_certificate)
    assert ("strict-transport-security" in answer.headers) is is_strict


PREFLIGHT = {
    "origin": VIEWER,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type, if-none-match, msdicom-request-original",
}


def test_a_preflight_is_answered_without_reaching_the_service() -> None:
    answer, seen = _ask({"http.cors_origins": VIEWER}, method="OPTIONS", headers=PREFLIGHT)
    assert (answer.status, seen) == (200, [])
    assert answer.headers["access-control-allow-origin"] == VIEWER
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "600"


def test_a_page_of_an_allowed_origin_may_read_what_viewers_need() -> None:
    answer, _ = _ask({"http.cors_origins": VIEWER}, headers={"origin": VIEWER})
    assert answer.headers["access-control-allow-origin"] == VIEWER
    exposed = answer.headers["access-control-expose-headers"].lower()
    for name in ("etag", "location", "warning", "erroneous-dicom-attributes", "content-location"):
        assert name in exposed


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://viewer.example", f"{VIEWER}.evil.example"])
@pytest.mark.parametrize("flags", [{}, {"http.cors_origins": VIEWER}], ids=["none allowed", "one allowed"])
def test_another_origin_is_never_named(origin: str, flags: dict[str, str]) -> None:
    for method, headers in (("GET", {"origin": origin}), ("OPTIONS", {**PREFLIGHT, "origin": origin})):
        answer, _ = _ask(flags, method=method, headers=headers)
        assert "access-control-allow-origin" not in answer.headers


def test_any_origin_is_answered_with_a_star_and_without_credentials() -> None:
    answer, _ = _ask({"http.cors_origins": "*"}, headers={"origin": VIEWER, "cookie": "a=1"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_credentials_are_allowed_for_a_named_origin_on_request() -> None:
    flags = {"http.cors_origins": VIEWER, "http.cors_credentials": "on"}
    answer, _ = _ask(flags, headers={"origin": VIEWER})
    assert answer.headers["access-control-allow-credentials"] == "true"
