"""Whether a token is one that we accept (RFC 8725, RFC 9068): form, algorithm, key, signature, issuer, audience, time.

Nothing that a token says is used before its signature is verified, but for the names of its issuer and key; and those
only choose among what the operator configured. No address in a token is ever fetched.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_decode

from isocenter.domain.errors import Unauthenticated

TOKEN_SIZE_MAX = 16 * 1024
"""Entra's largest, with two hundred groups, have some 8 KB."""
SKEW_MAX_S = 60.0
"""How far the clocks of issuer and node may be apart."""
ALGORITHMS: Mapping[str, tuple[type, ...]] = {
    "RS256": (RSAPublicKey,),
    "PS256": (RSAPublicKey,),
    "ES256": (EllipticCurvePublicKey,),
    "EdDSA": (Ed25519PublicKey,),
}
"""Signatures with a public key only, each with the kind of key that it takes."""
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
REFUSED_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
"""What would have us take a key from the token, or follow rules that we do not know."""

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
Claims: TypeAlias = Mapping[str, Any]


class TokenIssuer(Protocol):
    """Somebody whose tokens are accepted."""

    @property
    def algorithms(self) -> frozenset[str]:
        """With which it signs."""

    def issued(self, claims: Claims) -> bool:
        """Tell whether a token names it as its issuer, exactly."""

    def public_key(self, key_id: str) -> PublicKey | None:
        """Return its key of that name."""


class TokenVerifier:
    """Verify tokens of some issuers for some audiences."""

    def __init__(self, issuers: Sequence[TokenIssuer], *, audiences: Sequence[str], now: Callable[[], float]) -> None:
        self._issuers = tuple(issuers)
        self._audiences = [form for one in audiences for form in (one.rstrip("/"), one.rstrip("/") + "/")]
        self._now = now

    def verify_access_token(self, token: str) -> tuple[Claims, TokenIssuer]:
        """Return what an access token claims and who issued it; raises Unauthenticated with the reason."""
        claims, issuer = self.verify(token)
        _refuse_id_token(claims)
        return claims, issuer

    def verify(self, token: str) -> tuple[Claims, TokenIssuer]:
        """Return what a token of any use claims and who issued it; raises Unauthenticated with the reason."""
        header = read_header(token)
        issuer = self._issuer(token)
        key = _key(issuer, header)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=self._audiences,
                options={
                    "require": ["exp", "iss", "aud"],
                    "verify_exp": False,  # below, with the clock that was handed in
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
        except jwt.InvalidAudienceError as error:
            raise Unauthenticated("The token is for another audience.") from error
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(f"The token has no {error.claim}.") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated("The signature of the token is not valid.") from error
        if not issuer.issued(claims):
            raise Unauthenticated("The issuer of the token is not accepted.")
        self._check_times(claims)
        return claims, issuer

    def _issuer(self, token: str) -> TokenIssuer:
        """Return who claims to have issued it; the signature will show whether that is true."""
        claims = _unverified_claims(token)
        for issuer in self._issuers:
            if issuer.issued(claims):
                return issuer
        raise Unauthenticated("The issuer of the token is not accepted.")

    def _check_times(self, claims: Claims) -> None:
        now = self._now()
        if now >= _time(claims, "exp") + SKEW_MAX_S:
            raise Unauthenticated("The token has expired.")
        for name in ("nbf", "iat"):
            if name in claims and now < _time(claims, name) - SKEW_MAX_S:
                raise Unauthenticated("The token is not valid yet.")


def read_header(token: str) -> Mapping[str, str]:
    """Return the header of a token, where it is one that we would verify; raises Unauthenticated."""
    if len(token) > TOKEN_SIZE_MAX:
        raise Unauthenticated("The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError) as error:
        raise Unauthenticated("The token cannot be read.") from error
    if not isinstance(header.get("alg"), str) or header["alg"] not in ALGORITHMS:
        raise Unauthenticated("The token is signed with an algorithm that is not accepted.")
    if not REFUSED_HEADERS.isdisjoint(header):
        raise Unauthenticated("The token brings its own key or rules.")
    if "typ" in header and str(header["typ"]).lower() not in TYPES:
        raise Unauthenticated("The token is not an access token.")
    if not isinstance(header.get("kid"), str) or not header["kid"]:
        raise Unauthenticated("The token does not name its key.")
    return header


def _unverified_claims(token: str) -> Claims:
    try:
        part = token.split(".")[1].encode()
        claims = json.loads(base64url_decode(part))
    except (ValueError, IndexError, RecursionError) as error:
        raise Unauthenticated("The token cannot be read.") from error
    if not isinstance(claims, dict):
        raise Unauthenticated("The token cannot be read.")
    return claims


def _key(issuer: TokenIssuer, header: Mapping[str, str]) -> PublicKey:
    algorithm = header["alg"]
    key = issuer.public_key(header["kid"])
    if key is None:
        raise Unauthenticated("The token is signed with a key that is not known.")
    if algorithm not in issuer.algorithms or not isinstance(key, ALGORITHMS[algorithm]):
        raise Unauthenticated("The token is signed with an algorithm that is not accepted.")
    return key


def _time(claims: Claims, name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unauthenticated(f"The {name} of the token is not a time.")
    return float(value)


def _refuse_id_token(claims: Claims) -> None:
    """Refuse what tells a client who signed in: it gives the client no right at a service (RFC 8725 3.12)."""
    kind = str(claims.get("typ", "")).lower()  # Keycloak writes it among the claims
    is_for_sign_in = "at_hash" in claims or "c_hash" in claims or ("nonce" in claims and kind != "bearer")
    if kind in {"id", "refresh", "logout"} or is_for_sign_in:
        raise Unauthenticated("The token is not an access token.")
