"""Whether the user whom an association names is known, and proves it: by a passcode or by a token (PS3.7 D.3.3.7).

People and applications of the directory have names and passcodes (an application's are its secrets); tokens are those
of the issuers that HTTP callers may use too. Failed attempts count together with those of the console's sign-in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from isocenter.domain.directory import Application, User
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.principal import Principal
from isocenter.identity.attempts import FailureLimiter
from isocenter.identity.external_issuer import ExternalIssuer
from isocenter.identity.hashing import SecretHasher
from isocenter.identity.password import TENANTS_TRIED_MAX, find_person, people_named, sign_in_attempts
from isocenter.identity.principals import RoleRules, principal_of_claims, with_roles
from isocenter.identity.provider.clients import find_secret
from isocenter.identity.remembered import RememberedPrincipals
from isocenter.identity.token_verifier import SKEW_MAX_S, TokenVerifier, read_header
from isocenter.ports.directory import Directory

T = TypeVar("T")

UNKNOWN = (
    "Nobody is registered under the name that was given; `isocenter user list` and `isocenter app list` show who is."
)
WRONG_PASSCODE = (
    "The passcode is not that of the user; `isocenter user password` or `isocenter app secret` gives a new one."
)


@dataclass(frozen=True, slots=True)
class NamedUser:
    """A name, and nothing that proves it."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserWithPasscode:
    """A name and what only its owner knows."""

    name: str = field(repr=False)
    passcode: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserWithToken:
    """A token that somebody whom we trust has issued."""

    token: str = field(repr=False)


UserClaim = NamedUser | UserWithPasscode | UserWithToken


class UserVerifier:
    """Verify users; safe for threads, waits for the disk and for hashes."""

    def __init__(
        self,
        directory: Directory,
        tokens: TokenVerifier,
        *,
        hasher: SecretHasher,
        failures: FailureLimiter,
        rules: RoleRules,
        now: Callable[[], float],
        issuers: Sequence[ExternalIssuer] = (),
    ) -> None:
        """`issuers` are asked for keys that a token names and nobody knows; `rules` are those of their roles."""
        self._directory = directory
        self._tokens = tokens
        self._hasher = hasher
        self._failures = failures
        self._rules = rules
        self._now = now
        self._issuers = issuers
        self._remembered = RememberedPrincipals(directory, now=now)
        self._key = secrets.token_bytes(32)
        """So that a dump of the memory does not tell passcodes that are easily guessed."""

    def verify(self, claim: UserClaim, *, address: str) -> Principal:
        """Return who a user is, with what it may do in the partition of associations.

        Raises Unauthenticated with the reason, TooManyAttempts, Overloaded.
        """
        if isinstance(claim, NamedUser):
            return self._count_failures(claim.name, address, lambda: self._named(claim.name))
        if isinstance(claim, UserWithPasscode):
            evidence, name = f"p{len(claim.name)} {claim.name}{claim.passcode}", claim.name
            find = self._by_passcode(claim)
        else:
            evidence, name = f"t{claim.token}", ""
            find = self._by_token(claim.token)
        digest = hmac.digest(self._key, evidence.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return self._remembered.recall(digest, lambda: self._count_failures(name, address, find))

    def _count_failures(self, name: str, address: str, find: Callable[[], T]) -> T:
        counted = sign_in_attempts(name, address)[0 if name else 1 :]
        self._failures.check(counted)
        try:
            return find()
        except Unauthenticated:
            self._failures.note_failure(counted)
            raise

    def _named(self, name: str) -> Principal:
        people = people_named(self._directory, name)
        found: User | Application | None = people[0] if people else next(iter(self._applications(name)), None)
        if found is None:
            raise Unauthenticated(UNKNOWN)
        return self._principal(found)

    def _by_passcode(self, claim: UserWithPasscode) -> Callable[[], tuple[Principal, float]]:
        def find() -> tuple[Principal, float]:
            person = find_person(self._directory, self._hasher, claim.name, claim.passcode)
            if person is not None:
                return self._principal(person), float("inf")
            applications = self._applications(claim.name)
            for application in applications:
                secret = find_secret(self._directory, self._hasher, application.client_id, claim.passcode)
                if secret is not None and self._now() >= secret.expires_at:
                    raise Unauthenticated("The secret of the application has expired; `isocenter app secret` adds one.")
                if secret is not None:
                    return self._principal(application), secret.expires_at
            is_known = applications or people_named(self._directory, claim.name)
            raise Unauthenticated(WRONG_PASSCODE if is_known else UNKNOWN)

        return find

    def _by_token(self, token: str) -> Callable[[], tuple[Principal, float]]:
        def find() -> tuple[Principal, float]:
            key_id = read_header(token)["kid"]
            for issuer in self._issuers:
                if issuer.lacks(key_id):
                    issuer.refresh()
            claims, issuer_of_token = self._tokens.verify_access_token(token)
            rules = self._rules if isinstance(issuer_of_token, ExternalIssuer) else None
            principal = principal_of_claims(claims, directory=self._directory, rules=rules)
            return principal.within(DEFAULT_PARTITION), float(claims["exp"]) + SKEW_MAX_S

        return find

    def _applications(self, name: str) -> list[Application]:
        by_id = self._directory.application(name.lower())
        if by_id is not None:
            return [by_id]
        return [one for one in self._directory.applications() if one.name == name][:TENANTS_TRIED_MAX]

    def _principal(self, known: User | Application) -> Principal:
        application_id = known.client_id if isinstance(known, Application) else ""
        assignments = self._directory.assignments(known.object_id)
        return with_roles(known.name, known.object_id, application_id, (), assignments).within(DEFAULT_PARTITION)
