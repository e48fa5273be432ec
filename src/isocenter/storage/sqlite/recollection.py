"""What the writer remembers between commits: numbers, and the studies and series that are being filled.

It is thrown away whenever a transaction fails or another connection has written, so that it is never believed
against the database.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import apsw

from isocenter.domain.delivery import DeliveryPlan
from isocenter.domain.query_tag import QueryTag
from isocenter.storage.sqlite.connections import fetch
from isocenter.storage.sqlite.query_tag_rows import read_query_tags

STUDIES_REMEMBERED = 1024
SERIES_REMEMBERED = 4096
"""Far more than are received at once; about a kilobyte each."""

PLANS_REMEMBERED = 1024
"""Far more than the rules of all channels say at once; some hundred bytes each."""

Key = TypeVar("Key")
Kept = TypeVar("Kept")


@dataclass(slots=True)
class Counters:
    """The last number given of each kind."""

    study_key: int
    series_key: int
    instance_key: int
    sequence: int
    delivery_key: int
    erasure_key: int

    def as_row(self) -> tuple[int, ...]:
        """Return the numbers in the order of their columns."""
        return (
            self.study_key,
            self.series_key,
            self.instance_key,
            self.sequence,
            self.delivery_key,
            self.erasure_key,
        )


@dataclass(slots=True)
class StudyEntry:
    """A study as the database has it, with what this transaction changes."""

    study_key: int
    partition_key: int
    number_of_series: int
    number_of_instances: int
    newest_instance_key: int
    attributes: dict[int, str]
    sop_classes: set[str]
    is_new: bool = False
    is_changed: bool = False
    has_new_modality: bool = False
    has_new_sop_class: bool = False
    last_values: tuple[str | None, ...] = ()


@dataclass(slots=True)
class SeriesEntry:
    """A series as the database has it, with what this transaction changes."""

    series_key: int
    partition_key: int
    study_key: int
    number_of_instances: int
    newest_instance_key: int
    attributes: dict[int, str]
    is_new: bool = False
    is_changed: bool = False
    last_values: tuple[str | None, ...] = ()
    requests: dict[int, str] = field(default_factory=dict)
    """The items of RequestAttributesSequence, as far as this process has seen them."""
    has_new_requests: bool = False


class Remembered(Generic[Key, Kept]):
    """A map that forgets what was not used for longest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, Kept] = OrderedDict()

    def get(self, key: Key) -> Kept | None:
        """Return an entry and mark it used."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Kept) -> None:
        """Keep an entry."""
        self._entries[key] = entry

    def shrink(self) -> None:
        """Forget what is beyond the limit; between transactions only, so that nothing that changed is lost."""
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


@dataclass(frozen=True, slots=True)
class PlanKeys:
    """Where a plan stands, and the counters of its channel and destination."""

    plan_key: int
    tally_key: int


@dataclass(frozen=True, slots=True)
class DeliveryPlace:
    """Where deliveries of a series to a destination belong."""

    study_key: int
    series_key: int


@dataclass(slots=True)
class PartitionDelta:
    """What a transaction adds to the counts of a partition."""

    studies: int = 0
    series: int = 0
    instances: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class Recollection:
    """All that is remembered."""

    counters: Counters | None = None
    data_version: int = -1
    partitions: dict[str, int] = field(default_factory=dict)
    query_tags: tuple[QueryTag, ...] | None = None
    """All extended query tags; None where they are to be read again."""
    has_new_query_tags: bool = False
    """The transaction that is under way changes them."""
    studies: Remembered[tuple[int, str], StudyEntry] = field(default_factory=lambda: Remembered(STUDIES_REMEMBERED))
    series: Remembered[tuple[int, str], SeriesEntry] = field(default_factory=lambda: Remembered(SERIES_REMEMBERED))
    plans: Remembered[DeliveryPlan, PlanKeys] = field(default_factory=lambda: Remembered(PLANS_REMEMBERED))
    delivery_places: Remembered[tuple[int, str, str, str], DeliveryPlace] = field(
        default_factory=lambda: Remembered(SERIES_REMEMBERED)
    )
    """By partition, study, series and destination."""

    def clear(self) -> None:
        """Forget everything."""
        self.counters = None
        self.data_version = -1
        self.query_tags = None
        self.has_new_query_tags = False
        self.partitions.clear()
        self.plans.clear()
        self.delivery_places.clear()
        self.forget_entries()

    def forget_entries(self) -> None:
        """Forget studies and series, which a removal changed."""
        self.studies.clear()
        self.series.clear()

    def renew_query_tags(self) -> None:
        """Note that the transaction which is under way changes extended query tags."""
        self.query_tags = None
        self.has_new_query_tags = True

    def all_query_tags(self, connection: apsw.Connection, queries: Mapping[str, str]) -> tuple[QueryTag, ...]:
        """Return all extended query tags, read from the database where they changed."""
        if self.query_tags is None:
            self.query_tags = read_query_tags(connection, queries)
        return self.query_tags

    def shrink(self) -> None:
        """Forget what is beyond the limits."""
        self.studies.shrink()
        self.series.shrink()
        self.plans.shrink()
        self.delivery_places.shrink()

    def refresh(self, connection: apsw.Connection, queries: Mapping[str, str]) -> Counters:
        """Forget everything if another connection has written; return the numbers."""
        data_version = connection.execute(queries["data_version"]).get
        if data_version != self.data_version or self.counters is None:
            self.clear()
            self.data_version = data_version
            self.counters = Counters(*fetch(connection, queries["counters"], ())[0])
        return self.counters
