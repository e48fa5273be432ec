"""Where it is kept which data partitions there are."""

from __future__ import annotations

from typing import Protocol

from isocenter.domain.partition import Partition


class Partitions(Protocol):
    """Keep the partitions; the default one is there from the beginning, and none ever goes."""

    def create(self, partition_name: str, *, now: float) -> Partition:
        """Return the partition of that name, begun now where it was not there."""
        ...

    def find(self, partition_name: str) -> Partition | None:
        """Return a partition by its name."""
        ...

    def all(self) -> list[Partition]:
        """Return the partitions in the order in which they were begun."""
        ...
