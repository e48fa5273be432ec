"""Authorization codes and refresh tokens: what they stand for, and that each is used once (RFC 6749 4.1, 6; RFC 7636).

Both are random; the store has only their digests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass

from isocenter.domain.directory import Grant, GrantKind
from isocenter.identity.access_token import TokenVersion
from isocenter.identity.provider.provider import Provider
from isocenter.identity.provider.refusal import (
    CODE_GONE,
    CODE_OF_ANOTHER,
    REFRESH_GONE,
    WRONG_VERIFIER,
    OAuthRefusal,
)
from isocenter.identity.provider.scopes import Asked
from isocenter.identity.sessions import digest_of

CODE_LIFETIME_S = 120.0
"""A redirect takes a moment; RFC 6749 4.1.2 asks for ten minutes at most."""
REFRESH_LIFETIME_S = 24 * 3600.0
SIZE_BYTES = 32
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person let a client do, and what the client needs to show that it is the same one."""

    audience: str
    version: str
    wants_id_token: bool
    wants_refresh_token: bool
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str = ""

    def asked(self) -> Asked:
        """Return what tokens are to be for."""
        return Asked(self.audience, self.wants_id_token, self.wants_refresh_token)

    def token_version(self) -> TokenVersion:
        """Return in which form tokens are to be."""
        return TokenVersion(self.version)


def issue_code(provider: Provider, consent: Consent, *, object_id: str, client_id: str) -> str:
    """Return a new authorization code."""
    return _issue(provider, GrantKind.CODE, consent, object_id, client_id, CODE_LIFETIME_S)


def issue_refresh_token(provider: Provider, consent: Consent, *, object_id: str, client_id: str) -> str:
    """Return a new refresh token."""
    return _issue(provider, GrantKind.REFRESH, consent, object_id, client_id, REFRESH_LIFETIME_S)


def peek_redirect_uri(provider: Provider, code: str) -> str:
    """Return where a code was sent to; the code stays as it is. Raises OAuthRefusal for one that is gone."""
    found = provider.store.grant(GrantKind.CODE, digest_of(code))
    if found is None:
        raise OAuthRefusal(CODE_GONE)
    return _consent(found).redirect_uri


def redeem_code(
    provider: Provider, code: str, *, client_id: str, redirect_uri: str, verifier: str
) -> tuple[Consent, str]:
    """Return what a code stands for and who gave it, and forget it; raises OAuthRefusal."""
    found = provider.store.take_grant(GrantKind.CODE, digest_of(code))
    if found is None or provider.now() >= found.expires_at:
        raise OAuthRefusal(CODE_GONE)
    consent = _consent(found)
    if found.client_id != client_id or consent.redirect_uri != redirect_uri:
        raise OAuthRefusal(CODE_OF_ANOTHER)
    if not _fits(verifier, consent.challenge):
        raise OAuthRefusal(WRONG_VERIFIER)
    return consent, found.object_id


def redeem_refresh_token(provider: Provider, token: str, *, client_id: str) -> tuple[Consent, str]:
    """Return what a refresh token stands for and whom, and forget it; raises OAuthRefusal."""
    found = provider.store.take_grant(GrantKind.REFRESH, digest_of(token))
    if found is None or provider.now() >= found.expires_at or found.client_id != client_id:
        raise OAuthRefusal(REFRESH_GONE)
    return _consent(found), found.object_id


def challenge_of(verifier: str) -> str:
    """Return the challenge of a verifier by method S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _fits(verifier: str, challenge: str) -> bool:
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    return hmac.compare_digest(challenge_of(verifier).encode(), challenge.encode())


def _issue(
    provider: Provider, kind: GrantKind, consent: Consent, object_id: str, client_id: str, lifetime_s: float
) -> str:
    secret, now = secrets.token_urlsafe(SIZE_BYTES), provider.now()
    details = json.dumps(asdict(consent))
    provider.store.add_grant(Grant(kind, digest_of(secret), object_id, client_id, now + lifetime_s, now, details))
    return secret


def _consent(grant: Grant) -> Consent:
    return Consent(**json.loads(grant.details))
