"""Links by which somebody without an account sees one study for a while, known by a random cookie.

    share ──▶ token (told once) ──▶ /shared/TOKEN ──▶ cookie ──▶ a principal that may read that study, and nothing else

Of a token only the digest is kept. A link ends when its time is over, when it is withdrawn, and with the account of
whoever gave it. Every request looks it up anew, so that a withdrawn link ends at once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from isocenter.domain.directory import Grant, GrantKind
from isocenter.domain.errors import Conflict, NotFound, Unauthenticated
from isocenter.domain.principal import Principal, SharedStudy
from isocenter.identity.gate import cookie_name, is_same_origin
from isocenter.identity.sessions import digest_of
from isocenter.ports.grants import Grants

TOKEN_SIZE_BYTES = 32
SHARES_MAX = 1000
"""Links of a node that hold at a time: all are read where they are listed."""
SECURE_SHARE_COOKIE = "__Host-isocenter-share"
PLAIN_SHARE_COOKIE = "isocenter-share"
_OVER = "This link has expired or was withdrawn; ask whoever gave it for another one."

Admit = Callable[[Mapping[str, str]], Principal]


@dataclass(frozen=True, slots=True)
class Share:
    """A link that holds."""

    share_id: str
    """By which it can be withdrawn; tells nothing of its token."""
    study: SharedStudy
    given_by: str
    created_at: float
    expires_at: float


class Shares:
    """Give, find and withdraw links; safe for threads."""

    def __init__(self, grants: Grants, now: Callable[[], float]) -> None:
        self._grants = grants
        self._now = now

    def give(self, principal: Principal, study: SharedStudy, *, lasts_s: float) -> str:
        """Return the token of a new link; raises Conflict where there are too many."""
        if len(self._grants.grants_of_kind(GrantKind.SHARE)) >= SHARES_MAX:
            raise Conflict(f"There are {SHARES_MAX} links already; withdraw some, or wait until they expire.")
        token = secrets.token_urlsafe(TOKEN_SIZE_BYTES)
        now = self._now()
        details = {"study": study.study_instance_uid, "partition": study.partition_name, "by": principal.name}
        grant = Grant(
            GrantKind.SHARE, digest_of(token), principal.object_id, "", now + lasts_s, now, json.dumps(details)
        )
        self._grants.add_grant(grant)
        return token

    def find(self, token: str) -> Share | None:
        """Return the link of a token, None where it holds no more."""
        found = self._grants.grant(GrantKind.SHARE, digest_of(token))
        return None if found is None else self._valid(found)

    def of_study(self, study: SharedStudy) -> list[Share]:
        """Return the links to a study that hold, the oldest first."""
        found = (self._valid(grant) for grant in self._grants.grants_of_kind(GrantKind.SHARE))
        return [share for share in found if share is not None and share.study == study]

    def withdraw(self, study: SharedStudy, share_id: str) -> None:
        """End a link to a study at once; raises NotFound."""
        if not any(share.share_id == share_id for share in self.of_study(study)):
            raise NotFound("There is no such link any more.")
        self._grants.take_grant(GrantKind.SHARE, bytes.fromhex(share_id))

    def or_by_link(self, admit: Admit, *, is_for_data: bool) -> Admit:
        """Return what admits whom `admit` does, and else whoever shows the cookie of a link.

        For data it counts for pages of the node's own origin only, as the cookie of a session does.
        """

        def admitted(headers: Mapping[str, str]) -> Principal:
            try:
                return admit(headers)
            except Unauthenticated:
                token = share_cookie(headers)
                if token is None or (is_for_data and not is_same_origin(headers)):
                    raise
            share = self.find(token)
            if share is None:
                raise Unauthenticated(_OVER)
            return principal_of(share)

        return admitted

    def _valid(self, grant: Grant) -> Share | None:
        if grant.expires_at <= self._now():
            return None
        details = json.loads(grant.details)
        study = SharedStudy(details["study"], details["partition"])
        return Share(grant.digest.hex(), study, details["by"], grant.created_at, grant.expires_at)


def principal_of(share: Share) -> Principal:
    """Return who comes by a link: nobody in particular, with one study to read."""
    return Principal(f"link given by {share.given_by}", frozenset(), shared_study=share.study)


def share_cookie(headers: Mapping[str, str]) -> str | None:
    """Return the cookie of a link, None where there is none."""
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    found = {name: value for name, _, value in pairs}
    names = (cookie_name(kind, headers) for kind in (SECURE_SHARE_COOKIE, PLAIN_SHARE_COOKIE))
    return next((found[name] for name in names if found.get(name)), None)
