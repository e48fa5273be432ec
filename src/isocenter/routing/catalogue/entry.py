"""One entry of the catalogue of failures, and the families that codes belong to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Where a code comes from; the same number means different things in different families."""

    STORE = "store"
    FIND = "find"
    RETRIEVE = "retrieve"
    DIMSE = "dimse"
    COMMITMENT = "commitment"
    REJECTION = "reject"
    ABORT = "abort"
    CONTEXT = "context"
    HTTP = "http"
    STOW_FAILURE = "stow"
    STOW_WARNING = "stow-warning"
    TRANSPORT = "transport"
    TOKEN = "token"  # noqa: S105 - the family of errors of a token endpoint
    LOCAL = "local"
    DELIVERY = "delivery"


class Side(StrEnum):
    """Who can mend it."""

    THEIRS = "the other side"
    OURS = "this node"
    SENDER = "whoever made the instance"
    NETWORK = "the network between"
    BOTH = "both sides together"
    NOBODY = "nobody needs to"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a code means and what to do about it."""

    family: Family
    code: str
    """As the protocol writes it: `A700`, `503`, `1.7`; `A7xx` stands for what no other entry of the family names."""
    name: str
    """In the words of the standard, where it has any."""
    meaning: str
    """What happened, in a sentence."""
    side: Side
    remedy: str
    """What to do, in a sentence or two."""

    @property
    def key(self) -> str:
        """Return what deliveries and logs note it by: `http:503`."""
        return f"{self.family}:{self.code}"


Row = tuple[str, str, str, Side, str]
"""Code, name, meaning, side and remedy."""


def entries_of(family: Family, rows: tuple[Row, ...]) -> tuple[Entry, ...]:
    """Return the rows of a table as entries."""
    return tuple(Entry(family, *row) for row in rows)
