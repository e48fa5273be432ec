"""Partitions in a dictionary."""

from __future__ import annotations

import threading

from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.domain.partition import DEFAULT_PARTITION_KEY, Partition


class MemoryPartitions:
    """Keep the partitions in memory."""

    def __init__(self, *, now: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._partitions = {DEFAULT_PARTITION: Partition(DEFAULT_PARTITION_KEY, DEFAULT_PARTITION, now)}

    def create(self, partition_name: str, *, now: float) -> Partition:
        """Return the partition of that name, begun now where it was not there."""
        with self._lock:
            begun = Partition(len(self._partitions) + 1, partition_name, now)
            return self._partitions.setdefault(partition_name, begun)

    def find(self, partition_name: str) -> Partition | None:
        """Return a partition by its name."""
        return self._partitions.get(partition_name)

    def all(self) -> list[Partition]:
        """Return the partitions in the order in which they were begun."""
        with self._lock:
            return list(self._partitions.values())
