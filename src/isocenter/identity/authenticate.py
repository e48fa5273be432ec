"""Who calls a node that asks nobody for evidence.

A node that listens on loopback runs without tokens: whoever reaches it works on the same machine.
A page in that person's browser does not, though: it could reach the node under a name of its own
that resolves to loopback. So the Host header must be a literal address, `localhost`, or a name the
operator allows.
"""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.domain.errors import Forbidden
from isocenter.domain.principal import LOCAL_OWNER, Principal
from isocenter.identity.host_names import HostNames, is_loopback

__all__ = ["LoopbackAuthenticator", "is_loopback"]


class LoopbackAuthenticator:
    """Take every caller for the local owner, unless the Host header betrays a foreign page."""

    def __init__(self, *, allowed_hosts: frozenset[str]) -> None:
        self._names = HostNames(allowed_hosts)

    def __call__(self, headers: Mapping[str, str]) -> Principal:
        """Return the local owner.

        Raises Forbidden for a Host that is neither a literal address nor an allowed name.
        """
        if not self._names.is_allowed(headers.get("host", "localhost")):
            raise Forbidden(
                "This node does not answer under that host name. Use its address, or list it in http.allowed_hosts."
            )
        return LOCAL_OWNER
