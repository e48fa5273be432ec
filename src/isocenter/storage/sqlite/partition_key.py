"""The key of a partition, for whoever writes what lies in it."""

from __future__ import annotations

from collections.abc import Mapping

import apsw


def partition_key_of(
    connection: apsw.Connection, queries: Mapping[str, str], partition_name: str, *, now: float
) -> int:
    """Return the key of a partition, begun now where it was not there, within the transaction of whoever needs it."""
    found: int | None = connection.execute(queries["partition"], (partition_name,)).get
    if found is not None:
        return found
    begun: int = connection.execute(queries["insert_partition"], (partition_name, now)).get
    return begun
