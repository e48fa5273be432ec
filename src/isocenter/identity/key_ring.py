"""The keys with which tokens are signed: made at the first start, changed in time, known before they sign.

    published ──── a day ────▶ signs ──── a month ────▶ published still, while its tokens are about ────▶ forgotten

So whoever keeps a copy of the keys has the next one before it needs it. Several processes may share the store.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import RSAAlgorithm

from isocenter.domain.directory import SigningKey
from isocenter.domain.errors import Broken
from isocenter.ports.grants import SigningKeys

ALGORITHM = "RS256"
KEY_SIZE_BITS = 2048
"""What Azure's keys have; enough until 2030 by NIST SP 800-57."""
DAY_S = 86_400.0
SIGNS_FOR_S = 30 * DAY_S
PUBLISHED_BEFORE_S = DAY_S
"""Longer than anybody is advised to keep a copy of the keys."""
PUBLISHED_AFTER_S = DAY_S
"""Longer than any token that it signed is valid."""
ATTEMPTS_MAX = 5
"""Of changing keys while other processes do; one of them succeeds each time."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """How long keys live."""

    signs_for_s: float = SIGNS_FOR_S
    published_before_s: float = PUBLISHED_BEFORE_S
    published_after_s: float = PUBLISHED_AFTER_S


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done with the keys at a moment."""

    next_signs_from: float | None
    """From when on a further key is to sign; None where none is needed."""
    expired: tuple[str, ...]


def due(keys: Sequence[SigningKey], *, now: float, rotation: Rotation) -> Due:
    """Return what is to be done with the keys."""
    expired = tuple(key.key_id for key in keys if key.published_until <= now)
    last = max((key.signs_until for key in keys if key.signs_until > now), default=None)
    if last is None:
        return Due(now, expired)
    return Due(last if last - now < rotation.published_before_s else None, expired)


def signing_at(keys: Sequence[SigningKey], now: float) -> SigningKey | None:
    """Return the key that signs: of those whose time it is, the newest."""
    ready = [key for key in keys if key.signs_from <= now < key.signs_until]
    return max(ready, key=lambda key: key.signs_from, default=None)


class KeyRing:
    """Sign, and show what signatures are verified with; safe for threads."""

    def __init__(self, store: SigningKeys, now: Callable[[], float], rotation: Rotation | None = None) -> None:
        self._store = store
        self._now = now
        self._rotation = rotation or Rotation()
        self._lock = threading.Lock()
        self._keys: Sequence[SigningKey] = ()
        self._revision: int | None = None
        self._private: dict[str, rsa.RSAPrivateKey] = {}

    def refresh(self) -> None:
        """Read the keys anew, and change them where that is due."""
        for _ in range(ATTEMPTS_MAX):
            revision, keys = self._store.revision(), self._store.signing_keys()
            wanted = due(keys, now=self._now(), rotation=self._rotation)
            if wanted.next_signs_from is None and not wanted.expired:
                self._take(keys, revision)
                return
            add = [] if wanted.next_signs_from is None else [self._new_key(wanted.next_signs_from)]
            self._store.change_signing_keys(add=add, remove=wanted.expired, known=[key.key_id for key in keys])
        raise Broken()

    def replace_now(self, *, forget_old: bool) -> None:
        """Sign with a new key from now on; with `forget_old` all tokens that were signed before are void."""
        now = self._now()
        for _ in range(ATTEMPTS_MAX):
            keys = self._store.signing_keys()
            until = now + self._rotation.published_after_s
            kept = [
                replace(key, signs_until=min(key.signs_until, now), published_until=min(key.published_until, until))
                for key in keys
                if not forget_old and key.signs_from <= now
            ]
            known = [key.key_id for key in keys]
            if self._store.change_signing_keys(add=[*kept, self._new_key(now)], remove=known, known=known):
                self.refresh()
                return
        raise Broken()

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return claims as a token."""
        key = signing_at(self._known_keys(), self._now())
        if key is None:
            self.refresh()
            key = signing_at(self._keys, self._now())
        assert key is not None, "refresh leaves a key that signs"
        return jwt.encode(dict(claims), self._private_key(key), ALGORITHM, headers={"kid": key.key_id})

    def public_key(self, key_id: str) -> rsa.RSAPublicKey | None:
        """Return the key that verifies what the key of that name signed."""
        for key in self._known_keys():
            if key.key_id == key_id and self._now() < key.published_until:
                return self._private_key(key).public_key()
        return None

    def documents(self) -> list[dict[str, Any]]:
        """Return the published keys as JSON Web Keys."""
        now = self._now()
        return [self._document(key) for key in self._known_keys() if now < key.published_until]

    def _document(self, key: SigningKey) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self._private_key(key).public_key(), as_dict=True)
        return {"kty": "RSA", "use": "sig", "kid": key.key_id, "n": public["n"], "e": public["e"]}

    def _known_keys(self) -> Sequence[SigningKey]:
        """Return the keys, read anew where another process has changed something."""
        if self._store.revision() != self._revision:
            self.refresh()
        return self._keys

    def _take(self, keys: Sequence[SigningKey], revision: int) -> None:
        with self._lock:
            self._revision = revision
            self._keys = tuple(keys)
            here = {key.key_id for key in keys}
            self._private = {key_id: private for key_id, private in self._private.items() if key_id in here}

    def _private_key(self, key: SigningKey) -> rsa.RSAPrivateKey:
        with self._lock:
            found = self._private.get(key.key_id)
            if found is None:
                loaded = load_pem_private_key(key.private_pem, None)
                assert isinstance(loaded, rsa.RSAPrivateKey), "the store holds what new_key made"
                found = self._private[key.key_id] = loaded
            return found

    def _new_key(self, signs_from: float) -> SigningKey:
        signs_until = signs_from + self._rotation.signs_for_s
        private = rsa.generate_private_key(65537, KEY_SIZE_BITS)
        return SigningKey(
            key_id=secrets.token_urlsafe(20),
            private_pem=private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            created_at=self._now(),
            signs_from=signs_from,
            signs_until=signs_until,
            published_until=signs_until + self._rotation.published_after_s,
        )
