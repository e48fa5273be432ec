"""What becomes of an instance that is handed in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from isocenter.domain.identifiers import InstanceIdentifier


class DuplicatePolicy(Enum):
    """What to do with other bytes under identifiers that are stored already."""

    REFUSE = "refuse"
    REPLACE = "replace"
    KEEP = "keep"
    """Keep both: the new one answers, the earlier one stays retrievable as the original version."""


class Disposition(Enum):
    """How a store ended well."""

    STORED = "stored"
    IDENTICAL = "identical"
    """The very same bytes were there already; nothing changed."""
    REPLACED = "replaced"
    """A new version answers from now on."""


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """An acknowledged instance: durable on disk when this value exists."""

    identifier: InstanceIdentifier
    sop_class_uid: str
    transfer_syntax_uid: str
    disposition: Disposition
    instance_key: int
