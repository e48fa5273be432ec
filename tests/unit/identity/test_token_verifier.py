"""Which tokens are accepted; every other one is refused, and none has an address in it fetched."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from isocenter.domain.errors import Unauthenticated
from isocenter.identity.token_verifier import SKEW_MAX_S, TOKEN_SIZE_MAX, Claims, PublicKey, TokenVerifier
from tests.support.identity import AUDIENCE, START, Seconds, encode_part, foreign_key

ISSUER = "https://issuer.example/tenant/v2.0"
RSA_KEY, OTHER_RSA_KEY = foreign_key(1), foreign_key(2)
EC_KEY, ED_KEY = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "somebody",
    "iat": START,
    "nbf": START,
    "exp": START + 3600,
}


class _Issuer:
    """An issuer with a key of each kind."""

    algorithms = frozenset({"RS256", "PS256", "ES256", "EdDSA"})

    def __init__(self) -> None:
        self.asked: list[str] = []

    def issued(self, claims: Claims) -> bool:
        return claims.get("iss") == ISSUER

    def public_key(self, key_id: str) -> PublicKey | None:
        self.asked.append(key_id)
        keys: dict[str, PublicKey] = {
            "rsa": RSA_KEY.public_key(),
            "ec": EC_KEY.public_key(),
            "ed": ED_KEY.public_key(),
        }
        return keys.get(key_id)


@pytest.fixture
def now() -> Seconds:
    return Seconds(START + 10)


@pytest.fixture
def verifier(now: Seconds) -> TokenVerifier:
    return TokenVerifier([_Issuer()], audiences=[AUDIENCE, "api://other/"], now=now)


def _sign(
    changes: dict[str, Any] | None = None,
    *,
    without: str = "",
    algorithm: str = "RS256",
    key: Any = RSA_KEY,
    **headers: Any,
) -> str:
    claims = {name: value for name, value in {**CLAIMS, **(changes or {})}.items() if name != without}
    return jwt.api_jws.encode(
        json.dumps(claims).encode(), key, algorithm, headers={"typ": "JWT", "kid": "rsa", **headers}
    )


def _forge(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    signed = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    return f"{encode_part(header)}.{encode_part(claims)}.{signed}"


def _signed_with_the_public_key_as_secret() -> str:
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = f"{encode_part({'alg': 'HS256', 'kid': 'rsa'})}.{encode_part(CLAIMS)}"
    signature = hmac.digest(pem, body.encode(), hashlib.sha256)
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    ("algorithm", "key", "key_id"),
    [("RS256", RSA_KEY, "rsa"), ("PS256", RSA_KEY, "rsa"), ("ES256", EC_KEY, "ec"), ("EdDSA", ED_KEY, "ed")],
)
def test_a_good_token_is_accepted(verifier: TokenVerifier, algorithm: str, key: Any, key_id: str) -> None:
    claims, issuer = verifier.verify_access_token(_sign(algorithm=algorithm, key=key, kid=key_id))
    assert claims == CLAIMS
    assert isinstance(issuer, _Issuer)


@pytest.mark.parametrize(
    "audience", [AUDIENCE, AUDIENCE + "/", "api://other", "api://other/", ["api://third", AUDIENCE]]
)
def test_any_of_our_audiences_will_do_with_or_without_a_slash(verifier: TokenVerifier, audience: object) -> None:
    verifier.verify(_sign({"aud": audience}))


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_types_of_access_tokens_are_accepted(verifier: TokenVerifier, kind: str) -> None:
    verifier.verify(_sign(typ=kind))


@pytest.mark.parametrize(
    "changes", [{"exp": START - 49}, {"nbf": START + 69}, {"iat": START + 69, "nbf": START + 69}], ids=str
)
def test_clocks_may_differ_by_a_minute(verifier: TokenVerifier, changes: dict[str, Any]) -> None:
    verifier.verify(_sign(changes))


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "nothing": (lambda: "", "cannot be read"),
    "no token": (lambda: "a.b", "cannot be read"),
    "not base64": (lambda: "\u00e4.\u00e4.\u00e4", "cannot be read"),
    "without signature": (lambda: _sign().rpartition(".")[0], "cannot be read"),
    "header not an object": (lambda: f"{encode_part([1])}.{encode_part(CLAIMS)}.YQ", "cannot be read"),
    "claims not an object": (lambda: f"{encode_part({'alg': 'RS256', 'kid': 'rsa'})}.{encode_part([1])}.YQ", "cannot"),
    "a megabyte": (lambda: _sign({"filler": "x" * 1_000_000}), "too long"),
    "one letter too long": (lambda: "x" * (TOKEN_SIZE_MAX + 1), "too long"),
    "truncated": (lambda: _sign()[:-4], ""),
    "a letter changed": (lambda: _sign()[:-9] + ("A" if _sign()[-9] != "A" else "B") + _sign()[-8:], "signature"),
    "claims changed": (
        lambda: ".".join([_sign().split(".")[0], encode_part({**CLAIMS, "sub": "other"}), _sign().split(".")[2]]),
        "signature",
    ),
    "alg none": (lambda: _forge({"alg": "none", "kid": "rsa"}, CLAIMS), "algorithm"),
    "alg None": (lambda: _forge({"alg": "None", "kid": "rsa"}, CLAIMS), "algorithm"),
    "alg missing": (lambda: _forge({"kid": "rsa"}, CLAIMS), "algorithm"),
    "alg a list": (lambda: _forge({"alg": ["RS256"], "kid": "rsa"}, CLAIMS), ""),
    "HS256 with the public key": (_signed_with_the_public_key_as_secret, "algorithm"),
    "RS512": (lambda: _sign(algorithm="RS512"), "algorithm"),
    "ES256 named, RSA key": (lambda: _sign(algorithm="ES256", key=EC_KEY, kid="rsa"), "algorithm"),
    "RS256 named, EC key": (lambda: _sign(kid="ec"), "algorithm"),
    "another's key": (lambda: _sign(key=OTHER_RSA_KEY), "signature"),
    "unknown kid": (lambda: _sign(kid="unknown"), "key that is not known"),
    "kid a path": (lambda: _sign(kid="../../etc/passwd"), "key that is not known"),
    "kid SQL": (lambda: _sign(kid="' OR 1=1 --"), "key that is not known"),
    "kid empty": (lambda: _sign(kid=""), "does not name its key"),
    "kid missing": (lambda: jwt.encode(CLAIMS, RSA_KEY, "RS256"), "does not name its key"),
    "kid a number": (lambda: _forge({"alg": "RS256", "kid": 1}, CLAIMS), ""),
    "jku": (lambda: _sign(jku="https://evil.example/keys"), "brings its own"),
    "x5u": (lambda: _sign(x5u="https://evil.example/chain"), "brings its own"),
    "x5c": (lambda: _sign(x5c=["MIIB"]), "brings its own"),
    "jwk": (lambda: _sign(jwk={"kty": "RSA", "n": "AQAB", "e": "AQAB"}), "brings its own"),
    "crit": (lambda: _sign(crit=["b64"], b64=True), ""),
    "typ of another use": (lambda: _sign(typ="logout+jwt"), "not an access token"),
    "iss of another": (lambda: _sign({"iss": "https://evil.example/"}), "issuer"),
    "iss almost ours": (lambda: _sign({"iss": ISSUER + "/"}), "issuer"),
    "iss a list": (lambda: _sign({"iss": [ISSUER]}), "issuer"),
    "iss missing": (lambda: _sign(without="iss"), "issuer"),
    "aud of another": (lambda: _sign({"aud": "https://management.azure.com"}), "audience"),
    "aud almost ours": (lambda: _sign({"aud": AUDIENCE + ".evil.example"}), "audience"),
    "aud empty": (lambda: _sign({"aud": []}), "aud"),
    "aud missing": (lambda: _sign(without="aud"), "aud"),
    "expired": (lambda: _sign({"exp": START + 10 - SKEW_MAX_S}), "expired"),
    "exp missing": (lambda: _sign(without="exp"), "exp"),
    "exp a text": (lambda: _sign({"exp": "later"}), "not a time"),
    "exp true": (lambda: _sign({"exp": True}), "not a time"),
    "exp infinite": (lambda: _sign({"exp": math.inf}), "not a time"),
    "nbf in the future": (lambda: _sign({"nbf": START + 11 + SKEW_MAX_S}), "not valid yet"),
    "nbf a text": (lambda: _sign({"nbf": "now"}), "not a time"),
    "iat in the future": (lambda: _sign({"iat": START + 11 + SKEW_MAX_S}), "not valid yet"),
    "an ID token": (lambda: _sign({"nonce": "n"}), "not an access token"),
    "an ID token with at_hash": (lambda: _sign({"at_hash": "h", "typ": "Bearer"}), "not an access token"),
    "an ID token of Keycloak": (lambda: _sign({"typ": "ID"}), "not an access token"),
    "a refresh token of Keycloak": (lambda: _sign({"typ": "Refresh"}), "not an access token"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_with_the_reason(verifier: TokenVerifier, name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(Unauthenticated) as refusal:
        verifier.verify_access_token(make())
    assert reason in refusal.value.message


def test_deep_nesting_is_refused() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 10_000).rstrip(b"=").decode()
    header = encode_part({"alg": "RS256", "kid": "rsa"})
    verifier = TokenVerifier([_Issuer()], audiences=[AUDIENCE], now=Seconds())
    for token in (f"{deep}.{encode_part(CLAIMS)}.YQ", f"{header}.{deep}.YQ"):
        with pytest.raises(Unauthenticated):
            verifier.verify(token)


def test_a_key_counts_for_its_own_issuer_alone(now: Seconds) -> None:
    class Other(_Issuer):
        def issued(self, claims: Claims) -> bool:
            return claims.get("iss") == "https://other.example/"

        def public_key(self, key_id: str) -> PublicKey | None:
            return OTHER_RSA_KEY.public_key()

    verifier = TokenVerifier([_Issuer(), Other()], audiences=[AUDIENCE], now=now)
    verifier.verify(_sign({"iss": "https://other.example/"}, key=OTHER_RSA_KEY))
    with pytest.raises(Unauthenticated):
        verifier.verify(_sign({"iss": "https://other.example/"}))
    with pytest.raises(Unauthenticated):
        verifier.verify(_sign(key=OTHER_RSA_KEY))


def test_no_reason_repeats_the_token(verifier: TokenVerifier) -> None:
    for make, _ in REFUSED.values():
        token = make()
        with pytest.raises(Unauthenticated) as refusal:
            verifier.verify_access_token(token)
        assert not any(len(part) > 8 and part in refusal.value.message for part in token.split("."))


def test_what_is_kept_of_a_claim_is_what_was_signed(verifier: TokenVerifier) -> None:
    claims, _ = verifier.verify(_sign({"roles": ["a"], "deep": {"b": [1]}}))
    assert json.loads(json.dumps(claims)) == {**CLAIMS, "roles": ["a"], "deep": {"b": [1]}}
    assert isinstance(RSA_KEY, rsa.RSAPrivateKey)
