"""Under which names a node may be addressed, and which names mean this machine alone."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

ADDRESSES_KEPT = 64
"""A node is called by few names; an attacker's many only push each other out."""


class HostNames:
    """The names that a node answers to: localhost, literal addresses, and what the operator allows."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = frozenset(host.lower() for host in allowed) | {"localhost"}

    def is_allowed(self, host: str) -> bool:
        """Tell whether a Host header (name or address, port or not) may be answered."""
        name = _without_port(host).lower().rstrip(".")
        return name in self._allowed or _is_address(name)


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


def is_loopback_url(url: str) -> bool:
    """Tell whether an address is on the machine of whoever follows it."""
    host = urlsplit(url).hostname
    return host is not None and is_loopback(host)
