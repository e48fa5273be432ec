"""Tokens are got before they are needed, renewed in time, and asked for nowhere that could not be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx
import pytest

from isocenter.dicomweb.client.credentials import (
    ANSWER_SIZE_MAX_BYTES,
    RENEWED_AGAIN_S,
    ClientCredentials,
    ClientSecret,
    token_endpoint,
)
from isocenter.domain.errors import InvalidRequest, Unauthenticated, Unavailable
from tests.support.identity import Seconds

SERVICE = "https://node.example"
AUTHORITY = f"{SERVICE}/tenant"
RESOURCE = "https://dicom.healthcareapis.azure.com"


@dataclass
class _Site:
    """A service that wants a token, and where it gives them."""

    now: Seconds = field(default_factory=Seconds)
    challenge: str = f'Bearer authorization_uri="{AUTHORITY}", resource_id="api://ours", realm="api://ours"'
    refused: Callable[[], httpx.Response] | None = None
    takes_none: bool = False
    valid: set[str] = field(default_factory=set)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            self.addresses.append(str(request.url))
            self.forms.append(parse_qs(request.read().decode()))
            if self.refused is not None:
                return self.refused()
            token = f"token-{len(self.forms)}"
            self.valid = {token}
            return httpx.Response(200, json={"access_token": token, "expires_in": 1000})
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if shown in self.valid and not self.takes_none:
            return httpx.Response(200, text=shown)
        return httpx.Response(401, headers={"www-authenticate": self.challenge})

    def client(self, authority: str | None = None) -> httpx.Client:
        transport = httpx.MockTransport(self.answer)
        auth = ClientCredentials(ClientSecret("me", "hush", authority), transport=transport, monotonic_s=self.now)
        return httpx.Client(base_url=SERVICE, auth=auth, transport=transport)


@pytest.fixture
def site() -> _Site:
    return _Site()


def test_the_service_says_where_its_tokens_are_given_and_for_what(site: _Site) -> None:
    with site.client() as client:
        assert client.get("/v2/studies").text == "token-1"
        assert client.get("/v2/studies").text == "token-1"
    assert site.addresses == [f"{AUTHORITY}/oauth2/v2.0/token"]
    assert site.forms[0] == {
        "grant_type": ["client_credentials"],
        "client_id": ["me"],
        "client_secret": ["hush"],
        "scope": ["api://ours/.default"],
    }


def test_with_an_authority_the_token_is_there_before_the_first_request(site: _Site) -> None:
    with site.client("https://login.example/tenant") as client:
        assert client.get("/v2/studies").status_code == 200
    assert site.addresses == ["https://login.example/tenant/oauth2/v2.0/token"]
    assert site.forms[0]["scope"] == [f"{RESOURCE}/.default"]


def test_a_token_is_renewed_before_it_expires(site: _Site) -> None:
    with site.client(AUTHORITY) as client:
        client.get("/")
        site.now.advance(799)
        assert client.get("/").text == "token-1"
        site.now.advance(1)
        assert client.get("/").text == "token-2"


def test_a_token_that_was_revoked_is_renewed_once(site: _Site) -> None:
    with site.client(AUTHORITY) as client:
        client.get("/")
        site.valid = set()
        assert client.get("/").text == "token-2"
        site.takes_none = True
        assert client.get("/").status_code == 401


def test_who_cannot_be_sent_again_has_the_token_renewed_for_the_next_time(site: _Site) -> None:
    with site.client(AUTHORITY) as client:
        client.get("/")
        site.now.advance(RENEWED_AGAIN_S)
        _credentials(client).renew()
        assert client.get("/").text == "token-2"


def test_a_token_that_another_thread_has_just_got_is_not_thrown_away(site: _Site) -> None:
    with site.client(AUTHORITY) as client:
        client.get("/")
        site.now.advance(RENEWED_AGAIN_S - 0.1)
        _credentials(client).renew()
        assert client.get("/").text == "token-1"


def _credentials(client: httpx.Client) -> ClientCredentials:
    assert isinstance(client.auth, ClientCredentials)
    return client.auth


def test_a_body_that_was_streamed_is_not_sent_twice(site: _Site) -> None:
    def body() -> Iterator[bytes]:
        yield b"x"

    with site.client() as client:
        assert client.post("/v2/studies", content=body()).status_code == 401
        assert site.forms == []
        assert client.post("/v2/studies", content=b"x").status_code == 200


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer authorization_uri="https://evil.example/tenant", resource_id="x"',
        'Bearer authorization_uri="http://node.example/tenant", resource_id="x"',
        'Bearer authorization_uri="https://node.example:444/tenant", resource_id="x"',
        'Bearer authorization_uri="https://node.example@evil.example/tenant", resource_id="x"',
        'Bearer authorization_uri="", resource_id="x"',
        "Bearer",
        'Basic realm="x"',
    ],
)
def test_a_service_cannot_send_our_secret_elsewhere(site: _Site, challenge: str) -> None:
    site.challenge = challenge
    with site.client() as client, pytest.raises(Unauthenticated, match="--authority"):
        client.get("/v2/studies")
    assert site.forms == []


def test_with_an_authority_the_place_that_a_service_names_is_ignored(site: _Site) -> None:
    site.challenge = 'Bearer authorization_uri="https://evil.example/tenant", resource_id="api://ours"'
    with site.client(AUTHORITY) as client:
        client.get("/")
        site.valid = set()
        assert client.get("/").status_code == 200
    assert {address.split("/")[2] for address in site.addresses} == {"node.example"}


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (httpx.Response(401, json={"error": "x", "error_description": "AADSTS7: no"}), Unauthenticated, "AADSTS7"),
        (httpx.Response(400, json={"error": "invalid_scope"}), Unauthenticated, "invalid_scope"),
        (httpx.Response(200, json={}), Unauthenticated, "gave no token"),
        (httpx.Response(200, text="<html>"), Unauthenticated, "gave no token"),
        (httpx.Response(429, json={"error": "slow"}), Unavailable, "429"),
        (httpx.Response(503), Unavailable, "503"),
        (httpx.Response(200, content=b"x" * (ANSWER_SIZE_MAX_BYTES + 1)), Unavailable, "no token"),
    ],
    ids=str,
)  # fmt: skip
def test_where_no_token_is_given_the_reason_is_told_and_the_secret_is_not(
    site: _Site, answer: httpx.Response, error: type[Exception], said: str
) -> None:
    site.refused = lambda: answer
    with site.client(AUTHORITY) as client, pytest.raises(error) as refusal:
        client.get("/")
    assert said in str(refusal.value)
    assert "hush" not in str(refusal.value)
    assert "hush" not in repr(ClientSecret("me", "hush"))


@pytest.mark.parametrize(
    ("authority", "endpoint"),
    [
        ("https://login.example/t", "https://login.example/t/oauth2/v2.0/token"),
        ("https://login.example/t/", "https://login.example/t/oauth2/v2.0/token"),
        ("https://login.example/t/v2.0", "https://login.example/t/oauth2/v2.0/token"),
        ("https://kc.example/realms/r/protocol/openid-connect/token", None),
        ("http://localhost:8080/t", "http://localhost:8080/t/oauth2/v2.0/token"),
    ],
)
def test_an_authority_is_named_in_several_ways(authority: str, endpoint: str | None) -> None:
    assert token_endpoint(authority) == (endpoint or authority)


@pytest.mark.parametrize(
    "authority", ["http://login.example/t", "ftp://login.example", "login.example", "https://", ""]
)
def test_a_secret_is_sent_over_https_alone(authority: str) -> None:
    with pytest.raises(InvalidRequest):
        token_endpoint(authority)
