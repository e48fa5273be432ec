"""Verify an association with another AE, and tell how long it took and who answered."""

from __future__ import annotations

import time
from dataclasses import dataclass

from isocenter.app.dimse_peer import DimsePeer
from isocenter.dimse.scu.client import Opener, ProposedContext, describe_user
from isocenter.dimse.scu.echo import VERIFICATION, echo


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """What a peer answered."""

    peer: str
    calling_ae_title: str
    association_s: float
    """From the first byte to the association."""
    echo_s: float
    uses_tls: bool
    implementation_version_name: str | None
    user: str | None
    """Whom we named."""
    is_user_confirmed: bool

    def describe(self) -> str:
        """Return it for people."""
        parts = [f"association in {self.association_s * 1000:.0f} ms", f"echo in {self.echo_s * 1000:.1f} ms"]
        if self.uses_tls:
            parts.append("over TLS")
        if self.user is not None:
            parts.append(f"{self.user} confirmed" if self.is_user_confirmed else f"nothing said about {self.user}")
        if self.implementation_version_name:
            parts.append(f"implementation {self.implementation_version_name}")
        return ", ".join(parts)

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "peer": self.peer,
            "calling_ae_title": self.calling_ae_title,
            "status": "0000",
            "association_s": round(self.association_s, 6),
            "echo_s": round(self.echo_s, 6),
            "tls": self.uses_tls,
            "implementation_version_name": self.implementation_version_name,
            "user": self.user,
            "user_confirmed": None if self.user is None else self.is_user_confirmed,
        }


def call_echo(peer: DimsePeer) -> EchoAnswer:
    """Open an association, verify it, release it.

    Raises PeerUnreachable, PeerBusy, AssociationRefused, ContextRefused, RequestFailed, AssociationOver.
    """

    async def work(opener: Opener) -> EchoAnswer:
        began = time.perf_counter()
        async with opener.association(peer.remote, [ProposedContext(VERIFICATION)]) as association:
            opened = time.perf_counter()
            await echo(association)
            answered = time.perf_counter()
            record = association.record
            return EchoAnswer(
                peer=str(peer),
                calling_ae_title=peer.calling_ae_title,
                association_s=opened - began,
                echo_s=answered - opened,
                uses_tls=record.uses_tls,
                implementation_version_name=record.implementation_version_name,
                user=None if opener.user is None else describe_user(opener.user),
                is_user_confirmed=bool(record.user_name),
            )

    return peer.call(work)
