"""Keys of an external issuer: fetched when they are needed, and not more often (S5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from structlog.testing import capture_logs

from isocenter.domain.errors import InvalidSetting, Unauthenticated, Unavailable
from isocenter.identity.external_issuer import (
    REFRESH_AFTER_S,
    UNKNOWN_KEY_INTERVAL_S,
    ExternalIssuer,
    is_safe_address,
)
from isocenter.identity.token_verifier import TokenVerifier
from tests.support.identity import AUDIENCE, START, Seconds, foreign_key

URL = "https://issuer.example/.well-known/openid-configuration"
DOCUMENT = {
    "issuer": "https://issuer.example",
    "jwks_uri": "https://issuer.example/keys",
    "authorization_endpoint": "https://issuer.example/authorize",
    "token_endpoint": "https://issuer.example/token",
}


class _Web:
    """The issuer's answers, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {"one": 1}
        self.is_down = False
        self.asked: list[str] = []
        self.document: Any = dict(DOCUMENT)
        self.others: list[dict[str, Any]] = []

    def fetch(self, url: str) -> Any:
        self.asked.append(url)
        if self.is_down:
            raise Unavailable("down")
        if url == URL:
            return self.document
        keys = [
            {**RSAAlgorithm.to_jwk(foreign_key(number).public_key(), as_dict=True), "kid": name, "use": "sig"}
            for name, number in self.keys.items()
        ]
        return {"keys": [*keys, *self.others]}


@pytest.fixture
def web() -> _Web:
    return _Web()


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def issuer(web: _Web, clock: Seconds) -> Iterator[ExternalIssuer]:
    with capture_logs():
        yield ExternalIssuer(URL, fetch=web.fetch, monotonic_s=clock)


def _token(key_id: str, number: int) -> str:
    claims = {"iss": "https://issuer.example", "aud": AUDIENCE, "exp": START + 10_000_000}
    return jwt.encode(claims, foreign_key(number), "RS256", headers={"kid": key_id})


def test_nothing_is_asked_before_it_is_needed(web: _Web, issuer: ExternalIssuer) -> None:
    assert web.asked == []
    assert issuer.document is None
    assert issuer.is_stale()
    assert not issuer.issued({"iss": "https://issuer.example"})


def test_tokens_are_verified_with_the_published_keys(web: _Web, issuer: ExternalIssuer, clock: Seconds) -> None:
    assert issuer.refresh()
    verifier = TokenVerifier([issuer], audiences=[AUDIENCE], now=clock)
    verifier.verify_access_token(_token("one", 1))
    with pytest.raises(Unauthenticated, match="signature"):
        verifier.verify_access_token(_token("one", 2))
    assert len(web.asked) == 2


def test_while_the_issuer_is_down_the_last_good_keys_serve_on(
    web: _Web, issuer: ExternalIssuer, clock: Seconds
) -> None:
    issuer.refresh()
    web.is_down = True
    clock.advance(REFRESH_AFTER_S)
    assert issuer.is_stale()
    assert not issuer.refresh()
    TokenVerifier([issuer], audiences=[AUDIENCE], now=clock).verify(_token("one", 1))


def test_a_new_key_is_accepted_after_one_fetch(web: _Web, issuer: ExternalIssuer, clock: Seconds) -> None:
    issuer.refresh()
    clock.advance(UNKNOWN_KEY_INTERVAL_S)
    web.keys["two"] = 2
    assert issuer.lacks("two")
    assert issuer.refresh()
    assert len(web.asked) == 4
    TokenVerifier([issuer], audiences=[AUDIENCE], now=clock).verify(_token("two", 2))


def test_ten_thousand_unknown_keys_cost_one_fetch_a_minute(web: _Web, issuer: ExternalIssuer, clock: Seconds) -> None:
    issuer.refresh()
    before = len(web.asked)
    for number in range(10_000):
        clock.advance(0.006)
        if issuer.lacks(f"random {number}"):
            issuer.refresh()
    assert len(web.asked) - before <= 2


def test_a_down_issuer_is_not_asked_for_each_caller(web: _Web, issuer: ExternalIssuer, clock: Seconds) -> None:
    web.is_down = True
    for _ in range(100):
        issuer.refresh()
    assert len(web.asked) == 1
    clock.advance(UNKNOWN_KEY_INTERVAL_S)
    web.is_down = False
    assert issuer.is_stale()
    assert issuer.refresh()


def test_keys_are_fetched_anew_once_a_day(issuer: ExternalIssuer, clock: Seconds) -> None:
    issuer.refresh()
    assert not issuer.is_stale()
    clock.advance(REFRESH_AFTER_S - 1)
    assert not issuer.is_stale()
    clock.advance(1)
    assert issuer.is_stale()


def test_a_key_that_is_no_longer_published_is_forgotten(web: _Web, issuer: ExternalIssuer, clock: Seconds) -> None:
    issuer.refresh()
    web.keys = {"two": 2}
    clock.advance(REFRESH_AFTER_S)
    issuer.refresh()
    assert issuer.public_key("one") is None


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "RSA", "kid": "broken"},
        {"kid": "nothing"},
        {"kty": "RSA", "kid": "numbers", "n": 1, "e": 2},
        {"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AQ", "y": "AQ"},
        {"kty": "RSA", "alg": "none", "kid": "none", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "alg": ["RS256"], "kid": "list", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "use": "enc", "kid": "encryption", "n": "AQAB", "e": "AQAB"},
        "text",
    ],
    ids=str,
)
def test_what_is_no_public_key_for_signatures_is_left_out(web: _Web, issuer: ExternalIssuer, other: Any) -> None:
    web.others = [other]
    assert issuer.refresh()
    assert issuer.public_key("one") is not None
    assert not isinstance(other, dict) or issuer.public_key(other["kid"]) is None


def test_keys_of_elliptic_curves_are_taken(web: _Web, issuer: ExternalIssuer) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    web.others = [{**ECAlgorithm.to_jwk(key, as_dict=True), "kid": "curve"}]
    issuer.refresh()
    assert issuer.public_key("curve") == key


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ""},
        {"issuer": ["https://issuer.example"]},
        {"jwks_uri": "http://issuer.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user@issuer.example/keys"},
        {"token_endpoint": "http://169.254.169.254/token"},
    ],
    ids=str,
)
def test_a_document_that_is_not_safe_is_not_used(web: _Web, issuer: ExternalIssuer, change: dict[str, Any]) -> None:
    web.document |= change
    assert not issuer.refresh()
    assert issuer.document is None


@pytest.mark.parametrize("document", [None, [], "text", {"keys": []}])
def test_what_is_no_document_is_not_used(web: _Web, issuer: ExternalIssuer, document: Any) -> None:
    web.document = document
    assert not issuer.refresh()


@pytest.mark.parametrize(
    ("address", "is_safe"),
    [
        ("https://login.example/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True),
        ("http://login.example/x", False),
        ("http://169.254.169.254/x", False),
        ("file:///x", False),
        ("https://", False),
        ("", False),
    ],
)
def test_keys_come_over_https_or_from_this_machine(address: str, is_safe: bool) -> None:
    assert is_safe_address(address) is is_safe
    if not is_safe:
        with pytest.raises(InvalidSetting, match="https"):
            ExternalIssuer(address, fetch=lambda url: None, monotonic_s=lambda: 0.0)
