"""Identifiers of the information model: partition, study, series, instance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from isocenter.domain.errors import InvalidRequest

DEFAULT_PARTITION = "Microsoft.Default"
UID_LENGTH_MAX = 64
"""PS3.5 9.1."""

_UID = re.compile(r"[0-9.]*[0-9]", re.ASCII)
_INVALID_UID = (
    "DICOM Identifier is invalid. Value length should not exceed the maximum length of 64 characters. "
    "Value should contain characters in '0'-'9' and '.'. Each component must start with non-zero number."
)


class Level(IntEnum):
    """A level of the composite information model, highest first."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    INSTANCE = 3


def is_uid(text: str) -> bool:
    """Tell whether text is a UID by the grammar of the service (dicom-service 1.5)."""
    return len(text) <= UID_LENGTH_MAX and _UID.fullmatch(text) is not None


def parse_uid(text: str) -> str:
    """Return the UID without the padding that identity ignores (dicom-service 1.5).

    Raises InvalidRequest where what is left is not a UID.
    """
    bare = text.rstrip(" \0")
    if not is_uid(bare):
        raise InvalidRequest(_INVALID_UID)
    return bare


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request names: a study, a series of it, or one instance of that."""

    study_instance_uid: str
    series_instance_uid: str | None = None
    sop_instance_uid: str | None = None
    partition_name: str = DEFAULT_PARTITION

    @property
    def level(self) -> Level:
        """Return the level of the thing that is named."""
        if self.sop_instance_uid is not None:
            return Level.INSTANCE
        return Level.STUDY if self.series_instance_uid is None else Level.SERIES


@dataclass(frozen=True, slots=True)
class InstanceIdentifier:
    """The key under which an instance is unique (dicom-service 1.5)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    partition_name: str = DEFAULT_PARTITION
