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


@dataclass(frozen=True, slots=True)
class PersonName:
    """A person name by the standard, its component groups apart, without regard to case and accents.

    A group may hold wild cards; an empty one, or one that is not named, fits everything. A name that was asked for in
    letters of other scripts, without saying in which group, fits in any (`in_any_group`, then there is one group).
    """

    tag: int
    groups: tuple[str, ...]
    in_any_group: bool = False


@dataclass(frozen=True, slots=True)
class DateAndTime:
    """A date attribute and the time attribute beside it lie in closed ranges; None leaves an end open.

    Combined, the ranges are one from the lowest date and time to the highest (PS3.4 C.2.2.2.5.4). A value without time
    is the whole of its day. With a time zone, values are understood in the zone of their data set, if it names one, and
    brought into this one.
    """

    date_tag: int
    time_tag: int
    dates: tuple[str | None, str | None]
    times: tuple[str | None, str | None] = (None, None)
    is_combined: bool = False
    timezone_minutes: int | None = None

    @property
    def tag(self) -> int:
        """Return the tag under which it counts: that of the date."""
        return self.date_tag


@dataclass(frozen=True, slots=True)
class Empty:
    """The attribute is absent or has no value (PS3.4 C.2.2.2.7)."""

    tag: int


@dataclass(frozen=True, slots=True)
class InItem:
    """One item of a sequence fits all matches (PS3.4 C.2.2.2.6)."""

    tag: int
    matches: tuple[Match, ...]


ValueMatch = OneOf | Wildcard | Between | WordPrefixes
"""A match on one text that is kept of an attribute, which other searches than that of the archive use too."""


@dataclass(frozen=True, slots=True)
class ByQueryTag:
    """The value that an index keeps for an extended query tag fits a match (dicom-service 7).

    Ends of ranges and values are in the canonical form of `query_tag_value`.
    """

    query_tag_key: int
    vr: str
    level: Level
    match: ValueMatch | PersonName

    @property
    def tag(self) -> int:
        """Return the tag of the attribute."""
        return self.match.tag


@dataclass(frozen=True, slots=True)
class ByExternalMetadata:
    """The value that callers handed in beside a study fits a match (dicom-service 2.7)."""

    vr: str
    match: ValueMatch

    @property
    def tag(self) -> int:
        """Return the tag of the attribute."""
        return self.match.tag


Match = ValueMatch | PersonName | DateAndTime | Empty | InItem | ByQueryTag | ByExternalMetadata


@dataclass(frozen=True, slots=True)
class Query:
    """A search at one level; matches are joined by AND.

    `scope_*` come from the route or the unique keys above the level. `offset` and `limit` count
    rows of the answer, which is newest first. Matches on attributes of a level below are fitted by something below the
    row, all of them by the same series and instance (PS3.4 C.4.1.3.2.2).
    """

    level: Level
    matches: tuple[Match, ...] = ()
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    limit: int = 100
    offset: int = 0
    partition_name: str = DEFAULT_PARTITION
    with_patient_counts: bool = False
    """Give NumberOfPatientRelated… below the level of patients too."""


@dataclass(frozen=True, slots=True)
class SearchRow:
    """One answer of a search: values by tag, of its own level and every level above.

    `newest_instance_key` names the instance whose header answers for attributes that the index does not keep.
    Computed attributes (ModalitiesInStudy, Number of … Related …) are in `attributes` too.
    """

    newest_instance_key: int
    attributes: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing goes on; an index makes it and understands it."""

    below: int
    """Rows whose key is lower are still to come."""
    newest: int
    """What was there when the listing began: later studies change nothing in it."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some rows of a listing, and where the next page begins: None at the end."""

    rows: list[SearchRow]
    following: Cursor | None


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
