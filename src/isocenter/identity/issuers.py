"""Who may issue tokens: the embedded provider, by any of the node's own names, or an external issuer by its URL."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from isocenter.identity.key_ring import ALGORITHM, KeyRing
from isocenter.identity.token_verifier import Claims, PublicKey

_ISSUER = re.compile(r"(?P<base>https?://[^/?#]+(?:/[^?#]*)?)/(?P<tenant>[0-9a-f-]{36})/(?:v2\.0)?")


class EmbeddedIssuer:
    """The provider of this node."""

    algorithms = frozenset({ALGORITHM})

    def __init__(self, keys: KeyRing, *, is_own_base: Callable[[str], bool], is_tenant: Callable[[str], bool]) -> None:
        self._keys = keys
        self._is_own_base = is_own_base
        self._is_tenant = is_tenant

    def issued(self, claims: Claims) -> bool:
        """Tell whether a token names one of our tenants under one of our names, the same tenant in both places."""
        issuer = claims.get("iss")
        found = _ISSUER.fullmatch(issuer) if isinstance(issuer, str) else None
        if found is None or claims.get("tid") != found["tenant"]:
            return False
        return self._is_own_base(found["base"]) and self._is_tenant(found["tenant"])

    def public_key(self, key_id: str) -> PublicKey | None:
        """Return our key of that name."""
        return self._keys.public_key(key_id)


class OwnNames:
    """The names under which a node answers, and so may be an issuer.

    With a public address it is that one alone. Without, whoever asks uses some name, and the provider has to sign it:
    a literal address, localhost and what the operator allows are ours, a name that anybody could have chosen is not.
    """

    def __init__(self, *, public_url: str, is_own_host: Callable[[str], bool]) -> None:
        self._public_url = public_url.rstrip("/")
        self._is_own_host = is_own_host

    def base_for(self, requested: str) -> str | None:
        """Return under which name to answer a request that used one; None where that is not ours."""
        if self._public_url:
            return self._public_url
        return requested if self._is_own_host(urlsplit(requested).netloc) else None

    def is_own(self, base: str) -> bool:
        """Tell whether a name is ours."""
        if self._public_url:
            return base == self._public_url
        return self._is_own_host(urlsplit(base).netloc)
