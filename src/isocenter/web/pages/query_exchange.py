"""What Query/Retrieve shows of other archives, and what its pages ask of whoever talks to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from isocenter.domain.errors import Unavailable
from isocenter.domain.identifiers import Scope
from isocenter.domain.principal import Principal
from isocenter.domain.query import SearchRow
from isocenter.web.pages.query_filter import QueryFilter


class PeerKind(StrEnum):
    """How another archive is spoken to."""

    DIMSE = "DIMSE"
    WEB = "DICOMweb"


@dataclass(frozen=True, slots=True)
class PeerRow:
    """Another archive that can be asked."""

    key: str
    """By which addresses name it."""
    name: str
    kind: PeerKind
    address: str
    """As it may be shown."""
    origin: str
    """Which part of the configuration names it."""


class PeerFailed(Unavailable):
    """Another archive did not do what it was asked for, and what to do about it."""

    def __init__(self, message: str, *, meaning: str = "", remedy: str = "", key: str = "") -> None:
        super().__init__(message)
        self.meaning = meaning
        """What happened, in the words of the catalogue."""
        self.remedy = remedy
        self.key = key
        """Under which the catalogue has it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What another archive answered."""

    rows: Sequence[SearchRow]
    is_cut: bool
    """It has more than was asked for."""
    asked_at: float
    """Seconds since the epoch."""
    took_s: float


class RetrievalState(StrEnum):
    """How far a retrieval is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    INCOMPLETE = "incomplete"
    """It came to its end, and not everything is here."""
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({RetrievalState.DONE, RetrievalState.INCOMPLETE, RetrievalState.FAILED, RetrievalState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A retrieval at one moment."""

    number: int
    peer: str
    """The name of the archive."""
    scope: Scope
    label: str
    """What a person recognises the study by."""
    asked_by: str
    state: RetrievalState
    way: str
    """`C-MOVE`, `C-GET` or `WADO-RS`; empty before it began."""
    asked_at: float
    began_at: float | None
    ended_at: float | None
    expected: int
    """Instances that the archive has of it, as far as it told; 0 where it did not."""
    completed: int
    failed: int
    here: int
    """Instances of it that are stored here, looked up when it ended; 0 before."""
    elapsed_s: float
    outcome: str = ""
    """What became of it, in a sentence."""
    remedy: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    """SOP Instance UID and reason of each that is known to have failed."""
    failures_left_out: int = 0

    @property
    def remaining(self) -> int:
        """Return how many instances are still to come, as far as that is known."""
        return max(0, self.expected - self.completed - self.failed)

    @property
    def percent(self) -> int:
        """Return how far it is."""
        done = self.completed + self.failed
        return min(100, 100 * done // self.expected) if self.expected else 0

    @property
    def rate(self) -> float:
        """Return instances per second since it began."""
        return self.completed / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more comes of it."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants retrieved."""

    peer: str
    scope: Scope
    label: str
    expected: int


class Exchange(Protocol):
    """Other archives, as the pages see them. Coroutines run on the event loop; the rest may wait for the disk."""

    def peers(self) -> Sequence[PeerRow]:
        """Return all that can be asked."""
        ...

    def kept(self, principal: Principal, state: QueryFilter) -> Found | None:
        """Return what an archive answered to this lately, None where that is not kept."""
        ...

    async def search(self, principal: Principal, state: QueryFilter) -> Found:
        """Return the studies that match. Raises PeerFailed, NotFound, Overloaded."""
        ...

    async def series(self, principal: Principal, peer: str, study_instance_uid: str) -> Sequence[SearchRow]:
        """Return the series of a study. Raises PeerFailed, NotFound."""
        ...

    async def echo(self, peer: str) -> str:
        """Return in a sentence what an archive answered. Raises PeerFailed, NotFound."""
        ...

    def studies_here(self, principal: Principal, study_instance_uids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Return how many series and instances of studies are stored here."""
        ...

    def series_here(self, principal: Principal, study_instance_uid: str) -> Mapping[str, int]:
        """Return how many instances of each series of a study are stored here."""
        ...

    async def retrieve(self, principal: Principal, order: Order) -> Retrieval:
        """Begin to retrieve. Raises NotFound, Conflict where that is under way, Overloaded."""
        ...

    async def cancel(self, number: int) -> Retrieval:
        """Have a retrieval end. Raises NotFound, Conflict where it has ended."""
        ...

    async def retrievals(self) -> Sequence[Retrieval]:
        """Return all that are known, the latest first."""
        ...

    async def retrieval(self, number: int) -> Retrieval:
        """Return one. Raises NotFound."""
        ...
