"""Partitions as the service lists them (dicom-service 10)."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from isocenter.dicomweb.codec.change_feed import format_timestamp
from isocenter.domain.partition import Partition


def encode_partitions(partitions: Iterable[Partition]) -> bytes:
    """Return partitions as a JSON array."""
    return orjson.dumps(
        [
            {
                "partitionKey": one.partition_key,
                "partitionName": one.partition_name,
                "createdDate": format_timestamp(one.created_at),
            }
            for one in partitions
        ]
    )
