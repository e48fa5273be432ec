"""The steps that a transform is made of, as values.

A step names an attribute by a path as rules do; in sequences it changes the items that are there. A step whose
attribute is missing changes nothing, but for `SetValue` and `Copy` at top level, which add it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from isocenter.routing.rules.expression import Expression, Path


class MapOtherwise(StrEnum):
    """What becomes of a value that a map does not name."""

    KEEP = "keep"
    REMOVE = "remove"
    REFUSE = "refuse"
    """The instance goes to the shelf for people: a value that nobody thought of is not sent."""


@dataclass(frozen=True, slots=True)
class SetValue:
    """Give an attribute these values."""

    path: Path
    values: tuple[str, ...]
    """None: the attribute is there and empty."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an attribute away."""

    path: Path


@dataclass(frozen=True, slots=True)
class Copy:
    """Give an attribute the values of another one; where that has none, nothing changes."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Affix:
    """Put texts before and behind each value, unless they stand there already."""

    path: Path
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace every occurrence of a text in each value, letter by letter."""

    path: Path
    find: str
    by: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Write values that fit a pattern anew; others stay."""

    path: Path
    pattern: str
    """`*` any run, `?` any one character, letter by letter; each stands for a part, counted from 1."""
    result: str
    """`{1}` to `{9}` stand for those parts, `{0}` for the whole value."""


@dataclass(frozen=True, slots=True)
class MapValues:
    """Replace values by a table."""

    path: Path
    table: tuple[tuple[str, str], ...]
    otherwise: MapOtherwise = MapOtherwise.KEEP


@dataclass(frozen=True, slots=True)
class Recode:
    """Write all text of the data set in another character set."""

    character_set: str
    """As Specific Character Set names it (PS3.3 C.12.1.1.2)."""


@dataclass(frozen=True, slots=True)
class RemovePrivate:
    """Take all private attributes away, in sequences too, but for the blocks of some creators."""

    kept_creators: tuple[str, ...] = ()


Action: TypeAlias = SetValue | Remove | Copy | Affix | Replace | Rewrite | MapValues | Recode | RemovePrivate


@dataclass(frozen=True, slots=True)
class Step:
    """One change, and when it is made."""

    action: Action
    when: Expression | None = None
    """None: always. It is held against the data set as the steps before left it."""


class Reason(StrEnum):
    """Why attributes are changed (PS3.3 C.12.1.1.9, Reason for the Attribute Modification)."""

    COERCE = "COERCE"
    """To agree with what the receiver holds or needs."""
    CORRECT = "CORRECT"
    """Because they were wrong."""


@dataclass(frozen=True, slots=True)
class Transform:
    """Steps in their order, under a name that rules use."""

    name: str
    steps: tuple[Step, ...]
    keeps_originals: bool = True
    """Original values go with the instance in OriginalAttributesSequence (PS3.3 C.12.1); not so where they are
    removed to stay here."""
    reason: Reason = Reason.COERCE
