"""From a request's evidence to a principal.

A node that listens on loopback runs without tokens: whoever reaches it works on the same machine.
A page in that person's browser does not, though: it could reach the node under a name of its own
that resolves to loopback. So the Host header must be a literal address, `localhost`, or a name the
operator allows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache

from isocenter.domain.errors import Forbidden
from isocenter.domain.principal import LOCAL_OWNER, Principal

ADDRESSES_KEPT = 64
"""A node is called by few names; an attacker's many only push each other out."""


class LoopbackAuthenticator:
    """Take every caller for the local owner, unless the Host header betrays a foreign page."""

    def __init__(self, *, allowed_hosts: frozenset[str]) -> None:
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts) | {"localhost"}

    def __call__(self, headers: Mapping[str, str]) -> Principal:
        """Return the local owner.

        Raises Forbidden for a Host that is neither a literal address nor an allowed name.
        """
        if not self.is_allowed_host(headers.get("host", "localhost")):
            raise Forbidden(
                "This node does not answer under that host name. Use its address, or list it in http.allowed_hosts."
            )
        return LOCAL_OWNER

    def is_allowed_host(self, host: str) -> bool:
        """Tell whether a Host header (name or address, port or not) may be answered."""
        name = _without_port(host).lower().rstrip(".")
        return name in self._allowed_hosts or _is_address(name)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1 : host.find("]")] if "]" in host else host
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host


@lru_cache(maxsize=ADDRESSES_KEPT)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether listening on this host name or address is listening to this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
