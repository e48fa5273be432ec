from __future__ import annotations

import orjson

from isocenter.dicomweb.codec.partition_json import encode_partitions
from isocenter.domain.partition import Partition


def test_a_partition_is_written_with_its_key_name_and_date() -> None:
    encoded = encode_partitions([Partition(1, "Microsoft.Default", 0.0), Partition(2, "a", 1_700_000_000.25)])
    assert orjson.loads(encoded) == [
        {"partitionKey": 1, "partitionName": "Microsoft.Default", "createdDate": "1970-01-01T00:00:00.0000000+00:00"},
        {"partitionKey": 2, "partitionName": "a", "createdDate": "2023-11-14T22:13:20.2500000+00:00"},
    ]
    assert encode_partitions([]) == b"[]"
