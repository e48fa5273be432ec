"""Who calls, from the headers of a request: a token (`Authorization: Bearer`), or the cookie of a session.

A browser keeps the cookies of a host, not those of a port: several nodes on one machine would end each other's
sessions. So the port that was asked stands in the name of the cookie.

A cookie is sent by the browser whoever made the page that asks. So for data it counts only for pages of the node's own
origin, as the browser tells (`Sec-Fetch-Site`, else `Origin`); a page of the node may be reached by a link as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from isocenter.domain.directory import Grant
from isocenter.domain.errors import Unauthenticated
from isocenter.domain.principal import Principal
from isocenter.domain.role import find_role
from isocenter.identity.external_issuer import ExternalIssuer
from isocenter.identity.principals import RoleRules, principal_of_claims, with_roles
from isocenter.identity.remembered import RememberedPrincipals
from isocenter.identity.sessions import Sessions
from isocenter.identity.token_verifier import SKEW_MAX_S, TOKEN_SIZE_MAX, TokenVerifier, read_header
from isocenter.ports.directory import Directory

SECURE_COOKIE = "__Host-isocenter-session"
"""Over https: the browser takes it from no other host and no other path, and never sends it in the clear."""
PLAIN_COOKIE = "isocenter-session"
"""Over http on loopback, where browsers do not take the other."""
_PORT = re.compile(r"[^:]:([0-9]{1,5})\Z", re.ASCII)
"""Behind a host; `[::1]` without a port has a colon before its last figure, and a bracket behind it."""


class Gate:
    """Let callers in by their evidence; safe for threads, and quick for evidence that it has just seen."""

    def __init__(
        self,
        verifier: TokenVerifier,
        sessions: Sessions,
        directory: Directory,
        *,
        rules: RoleRules,
        now: Callable[[], float],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        """`later` runs what need not hold up the request."""
        self._verifier = verifier
        self._sessions = sessions
        self._directory = directory
        self._rules = rules
        self._now = now
        self._later = later
        self._remembered = RememberedPrincipals(directory, now=now)

    def admit_call(self, headers: Mapping[str, str]) -> Principal:
        """Return who calls the service; raises Unauthenticated."""
        token = bearer_token(headers)
        if token is not None:
            return self._remembered.recall(b"t" + _digest(token), lambda: self._from_token(token))
        cookie = session_cookie(headers)
        if cookie is None:
            raise Unauthenticated()
        if not is_same_origin(headers):
            raise Unauthenticated("A session counts for pages of this node only; other callers need a token.")
        return self._from_cookie(cookie)

    def admit_page(self, headers: Mapping[str, str]) -> Principal:
        """Return who asks for a page that changes nothing; raises Unauthenticated."""
        cookie = session_cookie(headers)
        if cookie is None:
            return self.admit_call(headers)
        return self._from_cookie(cookie)

    def forget_cookie(self, cookie: str) -> None:
        """Forget a session at once, because it was ended."""
        self._remembered.forget(b"c" + _digest(cookie))

    def _from_token(self, token: str) -> tuple[Principal, float]:
        claims, issuer = self._verifier.verify_access_token(token)
        rules = self._rules if isinstance(issuer, ExternalIssuer) else None
        principal = principal_of_claims(claims, directory=self._directory, rules=rules)
        return principal, float(claims["exp"]) + SKEW_MAX_S

    def _from_cookie(self, cookie: str) -> Principal:
        return self._remembered.recall(b"c" + _digest(cookie), lambda: self._from_session(cookie))

    def _from_session(self, cookie: str) -> tuple[Principal, float]:
        session = self._sessions.find(cookie)
        if session is None:
            raise Unauthenticated("The session has ended; sign in again.")
        if self._sessions.wants_longer(session):
            self._later(lambda: self._sessions.prolong(session))
        return self._session_principal(session), session.expires_at

    def _session_principal(self, session: Grant) -> Principal:
        details = json.loads(session.details)
        roles = [role for name in details.get("roles", ()) if (role := find_role(name))]
        name = details.get("name", "")
        if not details:
            user = self._directory.user(session.object_id)
            if user is None:
                raise Unauthenticated("The session has ended; sign in again.")
            name = user.name
        return with_roles(name, session.object_id, "", roles, self._directory.assignments(session.object_id))


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """Return the token of a request, None where it has none; raises Unauthenticated for evidence of another kind."""
    given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("A token is expected: Authorization: Bearer TOKEN.")
    return token.strip()


def key_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the name of the key of a request's token, where it has one that can be read."""
    try:
        token = bearer_token(headers)
        return None if token is None or len(token) > TOKEN_SIZE_MAX else read_header(token)["kid"]
    except Unauthenticated:
        return None


def session_cookie(headers: Mapping[str, str]) -> str | None:
    """Return the cookie of a session, None where there is none."""
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    found = {name: value for name, _, value in pairs}
    names = (cookie_name(kind, headers) for kind in (SECURE_COOKIE, PLAIN_COOKIE))
    return next((found[name] for name in names if found.get(name)), None)


def cookie_name(kind: str, headers: Mapping[str, str]) -> str:
    """Return what a cookie of ours is called at the port that a request names, as the browser sees it."""
    port = _PORT.search(headers.get("host", ""))
    return kind if port is None else f"{kind}-{int(port[1])}"


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Tell whether a page of our own origin asks, or nobody's, as the browser tells."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True  # no browser of today; the cookie is SameSite, so that older ones do not send it across sites
    own = {headers.get("host", ""), headers.get("x-forwarded-host", "").split(",")[0].strip()}
    return urlsplit(origin).netloc in own - {""}


def _digest(evidence: str) -> bytes:
    return hashlib.sha256(evidence.encode("utf-8", "surrogatepass")).digest()
