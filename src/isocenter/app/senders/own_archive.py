"""Store instances into the node's own archive, as any edge does: for another partition, or after transforms."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from isocenter.app.senders.converting import fault_of_reading, words_of
from isocenter.archive.archive import Archive
from isocenter.archive.partition import begin_partition
from isocenter.archive.store import begin_store
from isocenter.domain.errors import (
    CorruptInstance,
    InstanceExists,
    InvalidDataset,
    IsocenterError,
    NotFound,
    Refused,
    TooLarge,
)
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.outcome import Disposition, DuplicatePolicy, StoreOutcome
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.domain.statuses import statuses_of
from isocenter.routing.configuration.destination import OnConflict
from isocenter.routing.deliveries.report import (
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceStored,
    Report,
)
from isocenter.routing.deliveries.sender import OnReport, Outgoing

SOURCE = "delivery"
IN_HAND_MAX_BYTES = 16 * 1024**2
"""What waits for the group commit at a time; more brings no speed."""


class ArchiveSender:
    """Stores into one partition."""

    def __init__(self, archive: Archive, partition: str, *, on_conflict: OnConflict) -> None:
        self._archive = archive
        self._partition = partition or DEFAULT_PARTITION
        self._policy = DuplicatePolicy.REPLACE if on_conflict is OnConflict.REPLACE else DuplicatePolicy.REFUSE
        self._has_begun = False

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        """Store instances; those that go into one commit are waited for together."""
        in_hand: list[tuple[Outgoing, Future[StoreOutcome]]] = []
        size_bytes = 0
        for outgoing in batch:
            begun = self._begin(outgoing)
            if isinstance(begun, Future):
                in_hand.append((outgoing, begun))
                size_bytes += outgoing.size_bytes
            else:
                on_report(outgoing, *begun)
            if size_bytes >= IN_HAND_MAX_BYTES:
                _report(in_hand, on_report)
                in_hand, size_bytes = [], 0
        _report(in_hand, on_report)

    def _begin(self, outgoing: Outgoing) -> Future[StoreOutcome] | tuple[Report, str]:
        try:
            if not self._has_begun and self._partition != DEFAULT_PARTITION:
                begin_partition(self._archive, LOCAL_OWNER, self._partition)
            self._has_begun = True
            reception = begin_store(
                self._archive, LOCAL_OWNER, source=SOURCE, policy=self._policy, partition_name=self._partition
            )
            try:
                for piece in outgoing.read():
                    reception.write(piece)
            except BaseException:
                reception.abort()
                raise
            return reception.finish()
        except IsocenterError as error:
            return _report_of(error), words_of(error)

    def probe(self) -> Report | None:
        """Look whether there is room; return why nothing can be stored, None where it can."""
        try:
            self._archive.index.require_room()
        except IsocenterError as error:
            return _report_of(error)
        return None

    def close(self) -> None:
        """Do nothing: the archive is the node's."""


def _report(in_hand: Sequence[tuple[Outgoing, Future[StoreOutcome]]], on_report: OnReport) -> None:
    for outgoing, future in in_hand:
        try:
            outcome = future.result()
        except IsocenterError as error:
            on_report(outgoing, _report_of(error), words_of(error))
        else:
            is_there = outcome.disposition is Disposition.IDENTICAL
            on_report(outgoing, InstanceIdentical() if is_there else InstanceStored(), "")


def _report_of(error: IsocenterError) -> Report:
    match error:
        case InstanceExists():
            return InstanceDiffers()
        case CorruptInstance() | NotFound():
            return fault_of_reading(error)
        case InvalidDataset() | TooLarge() | Refused():
            return InstanceFailed(statuses_of(error).failure_reason)
        case _:
            return fault_of_reading(error)
