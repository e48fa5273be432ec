"""Sign people in to the console at an external issuer: code flow with PKCE, the tokens stay on the server.

browser ─▶ begin: state, nonce, verifier are kept ─▶ issuer ─▶ callback: code ─▶ tokens ─▶ who it is
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from isocenter.domain.directory import Grant, GrantKind
from isocenter.domain.errors import Unauthenticated, Unavailable
from isocenter.identity.external_issuer import ExternalIssuer
from isocenter.identity.principals import RoleRules, claimed_roles
from isocenter.identity.provider.codes import challenge_of
from isocenter.identity.sessions import digest_of
from isocenter.identity.token_verifier import TokenVerifier
from isocenter.ports.grants import Grants

SIGN_IN_LIFETIME_S = 600.0
"""A person may have to look for a second factor."""
RANDOM_SIZE_BYTES = 32
PostForm = Callable[[str, Mapping[str, str]], Any]
"""Posts a form and returns the JSON of the answer; raises an error of the domain."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, and where that person wanted to go."""

    object_id: str
    details: dict[str, Any]
    """What a session keeps: name and roles."""
    next_path: str


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The console as an application at an external issuer."""

    issuer: ExternalIssuer
    client_id: str
    client_secret: str
    rules: RoleRules
    grants: Grants
    post_form: PostForm
    now: Callable[[], float]

    def begin(self, *, redirect_uri: str, next_path: str) -> tuple[str, str]:
        """Return where to send the browser, and the state that it must bring back; raises Unavailable."""
        document = self.issuer.document
        if document is None or not document.authorization_endpoint:
            raise Unavailable("The identity provider cannot be reached; try again in a minute.")
        state, nonce, verifier = (secrets.token_urlsafe(RANDOM_SIZE_BYTES) for _ in range(3))
        details = {"nonce": nonce, "verifier": verifier, "redirect_uri": redirect_uri, "next": next_path}
        now = self.now()
        expires_at = now + SIGN_IN_LIFETIME_S
        self.grants.add_grant(
            Grant(GrantKind.SIGN_IN, digest_of(state), "", self.client_id, expires_at, now, json.dumps(details))
        )
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "response_mode": "query",
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in document.authorization_endpoint else "?"
        return document.authorization_endpoint + mark + urlencode(query), state

    def finish(self, *, state: str, code: str) -> SignedIn:
        """Return who comes back from the issuer; raises Unauthenticated, Unavailable."""
        kept = self.grants.take_grant(GrantKind.SIGN_IN, digest_of(state))
        document = self.issuer.document
        if kept is None or self.now() >= kept.expires_at or document is None:
            raise Unauthenticated("The sign-in took too long, or was finished before; begin again.")
        details = json.loads(kept.details)
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": code,
            "redirect_uri": details["redirect_uri"],
            "code_verifier": details["verifier"],
            **({"client_secret": self.client_secret} if self.client_secret else {}),
        }
        answer = self.post_form(document.token_endpoint, form)
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise Unavailable("The identity provider answered without an ID token.")
        verifier = TokenVerifier([self.issuer], audiences=[self.client_id], now=self.now)
        claims, _ = verifier.verify(token)
        if claims.get("nonce") != details["nonce"]:
            raise Unauthenticated("The answer of the identity provider belongs to another sign-in.")
        return _signed_in(claims, self.rules, details["next"])


def _signed_in(claims: Mapping[str, Any], rules: RoleRules, next_path: str) -> SignedIn:
    object_id = claims.get("oid") or claims.get("sub")
    if not isinstance(object_id, str) or not object_id:
        raise Unauthenticated("The identity provider does not say who signed in.")
    name = claims.get("preferred_username") or claims.get("name") or object_id
    roles = [role.role_id for role in claimed_roles(claims, rules)]
    return SignedIn(object_id, {"name": str(name), "roles": roles}, next_path)
