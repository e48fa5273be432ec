"""Whether a client is who it says it is."""

from __future__ import annotations

from isocenter.domain.directory import Application, ClientSecret, Tenant
from isocenter.domain.errors import Overloaded
from isocenter.identity.attempts import Counted, TooManyAttempts
from isocenter.identity.hashing import SecretHasher
from isocenter.identity.provider.form import ClientClaim
from isocenter.identity.provider.provider import Provider
from isocenter.identity.provider.refusal import (
    BUSY,
    EXPIRED_SECRET,
    MISSING_SECRET,
    TOO_MANY,
    WRONG_SECRET,
    OAuthRefusal,
)
from isocenter.ports.directory import Directory

FAILURES_OF_CLIENT_MAX = 10
"""From one address, in five minutes: enough for somebody who pastes the wrong line, useless for guessing."""
FAILURES_OF_ADDRESS_MAX = 100
SECRETS_MAX = 10
"""Of an application at a time; each that begins alike may have to be compared."""
HINT_LENGTH = 3
"""As Entra shows: the first letters, by which people tell secrets apart."""


def hint_of(secret: str) -> str:
    """Return by what a secret is recognized."""
    return secret[:HINT_LENGTH]


def authenticate_client(
    provider: Provider, claim: ClientClaim, tenant: Tenant, *, address: str, needs_secret: bool = True
) -> Application:
    """Return the application that a client is; raises OAuthRefusal.

    A client that need not show a secret is still refused where it shows a wrong one.
    """
    counted = (
        Counted(f"client {address} {claim.client_id[:64]}", FAILURES_OF_CLIENT_MAX),
        Counted(f"address {address}", FAILURES_OF_ADDRESS_MAX),
    )
    try:
        provider.failures.check(counted)
        application = provider.application(claim.client_id, tenant)
        if claim.secret is None:
            if needs_secret:
                raise OAuthRefusal(MISSING_SECRET)
            return application
        _check_secret(provider, application, claim.secret)
    except TooManyAttempts as error:
        raise OAuthRefusal(TOO_MANY, retry_after_s=error.retry_after_s) from error
    except Overloaded as error:
        raise OAuthRefusal(BUSY, retry_after_s=1) from error
    except OAuthRefusal:
        provider.failures.note_failure(counted)
        raise
    return application


def _check_secret(provider: Provider, application: Application, shown: str) -> None:
    found = find_secret(provider.store, provider.hasher, application.client_id, shown)
    if found is None:
        raise OAuthRefusal(WRONG_SECRET)
    if provider.now() >= found.expires_at:
        raise OAuthRefusal(EXPIRED_SECRET)


def find_secret(directory: Directory, hasher: SecretHasher, client_id: str, shown: str) -> ClientSecret | None:
    """Return which secret of an application was shown, expired or not; raises Overloaded."""
    candidates = [one for one in directory.secrets(client_id) if one.hint == hint_of(shown)]
    if not candidates:
        hasher.matches(shown, None)  # so that a wrong beginning takes as long as a wrong end
    return next((one for one in candidates[:SECRETS_MAX] if hasher.matches(shown, one.digest)), None)
