"""A stored instance on its way out by hand, with no delivery of the ledger behind it."""

from __future__ import annotations

from functools import partial

from isocenter.archive.archive import Archive
from isocenter.archive.retrieve import read_instance
from isocenter.ports.index import InstanceRow
from isocenter.routing.deliveries.sender import Outgoing


def outgoing_of(archive: Archive, row: InstanceRow) -> Outgoing:
    """Return a stored instance as a sender takes it, known by the key of its row."""
    return Outgoing(
        delivery_key=row.instance_key,
        identifier=row.identifier,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        size_bytes=row.address.length,
        calling_ae_title="",
        read=partial(read_instance, archive, row),
    )
