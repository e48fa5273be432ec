"""Join deliveries: the ledger of the archive, the destinations of a configuration, senders of every kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isocenter.app.dicom import tls_settings
from isocenter.app.held_destinations import HeldDestinations
from isocenter.app.secrets_by_name import ReadSecret
from isocenter.app.senders.dimse import OwnSide
from isocenter.app.senders.open_sender import Senders
from isocenter.app.settings import DicomSettings, Settings
from isocenter.archive.archive import Archive
from isocenter.dimse.shell.runtime import Times
from isocenter.dimse.ul.limits import AssociationLimits
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.sending.engine import Deliveries
from isocenter.routing.sending.supply import Supply
from isocenter.routing.sending.worker import Means

AE_TITLE = "ISOCENTER"
"""As whom a node calls that listens for no associations."""
SYSTEM_NAME = "isocenter"
"""In OriginalAttributesSequence."""


@contextmanager
def running_deliveries(
    archive: Archive,
    settings: Settings,
    configuration: Configuration,
    *,
    read_secret: ReadSecret,
    configuration_of: Callable[[int], Configuration | None],
) -> Iterator[Deliveries]:
    """Send deliveries for the length of a block; raises StorageFailed where the ledger cannot be written.

    `configuration_of` gives the version of the configuration that a plan names, None where it is not kept any more.
    Whoever commits deliveries calls `notify` of what is yielded, whoever changes the configuration `reconfigure`.
    """
    senders = Senders(archive, own_side(settings.dicom), read_secret=read_secret, spool_dir=settings.data_dir)
    supply = Supply(archive.index, archive.blobs, archive.clock, configuration_of=configuration_of, system=SYSTEM_NAME)
    means = Means(archive.index.ledger, supply, archive.clock, senders.open, random.Random().random)
    held = HeldDestinations(settings.data_dir)
    deliveries = Deliveries(means, holds=held.read(), keep_holds=held.write)
    try:
        deliveries.start(configuration.destinations)
        yield deliveries
    finally:
        deliveries.close()


def own_side(settings: DicomSettings) -> OwnSide:
    """Return as whom associations to destinations are opened."""
    listens = settings.listen or settings.tls_listen
    return OwnSide(
        ae_title=AE_TITLE if listens is None else listens.ae_title,
        tls=tls_settings(settings),
        times=Times(
            dimse_s=settings.dimse_timeout_s, idle_s=settings.idle_timeout_s, connect_s=settings.connect_timeout_s
        ),
        limits=AssociationLimits(
            artim_timeout_s=settings.acse_timeout_s, request_timeout_s=settings.acse_timeout_s, idle_timeout_s=None
        ),
    )
