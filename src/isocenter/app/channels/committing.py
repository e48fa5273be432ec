"""Storage commitment at the listener of a channel (PS3.4 J.3, routing-and-gateway 6.5).

A sender is told that an instance is safe under the terms of the channel: when it is durable here, or, where the channel
acknowledges only what is delivered, when nothing of it is still on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from isocenter.archive.archive import Archive
from isocenter.archive.commitment import examine_archive
from isocenter.dimse.scp.commitment import CommitmentProvider, Elsewhere
from isocenter.dimse.scp.storage_classes import is_storage_class
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.runtime import Runtime
from isocenter.domain.application_entity import RemoteAe
from isocenter.domain.commitment import CommitmentRequest, CommitmentResult
from isocenter.domain.delivery import OPEN_STATES
from isocenter.domain.errors import Unavailable
from isocenter.ports.ledger import Selection
from isocenter.routing.configuration.channel import Acknowledgement


def commitment_provider(
    archive: Archive,
    runtime: Runtime,
    opener: Opener,
    *,
    acknowledge: Acknowledgement,
    find_peer: Callable[[str], RemoteAe | None],
    accepts_private_classes: bool,
) -> CommitmentProvider:
    """Return what answers for the instances of a channel under the title of the opener."""
    is_supported = partial(is_storage_class, accepts_private=accepts_private_classes)

    def examine(request: CommitmentRequest) -> CommitmentResult:
        if acknowledge is Acknowledgement.DELIVERED:
            require_delivered(archive, request)
        return examine_archive(archive, request, is_supported=is_supported)

    return CommitmentProvider(
        archive,
        runtime,
        opener,
        find_peer=find_peer,
        accepts_private_classes=accepts_private_classes,
        elsewhere=Elsewhere(opener.ae_title, examine),
    )


def require_delivered(archive: Archive, request: CommitmentRequest) -> None:
    """Raise Unavailable where something of a request waits for its delivery, or for a person."""
    for reference in request.references:
        selection = Selection(sop_instance_uid=reference.sop_instance_uid, states=OPEN_STATES)
        if archive.index.ledger.page(selection, limit=1):
            raise Unavailable("Some of the instances are still on their way to a destination.")
