"""A search as a value: QIDO-RS and C-FIND fill the same one (PS3.4 C.2.2.2, PS3.18 8.3.4).

Every match names an attribute by tag. How text compares is part of the match, because Azure's
rules (dicom-service 4.3) and the standard's differ.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import Enum

from isocenter.domain.identifiers import DEFAULT_PARTITION, Level


class Comparison(Enum):
    """How two texts are held to be equal."""

    EXACT = "exact"
    """Every character counts."""
    CASELESS = "caseless"
    """Case does not count, accents do."""
    FOLDED = "folded"
    """Neither case nor accents count."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The attribute equals any of the values (single value, UID list, list of values)."""

    tag: int
    values: tuple[str, ...]
    comparison: Comparison = Comparison.EXACT


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The attribute fits a pattern: `*` any run, `?` any one character."""

    tag: int
    pattern: str
    comparison: Comparison = Comparison.EXACT


@dataclass(frozen=True, slots=True)
class Between:
    """The attribute lies in a closed range; None leaves an end open (DA, TM, DT)."""

    tag: int
    lowest: str | None
    highest: str | None


@dataclass(frozen=True, slots=True)
class WordPrefixes:
    """Fuzzy person name: the words, in order and adjacent, each begin a word of the name (dicom-service 4.3)."""

    tag: int
    words: tuple[str, ...]


Match = OneOf | Wildcard | Between | WordPrefixes


@dataclass(frozen=True, slots=True)
class Query:
    """A search at one level; matches are joined by AND.

    `scope_*` come from the route or the unique keys above the level. `offset` and `limit` count
    rows of the answer, which is newest first.
    """

    level: Level
    matches: tuple[Match, ...] = ()
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    limit: int = 100
    offset: int = 0
    partition_name: str = DEFAULT_PARTITION


@dataclass(frozen=True, slots=True)
class SearchRow:
    """One answer of a search: values by tag, of its own level and every level above.

    `newest_instance_key` names the instance whose header answers for attributes that the index does not keep.
    Computed attributes (ModalitiesInStudy, Number of … Related …) are in `attributes` too.
    """

    newest_instance_key: int
    attributes: dict[int, str] = field(default_factory=dict)


def fold_caseless(text: str) -> str:
    """Return text for comparison without regard to case."""
    return text.casefold()


def fold(text: str) -> str:
    """Return text for comparison without regard to case and accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def person_name_words(name: str) -> str:
    """Return the words of a person name, folded and separated by one blank, for `WordPrefixes`."""
    return " ".join(fold(name).replace("^", " ").replace("=", " ").split())
