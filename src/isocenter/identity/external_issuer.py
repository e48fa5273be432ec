"""An external OpenID Connect issuer (Entra ID, Keycloak), by the address of its discovery document.

Its keys are kept. They are fetched again once a day, and when a token names a key that is not among them, at most once
a minute: a flood of forged names costs nothing. While the issuer is down the last good keys serve on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from isocenter.domain.errors import InvalidSetting, IsocenterError, Unavailable
from isocenter.identity.host_names import is_loopback
from isocenter.identity.token_verifier import ALGORITHMS, Claims, PublicKey

_log = structlog.get_logger()

REFRESH_AFTER_S = 86_400.0
"""How old keys may become; issuers publish a new one days before it signs."""
UNKNOWN_KEY_INTERVAL_S = 60.0
"""Least time between two fetches for keys that are not known."""
KEYS_MAX = 100
"""Entra publishes some ten."""
Fetch = Callable[[str], Any]
"""From an address to the JSON that is there; raises an error of the domain."""


@dataclass(frozen=True, slots=True)
class IssuerDocument:
    """What an issuer says of itself, as far as we use it."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    end_session_endpoint: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was learned from the issuer, at once and whole."""

    document: IssuerDocument
    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    fetched_at: float = 0.0


class ExternalIssuer:
    """An issuer that somebody else runs; safe for threads."""

    algorithms = frozenset(ALGORITHMS)

    def __init__(self, discovery_url: str, *, fetch: Fetch, monotonic_s: Callable[[], float]) -> None:
        """Take note of it without asking; raises InvalidSetting for an address that is not safe."""
        self.discovery_url = discovery_url
        if not is_safe_address(discovery_url):
            raise InvalidSetting(f"identity.issuers must be https addresses, which {discovery_url!r} is not.")
        self._fetch = fetch
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._tried_at = float("-inf")

    @property
    def document(self) -> IssuerDocument | None:
        """Return what the issuer says of itself; None before it was reached."""
        return None if self._known is None else self._known.document

    def issued(self, claims: Claims) -> bool:
        """Tell whether a token names it as its issuer, exactly."""
        return self._known is not None and claims.get("iss") == self._known.document.issuer

    def public_key(self, key_id: str) -> PublicKey | None:
        """Return its key of that name."""
        return None if self._known is None else self._known.keys.get(key_id)

    def lacks(self, key_id: str) -> bool:
        """Tell whether it is time to ask the issuer for a key of that name: not known, and nobody asked just now."""
        if self.public_key(key_id) is not None:
            return False
        return self._monotonic_s() - self._tried_at >= UNKNOWN_KEY_INTERVAL_S

    def is_stale(self) -> bool:
        """Tell whether its keys were not fetched for a day, or never."""
        now = self._monotonic_s()
        if now - self._tried_at < UNKNOWN_KEY_INTERVAL_S:
            return False
        return self._known is None or now - self._known.fetched_at >= REFRESH_AFTER_S

    def refresh(self) -> bool:
        """Fetch document and keys, unless somebody just did; return whether that succeeded. What was good stays."""
        with self._lock:
            now = self._monotonic_s()
            if now - self._tried_at < UNKNOWN_KEY_INTERVAL_S:
                return False
            self._tried_at = now
            try:
                self._known = self._ask(now)
            except IsocenterError as error:
                _log.warning("identity.issuer_unreachable", issuer=self.discovery_url, reason=error.message)
                return False
            _log.info("identity.keys_fetched", issuer=self._known.document.issuer, keys=len(self._known.keys))
            return True

    def _ask(self, now: float) -> _Known:
        document = _read_document(self._fetch(self.discovery_url), self.discovery_url)
        return _Known(document, _read_keys(self._fetch(document.jwks_uri)), now)


def is_safe_address(url: str) -> bool:
    """Tell whether keys may be fetched from an address: https, or this machine."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def _read_document(fetched: object, discovery_url: str) -> IssuerDocument:
    if not isinstance(fetched, dict):
        raise Unavailable(f"{discovery_url} is not a discovery document.")
    texts = {name: fetched.get(name, "") for name in IssuerDocument.__dataclass_fields__}
    if not all(isinstance(text, str) for text in texts.values()) or not texts["issuer"]:
        raise Unavailable(f"{discovery_url} is not a discovery document.")
    for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "end_session_endpoint"):
        if (texts[name] or name == "jwks_uri") and not is_safe_address(texts[name]):
            raise Unavailable(f"The {name} in {discovery_url} is not an https address.")
    return IssuerDocument(**texts)


def _read_keys(fetched: object) -> Mapping[str, PublicKey]:
    listed = fetched.get("keys") if isinstance(fetched, dict) else None
    if not isinstance(listed, list):
        raise Unavailable("The keys of the issuer cannot be read.")
    keys: dict[str, PublicKey] = {}
    for one in listed[:KEYS_MAX]:
        if isinstance(one, dict) and isinstance(one.get("kid"), str) and one.get("use", "sig") == "sig":
            key = _read_key(one)
            if key is not None:
                keys[one["kid"]] = key
    if not keys:
        raise Unavailable("The issuer publishes no key that can be used.")
    return keys


def _read_key(document: Mapping[str, Any]) -> PublicKey | None:
    """Return a public key, None for one of a kind that is not used for signing, and for one that is broken."""
    usual = _USUAL.get(str(document.get("kty")))
    if usual is None:
        return None
    try:
        key = jwt.PyJWK(dict(document), algorithm=None if "alg" in document else usual).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, NotImplementedError):  # whatever the issuer wrote
        return None
    return key if isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey) else None


_USUAL = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
"""The algorithm of a key that names none, by its kind."""
