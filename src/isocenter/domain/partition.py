"""Data partitions: the same identifiers may stand in several, and nothing looks across (dicom-service 10)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isocenter.domain.errors import InvalidRequest

PARTITION_NAME_LENGTH_MAX = 64
DEFAULT_PARTITION_KEY = 1

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition; there is no way to rename one or to remove it."""

    partition_key: int
    partition_name: str
    created_at: float


def parse_partition_name(text: str) -> str:
    """Return the name of a partition.

    Raises InvalidRequest where text is none; the sentence ends in a blank, as the service sends it.
    """
    if _NAME.fullmatch(text) is None:
        raise InvalidRequest("The specified PartitionName is invalid. ")
    return text
