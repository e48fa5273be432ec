"""The table of services of a node: what callers may ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.archive.archive import Archive
from isocenter.dimse.scp.echo import echo_service
from isocenter.dimse.scp.store import Intake, Storage
from isocenter.dimse.shell.service import Service, ServiceTable


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What an operator may change about the services."""

    accepts_private_sop_classes: bool = True


def node_services(
    archive: Archive | Intake, settings: ServiceSettings, *, further: Sequence[Service] = ()
) -> ServiceTable:
    """Return the services that store into an archive or another intake, and further ones that need other stores."""
    storage = Storage(archive, accepts_private_classes=settings.accepts_private_sop_classes)
    return ServiceTable([echo_service(), *further], other=storage.find)
