"""The index of what is stored, with the change feed and the deliveries that commit with it.

One commit writes index rows, change-feed rows and delivery rows together, or none of them.
Sequence numbers of the feed are taken inside the transaction: gap-free and in commit order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.external_metadata import ExternalValue
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.domain.query import Cursor, Query, SearchPage, SearchRow
from isocenter.ports.blobs import BlobAddress, BlobPosition
from isocenter.ports.external_metadata import ExternalMetadataStore
from isocenter.ports.ledger import Ledger
from isocenter.ports.query_tags import QueryTags
from isocenter.ports.revisions import Revisions

TIMESTAMP_DIGITS = 6
"""Timestamps of the feed are whole microseconds, so that what a client reads is what it can ask for."""


class ChangeAction(Enum):
    """What happened to an instance."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


class ChangeState(Enum):
    """What a row of the feed means now (dicom-service 6.3)."""

    CURRENT = "Current"
    REPLACED = "Replaced"
    DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class Membership:
    """Which revision a new version belongs to: versions that become current together (`ports/revisions.py`)."""

    revision_id: str
    replaced_key: int | None
    """The current version that it is made from; None where that is lost."""


@dataclass(frozen=True, slots=True)
class NewInstance:
    """An instance whose bytes are durable, ready to be committed."""

    identifier: InstanceIdentifier
    sop_class_uid: str
    transfer_syntax_uid: str
    attributes: Mapping[int, str]
    """Values of the indexed attributes by tag, those of items by `item_tag`; absent or empty ones are left out."""
    address: BlobAddress
    header_length: int
    """Bytes from the start of the blob that hold everything before the pixel data."""
    frame_table: bytes
    """Encoded by `isocenter.dicom.frames`; empty where there is no pixel data."""
    received_at: float
    source: str
    keep_previous: bool = False
    """Where an instance of that identity is there: keep it as the original version, else its bytes are to be erased."""
    deliveries: tuple[DeliveryPlan, ...] = ()
    """A delivery begins for each destination, in the commit of the instance (`ports/ledger.py`)."""
    invalid_paths: tuple[str, ...] = ()
    """Elements whose values are not valid: metadata leaves them out (dicom-service 2.5)."""
    membership: Membership | None = None
    """Where set, it is staged only, and becomes current when its revision is concluded."""
    query_tag_keys: tuple[int, ...] = ()
    """The extended query tags that were looked for, all that were active."""
    query_tag_values: Mapping[int, str] = field(default_factory=dict)
    """What was found of them, by their keys, as `domain.query_tag_value` writes it."""
    external_metadata: tuple[ExternalValue, ...] = ()
    """What came beside it for its study; the tags are registered."""


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """A stored instance, as retrieval needs it."""

    instance_key: int
    """Grows with every commit: the watermark (dicom-service 2.6)."""
    identifier: InstanceIdentifier
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_number: int | None
    number_of_frames: int | None
    address: BlobAddress
    header_length: int
    received_at: float
    has_original: bool
    """An earlier version is kept."""
    source: str = ""
    """The edge it came by, which says how it was validated."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change feed."""

    sequence: int
    identifier: InstanceIdentifier
    action: ChangeAction
    state: ChangeState
    timestamp: float
    instance_key: int | None
    """The current instance, where there is one."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Bytes that a commit made unreachable and that are still to be destroyed."""

    erasure_key: int
    address: BlobAddress
    due_at: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over a partition or all of them."""

    studies: int
    series: int
    instances: int
    size_bytes: int


class InstanceIndex(Protocol):
    """Keep the index, the feed and the deliveries."""

    @property
    def is_failed(self) -> bool:
        """Tell whether an I/O error stopped all writing until the index is opened anew."""
        ...

    @property
    def revisions(self) -> Revisions:
        """Return what becomes of the versions that were committed with a membership."""
        ...

    @property
    def query_tags(self) -> QueryTags:
        """Return the extended query tags, whose values commit with instances."""
        ...

    @property
    def external_metadata(self) -> ExternalMetadataStore:
        """Return what callers handed in beside studies."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Return the deliveries, which begin and end with what they deliver."""
        ...

    def require_room(self) -> None:
        """Raise StorageFull where new instances would eat into the room that deletes and repairs need."""
        ...

    def commit(
        self,
        instances: Sequence[NewInstance],
        *,
        now: float,
        erase_due_at: float,
        positions: Sequence[BlobPosition] = (),
    ) -> list[int]:
        """Commit instances with their feed and delivery rows; return their instance keys.

        An instance whose identity is stored becomes a new version of it (feed action Update); the caller decided that
        before. One with a membership is staged instead, and its key is that of the staged version. `positions` are
        recorded as the fill of their containers: everything before them is in the index.
        Raises StorageFull, StorageFailed, or QueryTagsChanged where an instance was looked at for other extended query
        tags than those that are active, with nothing committed.
        """
        ...

    def find_stored(self, identifiers: Sequence[InstanceIdentifier]) -> dict[InstanceIdentifier, InstanceRow]:
        """Return those of the identifiers that are stored, current versions."""
        ...

    def instances(self, scope: Scope, *, original: bool = False) -> list[InstanceRow]:
        """Return the instances of a scope, by series, instance number, key; empty if nothing is there.

        With `original`, the first version of those that have one.
        """
        ...

    def instance(self, instance_key: int) -> InstanceRow | None:
        """Return one current instance by key."""
        ...

    def instances_of_keys(self, instance_keys: Sequence[int]) -> dict[int, InstanceRow]:
        """Return those of some instances that are there now, by key, by one look."""
        ...

    def frame_table(self, instance_key: int) -> bytes:
        """Return the encoded frame table of an instance; empty if it has none."""
        ...

    def invalid_paths(self, instance_keys: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        """Return the elements that metadata leaves out, of those of the instances that have any."""
        ...

    def search(self, query: Query) -> list[SearchRow]:
        """Return the rows that match, newest first; ties do not exist.

        Patients come in the order of the study of theirs that came last, which also tells of them. Raises
        InvalidRequest for a match that an index does not answer (`domain.indexed`).
        """
        ...

    def search_page(self, query: Query, cursor: Cursor | None = None) -> SearchPage:
        """Return the first rows of a listing, `limit` of them, or those that follow; `offset` counts for nothing.

        However often something is stored meanwhile, pages together have each row that was there at the beginning once.
        """
        ...

    def count(self, query: Query) -> int:
        """Return how many rows match, without regard to limit and offset."""
        ...

    def delete(self, scope: Scope, *, now: float, erase_due_at: float) -> int:
        """Remove a scope, with feed rows and erasures in the same commit; return how many instances went.

        What they were still to be delivered to is cancelled.
        """
        ...

    def changes(self, *, after: int = 0, limit: int = 100) -> list[Change]:
        """Return feed rows with a sequence above `after`, in order."""
        ...

    def change_window(self, *, start: float | None, end: float | None, now: float) -> tuple[int, int]:
        """Return the sequence of the first feed row of a window of time, and the one behind its last row.

        `start` belongs to the window, `end` does not; None leaves a side open. Timestamps of the feed never go back,
        and no row that is committed later than this call gets one before `end`, as far as that is not after `now`.
        """
        ...

    def latest_sequence(self) -> int:
        """Return the highest sequence of the feed; 0 when it is empty."""
        ...

    def due_erasures(self, *, now: float, limit: int) -> list[Erasure]:
        """Return erasures that are due, oldest first."""
        ...

    def forget_erasures(self, erasure_keys: Sequence[int], *, shrunk: Sequence[BlobPosition] = ()) -> None:
        """Drop erasures that were carried out; `shrunk` are the fills of containers that they left shorter or gone."""
        ...

    def positions(self) -> dict[int, int]:
        """Return the recorded fill of each container."""
        ...

    def addresses(self, *, after: int = 0, limit: int = 1000) -> list[tuple[int, InstanceIdentifier, BlobAddress]]:
        """Return key, identifier and address of every stored version in order of keys, for the scrubber."""
        ...

    def totals(self) -> Totals:
        """Return what is stored, in counts that cost no scan."""
        ...
