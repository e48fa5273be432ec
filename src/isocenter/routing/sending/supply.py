"""What goes out: the bytes of an instance as they lie in the archive, or with the transforms of its plan made on them.

Stored bytes stay as they came. A transform that cannot be made stops its instance: nothing leaves half changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from isocenter.dicom.amend import Copied, Piece
from isocenter.domain.errors import CorruptInstance, InvalidDataset, NotFound
from isocenter.ports.blobs import BlobAddress, BlobStore
from isocenter.ports.clock import Clock
from isocenter.ports.index import InstanceIndex, InstanceRow
from isocenter.ports.ledger import LedgerRow
from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.deliveries.report import LocalFailed, LocalFault
from isocenter.routing.deliveries.sender import Outgoing
from isocenter.routing.rules.subject import AttributeReader, Subject
from isocenter.routing.transforms.apply import Circumstances, transform_instance
from isocenter.routing.transforms.step import Transform

WHOLE_MAX_BYTES = 1024**2
"""An instance up to this size is read by one read; a larger one in pieces of it, so that memory stays flat."""
VERIFIED_IN_MEMORY_MAX_BYTES = 16 * 1024**2
"""Up to this size an instance is held in memory while it is transformed; a larger one is verified, then mapped."""

ConfigurationOf = Callable[[int], Configuration | None]
"""Gives a version of the configuration, None where it is not kept any more."""


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A delivery whose instance cannot leave the node, and why."""

    delivery_key: int
    report: LocalFailed
    detail: str = ""


class Supply:
    """Turn leased deliveries into what senders send."""

    def __init__(
        self, index: InstanceIndex, blobs: BlobStore, clock: Clock, *, configuration_of: ConfigurationOf, system: str
    ) -> None:
        """`system` names the node in OriginalAttributesSequence."""
        self._index = index
        self._blobs = blobs
        self._clock = clock
        self._configuration_of = configuration_of
        self._system = system

    def prepare(self, rows: Sequence[LedgerRow]) -> list[Outgoing | Unsendable]:
        """Return what goes out for each delivery, in their order; one look at the index for all of them."""
        stored = self._index.instances_of_keys([row.instance_key for row in rows])
        return [self._prepare(row, stored) for row in rows]

    def _prepare(self, row: LedgerRow, stored: Mapping[int, InstanceRow]) -> Outgoing | Unsendable:
        instance = stored.get(row.instance_key)
        if instance is None:
            return Unsendable(row.delivery_key, LocalFailed(LocalFault.INSTANCE_GONE))
        if not row.plan.transforms:
            return _outgoing(row, instance, instance.address.length, lambda: read_pieces(self._blobs, instance.address))
        try:
            return self._transformed(row, instance)
        except InvalidDataset as error:
            return Unsendable(row.delivery_key, LocalFailed(LocalFault.TRANSFORM_REFUSED), error.message)
        except CorruptInstance:
            return Unsendable(row.delivery_key, LocalFailed(LocalFault.INSTANCE_CORRUPT))
        except NotFound:
            return Unsendable(row.delivery_key, LocalFailed(LocalFault.INSTANCE_GONE))

    def _transformed(self, row: LedgerRow, instance: InstanceRow) -> Outgoing:
        transforms = self._transforms(row)
        address = instance.address
        now = self._clock.now()
        subject = Subject(
            attributes=_NOTHING,
            received_at=datetime.fromtimestamp(instance.received_at, now.tzinfo).astimezone(),
            size_bytes=address.length,
            transfer_syntax_uid=instance.transfer_syntax_uid,
            calling_ae_title=row.plan.calling_ae_title or None,
        )
        circumstances = Circumstances(now, self._system)
        if address.length <= VERIFIED_IN_MEMORY_MAX_BYTES:
            made = transform_instance(self._blobs.read(address), transforms, subject, circumstances)
            pieces = list(made.pieces)
        else:
            if not self._blobs.verify(address):
                raise CorruptInstance()
            with self._blobs.view(address) as content:
                pieces = list(transform_instance(content, transforms, subject, circumstances).pieces)
        size_bytes = sum(len(one) if isinstance(one, bytes) else one.end - one.start for one in pieces)
        return _outgoing(row, instance, size_bytes, lambda: _joined(self._blobs, address, pieces))

    def _transforms(self, row: LedgerRow) -> list[Transform]:
        """Return the transforms of a plan as they stood when it was made; raises InvalidDataset where one is gone."""
        configuration = self._configuration_of(row.plan.configuration_version)
        found: list[Transform] = []
        for name in row.plan.transforms:
            transform = None if configuration is None else configuration.transform(name)
            if transform is None:
                raise InvalidDataset(f"There is no transform {name} in the configuration any more.")
            found.append(transform)
        return found


def _outgoing(
    row: LedgerRow, instance: InstanceRow, size_bytes: int, read: Callable[[], Iterator[bytes | memoryview]]
) -> Outgoing:
    return Outgoing(
        delivery_key=row.delivery_key,
        identifier=instance.identifier,
        sop_class_uid=instance.sop_class_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        size_bytes=size_bytes,
        calling_ae_title=row.plan.calling_ae_title,
        read=read,
    )


def read_pieces(blobs: BlobStore, address: BlobAddress) -> Iterator[bytes]:
    """Yield a stored instance, verified: a small one whole."""
    if address.length <= WHOLE_MAX_BYTES:
        return iter((blobs.read(address),))
    return blobs.iter_chunks(address, chunk_size_bytes=WHOLE_MAX_BYTES)


def _joined(blobs: BlobStore, address: BlobAddress, pieces: Sequence[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if not isinstance(piece, Copied):
            yield piece
        else:
            yield from blobs.iter_chunks(
                address, start=piece.start, length=piece.end - piece.start, chunk_size_bytes=WHOLE_MAX_BYTES
            )


class _Nothing:
    """Stands for the attributes of a subject until the steps of a transform give their own."""

    def values_of(self, tag: int) -> Sequence[str]:
        return ()

    def items_of(self, tag: int) -> Sequence[AttributeReader]:
        return ()

    def has_value(self, tag: int) -> bool:
        return False


_NOTHING = _Nothing()
