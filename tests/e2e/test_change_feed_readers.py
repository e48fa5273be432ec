"""Readers of the change feed while others store: nothing appears behind what they have read (dicom-service 6, 15.6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.catalogue import Instance, instance, store
from tests.support.dicomweb import client
from tests.support.processes import Node

WRITERS, INSTANCES = 6, 30
Row = dict[str, Any]


def _page(url: str, **parameters: str | int) -> list[Row]:
    answer = client().get(url, params={"includeMetadata": "false", **parameters})
    assert answer.status_code == httpx.codes.OK, answer.text
    rows: list[Row] = answer.json()
    return rows


def _read_by_time(root: str, is_over: Callable[[], bool]) -> list[Row]:
    """Read window after window up to now, each in pages, as the service's documents tell readers of version 2."""
    found: list[Row] = []
    start = datetime(2020, 1, 1, tzinfo=UTC)
    is_last = False
    while not is_last:
        is_last, end, offset = is_over(), datetime.now(UTC), 0
        while rows := _page(
            f"{root}/changefeed", startTime=start.isoformat(), endTime=end.isoformat(), offset=offset, limit=7
        ):
            found += rows
            offset += len(rows)
        start = end
    return found


def _read_by_sequence(root: str, is_over: Callable[[], bool]) -> list[Row]:
    """Go on behind the last sequence, as readers of version 1 do."""
    found: list[Row] = []
    last = 0
    is_last = False
    while not is_last:
        is_last = is_over()
        while rows := _page(f"{root}/changefeed", offset=last, limit=7):
            found += rows
            last = rows[-1]["sequence"]
    return found


@pytest.mark.parametrize(("version", "read"), [("v2", _read_by_time), ("v1", _read_by_sequence)])
def test_a_reader_sees_every_row_once_and_in_order_while_others_store(
    node: Node, version: str, read: Callable[[str, Callable[[], bool]], list[Row]]
) -> None:
    root = f"{node.base_url}/{version}"
    before = {row["sequence"] for row in read(root, lambda: True)}
    stored = threading.Event()

    def write(number: int) -> list[Instance]:
        several = [instance(PatientID=f"W-{number}") for _ in range(INSTANCES)]
        for one in several:
            assert store(root, one.content).status_code == httpx.codes.OK
        return several

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reader = threads.submit(read, root, stored.is_set)
        written = [one.sop for several in threads.map(write, range(WRITERS)) for one in several]
        stored.set()
        rows = [row for row in reader.result() if row["sequence"] not in before]
    assert len(rows) == len(written) == WRITERS * INSTANCES
    assert {row["sopInstanceUid"] for row in rows} == set(written)
    sequences = [row["sequence"] for row in rows]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
