"""What an association may be: from a request and the AE table to an answer (PS3.8 9.3.3, PS3.7 annex D.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from isocenter.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from isocenter.dicom.syntax import BY_UID
from isocenter.dimse.shell.service import ServiceTable
from isocenter.dimse.ul.negotiation import AcceptedSyntax, NegotiationPolicy
from isocenter.dimse.ul.pdu import (
    REJECT_CALLED_AE_TITLE,
    REJECT_CALLING_AE_TITLE,
    AssociateRj,
    AssociateRq,
    RejectResult,
    RejectSource,
)
from isocenter.dimse.ul.user_information import AsyncOperationsWindow, UserIdentityAc
from isocenter.domain.application_entity import AeService
from isocenter.identity.application_entity import Objection, literal_addresses, plain_address

OPERATIONS_INVOKED_MAX = 8
"""Sub-operations of a C-GET that may be outstanding, for a peer that takes several: enough to fill any line."""
OPERATIONS_PERFORMED_MAX = 32
"""Requests of one peer that are in hand together: they share a commit, and one batch holds no more large ones."""
ADDRESSES_KEPT_S = 60.0
"""How long the address of a name is believed: as long as a short-lived entry of a name server."""
NAME_LOOKUP_TIMEOUT_S = 5.0
NAMES_MAX = 1024
"""Names come from the AE table only, which has no more."""

REJECTIONS: Mapping[Objection, AssociateRj] = {
    Objection.CALLED_AE_TITLE: REJECT_CALLED_AE_TITLE,
    Objection.CALLING_AE_TITLE: REJECT_CALLING_AE_TITLE,
    Objection.USER: AssociateRj(RejectResult.PERMANENT, RejectSource.SERVICE_PROVIDER_ACSE, 1),
    Objection.USER_FOR_NOW: AssociateRj(RejectResult.TRANSIENT, RejectSource.SERVICE_PROVIDER_ACSE, 1),
}
"""The reason of a user who is not accepted is "no reason given", of the ACSE related provider (PS3.7 D.3.3.7)."""


def negotiation_policy(
    request: AssociateRq,
    services: ServiceTable,
    allowed: frozenset[AeService],
    *,
    pdu_length_max: int,
    has_verified_user: bool = False,
) -> NegotiationPolicy:
    """Return what this node agrees to with a caller that may use some of its services."""

    def accept(abstract_syntax_uid: str) -> AcceptedSyntax | None:
        service = services.find(abstract_syntax_uid)
        if service is None or service.name not in allowed:
            return None
        syntaxes = service.transfer_syntax_uids
        return AcceptedSyntax(
            transfer_syntax_uids=known_syntaxes(request, abstract_syntax_uid) if syntaxes is None else syntaxes,
            role=service.role,
            extensions=service.extensions,
        )

    return NegotiationPolicy(
        accept_abstract_syntax=accept,
        maximum_length_received=pdu_length_max,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
        async_operations_window=AsyncOperationsWindow(OPERATIONS_INVOKED_MAX, OPERATIONS_PERFORMED_MAX),
        user_identity_answer=UserIdentityAc() if has_verified_user else None,
    )


def known_syntaxes(request: AssociateRq, abstract_syntax_uid: str) -> tuple[str, ...]:
    """Return the transfer syntaxes that we know, in the order in which the requestor names them for a class."""
    named = (
        uid
        for context in request.presentation_contexts
        if context.abstract_syntax_uid == abstract_syntax_uid
        for uid in context.transfer_syntax_uids
    )
    return tuple(dict.fromkeys(uid for uid in named if uid in BY_UID))


class Addresses:
    """The IP addresses of hosts: literal ones at once, names by the name service, for a while."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def known(self, hosts: Iterable[str]) -> dict[str, frozenset[str]] | None:
        """Return the addresses of hosts, or None where a name must be looked up first."""
        found: dict[str, frozenset[str]] = {}
        for host in hosts:
            literal = literal_addresses(host)
            if literal is None:
                looked_up_at, literal = self._known.get(host, (float("-inf"), frozenset()))
                if self._loop.time() - looked_up_at > ADDRESSES_KEPT_S:
                    return None
            found[host] = literal
        return found

    async def look_up(self, hosts: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the addresses of hosts; none for a name that cannot be looked up now."""
        for host in hosts:
            if literal_addresses(host) is None and len(self._known) < NAMES_MAX:
                self._known[host] = self._loop.time(), await self._look_up(host)
        return self.known(hosts) or {}

    async def _look_up(self, host: str) -> frozenset[str]:
        try:
            async with asyncio.timeout(NAME_LOOKUP_TIMEOUT_S):
                rows = await self._loop.getaddrinfo(host, None)
        except (OSError, TimeoutError):
            return frozenset()
        return frozenset(plain_address(str(row[4][0])) for row in rows)
