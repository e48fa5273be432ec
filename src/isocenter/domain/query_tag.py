"""Extended query tags: attributes that an operator has the index keep beside those of every archive (dicom-service 7).

    adding ──reindex ended──▶ ready ──delete──▶ deleting ──index rows removed──▶ gone

New instances are indexed by a tag from the moment it is added; a search can use it once it is ready and enabled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import InstanceIdentifier, Level

COUNT_MAX = 128
"""dicom-service 14.1; an operator may set another."""


class QueryTagStatus(StrEnum):
    """How far a tag is."""

    ADDING = "adding"
    READY = "ready"
    DELETING = "deleting"


class QueryStatus(StrEnum):
    """Whether a search may use a tag; the first error of a reindex disables it."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class ValueKind(Enum):
    """How an index keeps the values of a tag."""

    STRING = "string"
    PERSON_NAME = "person_name"
    DATE_TIME = "date_time"
    INTEGER = "integer"
    DOUBLE = "double"


KINDS_BY_VR = {
    **dict.fromkeys(("AE", "AS", "CS", "LO", "SH", "UI"), ValueKind.STRING),
    "PN": ValueKind.PERSON_NAME,
    **dict.fromkeys(("DA", "DT"), ValueKind.DATE_TIME),
    **dict.fromkeys(("TM", "IS", "SL", "SS", "UL", "US"), ValueKind.INTEGER),
    **dict.fromkeys(("FL", "FD"), ValueKind.DOUBLE),
}
"""The VRs that a tag may have (dicom-service 7.2)."""


@dataclass(frozen=True, slots=True)
class QueryTagEntry:
    """An attribute that is to be indexed, as a caller named it."""

    tag: int
    vr: str
    level: Level
    private_creator: str = ""
    """Who reserved the block that a private tag is in; empty for a standard one."""

    @property
    def path(self) -> str:
        """Return what it is called in an address."""
        return f"{self.tag:08X}"


@dataclass(frozen=True, slots=True)
class QueryTag:
    """An extended query tag as it is kept."""

    query_tag_key: int
    """Grows with every tag that is added and is never used again."""
    entry: QueryTagEntry
    status: QueryTagStatus = QueryTagStatus.ADDING
    query_status: QueryStatus = QueryStatus.ENABLED
    error_count: int = 0
    operation_id: str = ""
    """The reindex that makes it ready."""

    def __hash__(self) -> int:
        """Return what tells it from others at little cost: sets of tags are looked up for every instance."""
        return self.query_tag_key

    @property
    def kind(self) -> ValueKind:
        """Return how its values are kept."""
        return KINDS_BY_VR[self.entry.vr]

    @property
    def is_indexed(self) -> bool:
        """Tell whether instances that come in are indexed by it."""
        return self.status is not QueryTagStatus.DELETING

    @property
    def is_queryable(self) -> bool:
        """Tell whether a search may name it; where it is disabled, it may not for the time being."""
        return self.status is QueryTagStatus.READY


@dataclass(frozen=True, slots=True)
class QueryTagError:
    """A stored value that a reindex could not take."""

    identifier: InstanceIdentifier
    code: int
    """What is wrong, as the service numbers it (dicom-service 2.5); never the value."""
    created_at: float
    """Seconds since the epoch, UTC."""


@dataclass(frozen=True, slots=True)
class InstanceFindings:
    """What an instance has of some tags, by the tags' keys."""

    instance_key: int
    values: dict[int, str]
    error_codes: dict[int, int]


def require_room_for(count: int, *, count_max: int) -> None:
    """Raise InvalidRequest where there would be too many tags (dicom-service 0.2, D7)."""
    if count > count_max:
        raise InvalidRequest(f"Extended query tags exceeds max allowed count '{count_max}'.")
